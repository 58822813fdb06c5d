/**
 * Values in binary form, as text: of parameters, and of rows in a replay. Pure. The text is what the server would show of them.
 */
import { malformed } from '@sluice/wire';
import { PayloadReader } from './packets.js';

/** Field types on the wire. */
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
  time: 11,
  datetime: 12,
  year: 13,
} as const;

/** In the type of a parameter. */
export const UNSIGNED = 0x8000;

const INTEGER_BYTES: ReadonlyMap<number, 1 | 2 | 4 | 8> = new Map([
  [TYPE.tiny, 1],
  [TYPE.short, 2],
  [TYPE.year, 2],
  [TYPE.long, 4],
  [TYPE.int24, 4],
  [TYPE.longlong, 8],
]);

/** The next value of these fields; null where the type itself says so. */
export function valueOf(declared: number, fields: PayloadReader): Buffer | null {
  const type = declared & 0xff;
  const size = INTEGER_BYTES.get(type);
  if (size !== undefined) return Buffer.from(integer(fields.bytes(size), (declared & UNSIGNED) !== 0));
  switch (type) {
    case TYPE.null:
      return null;
    case TYPE.float:
      return Buffer.from(shortest(fields.bytes(4).readFloatLE(0)));
    case TYPE.double:
      return Buffer.from(String(fields.bytes(8).readDoubleLE(0)));
    case TYPE.date:
    case TYPE.datetime:
    case TYPE.timestamp:
      return Buffer.from(moment(fields.bytes(fields.uint(1)), type === TYPE.date));
    case TYPE.time:
      return Buffer.from(duration(fields.bytes(fields.uint(1))));
    default:
      return fields.counted();
  }
}

function integer(bytes: Buffer, unsigned: boolean): string {
  if (bytes.length === 8) return String(unsigned ? bytes.readBigUInt64LE(0) : bytes.readBigInt64LE(0));
  return String(unsigned ? bytes.readUIntLE(0, bytes.length) : bytes.readIntLE(0, bytes.length));
}

/** The shortest text that is this number of 32 bits. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

const padded = (value: number, digits = 2): string => String(value).padStart(digits, '0');

function fraction(bytes: Buffer, at: number): string {
  return bytes.length > at ? `.${padded(bytes.readUInt32LE(at), 6)}` : '';
}

/** Of 0, 4, 7 or 11 bytes. */
function moment(bytes: Buffer, dateOnly: boolean): string {
  if (![0, 4, 7, 11].includes(bytes.length)) throw malformed('a date has a length that no date has');
  if (bytes.length === 0) return dateOnly ? '0000-00-00' : '0000-00-00 00:00:00';
  const [month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = bytes.subarray(2);
  const date = `${padded(bytes.readUInt16LE(0), 4)}-${padded(month)}-${padded(day)}`;
  if (bytes.length === 4) return dateOnly ? date : `${date} 00:00:00`;
  return `${date} ${padded(hours)}:${padded(minutes)}:${padded(seconds)}${fraction(bytes, 7)}`;
}

/** Of 0, 8 or 12 bytes. */
function duration(bytes: Buffer): string {
  if (![0, 8, 12].includes(bytes.length)) throw malformed('a time has a length that no time has');
  if (bytes.length === 0) return '00:00:00';
  const hours = bytes.readUInt32LE(1) * 24 + (bytes[5] as number);
  const sign = bytes[0] === 1 ? '-' : '';
  return `${sign}${padded(hours)}:${padded(bytes[6] as number)}:${padded(bytes[7] as number)}${fraction(bytes, 8)}`;
}
