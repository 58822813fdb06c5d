/**
 * What a mask leaves of a text: redact, null, partial, hash, generalise. Owns: marks and pseudonyms. Does not: types of a
 * database (masking/src/postgres). Pure.
 */
import { hash } from 'node:crypto';
import { ENTITIES } from './detectors/index.js';

/**
 * What a mask leaves of a value.
 *
 * - redact: a text that says what was there, `[masked:EMAIL]`; of other types the value that means nothing, such as 0.
 * - null: nothing.
 * - partial: the last characters, of an e-mail address the first letter and the domain. Never of fewer than 8 characters.
 * - hash: a keyed pseudonym. Equal values stay equal, so that joins and groups work; without the key nobody can try values.
 * - generalise: the year of a date, the magnitude of a number, three digits of a US ZIP code, the network of an address.
 * - count: all of it; budgets of different values are told (disclosed.ts).
 * - replaced: a token that may be turned back (replacements.ts). Of texts alone, and of one visit.
 */
export type Mode =
  | { readonly type: 'redact' }
  | { readonly type: 'null' }
  | { readonly type: 'partial'; readonly keepLast?: number }
  | { readonly type: 'hash' }
  | { readonly type: 'generalise' }
  | { readonly type: 'replaced'; readonly by: Replacing }
  | { readonly type: 'count'; readonly budgets: readonly string[] };

/** How values are replaced by tokens of their own, and by which tokens that may be turned back. Part of `Mode`. */
export interface Replacing {
  /** What stands in place of a value. */
  replace(value: string, entity: string): string;
  /** The value of a token, where it may be put back. Absent: nothing is. */
  readonly back?: (token: string) => string | undefined;
}

export interface MaskOptions {
  readonly mode: Mode;
  /** Secret of this installation; at least 16 bytes. */
  readonly key: Uint8Array;
  /** What the value is. Equal values of different entities get different pseudonyms. */
  readonly entity: string;
}

/** HMAC-SHA-256 (RFC 2104) over the entity and the value: 32 bytes. */
export const keyed = (options: MaskOptions, value: string | Uint8Array): Buffer =>
  Buffer.from(keyedDigest(options, value), 'latin1');

/** The same, a character for each byte. */
function keyedDigest({ key, entity }: MaskOptions, value: string | Uint8Array): string {
  const pads = padsOf(key, entity);
  const { outer } = pads;
  outer.write(hash('sha256', innerText(pads, value), 'binary'), BLOCK_BYTES, 'latin1');
  return hash('sha256', outer, 'binary');
}

/** SHA-256 works on blocks of 64 bytes, and so do the pads of HMAC. */
const BLOCK_BYTES = 64;
/** Values up to this long are put together in a place that is there already, in UTF-16 units. UTF-8 has at most 3 bytes for one. */
const MAX_SHORT_LENGTH = 256;

interface Pads {
  /** What HMAC puts in front of the message, behind it the entity, and room for a short value. */
  readonly inner: Buffer;
  /** How much of that is in front of the value. */
  readonly innerBytes: number;
  /** What HMAC puts in front of the inner hash, and room for that. */
  readonly outer: Buffer;
}
const PADS = new WeakMap<Uint8Array, Map<string, Pads>>();

/**
 * A mask may be asked for in every row: two hashes in one call each, given out as strings, of bytes that are put together in place, take a
 * tenth of the time of an Hmac object.
 */
function padsOf(key: Uint8Array, entity: string): Pads {
  let pads = PADS.get(key);
  if (!pads) PADS.set(key, (pads = new Map()));
  const known = pads.get(entity);
  if (known) return known;
  if (key.length < 16) throw new RangeError('the key of a mask has fewer than 16 bytes');
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : key);
  const front = Buffer.concat([block.map((byte) => byte ^ 0x36), Buffer.from(`${entity}\0`)]);
  const made: Pads = {
    inner: Buffer.concat([front, Buffer.alloc(3 * MAX_SHORT_LENGTH)]),
    innerBytes: front.length,
    outer: Buffer.concat([block.map((byte) => byte ^ 0x5c), Buffer.alloc(32)]),
  };
  pads.set(entity, made);
  return made;
}

/** What the inner hash is of. Valid until the next one is asked for. */
function innerText({ inner, innerBytes }: Pads, value: string | Uint8Array): Buffer {
  if (value.length > MAX_SHORT_LENGTH)
    return Buffer.concat([inner.subarray(0, innerBytes), typeof value === 'string' ? Buffer.from(value) : value]);
  if (typeof value === 'string') return inner.subarray(0, innerBytes + inner.write(value, innerBytes));
  inner.set(value, innerBytes);
  return inner.subarray(0, innerBytes + value.length);
}

const TOKEN_PREFIX = 'tok_';

const MASK_OUTPUT = new RegExp(
  `\\[masked(?::[A-Z_]+)?\\]|\\btok_(?:[a-z2-7]{16,20}\\b|(?:${ENTITIES.join('|').toLowerCase()})_[a-z2-7]{20})`,
);

/** Whether a text has in it what a mask leaves in place of a value. */
export const looksMasked = (text: string): boolean => MASK_OUTPUT.test(text);
/** 20 characters of 5 bits are 100 bits; of those at least 80 must fit, or two values could share a token. */
const TOKEN_CHARACTERS = 20;
const MIN_TOKEN_CHARACTERS = 16;

/** `redact` as a text. */
export const label = (entity: string): string =>
  (ENTITIES as readonly string[]).includes(entity) ? `[masked:${entity}]` : '[masked]';

/**
 * The mask of a text that may have up to `limit` characters. Null where the mode cannot keep its promise within the limit,
 * and for the mode null.
 */
export function maskText(text: string, options: MaskOptions, limit = Number.POSITIVE_INFINITY): string | null {
  switch (options.mode.type) {
    case 'null':
      return null;
    case 'redact':
      return fitted(label(options.entity), limit);
    case 'partial':
      return fitted(partial(text, options.mode.keepLast), limit);
    case 'generalise':
      return fitted(generalised(text) ?? label(options.entity), limit);
    case 'replaced':
      return options.mode.by.replace(text, options.entity);
    default:
      return token(text, options, limit);
  }
}

const fitted = (text: string, limit: number): string => (text.length <= limit ? text : HIDDEN.slice(0, limit));
/** Says nothing of the length of what it hides. */
const HIDDEN = '****';

/** `tok_` and at least 80 bits in base32 (RFC 4648), null where there is no room for them. */
export function token(text: string, options: MaskOptions, limit = Number.POSITIVE_INFINITY): string | null {
  const size = Math.min(TOKEN_CHARACTERS, limit - TOKEN_PREFIX.length);
  if (size < MIN_TOKEN_CHARACTERS) return null;
  const digest = keyedDigest(options, normalised(text, options.entity));
  let bits = 0;
  let value = 0;
  let result = TOKEN_PREFIX;
  for (let n = 0; result.length < TOKEN_PREFIX.length + size; bits -= 5) {
    if (bits < 5) {
      value = ((value << 8) | digest.charCodeAt(n++)) & 0xffff;
      bits += 8;
    }
    result += BASE32[(value >> (bits - 5)) & 31];
  }
  return result;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Spellings of one value share a pseudonym, and count once. */
export function normalised(text: string, entity: string): string {
  switch (entity) {
    case 'EMAIL':
      return text.trim().normalize('NFC').toLowerCase();
    case 'CREDIT_CARD':
    case 'US_SSN':
      return text.replaceAll(/\D/g, '');
    case 'PHONE':
      return text.replaceAll(/[^+\d]/g, '');
    case 'IBAN':
      return text.replaceAll(/[^A-Za-z\d]/g, '').toUpperCase();
    default:
      return text;
  }
}

/** Of fewer characters nothing is kept. */
export const MIN_PARTIAL_CHARACTERS = 8;

/** Asterisks for all but the last `keep` characters, of which there are at most half; separators stay. */
export function partial(text: string, keep = 4): string {
  const characters = Array.from(text);
  const size = characters.length;
  if (size < MIN_PARTIAL_CHARACTERS) return HIDDEN;
  const at = characters.lastIndexOf('@');
  const isMail = at > 0 && characters.indexOf('.', at) > 0;
  const from = isMail ? 1 : 0;
  const to = isMail ? at : size - Math.min(keep, size >> 1);
  return characters.map((one, n) => (n >= from && n < to && !SEPARATORS.includes(one) ? '*' : one)).join('');
}

export const SEPARATORS = ' -./()';

/** The coarser text, undefined for one of which it is not known what coarser would mean. */
function generalised(text: string): string | undefined {
  if (/^\d{5}(?:-\d{4})?$/.test(text)) return `${text.slice(0, 3)}**`;
  const network = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/.exec(text)?.[1];
  if (network !== undefined) return `${network}.0/24`;
  const year = /^(\d{4})-\d\d-\d\d(?:[T ]|$)/.exec(text)?.[1];
  if (year !== undefined) return year;
  return /^-?\d{1,40}(?:\.\d{1,40})?$/.test(text) ? magnitude(text) : undefined;
}

/** A decimal number with all but its first digit set to zero, and to 0 below ten: 52341.5 is in the 50000s. */
export function magnitude(decimal: string): string {
  const [, sign = '', whole = ''] = /^(-?)0*(\d*)/.exec(decimal) ?? [];
  return whole.length < 2 ? '0' : `${sign}${whole[0]}${'0'.repeat(whole.length - 1)}`;
}
