/** Rows and hstore of PostgreSQL, as text and binary, with a mask for each field. Pure. */
import { lengthPrefixed, type ElementMask } from './array.js';
import { endOfQuoted } from './quoted.js';
import { Malformed } from './types.js';

const broken = (): Malformed => new Malformed('not a row');
const [OPEN, CLOSE, COMMA, QUOTE, BACKSLASH] = [0x28, 0x29, 0x2c, 0x22, 0x5c];

/** A row as text (8.16.6): `(1,"a b",)`. Nothing between two commas is NULL; quotes are doubled or escaped. */
export function compositeText(bytes: Buffer, start: number, end: number, fields: readonly ElementMask[]): Buffer {
  if (end - start < 2 || bytes[start] !== OPEN || bytes[end - 1] !== CLOSE) throw broken();
  const out: Buffer[] = [Buffer.from('(')];
  const scratch = Buffer.allocUnsafe(end - start);
  let at = start + 1;
  for (let n = 0; n < fields.length; n++) {
    const { value, next } = readField(bytes, at, end - 1, scratch);
    const masked = value === null ? null : (fields[n] as ElementMask)(value, 0, value.length);
    if (masked !== null) out.push(writtenField(masked ?? (value as Buffer)));
    const last = n === fields.length - 1;
    if (last ? next !== end - 1 : bytes[next] !== COMMA || next >= end - 1) throw broken();
    if (!last) out.push(Buffer.from(','));
    at = next + 1;
  }
  out.push(Buffer.from(')'));
  return Buffer.concat(out);
}

/** A field may have quoted and bare pieces; without any byte it is NULL. */
function readField(bytes: Buffer, start: number, end: number, value: Buffer): { value: Buffer | null; next: number } {
  let size = 0;
  let inside = false;
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      if (inside && bytes[at + 1] === QUOTE && at + 1 < end) value[size++] = bytes[++at] as number;
      else inside = !inside;
    } else if (byte === BACKSLASH && at + 1 < end) value[size++] = bytes[++at] as number;
    else if (!inside && byte === COMMA) break;
    else value[size++] = byte;
  }
  if (inside) throw broken();
  return { value: at === start ? null : value.subarray(0, size), next: at };
}

/**
 * A field of a row as the server writes it (record_out): in quotes where it has to be. In memory of its own: `value` may be
 * written over for the next one.
 */
export const writtenField = (value: Buffer): Buffer =>
  BARE.test(value.toString('latin1')) ? Buffer.from(value) : quotedField(value);

const BARE = /^[^ \t\n\v\f\r"\\(),]+$/;

/** In quotes, with quotes and backslashes doubled. Range bounds are written so too. */
export function quotedField(value: Buffer): Buffer {
  const out = Buffer.allocUnsafe(value.length * 2 + 2);
  let size = 0;
  out[size++] = QUOTE;
  for (const byte of value) {
    if (byte === QUOTE || byte === BACKSLASH) out[size++] = byte;
    out[size++] = byte;
  }
  out[size++] = QUOTE;
  return out.subarray(0, size);
}

/** A row in binary (`record_send`): int32 fields, and for each int32 type, int32 size (-1 for NULL), bytes. */
export function compositeBinary(
  bytes: Buffer,
  start: number,
  end: number,
  fields: readonly ElementMask[],
  types: readonly number[],
): Buffer {
  if (end - start < 4 || bytes.readInt32BE(start) !== fields.length) throw broken();
  const out: Buffer[] = [Buffer.from(bytes.subarray(start, start + 4))];
  let at = start + 4;
  for (let n = 0; n < fields.length; n++) {
    if (at + 8 > end || bytes.readInt32BE(at) !== types[n]) throw broken();
    const next = at + 8 + Math.max(0, bytes.readInt32BE(at + 4));
    if (next > end) throw broken();
    out.push(
      Buffer.from(bytes.subarray(at, at + 4)),
      ...lengthPrefixed(bytes, at + 4, next, () => fields[n] as ElementMask),
    );
    at = next;
  }
  if (at !== end) throw broken();
  return Buffer.concat(out);
}

/** hstore in binary: int32 pairs, for each int32 size and key, int32 size (-1 for NULL) and value. Keys stay. */
export function hstoreBinary(bytes: Buffer, start: number, end: number, value: ElementMask): Buffer {
  if (end - start < 4) throw broken();
  const parts = lengthPrefixed(bytes, start + 4, end, (n) => (n % 2 === 0 ? () => undefined : value));
  if (parts.length !== bytes.readInt32BE(start) * 2) throw broken();
  return Buffer.concat([bytes.subarray(start, start + 4), ...parts]);
}

/** hstore as the server writes it: `"key"=>"value", "other"=>NULL`. */
export function hstoreText(bytes: Buffer, start: number, end: number, value: ElementMask): Buffer {
  const text = bytes.toString('latin1', start, end);
  const pairs: string[] = [];
  for (let at = 0; at < text.length; ) {
    const key = piece(text, at);
    at += key.length + 2;
    if (text.slice(at - 2, at) !== '=>') throw broken();
    const quoted = text.startsWith('NULL', at) ? undefined : piece(text, at);
    at += quoted?.length ?? 4;
    const old = Buffer.from((quoted ?? '').slice(1, -1).replaceAll(/\\(.)/gs, '$1'), 'latin1');
    const masked = quoted === undefined ? null : value(old, 0, old.length);
    pairs.push(`${key}=>${masked === null ? 'NULL' : escaped((masked ?? old).toString('latin1'))}`);
    if (at < text.length && (text.slice(at, at + 2) !== ', ' || at + 2 === text.length)) throw broken();
    at += 2;
  }
  return Buffer.from(pairs.join(', '), 'latin1');
}

function piece(text: string, at: number): string {
  const end = text[at] === '"' ? endOfQuoted(text, at) : -1;
  if (end < 0) throw broken();
  return text.slice(at, end);
}

const escaped = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
