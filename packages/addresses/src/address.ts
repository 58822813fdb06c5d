/**
 * IP addresses as numbers. Owns: reading an address as it is written, and what counts as this machine. Does not: ranges
 * (range.ts), which addresses are dangerous to reach (special.ts), or resolving names.
 */
import { isIP } from 'node:net';

/** An address as a number of 32 (IPv4) or 128 bits. IPv4 within IPv6 (`::ffff:10.0.0.1`) is IPv4. */
export interface Address {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

const MAPPED_PREFIX = 0xffffn;

/**
 * Reads an address as RFC 4291, section 2.2, and inet_pton do: no leading zeros, no octal, no zone (`%eth0`), no brackets.
 * Undefined for anything else.
 */
export function parseAddress(text: string): Address | undefined {
  // isIP accepts a zone, which names an interface and is no part of an address.
  if (text.includes('%')) return undefined;
  const family = isIP(text);
  if (family === 4) return { family, bits: bitsOfV4(text) };
  if (family !== 6) return undefined;
  const bits = bitsOfV6(text);
  return bits >> 32n === MAPPED_PREFIX ? { family: 4, bits: bits & 0xffffffffn } : { family, bits };
}

/** The address in its usual form, IPv6 by RFC 5952 but for runs of zeros, which are written out as `:0:`. */
export function formatAddress({ family, bits }: Address): string {
  const width = family === 4 ? 8n : 16n;
  const parts: string[] = [];
  for (let shift = family === 4 ? 24n : 112n; shift >= 0n; shift -= width) {
    const part = (bits >> shift) & ((1n << width) - 1n);
    parts.push(part.toString(family === 4 ? 10 : 16));
  }
  return parts.join(family === 4 ? '.' : ':');
}

/**
 * Whether a host name or address, with or without brackets, is this machine and nothing else: `localhost`, 127.0.0.0/8,
 * ::1. The name `127.evil.example` is not.
 */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost') return true;
  const address = parseAddress(bare);
  if (!address) return false;
  return address.family === 4 ? address.bits >> 24n === 127n : address.bits === 1n;
}

/** Whether nobody between can read or change what goes to a URL: https, or http to this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

const bitsOfV4 = (text: string): bigint => text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);

function bitsOfV6(text: string): bigint {
  // A dotted quad stands for the last two groups.
  const quad = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const groups = quad === undefined ? text : text.slice(0, -quad.length) + groupsOf(bitsOfV4(quad));
  const [head = [], tail = []] = groups.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

const groupsOf = (bits: bigint): string => `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
