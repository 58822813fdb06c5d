/** Arrays of PostgreSQL, as text and binary, with a mask for each element. Pure. */
import { Malformed } from './types.js';

/** Masks one element, one field or one bound; null is SQL NULL, undefined leaves it. */
export type ElementMask = (bytes: Buffer, start: number, end: number) => Buffer | null | undefined;

/**
 * An array as text (8.15.6): `{1,NULL,"a b"}`, braces nested for more dimensions, bounds such as `[0:1]=` before it. The
 * structure is copied; elements are unquoted, masked and always quoted again.
 */
export function arrayText(bytes: Buffer, start: number, end: number, delimiter: number, element: ElementMask): Buffer {
  const open = bytes.indexOf(OPEN, start);
  if (open < 0 || open >= end) throw broken();
  const bounds = bytes.toString('latin1', start, open);
  if (!/^(?:(?:\[-?\d+:-?\d+\])+=)?$/.test(bounds)) throw broken();
  const shape = new ArrayShape();
  const scratch = Buffer.allocUnsafe(end - open);
  const out: Buffer[] = [Buffer.from(bounds)];
  let at = open;
  do {
    const byte = bytes[at] as number;
    if (byte === OPEN) shape.open();
    else if (byte === CLOSE) shape.close();
    else if (byte === delimiter) shape.next();
    else {
      shape.element();
      const { value, next, quoted } = readElement(bytes, at, end, delimiter, scratch);
      at = next;
      const isNull = !quoted && value.toString('latin1').toUpperCase() === 'NULL';
      const masked = isNull ? null : element(value, 0, value.length);
      out.push(masked === null ? NULL : quotedElement(masked ?? value));
      continue;
    }
    out.push(Buffer.from([byte]));
    at++;
  } while (at < end && shape.depth > 0);
  if (shape.depth !== 0 || at !== end || !shape.fits(bounds)) throw broken();
  return Buffer.concat(out);
}

/** Braces that nest to one depth, with as many members in each of a level. */
class ArrayShape {
  depth = 0;
  readonly #counts: number[] = [];
  readonly #sizes: number[] = [];
  #leaves = 0;
  /** A member has to come, as behind a brace or a delimiter. */
  #due = true;

  open(): void {
    if (!this.#due || this.depth === 6) throw broken();
    if (this.depth > 0) this.#counts[this.depth - 1] = (this.#counts[this.depth - 1] as number) + 1;
    this.#counts[this.depth++] = 0;
  }

  element(): void {
    if (!this.#due || (this.#leaves !== 0 && this.#leaves !== this.depth)) throw broken();
    this.#leaves = this.depth;
    this.#counts[this.depth - 1] = (this.#counts[this.depth - 1] as number) + 1;
    this.#due = false;
  }

  next(): void {
    if (this.#due) throw broken();
    this.#due = true;
  }

  close(): void {
    const count = this.#counts[--this.depth] as number;
    // `{}` is an array without elements, and nowhere else is nothing between two braces.
    if (this.#due && (count > 0 || this.depth > 0)) throw broken();
    if (count !== (this.#sizes[this.depth] ??= count)) throw broken();
    this.#due = false;
  }

  /** Bounds are given for each dimension, or not at all. */
  fits(bounds: string): boolean {
    if (bounds === '') return true;
    const sizes = Array.from(bounds.matchAll(/\[(-?\d+):(-?\d+)\]/g), ([, from, to]) => Number(to) - Number(from) + 1);
    return sizes.length === this.#sizes.length && sizes.every((size, n) => size === this.#sizes[n]);
  }
}

function readElement(
  bytes: Buffer,
  start: number,
  end: number,
  delimiter: number,
  value: Buffer,
): { value: Buffer; next: number; quoted: boolean } {
  const quoted = bytes[start] === QUOTE;
  let size = 0;
  let at = quoted ? start + 1 : start;
  for (; at < end; at++) {
    let byte = bytes[at] as number;
    if (quoted ? byte === QUOTE : byte === delimiter || byte === CLOSE || byte === OPEN || byte === QUOTE) break;
    if (byte === BACKSLASH) byte = bytes[++at] as number;
    value[size++] = byte;
  }
  if (at >= end || (at === start && !quoted)) throw broken();
  return { value: value.subarray(0, size), next: quoted ? at + 1 : at, quoted };
}

/** An element as the server writes it, in memory of its own: `value` may be written over for the next one. */
export function quotedElement(value: Buffer): Buffer {
  const text = value.toString('latin1');
  if (BARE.test(text) && text.toUpperCase() !== 'NULL') return Buffer.from(value);
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

/** What the server writes without quotes (array_out). */
const BARE = /^[^ \t\n\v\f\r"\\{},]+$/;
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
export function arrayBinary(bytes: Buffer, start: number, end: number, type: number, element: ElementMask): Buffer {
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
export function lengthPrefixed(bytes: Buffer, start: number, end: number, of: (n: number) => ElementMask): Buffer[] {
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
