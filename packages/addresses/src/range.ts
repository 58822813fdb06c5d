/**
 * Ranges of addresses in CIDR notation (RFC 4632). Owns: reading one strictly, and whether an address is in it. The gateway
 * and the agent read every range here, so that the same text means the same in both.
 */
import { type Address, formatAddress, parseAddress } from './address.js';

/** A text that is no range; the message says what is wrong with it. */
export class RangeError extends Error {}

/** All addresses whose first `prefix` bits are those of `first`. */
export class Range {
  readonly first: Address;
  /** How many leading bits are fixed: 0 to 32, or 0 to 128. */
  readonly prefix: number;

  constructor(first: Address, prefix: number) {
    this.first = first;
    this.prefix = prefix;
  }

  contains({ family, bits }: Address): boolean {
    return family === this.first.family && bits >> this.#free === this.first.bits >> this.#free;
  }

  /** Whether every address of `other` is in this range. */
  covers(other: Range): boolean {
    return other.prefix >= this.prefix && this.contains(other.first);
  }

  toString(): string {
    return `${formatAddress(this.first)}/${this.prefix}`;
  }

  get #free(): bigint {
    return BigInt(widthOf(this.first) - this.prefix);
  }
}

/**
 * Reads `10.1.0.0/16`, `fd00::/8`, or one address. The number of bits has to be written where there is a stroke, and the
 * bits behind it have to be zero: `10.2.0.0/` and `10.2.3.4/8` are slips that would let in far more than was meant.
 *
 * @throws RangeError that says what is wrong
 */
export function parseRange(text: string): Range {
  const [address = '', prefixText, ...rest] = text.split('/');
  const first = parseAddress(address);
  if (!first) throw new RangeError(`"${text}" is no range: "${address}" is no IP address`);
  const width = widthOf(first);
  if (prefixText === undefined) return new Range(first, width);
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefixText)) {
    throw new RangeError(
      `"${text}" is no range: write the number of bits behind the stroke, as in ${address}/${width}`,
    );
  }
  // The bits of ::ffff:10.0.0.0/104 are counted from the start of the IPv6 address.
  const mapped = first.family === 4 && address.includes(':');
  const prefix = Number(prefixText) - (mapped ? 96 : 0);
  if (prefix < 0 || prefix > width)
    throw new RangeError(`"${text}" is no range: it has more or fewer bits than there are`);
  const range = new Range(first, prefix);
  const lowest = (first.bits >> BigInt(width - prefix)) << BigInt(width - prefix);
  if (lowest !== first.bits) {
    const meant = new Range({ ...first, bits: lowest }, prefix);
    throw new RangeError(
      `"${text}" has bits set behind the first ${prefixText}: write ${meant}, or ${address} for that one`,
    );
  }
  return range;
}

const widthOf = ({ family }: Address): number => (family === 4 ? 32 : 128);
