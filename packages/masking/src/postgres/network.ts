/** inet and cidr, read, masked and written. Pure. */
import { ascii, Malformed, type Scalar } from './types.js';

export interface Network {
  /** 4 bytes or 16. */
  readonly address: Buffer;
  readonly bits: number;
}

/**
 * inet and cidr. In binary: family (2, or 3 for IPv6), bits of the mask, whether it is a cidr, size of the address, address.
 * A cidr has no bits to the right of its mask.
 */
export function network(cidr: boolean): Scalar<Network> {
  return {
    read: (bytes, start, end, format) => {
      if (format === 'text') return parseNetwork(ascii(bytes, start, end, /^[\da-f:.]+(?:\/\d{1,3})?$/)[0]);
      const size = bytes[start + 3];
      if ((size !== 4 && size !== 16) || end - start !== 4 + size) throw new Malformed('not a network address');
      return { address: Buffer.from(bytes.subarray(start + 4, end)), bits: bytes[start + 1] as number };
    },
    write: ({ address, bits }, format) => {
      if (format === 'binary') {
        return Buffer.concat([
          Buffer.from([address.length === 4 ? 2 : 3, bits, cidr ? 1 : 0, address.length]),
          address,
        ]);
      }
      const text = address.length === 4 ? address.join('.') : (address.toString('hex').match(/.{4}/g) ?? []).join(':');
      return Buffer.from(cidr || bits < address.length * 8 ? `${text}/${bits}` : text, 'latin1');
    },
    redacted: ({ address }) => ({ address: Buffer.alloc(address.length), bits: address.length * 8 }),
    // In 10.0.0.0/8 (RFC 1918) and fd00::/8 (RFC 4193), which nobody can mistake for somebody's address.
    hashed: ({ address, bits }, keyed) => {
      const made = keyed(`${address.toString('hex')}/${bits}`).subarray(0, address.length);
      made[0] = address.length === 4 ? 10 : 0xfd;
      return { address: made, bits: address.length * 8 };
    },
    generalised: ({ address, bits }) => {
      const kept = Math.min(bits, address.length === 4 ? 24 : 48);
      const made = Buffer.from(address.map((byte, n) => byte & (0xff00 >> Math.min(8, Math.max(0, kept - n * 8)))));
      return { address: made, bits: kept };
    },
  };
}

function parseNetwork(text: string): Network {
  const [host = '', mask] = text.split('/');
  const address = host.includes(':') ? parseV6(host) : parseV4(host);
  const bits = mask === undefined ? address.length * 8 : Number(mask);
  if (bits > address.length * 8) throw new Malformed('a mask longer than its address');
  return { address, bits };
}

function parseV4(text: string): Buffer {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || !parts.every((part) => part <= 255)) throw new Malformed('not an IPv4 address');
  return Buffer.from(parts);
}

/** RFC 4291 section 2.2: `::` stands for zeros, and the last four bytes may be written as those of IPv4. */
function parseV6(text: string): Buffer {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const plain = dotted
    ? dotted[1] +
      (
        parseV4(dotted[2] ?? '')
          .toString('hex')
          .match(/.{4}/g) ?? []
      ).join(':')
    : text;
  const [left = '', right] = plain.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groups(left);
  const after = groups(right ?? '');
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...after];
  if (all.length !== 8 || !all.every((group) => /^[\da-f]{1,4}$/.test(group)))
    throw new Malformed('not an IPv6 address');
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
