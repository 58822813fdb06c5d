import { byteClass, DIGITS, has, latin1, LOWER, skip, skipTo, UPPER } from './bytes.js';
import type { Finding } from './finding.js';
import { isPlaceholder } from './placeholder.js';

/**
 * Values that are given to a name such as `password`, `api_key` or `Authorization`: `name = value`, `"name": "value"`,
 * `name=value;`. Called at every `=` and `:`. The finding is the value alone.
 *
 * What is given to a password needs a digit or a sign to tell it from a word of prose; what is given to a key or token needs
 * letters, digits and an entropy of 3 bits a character (that of gitleaks' generic rule), since identifiers are common there.
 */
export function assignment(bytes: Buffer, sign: number, start: number, end: number): Finding | undefined {
  const kind = kindOfName(bytes, sign, start);
  if (kind === undefined) return undefined;
  let from = sign + 1;
  if (from < end && (bytes[from] === 0x3e || bytes[from] === 0x3d)) from++;
  from = skip(bytes, from, Math.min(end, from + 4), SPACE);
  const quote = openingQuote(bytes, from, end);
  if (quote !== undefined) from += quote === BACKSLASH ? 2 : 1;
  for (const word of SCHEMES) if (has(bytes, from, end, word)) from += word.length;
  const limit = Math.min(end, from + LONGEST);
  const to = quote === undefined ? endOfBare(bytes, from, limit) : endOfQuoted(bytes, from, limit, quote);
  if (to < end && bytes[to] === 0x28) return undefined;
  return isSecret(latin1(bytes, from, to), kind)
    ? { entity: 'SECRET', start: from, end: whole(bytes, to, end, quote) }
    : undefined;
}

const SPACE = byteClass(' \t');
const SCHEMES = ['Bearer ', 'bearer ', 'Basic ', 'basic '];
/** A value is judged by its first bytes; the rest of a longer one belongs to it. */
const LONGEST = 512;
const BARE_END = byteClass(' \t\r\n\f\v\0"\'`<>,;&)}](|');
const NAME = byteClass(`${DIGITS}${UPPER}${LOWER}_.-`);
const LONGEST_NAME = 64;

/** The last two letters of all names that count, in either case: most names go no further. */
const ENDINGS = new Uint8Array(0x10000);
const pair = (first: number, second: number): number => ((first | 0x20) << 8) | (second | 0x20);
for (const one of 'rd wd se ss et en ey id al ls on th ue 64'.split(' ')) {
  ENDINGS[pair(one.charCodeAt(0), one.charCodeAt(1))] = 1;
}

type Kind = 'password' | 'key';

const PASSWORD = /(?:passw(?:or)?d|passphrase|(?:^|[^a-z])pwd|(?:^|[^a-z])pass)$/i;
const KEY =
  /(?:secret|(?:^|[^a-z])token|[a-z]Token|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|private[-_.]?key|secret[-_.]?key|account[-_.]?key|signing[-_.]?key|encryption[-_.]?key|credentials?|authorization|(?:^|[^a-z])auth)(?:[-_.]?(?:value|base64|b64))?$/i;

function kindOfName(bytes: Buffer, sign: number, start: number): Kind | undefined {
  let last = sign;
  // `:=` and `=>` are one sign.
  if (last > start && bytes[last - 1] === 0x3a) last--;
  while (last > start && sign - last < 4 && SPACE[bytes[last - 1] as number] === 1) last--;
  if (last > start && isQuote(bytes[last - 1])) last--;
  if (last > start && bytes[last - 1] === BACKSLASH) last--;
  let first = last;
  while (first > start && last - first < LONGEST_NAME && NAME[bytes[first - 1] as number] === 1) first--;
  if (last - first < 3 || ENDINGS[pair(bytes[last - 2] as number, bytes[last - 1] as number)] === 0) return undefined;
  const name = latin1(bytes, first, last);
  if (PASSWORD.test(name)) return 'password';
  return KEY.test(name) ? 'key' : undefined;
}

const BACKSLASH = 0x5c;
const isQuote = (byte: number | undefined): boolean => byte === 0x22 || byte === 0x27;

/** What ends the value: a quote, or the backslash before one where JSON is written within a string. */
function openingQuote(bytes: Buffer, at: number, end: number): number | undefined {
  if (at < end && isQuote(bytes[at])) return bytes[at];
  return at + 1 < end && bytes[at] === BACKSLASH && isQuote(bytes[at + 1]) ? BACKSLASH : undefined;
}

function endOfBare(bytes: Buffer, from: number, limit: number): number {
  return skipTo(bytes, from, limit, BARE_END);
}

/** Up to the closing quote, a backslash before one makes it part of the value. */
function endOfQuoted(bytes: Buffer, from: number, limit: number, quote: number | undefined): number {
  let to = from;
  while (to < limit && bytes[to] !== quote && bytes[to] !== 0x0a) to += bytes[to] === 0x5c ? 2 : 1;
  return Math.min(to, limit);
}

/** A value that reaches past what was judged goes on to its quote, or to the end of its token. */
function whole(bytes: Buffer, to: number, end: number, quote: number | undefined): number {
  if (quote !== undefined) return endOfQuoted(bytes, to, end, quote);
  return skipTo(bytes, to, end, BARE_END);
}

/** Whether a value given to such a name is one to keep to oneself. */
export function isSecret(value: string, kind: Kind): boolean {
  if (isPlaceholder(value)) return false;
  if (kind === 'password') return value.length >= 6 && /[^A-Za-z_ -]/.test(value) && !ACCESS.test(value);
  return value.length >= 12 && /[A-Za-z]/.test(value) && /\d/.test(value) && !ACCESS.test(value) && entropy(value) >= 3;
}

/** Code that says where the value comes from: `process.env.TOKEN`, `config.password`. */
const ACCESS = /^[A-Za-z_$][\w$]*(?:(?:\.|::|->)[A-Za-z_$][\w$]*)+$/;

/** Shannon entropy in bits per character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
