/** Detector of secrets by the name before them: `password = x`. Owns: what counts as such a value. Pure. */
import { byteClass, DIGITS, has, latin1, LOWER, skip, skipTo, UPPER } from './bytes.js';
import type { Finding } from './finding.js';
import { isPlaceholder } from './placeholder.js';

/**
 * Values that are given to a name such as `password`, `api_key` or `Authorization`: `name = value`, `"name": "value"`,
 * `name=value;`. The finding is the value alone.
 *
 * What is given to a password needs a digit or a sign to tell it from a word of prose; what is given to a key or token needs
 * letters, digits and an entropy of 3 bits a character (that of gitleaks' generic rule), since identifiers are common there.
 *
 * An instance belongs to one scan: it remembers the current token, so that a token full of such names is read a bounded number
 * of times.
 */
export class Assignments {
  /** The bare token that values were looked for in last, and how many of them were judged. */
  #tokenEnd = -1;
  #judged = 0;
  /** A value in that token is a secret; it goes on to the end of the token, so what follows in it belongs to the finding. */
  #found = false;

  /** Called at every `=` and `:` that has a name of this kind before it. */
  at(bytes: Buffer, sign: number, end: number, kind: SecretKind): Finding | undefined {
    let from = sign + 1;
    if (from < end && (bytes[from] === 0x3e || bytes[from] === 0x3d)) from++;
    from = skip(bytes, from, Math.min(end, from + 4), SPACE);
    const quote = openingQuote(bytes, from, end);
    if (quote !== undefined) from += quote === BACKSLASH ? 2 : 1;
    for (const word of SCHEMES) if (has(bytes, from, end, word)) from += word.length;
    return quote === undefined ? this.#bare(bytes, from, end, kind) : quoted(bytes, from, end, kind, quote);
  }

  #bare(bytes: Buffer, from: number, end: number, kind: SecretKind): Finding | undefined {
    if (from >= this.#tokenEnd) {
      this.#tokenEnd = skipTo(bytes, from, end, BARE_END);
      this.#judged = 0;
      this.#found = false;
    }
    if (this.#found) return undefined;
    const to = Math.min(this.#tokenEnd, from + JUDGED_BYTES);
    if (to < end && bytes[to] === 0x28) return undefined;
    // A token with more names than this is nothing that anybody writes: it is taken for a secret without more looks at it.
    this.#found = ++this.#judged > MAX_JUDGED_PER_TOKEN || isSecret(latin1(bytes, from, to), kind);
    return this.#found ? { entity: 'SECRET', start: from, end: this.#tokenEnd } : undefined;
  }
}

/** Ends at the next quote of its kind, which the next such value begins with: no byte is read for more than one of them. */
function quoted(bytes: Buffer, from: number, end: number, kind: SecretKind, quote: number): Finding | undefined {
  const to = endOfQuoted(bytes, from, Math.min(end, from + JUDGED_BYTES), quote);
  if (to < end && bytes[to] === 0x28) return undefined;
  return isSecret(latin1(bytes, from, to), kind)
    ? { entity: 'SECRET', start: from, end: endOfQuoted(bytes, to, end, quote) }
    : undefined;
}

const SPACE = byteClass(' \t');
const SCHEMES = ['Bearer ', 'bearer ', 'Basic ', 'basic '];
/** A value is judged by its first bytes; the rest of a longer one belongs to it. */
const JUDGED_BYTES = 512;
const MAX_JUDGED_PER_TOKEN = 16;
const BARE_END = byteClass(' \t\r\n\f\v\0"\'`<>,;&)}](|');
const NAME = byteClass(`${DIGITS}${UPPER}${LOWER}_.-`);
const MAX_NAME_BYTES = 64;

/** The last two letters of all names that count, in either case: most names go no further. */
const ENDINGS = new Uint8Array(0x10000);
const pair = (first: number, second: number): number => ((first | 0x20) << 8) | (second | 0x20);
for (const one of 'rd wd se ss et en ey id al ls on th ue 64'.split(' ')) {
  ENDINGS[pair(one.charCodeAt(0), one.charCodeAt(1))] = 1;
}

export type SecretKind = 'password' | 'key';

const PASSWORD = /(?:passw(?:or)?d|passphrase|(?:^|[^a-z])pwd|(?:^|[^a-z])pass)$/i;
const KEY =
  /(?:secret|(?:^|[^a-z])token|[a-z]Token|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|private[-_.]?key|secret[-_.]?key|account[-_.]?key|signing[-_.]?key|encryption[-_.]?key|credentials?|authorization|(?:^|[^a-z])auth)(?:[-_.]?(?:value|base64|b64))?$/i;

/** What the name before the sign at `sign` stands for, if for a secret. */
export function kindOfName(bytes: Buffer, sign: number, start: number): SecretKind | undefined {
  let last = sign;
  // `:=` and `=>` are one sign.
  if (last > start && bytes[last - 1] === 0x3a) last--;
  while (last > start && sign - last < 4 && SPACE[bytes[last - 1] as number] === 1) last--;
  if (last > start && isQuote(bytes[last - 1])) last--;
  if (last > start && bytes[last - 1] === BACKSLASH) last--;
  let first = last;
  while (first > start && last - first < MAX_NAME_BYTES && NAME[bytes[first - 1] as number] === 1) first--;
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

/** Up to the closing quote, a backslash before one makes it part of the value. */
function endOfQuoted(bytes: Buffer, from: number, limit: number, quote: number): number {
  let to = from;
  while (to < limit && bytes[to] !== quote && bytes[to] !== 0x0a) to += bytes[to] === 0x5c ? 2 : 1;
  return Math.min(to, limit);
}

/** Whether a value given to such a name is one to keep to oneself. */
function isSecret(value: string, kind: SecretKind): boolean {
  if (isPlaceholder(value)) return false;
  if (kind === 'password') return value.length >= 6 && /[^A-Za-z_ -]/.test(value) && !ACCESS.test(value);
  return value.length >= 12 && /[A-Za-z]/.test(value) && /\d/.test(value) && !ACCESS.test(value) && entropy(value) >= 3;
}

/** Code that says where the value comes from: `process.env.TOKEN`, `config.password`. */
const ACCESS = /^[A-Za-z_$][\w$]*(?:(?:\.|::|->)[A-Za-z_$][\w$]*)+$/;

/** Shannon entropy in bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
