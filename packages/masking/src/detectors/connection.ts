/** Detector of addresses with a password in them. Pure. */
import { BREAK, byteClass, DIGITS, has, latin1, LETTER, LOWER, skipTo, UPPER } from './bytes.js';
import type { Finding } from './finding.js';
import { isPlaceholder } from './placeholder.js';

/**
 * Addresses that carry a password, `scheme://user:password@host/...` (RFC 3986 section 3.2.1), called at every `:`. The whole
 * address is the finding, because what is in it belongs together.
 *
 * A password should have its special characters encoded, and often has not: outside of HTTP the last `@` of the address
 * ends it. An instance belongs to one scan: it remembers where the current address ends, so that no text makes it slow.
 */
export class ConnectionStrings {
  #end = -1;
  #lastAt = -1;
  /** What begins later in the same address belongs to the finding. */
  #found = false;
  /** Where the punctuation begins that the address ends with: that of the sentence around it. */
  #punctuation = -1;

  at(bytes: Buffer, colon: number, start: number, end: number): Finding | undefined {
    if (!has(bytes, colon, end, '://')) return undefined;
    const user = colon + 3;
    if (this.#end < user) this.#measure(bytes, user, end);
    if (this.#lastAt < user || this.#found) return undefined;
    let scheme = colon;
    while (scheme > start && colon - scheme < MAX_SCHEME_BYTES && SCHEME[bytes[scheme - 1] as number] === 1) scheme--;
    while (scheme < colon && LETTER[bytes[scheme] as number] === 0) scheme++;
    if (scheme === colon) return undefined;
    const isWeb = WEB.test(latin1(bytes, scheme, colon));
    const limit = isWeb ? skipTo(bytes, user, this.#end, PATH) : this.#end;
    const at = isWeb ? bytes.subarray(user, limit).lastIndexOf(0x40) + user : this.#lastAt;
    if (at < user || at >= limit) return undefined;
    const password = skipTo(bytes, user, at, COLON) + 1;
    if (password >= at || (!isWeb && skipTo(bytes, user, at, PATH) < password)) return undefined;
    if (isPlaceholder(latin1(bytes, password, Math.min(at, password + 256)))) return undefined;
    this.#found = true;
    return { entity: 'CONNECTION_STRING', start: scheme, end: Math.max(at + 1, this.#punctuation) };
  }

  #measure(bytes: Buffer, from: number, end: number): void {
    this.#end = skipTo(bytes, from, end, BREAK);
    this.#found = false;
    this.#lastAt = bytes.subarray(from, this.#end).lastIndexOf(0x40) + from;
    if (bytes[this.#lastAt] !== 0x40) this.#lastAt = -1;
    this.#punctuation = this.#end;
    while (this.#punctuation > from && PUNCTUATION[bytes[this.#punctuation - 1] as number] === 1) this.#punctuation--;
  }
}

const MAX_SCHEME_BYTES = 32;
const SCHEME = byteClass(`${DIGITS}${UPPER}${LOWER}+.-`);
const WEB = /^(?:https?|wss?)$/i;
const PATH = byteClass('/?#');
const COLON = byteClass(':');
const PUNCTUATION = byteClass('.,;:!?)]}\\');
