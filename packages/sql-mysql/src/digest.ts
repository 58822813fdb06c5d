/**
 * What masks follow a long text by, made in the thread that reads it. Owns: which constants a text can do without. Does not: follow
 * anything (lineage).
 */
import type { TextDigest } from '@sluice/contract';
import { traceOf } from './lineage/lost.js';
import type { Tokens } from './tokens.js';
import type { Statement } from './tree.js';

/** Longer texts are followed by their digest. To follow one of so many characters takes some milliseconds of all sessions. */
export const MAX_FOLLOWED_CHARACTERS = 64 * 1024;

/** Constants that are longer are shortened. Characters. */
const MAX_CONSTANT_CHARACTERS = 6;
/** In place of a text: what is in no language and in no path, so that nobody takes it for one. */
const SOME_TEXT = "'('";
/** In place of a number: no result has so many columns, so that it means none of them. */
const SOME_NUMBER = '99999';

/** @param statement the only one of the text; undefined: it has none, or several */
export function digestOf(tokens: Tokens, statement: Statement | undefined): TextDigest | undefined {
  if (!statement) return undefined;
  const text = shortened(tokens, namingSpans(statement));
  if (text === undefined) return { type: 'trace', ...traceOf(statement, tokens.reading) };
  return { type: 'text', text, ...(tokens.hasFewerRows && { fewerRows: true }) };
}

/**
 * The tokens as a text again, which is read as they are; undefined where that is too long to be followed as well.
 *
 * @param kept what stays to the letter
 */
function shortened(tokens: Tokens, kept: ReadonlyMap<number, number>): string | undefined {
  const { kinds, starts, ends, source } = tokens;
  const list = new ConstantList(tokens);
  let text = '';
  for (let at = 0; at < kinds.length - 1; at++) {
    const start = starts[at] as number;
    const isListed = list.has(at);
    // A blank stands for comments as well. Where there is none, none may be: `count(`.
    if (at > 0 && ends[at - 1] !== start) text += ' ';
    const end = kept.get(start);
    if (end === undefined)
      text += (isListed ? LISTED.get(kinds[at]) : constantAt(tokens, at)) ?? source.slice(start, ends[at]);
    else {
      text += source.slice(start, end);
      while ((ends[at + 1] ?? Infinity) <= end) at++;
    }
    if (text.length > MAX_FOLLOWED_CHARACTERS) return undefined;
  }
  return text;
}

/** In place of what stands in the list of an IN, where no number is a column: lists have thousands, and only how many counts. */
const LISTED: ReadonlyMap<unknown, string> = new Map([
  ['integer', '1'],
  ['decimal', '.1'],
  ['float', '1e1'],
  ['string', "''"],
]);

/** Whether tokens, asked for one by one, stand in the list of an IN that has had nothing but constants so far. */
class ConstantList {
  readonly #tokens: Tokens;
  #depth = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  has(at: number): boolean {
    const { kinds, texts } = this.#tokens;
    const text = texts[at] ?? '';
    if (kinds[at] === 'operator' && text === '(') {
      const begins = kinds[at - 1] === 'word' && texts[at - 1] === 'IN';
      if (begins || this.#depth > 0) this.#depth++;
      return false;
    }
    if (this.#depth === 0) return false;
    if (LISTED.has(kinds[at])) return true;
    const goesOn = kinds[at] === 'operator' && LIST_SIGNS.has(text);
    if (!goesOn) this.#depth = 0;
    else if (text === ')') this.#depth--;
    return false;
  }
}

const LIST_SIGNS: ReadonlySet<string> = new Set([',', ')', '-', '+']);

/**
 * Outputs without an alias are called by their text, and columns are looked up by such names: `(SELECT 'a long one')` has a column of
 * that name. From where each begins to where the longest that begins there ends.
 */
function namingSpans(statement: Statement): Map<number, number> {
  const spans = new Map<number, number>();
  const open: unknown[] = [statement];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    for (const value of Object.values(node)) open.push(value);
    const { kind, alias, start, end } = node as { kind?: unknown; alias?: unknown; start?: number; end?: number };
    const names = (kind === 'item' && alias === undefined) || kind === 'values';
    if (names && start !== undefined && end !== undefined) spans.set(start, Math.max(end, spans.get(start) ?? 0));
  }
  return spans;
}

/** A short constant in place of a long one whose value nobody looks at; undefined: none. */
function constantAt(tokens: Tokens, at: number): string | undefined {
  const { kinds, starts, ends } = tokens;
  const length = (ends[at] as number) - (starts[at] as number);
  if (length <= MAX_CONSTANT_CHARACTERS || !isOperand(tokens, at)) return undefined;
  if (kinds[at] === 'string') return SOME_TEXT;
  return kinds[at] === 'integer' ? SOME_NUMBER : undefined;
}

/** A text is a name behind a value (`SELECT mail 'nick'`), and a statement behind FROM and IMMEDIATE; never behind these. */
function isOperand({ kinds, texts }: Tokens, at: number): boolean {
  const before = texts[at - 1] ?? '';
  return kinds[at - 1] === 'operator'
    ? before !== ')' && before !== '.'
    : kinds[at - 1] === 'word' && LEADING.has(before);
}

const LEADING: ReadonlySet<string> = new Set(
  'WHEN THEN ELSE AND OR LIKE BETWEEN _BINARY _UTF8MB4 _UTF8MB3 _UTF8 _LATIN1'.split(' '),
);
