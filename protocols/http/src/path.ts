/**
 * The path of a request in the one form that rules judge: as it was sent, and such that every server reads it alike. Owns:
 * which paths are refused because servers differ about them. Does not: split it by routes, which are the gate's.
 */
import { badRequest } from './errors.js';

/** Encodings of what separates: `/`, `\` and the end of a C string. */
const SEPARATORS = /%(2f|5c|00)/i;
const ENCODED_DOT = /%2e/gi;
/** `.` or `..` as a whole segment, with parameters behind it as well: some servers cut those off first. */
const DOT_SEGMENT = /(^|\/)\.\.?(;[^/]*)?(\/|$)/;

/**
 * Checks a path that was sent (RFC 3986 section 3.3).
 *
 * @param mode 'raw': encoded separators, empty and dot segments pass as they are; the rules know of it
 * @throws HttpError when servers could read it in different ways
 */
export function checkPath(path: string, mode: 'strict' | 'raw'): void {
  // Most paths are made of these alone, in segments of which none is empty or a dot.
  if (PLAIN.test(path)) return;
  checkEncoding(path);
  if (mode === 'raw') return;
  if (SEPARATORS.test(path)) throw refused('an encoded slash, backslash or NUL');
  if (path.includes('//')) throw refused('an empty segment');
  if (DOT_SEGMENT.test(path.replace(ENCODED_DOT, '.'))) throw refused('a segment `.` or `..`');
}
/** Each segment has one way to be read: this is asked of everybody, and has to be linear in the length. */
const PLAIN = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+\/?$|^\/$/;

function checkEncoding(path: string): void {
  if (!path.includes('%')) return;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw badRequest('the path has a % that is no encoding of UTF-8');
  }
  if (/[\0-\x1f\x7f]/.test(decoded)) throw badRequest('the path has an encoded control character');
}

const refused = (what: string): Error =>
  badRequest(
    `the path has ${what}, which servers read in different ways: \`paths: raw\` of the connection lets it pass`,
  );
