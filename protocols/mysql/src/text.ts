/**
 * Texts in the character set of the session. Owns: which sets can be followed, and how their bytes become text. Does not own: the tables
 * of those of one byte (contract). A set in which a byte of one character may be a quote or a backslash cannot be followed: then the same
 * bytes are cut into statements in two ways.
 */
import { isUtf8 } from 'node:buffer';
import { singleByteSet } from '@sluice/contract';

const UTF8: ReadonlySet<string> = new Set(['utf8mb4', 'utf8mb3', 'utf8']);
const BYTES: ReadonlySet<string> = new Set(['ascii', 'binary']);

export const isFollowed = (charset: string): boolean =>
  UTF8.has(charset) || BYTES.has(charset) || singleByteSet(charset) !== undefined;

/** The text of a statement. Two texts that differ in their bytes differ in this as well. */
export function decoded(bytes: Buffer, charset: string): string {
  if (UTF8.has(charset)) return fromUtf8(bytes);
  return singleByteSet(charset)?.decode(bytes) ?? bytes.toString('latin1');
}

const REPLACEMENT = '\ufffd';

/** So many bytes that are no UTF-8 are written out; what follows them is one character for each byte. */
const MAX_WRITTEN_OUT_BYTES = 10_000;

/** Drivers put raw bytes into literals: each that is no UTF-8 becomes U+FFFD and its two digits, and U+FFFD itself is doubled. */
function fromUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return marked(bytes);
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = characterAt(bytes, at);
    at += Math.max(1, size);
    if (size > 0) continue;
    const bad = bytes[at - 1] as number;
    parts.push(marked(bytes.subarray(from, at - 1)), REPLACEMENT, bad.toString(16));
    from = at;
    if (parts.length > MAX_WRITTEN_OUT_BYTES * 3) return parts.join('') + bytes.toString('latin1', at);
  }
  return parts.join('') + marked(bytes.subarray(from));
}

function marked(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes(REPLACEMENT) ? text.replaceAll(REPLACEMENT, REPLACEMENT + REPLACEMENT) : text;
}

/** Bytes of the character that begins here (RFC 3629 section 4); 0: none does. */
function characterAt(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size = 2 + Number(first >= 0xe0) + Number(first >= 0xf0);
  return at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)) ? size : 0;
}
