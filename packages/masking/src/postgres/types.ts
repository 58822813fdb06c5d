/** What masks need to know of a type of PostgreSQL, and helpers to read values of one. Pure. */
import type { MaskOptions } from '../modes.js';

/** How a value is written on the wire (format codes 0 and 1 of 55.7). */
export type WireFormat = 'text' | 'binary';

/** A type as the catalog has it. What is not known of it costs precision: the mask is NULL where it would have needed it. */
export interface PgType {
  readonly oid: number;
  /** `atttypmod`; -1 or absent when there is no limit. */
  readonly typmod?: number;
  readonly kind: 'base' | 'array' | 'composite' | 'enum' | 'range' | 'multirange' | 'domain' | 'pseudo';
  /** `typname`, by which types of extensions are known (hstore, citext), since their OIDs differ between databases. */
  readonly name?: string;
  /** Of an array its elements, of a range its bounds, of a domain what it is over. Built-in ones need not say. */
  readonly element?: PgType;
  /** Of a composite, in order, dropped columns left out. */
  readonly fields?: readonly PgType[];
  /** Of an enum, in order. */
  readonly labels?: readonly string[];
}

/** A type of which single values can be read, masked and written in both formats. */
export interface Scalar<V> {
  /** Throws on what is not such a value. */
  read(bytes: Buffer, start: number, end: number, format: WireFormat): V;
  write(value: V, format: WireFormat, typmod: number): Buffer;
  /** The value that says nothing; null if there is none. */
  redacted(value: V, typmod: number): V | null;
  /** A mode that is missing redacts. */
  readonly hashed?: (value: V, keyed: (canonical: string | Uint8Array) => Buffer, typmod: number) => V | null;
  readonly partial?: (value: V, keepLast: number) => V | null;
  readonly generalised?: (value: V) => V | null;
}

export type { CellMask } from '@sluice/contract';
export type { MaskOptions };

export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** The bytes as ASCII text if they match, else an exception. */
export function ascii(bytes: Buffer, start: number, end: number, pattern: RegExp): RegExpExecArray {
  const match = end - start > MAX_ASCII_VALUE_BYTES ? null : pattern.exec(bytes.toString('latin1', start, end));
  if (!match) throw new Malformed('not a value of its type');
  return match;
}

/** A numeric may have 131072 digits before the point and 16383 behind it; nothing else that is read so is longer. */
const MAX_ASCII_VALUE_BYTES = 150_000;

/** Fixed sizes are checked before anything is read. */
export function sized(start: number, end: number, size: number): void {
  if (end - start !== size) throw new Malformed(`${end - start} bytes where the type has ${size}`);
}
