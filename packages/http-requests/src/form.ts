/**
 * Queries and forms. Owns: `application/x-www-form-urlencoded` as the URL Standard reads it, and `multipart/form-data` (RFC 7578). Does
 * not: JSON.
 */

import { isNamed } from './fold.js';

export type Pair = readonly [name: string, value: string];

/** More names than any form has: beyond that nobody reads it. */
const MAX_PAIRS = 10_000;

/**
 * Names and values, decoded. What is wrongly encoded stays as it is, and the rest of the same text does not: `%72m%FF` is `rm` and a sign that
 * is none. Undefined: there are too many.
 */
export function readQuery(query: string): readonly Pair[] | undefined {
  if (query === '') return [];
  const parts = query.split('&', MAX_PAIRS + 1);
  if (parts.length > MAX_PAIRS) return undefined;
  // Some servers part them by semicolons as well (Rack before 3, Python before 3.10): what they would see is there too.
  const more = parts.flatMap((part) => (part.includes(';') ? part.split(';', MAX_PAIRS + 1) : []));
  if (parts.length + more.length > MAX_PAIRS) return undefined;
  return [...parts, ...more].flatMap((part): Pair[] => {
    if (part === '') return [];
    const pair = pairOf(part);
    // Servers of Microsoft read `%u0061` as well (HttpUtility): what they would see is there too.
    return WIDE.test(part) ? [pair, pairOf(part.replaceAll(WIDE_ALL, escapedWide))] : [pair];
  });
}

const WIDE = /%u[0-9a-f]{4}/i;
const WIDE_ALL = /%u([0-9a-f]{4})/gi;
const escapedWide = (_: string, digits: string): string =>
  encodeURIComponent(String.fromCharCode(Number.parseInt(digits, 16)).toWellFormed());

function pairOf(part: string): Pair {
  const at = part.indexOf('=');
  return at < 0 ? [unescaped(part), ''] : [unescaped(part.slice(0, at)), unescaped(part.slice(at + 1))];
}

function unescaped(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return Buffer.from(spaced.replaceAll(OCTET, octet), 'latin1').toString('utf8');
  }
}

/** An encoded octet, or what is written in letters of several. */
const OCTET = /%([0-9a-f]{2})|[^\0-\x7f]+/gi;
const octet = (written: string, digits: string | undefined): string =>
  digits === undefined ? Buffer.from(written).toString('latin1') : String.fromCharCode(Number.parseInt(digits, 16));

/** As PHP has it: without blanks before it and what stands behind a zero, and with `_` for what no variable can have in its name. */
const asVariable = (name: string): string =>
  name
    .replace(/\0[^]*/, '')
    .replace(/^ +/, '')
    .replaceAll(/[ .]/g, '_');

/** Whether a server may take a field or a parameter of a query for the one that is wanted. */
export const isField = (name: string, wanted: string): boolean =>
  isNamed(name, wanted) || (/[\0 .]/.test(name) && isNamed(asVariable(name), wanted));

/** A part of a form with uploads. `value` is read as UTF-8, whatever it is. */
export interface FormPart {
  readonly name: string;
  readonly filename?: string;
  readonly value: string;
  /** What it says it is; empty where it says nothing. */
  readonly media: string;
  /** Where its value begins and ends in the body, in bytes. */
  readonly start: number;
  readonly end: number;
}

/** Why a form is not read: a phrase of which the body is the subject. */
export class FormError extends Error {
  override readonly name = 'FormError';
}

const MAX_PARTS = 1_000;
/** The head of one part, in bytes. */
const MAX_PART_HEAD_BYTES = 8 * 1024;

/** @throws FormError for what servers would cut apart differently */
export function readMultipart(media: string, body: Buffer): readonly FormPart[] {
  const boundary = boundaryOf(media);
  if (boundary === undefined) throw new FormError('is a form without a boundary');
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  const parts: FormPart[] = [];
  let at = body.indexOf(delimiter);
  if (at !== 0) throw new FormError('does not begin with its first part');
  for (;;) {
    at += delimiter.length;
    if (body.toString('latin1', at, at + 2) === '--') {
      // Some read on behind the end (PHP).
      if (body.includes(delimiter, at)) throw new FormError(WITHIN);
      if (saysCharset(parts.map(({ name, value }) => [name, value]))) throw new FormError(OTHER_CHARSET);
      return parts;
    }
    if (body.toString('latin1', at, at + 2) !== '\r\n')
      throw new FormError('has a part that does not begin with a line');
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), at);
    if (next < 0) throw new FormError('has a form that does not end');
    if (parts.length === MAX_PARTS) throw new FormError(`is a form of more than ${MAX_PARTS} parts`);
    const part = body.subarray(at + 2, next);
    // Some take a line that ends in LF alone for one (Werkzeug, Go).
    if (part.includes(delimiter)) throw new FormError(WITHIN);
    parts.push(readPart(part, at + 2));
    at = next + 2;
  }
}

/** A form may say in a field in which charset the others are (RFC 7578, section 4.6), which some servers go by (aiohttp, Jetty). */
export const saysCharset = (pairs: readonly Pair[]): boolean =>
  pairs.some(([name, value]) => isField(name, '_charset_') && !/^\s*(?:utf-?8|us-ascii)?\s*$/i.test(value));

export const OTHER_CHARSET = 'is a form in a charset that is not read here';

const WITHIN = 'has the boundary of its form where no part begins';

/** `from`: where it begins in the body. */
function readPart(part: Buffer, from: number): FormPart {
  const end = part.subarray(0, MAX_PART_HEAD_BYTES).indexOf('\r\n\r\n');
  if (end < 0) throw new FormError('has a part without a head');
  const head = part.toString('utf8', 0, end).split('\r\n');
  // Some take LF alone for the end of a line (Go, Werkzeug).
  if (head.some((line) => /[\0-\x08\x0a-\x1f\x7f]/.test(line)))
    throw new FormError('has a part with control characters in its head');
  const dispositions = head.filter((line) => /^content-disposition\s*:/i.test(line));
  if (head.some((line) => /^[ \t]/.test(line))) throw new FormError('has a part with a folded header');
  const [disposition] = dispositions;
  if (dispositions.length !== 1 || disposition === undefined) throw new FormError('has a part without a name');
  const parameters = parametersOf(disposition.slice(disposition.indexOf(':') + 1));
  const [name, filename] = [parameters.get('name'), parameters.get('filename')];
  // Some decode words of mail (Tomcat): RFC 2047.
  if ([name, filename].some((one) => one?.includes('=?')))
    throw new FormError('has a part whose name is encoded as in mail');
  // Some decode what RFC 7578 sections 4.6 and 4.7 have no more (Django, Tomcat).
  if (head.some((line) => ENCODED.test(line))) throw new FormError('has a part in an encoding that is not read here');
  if (name === undefined) throw new FormError('has a part without a name');
  const types = head.filter((line) => /^content-type\s*:/i.test(line));
  if (types.length > 1) throw new FormError('has a part that says twice what it is');
  const media = types[0]?.replace(/^[^:]*:/, '').trim() ?? '';
  const value = part.toString('utf8', end + 4);
  const at = { start: from + end + 4, end: from + part.length };
  return { name, ...(filename !== undefined && { filename }), value, media, ...at };
}

/** Of a part: an encoding for mail that is one, or a charset other than UTF-8. */
const ENCODED =
  /^content-transfer-encoding\s*:(?!\s*(?:7bit|8bit|binary)\s*$)|^content-type\s*:.*;\s*charset\s*=(?!\s*"?(?:utf-?8|us-ascii)"?\s*(?:;|$))/i;

const boundaryOf = (media: string): string | undefined => parametersOf(media).get('boundary');

/** One parameter of a header value (RFC 9110, section 5.6.6), and what may stand behind the last one. */
const PARAMETER = /[ \t]*;[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^"])*)"|([^\s;"]*))/y;
const REST = /^[ \t]*;?[ \t]*$/;

/**
 * Parameters of a header value, by their names in lower case. The value is read from its beginning to its end: what is taken for one within
 * another would be another one to the server.
 *
 * @throws FormError for what servers read differently
 */
function parametersOf(value: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const begin = value.indexOf(';');
  if (begin < 0) return found;
  let at = begin;
  for (;;) {
    PARAMETER.lastIndex = at;
    const [all, written = '', quoted, plain = ''] = PARAMETER.exec(value) ?? [];
    if (all === undefined) break;
    const name = written.toLowerCase();
    // RFC 5987 and 2231 names beside plain ones are read by some servers and not by others (RFC 7578 section 4.2 forbids them).
    if (name.includes('*')) throw new FormError('has a part with two names');
    if (found.has(name)) throw new FormError(`says "${name.slice(0, 40)}" twice`);
    // To some it is a sign of the name. Those of files have it from Windows, and nobody goes by them.
    if (name !== 'filename' && (quoted ?? plain).includes('\\')) throw new FormError('has a name with a backslash');
    found.set(name, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
    at += all.length;
  }
  const isRead = !value.slice(0, begin).includes('"') && REST.test(value.slice(at));
  if (!isRead) throw new FormError('has a header that servers would cut apart differently');
  return found;
}
