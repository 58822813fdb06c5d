/** Messages of the client, decoded. Owns: those that matter to judging. Does not: tags and lengths (messages.ts). Pure. */
import type { Parameter } from '@sluice/contract';
import { HEADER_BYTES } from './messages.js';
import { type TextEncoding, UTF8, UnreadableText, readText, valueInUtf8 } from './text-encoding.js';
import { Reader, malformed } from '@sluice/wire';

/** Decoders for the client messages that a decision or a name hangs on. Each takes one whole message, header included. */

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  /** Declared parameter types, 0 where the server shall infer. */
  readonly types: readonly number[];
}

export interface Bind {
  readonly portal: string;
  readonly statement: string;
  /** Views of the message, valid while it is. */
  readonly values: readonly (Buffer | null)[];
  readonly formats: readonly number[];
}

/** Describe and Close name either kind. */
export interface NamedObject {
  readonly kind: 'statement' | 'portal';
  readonly name: string;
}

export function readQuery(message: Buffer, encoding: TextEncoding): string {
  const body = new Reader(message, HEADER_BYTES);
  const text = readText(body, encoding);
  end(body, 'Query');
  return text;
}

export function readParse(message: Buffer, encoding: TextEncoding, kept?: TextEncoding): ParseMessage {
  const body = new Reader(message, HEADER_BYTES);
  const name = readName(body, encoding, kept);
  const text = readText(body, encoding);
  const types = Array.from({ length: count(body.int16()) }, () => body.int32() >>> 0);
  end(body, 'Parse');
  return { name, text, types };
}

export function readBind(message: Buffer, encoding: TextEncoding, kept?: TextEncoding): Bind {
  const body = new Reader(message, HEADER_BYTES);
  const portal = readName(body, encoding, kept);
  const statement = readName(body, encoding, kept);
  // Plain loops: this runs for every statement that is executed.
  const formats: number[] = [];
  for (let left = count(body.int16()); left > 0; left--) formats.push(body.int16());
  const values: (Buffer | null)[] = [];
  for (let left = count(body.int16()); left > 0; left--) {
    const size = body.int32();
    values.push(size === -1 ? null : body.bytes(size));
  }
  const results = count(body.int16());
  body.bytes(results * 2);
  end(body, 'Bind');
  return { portal, statement, values, formats };
}

/** Parameters as a rule sees them: texts in UTF-8; one format for all, one each, or none, which means text (55.7, Bind). */
export function boundParameters(bind: Bind, types: readonly number[], encoding: TextEncoding): Parameter[] {
  return bind.values.map((value, at) => {
    const format = (bind.formats.length === 1 ? bind.formats[0] : bind.formats[at]) === 1 ? 'binary' : 'text';
    const type = types[at] ?? 0;
    return { type, format, value: value && valueInUtf8(value, type, format, encoding) };
  });
}

export function readExecute(message: Buffer, encoding: TextEncoding, kept?: TextEncoding): string {
  const body = new Reader(message, HEADER_BYTES);
  const portal = readName(body, encoding, kept);
  body.int32();
  end(body, 'Execute');
  return portal;
}

export function readNamed(message: Buffer, encoding: TextEncoding, kept?: TextEncoding): NamedObject {
  const body = new Reader(message, HEADER_BYTES);
  const kind = body.byte();
  const name = readName(body, encoding, kept);
  end(body, 'Describe or Close');
  if (kind === 0x53) return { kind: 'statement', name };
  if (kind === 0x50) return { kind: 'portal', name };
  throw malformed('Describe and Close name a statement (S) or a portal (P)');
}

/** NAMEDATALEN less its zero byte. */
const MAX_NAME_BYTES = 63;
const ASCII = /^[ -~]*$/;

/**
 * The name of a statement or portal as the target has it: of a longer one it takes the first 63 bytes in its own encoding and says nothing
 * (string_hash in dynahash.c), so that two of them may be one. `kept`: that encoding.
 */
function readName(body: Reader, encoding: TextEncoding, kept?: TextEncoding): string {
  const name = readText(body, encoding);
  if (name.length * 3 <= MAX_NAME_BYTES || Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  if (ASCII.test(name)) return name.slice(0, MAX_NAME_BYTES);
  if (kept === UTF8) return cutName(name);
  // It has one byte for each character.
  if (kept?.isPlain) return name.slice(0, MAX_NAME_BYTES);
  throw new UnreadableText(
    `The name of a statement or portal has more than ${MAX_NAME_BYTES} bytes, and where the target cuts it is not known in its encoding.`,
  );
}

/**
 * The server cuts within characters as well. All names that share the bytes before the cut are one to it: here that one has the lowest character
 * which begins with those, so that it is a text still.
 */
function cutName(name: string): string {
  const bytes = Buffer.from(name);
  let start = MAX_NAME_BYTES;
  while (isContinuation(bytes[start])) start--;
  const head = bytes.toString('utf8', 0, start);
  if (start === MAX_NAME_BYTES) return head;
  const lead = bytes[start] as number;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const character = Buffer.alloc(size, 0x80);
  if (lead === 0xe0) character[1] = 0xa0;
  if (lead === 0xf0) character[1] = 0x90;
  bytes.copy(character, 0, start, MAX_NAME_BYTES);
  return head + character.toString('utf8');
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Counts are unsigned on the wire: up to 65535 parameters. */
const count = (signed: number): number => signed & 0xffff;

function end(body: Reader, name: string): void {
  if (body.left > 0) throw malformed(`invalid message format: ${name} has bytes after its last field`);
}
