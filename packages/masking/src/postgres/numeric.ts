/** numeric, read, masked and written within its precision. Pure. */
import { magnitude } from '../modes.js';
import { ascii, Malformed, type Scalar } from './types.js';

/**
 * numeric. As text decimal digits; in binary (`numeric_send`)
 *
 *     int16  number of digits in base 10000
 *     int16  weight: the power of 10000 of the first digit
 *     int16  sign: 0x0000 plus, 0x4000 minus, 0xC000 NaN, 0xD000 infinity, 0xF000 minus infinity
 *     int16  scale: decimal digits behind the point
 *     int16  each digit
 *
 * Values are decimal texts, for which no size is a problem.
 */
export const numeric: Scalar<string> = {
  read: (bytes, start, end, format) =>
    format === 'text'
      ? ascii(bytes, start, end, /^(?:-?\d+(?:\.\d+)?|NaN|-?Infinity)$/)[0]
      : readNumeric(bytes, start, end),
  write: (value, format, typmod) => {
    const limit = limits(typmod);
    const text = scaled(value, limit?.scale ?? 0);
    const whole = /^-?0*(\d*)/.exec(text)?.[1] ?? '';
    if (limit && whole.length > Math.max(0, limit.precision - limit.scale)) throw new Malformed('beyond its precision');
    return format === 'text' ? Buffer.from(text, 'latin1') : writeNumeric(text);
  },
  redacted: () => '0',
  hashed: (value, keyed, typmod) => {
    const { precision = 15, scale = 0 } = limits(typmod) ?? {};
    const digits = Math.min(precision, 15);
    // Digits that the declared scale puts behind the point are made as digits before it, and shifted.
    const number = String(1n + (keyed(canonical(value)).readBigUInt64BE() % (10n ** BigInt(digits) - 1n)));
    return shifted(number, scale);
  },
  partial: (value, keepLast) => {
    const whole = /^-?0*(\d*)/.exec(value)?.[1] ?? '';
    return whole.length < 8 ? '0' : whole.slice(-Math.min(keepLast, whole.length >> 1)) || '0';
  },
  generalised: (value) => (/^-?\d/.test(value) ? magnitude(value) : '0'),
};

/** The precision and scale that `numeric(p,s)` keeps in its typmod (11 bits of scale, signed, since PostgreSQL 15). */
function limits(typmod: number): { precision: number; scale: number } | undefined {
  if (typmod < 4) return undefined;
  return { precision: ((typmod - 4) >> 16) & 0xffff, scale: (((typmod - 4) & 0x7ff) ^ 1024) - 1024 };
}

/** One text per value: no zeros at the ends. */
function canonical(value: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(value) ?? [];
  if (whole === '' && fraction === '') return /\d/.test(value) ? '0' : value;
  return `${sign}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`;
}

function shifted(digits: string, scale: number): string {
  if (scale <= 0) return digits + '0'.repeat(-scale);
  const padded = digits.padStart(scale + 1, '0');
  return `${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** With as many digits behind the point as the column has. */
function scaled(value: string, scale: number): string {
  if (scale <= 0) return value;
  const [whole = '0', fraction = ''] = value.split('.');
  return `${whole}.${fraction.padEnd(scale, '0').slice(0, scale)}`;
}

function readNumeric(bytes: Buffer, start: number, end: number): string {
  if (end - start < 8) throw new Malformed('a numeric has at least 8 bytes');
  const count = bytes.readUInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const sign = bytes.readUInt16BE(start + 4);
  const scale = bytes.readUInt16BE(start + 6);
  if (sign === 0xc000) return 'NaN';
  if (sign === 0xd000) return 'Infinity';
  if (sign === 0xf000) return '-Infinity';
  if ((sign !== 0 && sign !== 0x4000) || end - start !== 8 + count * 2 || scale > 0x3fff) {
    throw new Malformed('not a numeric');
  }
  const groups = Array.from({ length: count }, (_, n) =>
    String(bytes.readUInt16BE(start + 8 + n * 2)).padStart(4, '0'),
  );
  if (groups.some((group) => group.length > 4)) throw new Malformed('a digit of a numeric is above 9999');
  const all = groups.join('');
  const whole = weight < 0 ? '' : all.slice(0, (weight + 1) * 4).padEnd((weight + 1) * 4, '0');
  const rest = weight < 0 ? '0'.repeat((-weight - 1) * 4) + all : all.slice((weight + 1) * 4);
  const text = `${sign === 0 ? '' : '-'}${whole.replace(/^0+(?=\d)/, '') || '0'}`;
  return scale === 0 ? text : `${text}.${rest.padEnd(scale, '0').slice(0, scale)}`;
}

function writeNumeric(value: string): Buffer {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) ?? [];
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const right = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const groups = ((left + right).match(/.{4}/g) ?? []).map(Number);
  let weight = left.length / 4 - 1;
  while (groups[0] === 0) {
    groups.shift();
    weight--;
  }
  while (groups.at(-1) === 0) groups.pop();
  const bytes = Buffer.alloc(8 + groups.length * 2);
  bytes.writeUInt16BE(groups.length, 0);
  bytes.writeInt16BE(groups.length === 0 ? 0 : weight, 2);
  bytes.writeUInt16BE(sign === '' || groups.length === 0 ? 0 : 0x4000, 4);
  bytes.writeUInt16BE(fraction.length, 6);
  groups.forEach((group, n) => bytes.writeUInt16BE(group, 8 + n * 2));
  return bytes;
}
