/** Numbers of a fixed size, money, names of objects by number, bool and float. Pure. */
import { magnitude } from '../modes.js';
import { ascii, type WireFormat, Malformed, type Scalar, sized } from './types.js';

/** Integers of 2, 4 and 8 bytes, big-endian two's complement in binary. Unsigned ones (oid, xid) have no sign to read. */
export function integer(size: 2 | 4 | 8, unsigned = false): Scalar<bigint> {
  const bits = size * 8;
  const most = (1n << BigInt(unsigned ? bits : bits - 1)) - 1n;
  return {
    read: (bytes, start, end, format) => {
      if (format === 'text') {
        const value = BigInt(ascii(bytes, start, end, /^-?\d{1,20}$/)[0]);
        if (value > most || value < (unsigned ? 0n : -most - 1n)) throw new Malformed('out of range');
        return value;
      }
      sized(start, end, size);
      if (size === 8) return unsigned ? bytes.readBigUInt64BE(start) : bytes.readBigInt64BE(start);
      return BigInt(unsigned ? bytes.readUIntBE(start, size) : bytes.readIntBE(start, size));
    },
    write: (value, format) => writeInteger(value, size, format),
    redacted: () => 0n,
    // From 1 on, so that it is never the value of a redacted one.
    hashed: (value, keyed) => 1n + (keyed(String(value)).readBigUInt64BE() % most),
    partial: (value, keepLast) => {
      const digits = String(value < 0n ? -value : value);
      return digits.length < 8 ? 0n : BigInt(digits.slice(-Math.min(keepLast, digits.length >> 1)) || '0');
    },
    generalised: (value) => BigInt(magnitude(String(value))),
  };
}

function writeInteger(value: bigint, size: 2 | 4 | 8, format: WireFormat): Buffer {
  if (format === 'text') return Buffer.from(String(value), 'latin1');
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, value));
  return bytes.subarray(8 - size);
}

/** Amounts of money: int64 of the smallest unit in binary, and in text whatever the server's locale writes. */
export const money: Scalar<bigint> = {
  ...integer(8),
  read: (bytes, start, end, format) => {
    if (format === 'binary') return integer(8).read(bytes, start, end, format);
    const text = bytes.toString('utf8', start, end);
    const digits = text.replaceAll(/\D/g, '');
    // Two digits behind the last point or comma, or it is not known what the smallest unit is.
    if (!/^\D*\d[\d.,' \u00a0\u202f]*[.,]\d\d\D*$/.test(text) || digits.length > 18) return 0n;
    return BigInt(digits) * (/[-(]/.test(text) ? -1n : 1n);
  },
  // Without a fraction, which every locale reads the same.
  write: (value, format) => writeInteger(format === 'text' ? value / 100n : value, 8, format),
  generalised: (value) => BigInt(magnitude(String(value / 100n))) * 100n,
  hashed: (value, keyed) => 100n * (1n + (keyed(String(value)).readBigUInt64BE() % 1_000_000_000n)),
  partial: () => 0n,
};

/** Names of catalog objects by OID: 0 is "none" in each of them, and the only one sure to exist. */
export const registered: Scalar<bigint> = {
  read: (bytes, start, end, format) => (format === 'binary' ? integer(4, true).read(bytes, start, end, format) : 0n),
  write: (value, format) => writeInteger(value, 4, format),
  redacted: () => 0n,
};

/** False would be a lie as often as not: a masked bool is NULL. */
export const bool: Scalar<boolean> = {
  read: (bytes, start, end, format) => {
    if (format === 'text') return ascii(bytes, start, end, /^[tf]$/)[0] === 't';
    sized(start, end, 1);
    return bytes[start] !== 0;
  },
  write: (value, format) => (format === 'text' ? Buffer.from(value ? 't' : 'f') : Buffer.from([value ? 1 : 0])),
  redacted: () => null,
};

/** float4 and float8 (IEEE 754). */
export function float(size: 4 | 8): Scalar<number> {
  return {
    read: (bytes, start, end, format) => {
      if (format === 'text') {
        const value = Number(ascii(bytes, start, end, /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|-?Infinity|NaN)$/)[0]);
        return size === 4 ? Math.fround(value) : value;
      }
      sized(start, end, size);
      return size === 4 ? bytes.readFloatBE(start) : bytes.readDoubleBE(start);
    },
    write: (value, format) => {
      if (format === 'text') return Buffer.from(String(value), 'latin1');
      const bytes = Buffer.alloc(size);
      if (size === 4) bytes.writeFloatBE(value);
      else bytes.writeDoubleBE(value);
      return bytes;
    },
    redacted: () => 0,
    // Whole numbers that both formats write exactly.
    hashed: (value, keyed) => 1 + (keyed(String(value)).readUInt32BE() % (size === 4 ? 9_999_999 : 0xffff_ffff)),
    generalised: (value) => {
      if (!Number.isFinite(value) || Math.abs(value) < 10) return 0;
      const [digit, exponent] = value.toExponential().split(/(?:\.\d+)?e\+/);
      return Number(`${digit}e${exponent}`);
    },
  };
}
