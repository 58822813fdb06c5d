/** Types of raw bytes and bits, read, masked and written: uuid, bytea, bit, macaddr. Pure. */
import { isUtf8 } from 'node:buffer';
import { byteClass, skipTo } from '../detectors/bytes.js';
import { ascii, type WireFormat, Malformed, type Scalar, sized } from './types.js';

/** 16 bytes; as text hexadecimal with dashes. Pseudonyms carry version 8 and variant of RFC 9562 section 5.8. */
export const uuid: Scalar<Buffer> = {
  read: (bytes, start, end, format) => {
    if (format === 'text') {
      const text = ascii(bytes, start, end, /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i)[0];
      return Buffer.from(text.replaceAll('-', ''), 'hex');
    }
    sized(start, end, 16);
    return Buffer.from(bytes.subarray(start, end));
  },
  write: (value, format) =>
    format === 'binary'
      ? value
      : Buffer.from(value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), 'latin1'),
  redacted: () => Buffer.alloc(16),
  hashed: (value, keyed) => {
    const made = keyed(value).subarray(0, 16);
    made[6] = ((made[6] as number) & 0x0f) | 0x80;
    made[8] = ((made[8] as number) & 0x3f) | 0x80;
    return made;
  },
  partial: (value) => {
    const made = Buffer.alloc(16);
    value.copy(made, 14, 14);
    return made;
  },
};

/** Raw bytes; as text in the hex format or, from sessions with `bytea_output = escape`, in that. */
export const bytea: Scalar<Buffer> = {
  read: (bytes, start, end, format) => {
    if (format === 'binary') return Buffer.from(bytes.subarray(start, end));
    if (!isEscapedBytea(bytes, start, end, format)) {
      if ((end - start) % 2 !== 0) throw new Malformed('half a byte');
      const value = Buffer.from(bytes.toString('latin1', start + 2, end), 'hex');
      if (value.length * 2 !== end - start - 2) throw new Malformed('not hexadecimal');
      return value;
    }
    const text = bytes.toString('latin1', start, end);
    return Buffer.from(
      text.replaceAll(/\\(\\|[0-3][0-7]{2})/g, (_, code: string) =>
        code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
      ),
      'latin1',
    );
  },
  write: (value, format) => (format === 'binary' ? value : Buffer.from(`\\x${value.toString('hex')}`, 'latin1')),
  redacted: () => Buffer.alloc(0),
  hashed: (value, keyed) => keyed(value).subarray(0, 16),
};

/** Whether it is text in the format of `bytea_output = escape`; the other one begins with `\x`. */
export const isEscapedBytea = (bytes: Buffer, start: number, end: number, format: WireFormat): boolean =>
  format === 'text' && (end - start < 2 || bytes[start] !== 0x5c || bytes[start + 1] !== 0x78);

/** As a server writes it with `bytea_output = escape`: backslashes doubled, what is not printable ASCII in octal. */
export function escapedBytea(value: Buffer): Buffer {
  const text = value
    .toString('latin1')
    .replaceAll(/[\\\x00-\x1f\x7f-\xff]/g, (byte) =>
      byte === '\\' ? '\\\\' : `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
    );
  return Buffer.from(text, 'latin1');
}

/** UTF-8 without control characters other than blanks and line ends. */
export const isText = (value: Buffer): boolean =>
  skipTo(value, 0, value.length, CONTROL) === value.length && isUtf8(value);

const CONTROL = byteClass(
  `\x7f${Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code))
    .filter((one) => !'\t\n\v\f\r'.includes(one))
    .join('')}`,
);

/** bit and varbit: digits as text, in binary int32 bits and then the bytes. bit(n) has n bits, always. */
export function bits(fixed: boolean): Scalar<string> {
  return {
    read: (bytes, start, end, format) => {
      if (format === 'text') {
        for (let at = start; at < end; at++)
          if (bytes[at] !== 0x30 && bytes[at] !== 0x31) throw new Malformed('not bits');
        return bytes.toString('latin1', start, end);
      }
      const size = end - start < 4 ? -1 : bytes.readInt32BE(start);
      if (size < 0 || end - start !== 4 + Math.ceil(size / 8)) throw new Malformed('not bits');
      return '0'.repeat(size);
    },
    write: (value, format) => {
      if (format === 'text') return Buffer.from(value, 'latin1');
      const bytes = Buffer.alloc(4 + Math.ceil(value.length / 8));
      bytes.writeInt32BE(value.length);
      return bytes;
    },
    redacted: (value, typmod) => (fixed ? '0'.repeat(typmod > 0 ? typmod : value.length) : ''),
  };
}

/** macaddr and macaddr8. */
export function macaddr(size: 6 | 8): Scalar<Buffer> {
  return {
    read: (bytes, start, end, format) => {
      if (format === 'binary') {
        sized(start, end, size);
        return Buffer.from(bytes.subarray(start, end));
      }
      const text = ascii(bytes, start, end, /^[\da-f]{2}(?::[\da-f]{2})+$/)[0].replaceAll(':', '');
      sized(0, text.length, size * 2);
      return Buffer.from(text, 'hex');
    },
    write: (value, format) =>
      format === 'binary' ? value : Buffer.from(value.toString('hex').replaceAll(/(..)(?=.)/g, '$1:'), 'latin1'),
    redacted: () => Buffer.alloc(size),
    hashed: (value, keyed) => {
      const made = keyed(value).subarray(0, size);
      // Locally administered, unicast (IEEE 802 section 8.2): no real device has it.
      made[0] = ((made[0] as number) & 0xfc) | 0x02;
      return made;
    },
    // Who made the device.
    generalised: (value) => Buffer.concat([value.subarray(0, 3), Buffer.alloc(size - 3)]),
  };
}
