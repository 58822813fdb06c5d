/**
 * Blocks of addresses that a name or a wide range should not lead to by accident: this machine, its link, the metadata
 * services of clouds (which hand out credentials), and IPv6 addresses that carry an IPv4 address within them, since whatever
 * translates them reaches that one. Owns the list; who may go there all the same is decided by whoever asks.
 *
 * Sources: RFC 6890 (special purposes), 6052 (NAT64), 3056 (6to4), 4380 (Teredo), 4291, section 2.5.5 (IPv4-compatible);
 * the documentation of AWS, Azure, Alibaba Cloud, Google Cloud and Oracle Cloud for their metadata services.
 */
import type { Address } from './address.js';
import { type Range, parseRange } from './range.js';

const BLOCKS: readonly Range[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // ::/96 has the unspecified address, loopback and the IPv4-compatible addresses.
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
  'fd00:ec2::254',
  'fd20:ce::254',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
].map(parseRange);

/** The block of special addresses that this one is in; undefined: it is an ordinary address. */
export const specialBlockOf = (address: Address): Range | undefined => BLOCKS.find((block) => block.contains(address));
