/**
 * SHOW WARNINGS with what the gateway itself has to say of a statement, behind what the target says. Owns: which statements show
 * warnings, and the rows. Does not: the words, nor the count of warnings in OK and EOF packets.
 */
import type { HiddenWords } from '@sluice/analysis';
import type { MySqlColumn, PacketEditor } from '@sluice/contract';
import { counted } from './rows.js';
import { isUtf8, layoutOf } from './values.js';

/** Longer texts are none of these. Characters. */
const MAX_SHOW_CHARACTERS = 100;

/**
 * What a statement shows of the warnings of the one before it. 'some': errors, a count, or a part of them, without those of the gateway.
 * 'nothing': it has warnings of its own.
 */
export function showsWarnings(text: string): 'all' | 'some' | 'nothing' {
  if (text.length > MAX_SHOW_CHARACTERS || !MAY_SHOW.test(text)) return 'nothing';
  const words = text.trim().replace(/;$/, '').trim().toLowerCase().split(/\s+/).join(' ');
  if (words === 'show warnings') return 'all';
  return SHOWS.some((start) => words.startsWith(start)) ? 'some' : 'nothing';
}

const MAY_SHOW = /^\s*(?:show|get)/i;
const SHOWS = ['show warnings', 'show errors', 'show count(', 'show count (', 'get '];

/** The result of SHOW WARNINGS, with more behind it. */
export function withWarnings(
  editor: PacketEditor | undefined,
  words: readonly HiddenWords[],
  columns: readonly MySqlColumn[],
  format: 'text' | 'binary',
): PacketEditor | undefined {
  if (words.length === 0 || columns.length !== 3) return editor;
  const behind = words.map((one) => warning(one, columns, format));
  return { ...(editor ?? AS_IT_IS), behind };
}

const AS_IT_IS: PacketEditor = { nullable: new Set(), masked: new Set(), rewrite: () => false };

/** A number of the gateway's own, of those that servers leave to others (50000 to 51999), so that programs can tell it from theirs. */
const HIDDEN_COLUMNS = 50_101;
const LEVEL = 'Note';

/** Level, code and message. */
function warning(
  { message, detail, hint }: HiddenWords,
  columns: readonly MySqlColumn[],
  format: 'text' | 'binary',
): Buffer {
  const values = [LEVEL, String(HIDDEN_COLUMNS), `${message} ${detail} ${hint}`];
  const cells = columns.map((column, at) => {
    const value = values[at] as string;
    const layout = layoutOf(column);
    if (format === 'text' || typeof layout !== 'number') return counted(textFor(column, value));
    const number = Buffer.alloc(layout);
    number.writeUIntLE(HIDDEN_COLUMNS, 0, Math.min(layout, 6));
    return number;
  });
  return Buffer.concat(format === 'text' ? cells : [BINARY_HEAD, ...cells]);
}

/** No NULL among three columns. */
const BINARY_HEAD = Buffer.alloc(2);

const textFor = ({ charset }: MySqlColumn, text: string): Buffer =>
  isUtf8(charset) ? Buffer.from(text) : Buffer.from(text.replaceAll(/[^ -~]/g, '?'));
