/**
 * Values that have no fields. Owns: each type as JSON has it (protobuf.dev/programming-guides/json), and back. Does not: messages.
 */
import { isUtf8 } from 'node:buffer';
import { type Json, JsonError } from '@sluice/http-requests';
import { type WireType, varint, varintAt } from './fields.js';

export interface Scalar {
  readonly wire: WireType;
  /** @throws JsonError for what a program could read in two ways */
  read(bytes: Buffer): Json;
  /** Undefined: a value of this type cannot say so. */
  write(text: string): Buffer | undefined;
}

/** Bytes of nothing, by how a value is written. */
const ZERO_BYTES: Readonly<Record<WireType, number>> = { 0: 1, 1: 8, 2: 0, 5: 4 };

/** Zero, false or empty, as it is written. */
export const zeroOf = ({ wire }: Scalar): Buffer => Buffer.alloc(ZERO_BYTES[wire]);

const plain = (text: string): Json => ({ type: 'plain', text });

function integer(bits: 32 | 64, read: (value: bigint) => bigint, write: (value: bigint) => bigint): Scalar {
  return {
    wire: 0,
    read: (bytes) => plain(String(read(varintAt(bytes, 0).value))),
    write: (text) => {
      const value = integerOf(text, bits);
      return value === undefined ? undefined : varint(write(value));
    },
  };
}

function integerOf(text: string, bits: number): bigint | undefined {
  if (!/^-?[0-9]{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= 1n << BigInt(bits) || value < -(1n << BigInt(bits - 1)) ? undefined : value;
}

/** What has more bits is cut by some programs and refused by others. */
function inBits(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low || value > high) throw new JsonError('has a number that does not fit its type');
  return value;
}

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const INT32 = (value: bigint): bigint => inBits(signed(value), -(1n << 31n), (1n << 31n) - 1n);
const UINT32 = (value: bigint): bigint => inBits(value, 0n, (1n << 32n) - 1n);
const same = (value: bigint): bigint => value;
const unzigzag = (value: bigint): bigint => (value >> 1n) ^ -(value & 1n);
const zigzag = (value: bigint): bigint => (value << 1n) ^ (value >> 63n);

function fixed(wire: 1 | 5, read: (bytes: Buffer) => number | bigint, write: (value: string) => Buffer): Scalar {
  return {
    wire,
    read: (bytes) => {
      const value = read(bytes);
      // JSON has no others.
      return Number.isFinite(Number(value)) ? plain(String(value)) : { type: 'string', text: String(value) };
    },
    write: (text) => {
      if (!/^-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?$/i.test(text)) return undefined;
      try {
        return write(text);
      } catch {
        return undefined;
      }
    },
  };
}

function filled(size: 4 | 8, fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(size);
  fill(bytes);
  return bytes;
}

const BOOL: Scalar = {
  wire: 0,
  read: (bytes) => plain(inBits(varintAt(bytes, 0).value, 0n, 1n) === 1n ? 'true' : 'false'),
  write: (text) => (text === 'true' || text === 'false' ? varint(text === 'true' ? 1n : 0n) : undefined),
};

const STRING: Scalar = {
  wire: 2,
  read: (bytes) => {
    if (!isUtf8(bytes)) throw new JsonError('has a text that is no UTF-8');
    return { type: 'string', text: bytes.toString('utf8') };
  },
  write: (text) => Buffer.from(text),
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const BYTES: Scalar = {
  wire: 2,
  read: (bytes) => ({ type: 'string', text: bytes.toString('base64') }),
  write: (text) => (BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.from(text)),
};

/** By `FieldDescriptorProto.Type`; messages, groups and enums are none of these. */
export const SCALARS: ReadonlyMap<number, Scalar> = new Map([
  [
    1,
    fixed(
      1,
      (bytes) => bytes.readDoubleLE(),
      (text) => filled(8, (to) => void to.writeDoubleLE(Number(text))),
    ),
  ],
  [
    2,
    fixed(
      5,
      (bytes) => bytes.readFloatLE(),
      (text) => filled(4, (to) => void to.writeFloatLE(Number(text))),
    ),
  ],
  [3, integer(64, signed, same)],
  [4, integer(64, same, same)],
  [5, integer(32, INT32, same)],
  [
    6,
    fixed(
      1,
      (bytes) => bytes.readBigUInt64LE(),
      (text) => filled(8, (to) => void to.writeBigUInt64LE(BigInt(text))),
    ),
  ],
  [
    7,
    fixed(
      5,
      (bytes) => bytes.readUInt32LE(),
      (text) => filled(4, (to) => void to.writeUInt32LE(Number(text))),
    ),
  ],
  [8, BOOL],
  [9, STRING],
  [12, BYTES],
  [13, integer(32, UINT32, same)],
  [
    15,
    fixed(
      5,
      (bytes) => bytes.readInt32LE(),
      (text) => filled(4, (to) => void to.writeInt32LE(Number(text))),
    ),
  ],
  [
    16,
    fixed(
      1,
      (bytes) => bytes.readBigInt64LE(),
      (text) => filled(8, (to) => void to.writeBigInt64LE(BigInt(text))),
    ),
  ],
  [17, integer(32, (value) => INT32(unzigzag(value)), zigzag)],
  [18, integer(64, unzigzag, zigzag)],
]);

/** By name, as JSON has it; a number that has none stays one. */
export const enumScalar = (names: ReadonlyMap<number, string>): Scalar => {
  const numbers = new Map([...names].map(([number, name]) => [name, number]));
  return {
    wire: 0,
    read: (bytes) => {
      const value = Number(INT32(varintAt(bytes, 0).value));
      const name = names.get(value);
      return name === undefined ? plain(String(value)) : { type: 'string', text: name };
    },
    write: (text) => {
      const number = numbers.get(text) ?? integerOf(text, 32);
      return number === undefined ? undefined : varint(BigInt(number));
    },
  };
};
