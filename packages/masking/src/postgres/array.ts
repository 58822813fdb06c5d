import { Malformed } from './types.js';

/** Masks one element, one field or one bound; null is SQL NULL, undefined leaves it. */
export type Part = (bytes: Buffer, start: number, end: number) => Buffer | null | undefined;

/**
 * An array as text (8.15.6): `{1,NULL,"a b"}`, braces nested for more dimensions, bounds such as `[0:1]=` before it. The
 * structure is copied; elements are unquoted, masked and always quoted again.
 */
export function arrayText(bytes: Buffer, start: number, end: number, delimiter: number, element: Part): Buffer {
  const out: Buffer[] = [];
  let at = bytes.indexOf(OPEN, start);
  if (at < 0 || at >= end || (at > start && (bytes[start] !== 0x5b || bytes[at - 1] !== 0x3d))) throw broken();
  out.push(Buffer.from(bytes.subarray(start, at)));
  let depth = 0;
  let due = true;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === OPEN || byte === CLOSE || byte === delimiter) {
      depth += byte === OPEN ? 1 : byte === CLOSE ? -1 : 0;
      due = byte !== CLOSE;
      out.push(Buffer.from([byte]));
      at++;
      if (depth === 0) break;
      continue;
    }
    if (!due) throw broken();
    const { value, next, quoted } = readElement(bytes, at, end, delimiter);
    due = false;
    at = next;
    const isNull = !quoted && value.toString('latin1').toUpperCase() === 'NULL';
    const masked = isNull ? null : element(value, 0, value.length);
    out.push(masked === null ? NULL : quotedElement(masked ?? value));
  }
  if (depth !== 0 || at !== end) throw broken();
  return Buffer.concat(out);
}

function readElement(
  bytes: Buffer,
  start: number,
  end: number,
  delimiter: number,
): { value: Buffer; next: number; quoted: boolean } {
  const quoted = bytes[start] === QUOTE;
  const value = Buffer.allocUnsafe(end - start);
  let size = 0;
  let at = quoted ? start + 1 : start;
  for (; at < end; at++) {
    let byte = bytes[at] as number;
    if (quoted ? byte === QUOTE : byte === delimiter || byte === CLOSE || byte === OPEN || byte === QUOTE) break;
    if (byte === BACKSLASH) byte = bytes[++at] as number;
    value[size++] = byte;
  }
  if (at >= end) throw broken();
  return { value: value.subarray(0, size), next: quoted ? at + 1 : at, quoted };
}

export function quotedElement(value: Buffer): Buffer {
  const out = Buffer.allocUnsafe(value.length * 2 + 2);
  let size = 0;
  out[size++] = QUOTE;
  for (const byte of value) {
    if (byte === QUOTE || byte === BACKSLASH) out[size++] = BACKSLASH;
    out[size++] = byte;
  }
  out[size++] = QUOTE;
  return out.subarray(0, size);
}

const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NULL = Buffer.from('NULL');
const broken = (): Malformed => new Malformed('not an array');

/**
 * An array in binary (`array_send`): int32 dimensions, int32 whether there are NULLs, int32 type of the elements, for each
 * dimension int32 size and int32 lower bound, then for each element int32 size (-1 for NULL) and its bytes.
 */
export function arrayBinary(bytes: Buffer, start: number, end: number, type: number, element: Part): Buffer {
  if (end - start < 12) throw broken();
  const dimensions = bytes.readInt32BE(start);
  const head = 12 + dimensions * 8;
  if (dimensions < 0 || dimensions > 6 || end - start < head || bytes.readInt32BE(start + 8) !== type) throw broken();
  let count = dimensions === 0 ? 0 : 1;
  for (let n = 0; n < dimensions; n++) {
    const size = bytes.readInt32BE(start + 12 + n * 8);
    if (size < 1 || size + bytes.readInt32BE(start + 16 + n * 8) > 0x7fff_ffff) throw broken();
    count *= size;
  }
  const header = Buffer.from(bytes.subarray(start, start + head));
  const parts = lengthPrefixed(bytes, start + head, end, () => element);
  if (parts.length !== count) throw broken();
  header.writeInt32BE(parts.some((part) => part.readInt32BE(0) === -1) ? 1 : 0, 4);
  return Buffer.concat([header, ...parts]);
}

/** Values behind their int32 sizes up to `end`, each masked by the part that `of` gives for its index. */
export function lengthPrefixed(bytes: Buffer, start: number, end: number, of: (n: number) => Part): Buffer[] {
  const out: Buffer[] = [];
  for (let at = start; at < end; ) {
    if (at + 4 > end) throw broken();
    const size = bytes.readInt32BE(at);
    const from = at + 4;
    at = from + Math.max(0, size);
    if (size < -1 || at > end) throw broken();
    out.push(sizedPart(size === -1 ? null : of(out.length)(bytes, from, at), bytes, from, at));
  }
  return out;
}

function sizedPart(value: Buffer | null | undefined, bytes: Buffer, start: number, end: number): Buffer {
  const head = Buffer.alloc(4);
  if (value === null) {
    head.writeInt32BE(-1);
    return head;
  }
  const body = value ?? bytes.subarray(start, end);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}
