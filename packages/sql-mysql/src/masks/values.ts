/**
 * Values of rows as text, and back: the masks of a value are those of its text, so that both protocols give the same. Owns: which
 * type of a definition is what, its layout in binary rows (Protocol::BinaryResultsetRow), and what fits into it. Pure.
 */
import { type MySqlColumn, padded, singleByteCollation } from '@sluice/contract';
import { type PgType, builtIn } from '@sluice/masking';

/** How many bytes a value has in a binary row; `counted`: its length stands before it; `short`: one byte says how many. */
export type Layout = 1 | 2 | 4 | 8 | 'short' | 'counted';

const TYPE = {
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  null: 6,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
} as const;
const LATER = { time: 11, datetime: 12, year: 13, bit: 16, json: 245, newDecimal: 246 } as const;
const TEXTS: ReadonlySet<number> = new Set([15, 249, 250, 251, 252, 253, 254]);
const FLAG = { unsigned: 0x20, enum: 0x100, set: 0x800 } as const;
const BINARY_CHARSET = 63;

const LAYOUTS: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [TYPE.tiny, 1],
  [TYPE.short, 2],
  [LATER.year, 2],
  [TYPE.long, 4],
  [TYPE.int24, 4],
  [TYPE.float, 4],
  [TYPE.longlong, 8],
  [TYPE.double, 8],
  [TYPE.timestamp, 'short'],
  [TYPE.date, 'short'],
  [LATER.time, 'short'],
  [LATER.datetime, 'short'],
]);

export const layoutOf = ({ type }: MySqlColumn): Layout => LAYOUTS.get(type) ?? 'counted';

/** Bits of the integers. */
const INTEGERS: ReadonlyMap<number, number> = new Map([
  [TYPE.tiny, 8],
  [TYPE.short, 16],
  [TYPE.int24, 24],
  [TYPE.long, 32],
  [TYPE.longlong, 64],
]);

/**
 * The type of PostgreSQL whose text is written in the same way, for which there are masks; undefined where there is none: ENUM and SET
 * have members only, YEAR, BIT and geometries no value that means nothing, and bytes are no text.
 */
export function maskedAs(column: MySqlColumn): PgType | undefined {
  const { type, flags, charset, json } = column;
  if (json && TEXTS.has(type)) return builtIn(JSON_OID);
  if ((flags & (FLAG.enum | FLAG.set)) !== 0) return undefined;
  if (INTEGERS.has(type)) return builtIn(type === TYPE.longlong || (flags & FLAG.unsigned) !== 0 ? INT8 : INT4);
  const oid = OIDS.get(type);
  if (oid !== undefined) return builtIn(oid);
  return TEXTS.has(type) && isReadable(charset) ? builtIn(TEXT) : undefined;
}

const [INT4, INT8, TEXT, JSON_OID] = [23, 20, 25, 114];
const OIDS: ReadonlyMap<number, number> = new Map([
  [0, 1700],
  [LATER.newDecimal, 1700],
  [TYPE.float, 700],
  [TYPE.double, 701],
  [TYPE.date, 1082],
  [TYPE.timestamp, 1114],
  [LATER.datetime, 1114],
  [LATER.time, 1083],
  [LATER.json, 114],
]);

/** Character sets that masks can read: utf8mb3, utf8mb4, ascii, and those of one byte. By the numbers of their collations. */
const isReadable = (charset: number): boolean =>
  charset !== BINARY_CHARSET &&
  (isUtf8(charset) || ASCII.has(padded(charset)) || singleByteCollation(charset) !== undefined);

/** By the number of a collation. */
export function isUtf8(collation: number): boolean {
  const charset = padded(collation);
  const isOld = (charset >= 192 && charset <= 247) || UTF8.has(charset);
  return isOld || (charset >= 255 && charset <= 323) || (charset >= 2048 && charset < 2560);
}
const UTF8: ReadonlySet<number> = new Set([33, 45, 46, 83]);
const ASCII: ReadonlySet<number> = new Set([11, 65]);

/** Any text is a value of the column, and is written alike in text and binary rows. */
export const isPlainText = (column: MySqlColumn): boolean =>
  TEXTS.has(column.type) && layoutOf(column) === 'counted' && !DIGITS.has(column.type);

/** A mask as the server writes values of the column: with as many digits behind the point. */
export function conformed({ type, decimals }: MySqlColumn, text: Buffer): Buffer {
  if (!DIGITS.has(type) || decimals === 0 || decimals > MAX_DECIMAL_DIGITS || text.includes(POINT)) return text;
  return Buffer.concat([text, Buffer.from(`.${'0'.repeat(decimals)}`)]);
}

const DIGITS: ReadonlySet<number> = new Set([0, LATER.newDecimal, TYPE.timestamp, LATER.datetime, LATER.time]);
/** More are no number of digits but "as many as there are" (NOT_FIXED_DEC). */
const MAX_DECIMAL_DIGITS = 30;
const POINT = 0x2e;

/** Whether a text is a value of the column. */
export function fits({ type, flags }: MySqlColumn, text: string): boolean {
  const bits = INTEGERS.get(type);
  if (bits === undefined) return type !== TYPE.float && type !== TYPE.double ? true : Number.isFinite(Number(text));
  if (!/^-?\d{1,20}$/.test(text)) return false;
  const value = BigInt(text);
  const isUnsigned = (flags & FLAG.unsigned) !== 0;
  const [least, most] = isUnsigned
    ? [0n, (1n << BigInt(bits)) - 1n]
    : [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n];
  return value >= least && value <= most;
}

/** The text of a value in a binary row; undefined for what it is not a text of. `start` is behind the length. */
export function textOf(column: MySqlColumn, bytes: Buffer, start: number, end: number): Buffer | undefined {
  const { type, flags } = column;
  const isUnsigned = (flags & FLAG.unsigned) !== 0;
  if (INTEGERS.has(type)) return Buffer.from(String(integer(bytes, start, end, isUnsigned)));
  switch (type) {
    case LATER.year:
      return Buffer.from(String(bytes.readUInt16LE(start)));
    case TYPE.float:
      return Buffer.from(String(Math.fround(bytes.readFloatLE(start))));
    case TYPE.double:
      return Buffer.from(String(bytes.readDoubleLE(start)));
    case TYPE.date:
    case TYPE.timestamp:
    case LATER.datetime:
      return Buffer.from(moment(bytes.subarray(start, end), type === TYPE.date));
    case LATER.time:
      return Buffer.from(duration(bytes.subarray(start, end)));
    default:
      return bytes.subarray(start, end);
  }
}

function integer(bytes: Buffer, start: number, end: number, isUnsigned: boolean): bigint {
  const size = end - start;
  if (size === 8) return isUnsigned ? bytes.readBigUInt64LE(start) : bytes.readBigInt64LE(start);
  return BigInt(isUnsigned ? bytes.readUIntLE(start, size) : bytes.readIntLE(start, size));
}

const two = (value: number | undefined): string => String(value ?? 0).padStart(2, '0');

function moment(bytes: Buffer, isDate: boolean): string {
  const year = bytes.length >= 2 ? bytes.readUInt16LE(0) : 0;
  const date = `${String(year).padStart(4, '0')}-${two(bytes[2])}-${two(bytes[3])}`;
  if (isDate) return date;
  return `${date} ${two(bytes[4])}:${two(bytes[5])}:${two(bytes[6])}${fraction(bytes, 7)}`;
}

function duration(bytes: Buffer): string {
  const days = bytes.length >= 5 ? bytes.readUInt32LE(1) : 0;
  const hours = days * 24 + (bytes[5] ?? 0);
  return `${bytes[0] === 1 ? '-' : ''}${two(hours)}:${two(bytes[6])}:${two(bytes[7])}${fraction(bytes, 8)}`;
}

const fraction = (bytes: Buffer, at: number): string =>
  bytes.length >= at + 4 ? `.${String(bytes.readUInt32LE(at)).padStart(6, '0')}` : '';

/** A text as a value of a binary row, without its length; undefined where it is none. */
export function bytesOf(column: MySqlColumn, text: Buffer): Buffer | undefined {
  const layout = layoutOf(column);
  if (layout === 'counted') return text;
  if (layout === 'short') return momentBytes(column.type, text.toString('latin1'));
  const made = Buffer.alloc(layout);
  const value = text.toString('latin1');
  if (column.type === TYPE.float) made.writeFloatLE(Number(value));
  else if (column.type === TYPE.double) made.writeDoubleLE(Number(value));
  else writeInteger(made, BigInt(value));
  return made;
}

function writeInteger(made: Buffer, value: bigint): void {
  const whole = Buffer.alloc(8);
  whole.writeBigInt64LE(BigInt.asIntN(64, value));
  whole.copy(made);
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/;
const TIME = /^(-?)(\d{2,3}):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;

function momentBytes(type: number, text: string): Buffer | undefined {
  if (type === LATER.time) return durationBytes(text);
  const [whole, year, month, day, hours, minutes, seconds, micros] = MOMENT.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const size = type === TYPE.date ? 4 : 11;
  const made = Buffer.alloc(size);
  made.writeUInt16LE(Number(year));
  made.set([Number(month), Number(day)], 2);
  if (size === 4) return made;
  made.set([Number(hours ?? 0), Number(minutes ?? 0), Number(seconds ?? 0)], 4);
  made.writeUInt32LE(Number((micros ?? '').padEnd(6, '0')), 7);
  return made;
}

function durationBytes(text: string): Buffer | undefined {
  const [whole, sign, hours, minutes, seconds, micros] = TIME.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const made = Buffer.alloc(12);
  made[0] = sign === '-' ? 1 : 0;
  made.writeUInt32LE(Math.floor(Number(hours) / 24), 1);
  made.set([Number(hours) % 24, Number(minutes), Number(seconds)], 5);
  made.writeUInt32LE(Number((micros ?? '').padEnd(6, '0')), 8);
  return made;
}
