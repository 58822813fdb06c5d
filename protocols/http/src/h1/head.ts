/**
 * Heads of HTTP/1.1 messages (RFC 9112 sections 2 to 5): finding where one ends, reading it, writing one. Owns: how strict we
 * are. Whatever two parsers could read in two ways is refused, since the other one is the target's. Does not: bodies
 * (body.ts), or what headers mean to the exchange.
 */
import type { Header } from '@sluice/contract';
import { remembered } from '@sluice/wire';
import { HttpError, badRequest } from '../errors.js';

/** Bytes of a head with its last empty line. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_HEADERS = 200;

const CR = 13;
const LF = 10;

/** The first line of a request. */
export interface RequestLine {
  readonly method: string;
  /** A path that begins with `/`, and a query. */
  readonly target: string;
  readonly minor: 0 | 1;
}

export interface RequestHeaders {
  /** Of the Host header: host name, and port where there is one. */
  readonly host: string;
  readonly headers: readonly Header[];
}

export type RequestHead = RequestLine & RequestHeaders;

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly headers: readonly Header[];
}

/**
 * Finds the end of a head as its bytes come. Looks at each line break once, so that a bare LF is refused when it comes and
 * not when the head is whole.
 */
export class HeadFinder {
  #scanned = 0;
  #lineStart = 0;
  #sawEmptyLine = false;

  /** Bytes of one empty line before a request, which some clients send behind a body (RFC 9112 section 2.2). */
  emptyLine(bytes: Buffer): number {
    if (this.#sawEmptyLine || this.#scanned > 2 || bytes[0] !== CR || bytes[1] !== LF) return 0;
    this.#sawEmptyLine = true;
    this.#scanned = 0;
    this.#lineStart = 0;
    return 2;
  }

  /**
   * Where the head at the start of `bytes` ends, behind its empty line; undefined while that is not there.
   *
   * @throws HttpError for a line that ends in LF alone, and for a head over MAX_HEAD_BYTES
   */
  find(bytes: Buffer): number | undefined {
    for (;;) {
      const at = bytes.indexOf(LF, this.#scanned);
      if ((at < 0 ? bytes.length : at) > MAX_HEAD_BYTES) throw new HttpError(431, 'the head is too long');
      if (at < 0) {
        this.#scanned = bytes.length;
        return undefined;
      }
      if (at === 0 || bytes[at - 1] !== CR) throw badRequest('a line of the head ends in LF without CR');
      const empty = at - this.#lineStart === 1;
      this.#scanned = at + 1;
      this.#lineStart = at + 1;
      if (empty) {
        this.reset();
        return at + 1;
      }
    }
  }

  /** For the next head. */
  reset(): void {
    this.#scanned = 0;
    this.#lineStart = 0;
    this.#sawEmptyLine = false;
  }
}

/** Anything but printable bytes, blanks, and CR where LF follows. */
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/;
/** A token (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^`|~0-9A-Za-z_-]+$/;
/** A token without `_`: `Content_Length` is Content-Length to some servers that stand behind CGI. */
const REQUEST_NAME = /^[!#$%&'*+.^`|~0-9A-Za-z-]+$/;

/** Methods that are known; another one could mean anything at the target. CONNECT and TRACE are none of a service. */
export const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT PATCH DELETE OPTIONS ' +
    'ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE ' +
    'QUERY REBIND REPORT SEARCH SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
);

/** A head as one text of Latin-1, without the two line breaks that `bytes` ends with. */
export const headText = (bytes: Buffer): string => bytes.toString('latin1', 0, bytes.length - 4);

function linesOf(text: string): string[] {
  if (CONTROL.test(text)) throw badRequest('the head has a control character in it');
  return text.split('\r\n');
}

/**
 * Reads header lines from `from` on.
 *
 * @throws HttpError for a line that is no `name: value`: a folded one, a blank before the colon, a name that is no token
 */
function readHeaders(lines: readonly string[], from: number, name: RegExp): Header[] {
  if (lines.length - from > MAX_HEADERS) throw new HttpError(431, `there are more than ${MAX_HEADERS} headers`);
  const headers: Header[] = [];
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] as string;
    const colon = line.indexOf(':');
    const field = line.slice(0, Math.max(colon, 0));
    if (!name.test(field)) throw badRequest('a line of the head is not `name: value`');
    // RFC 9110 section 5.5 takes it off; llhttp does not, and would have another body.
    if (FRAMING.test(field) && TAB_BEHIND.test(line))
      throw badRequest('a header that frames the message ends in a tab');
    headers.push([field, trimmed(line, colon + 1)]);
  }
  return headers;
}

const FRAMING = /^(?:content-length|transfer-encoding)$/i;
const TAB_BEHIND = /\t *$/;

/** Without blanks and tabs around it (OWS), which String.trim would take too much for. */
function trimmed(line: string, start: number): string {
  let from = start;
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from++;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}
const isBlank = (code: number): boolean => code === 32 || code === 9;

const REQUEST_LINE = /^([A-Z-]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;

/**
 * Reads the first line of a request.
 *
 * @param host says what its Host header has, which an address with a host in it has to agree with
 * @throws HttpError with the status to answer
 */
export function readRequestLine(text: string, host: () => string): RequestLine {
  const line = REQUEST_LINE.exec(text);
  if (!line) throw lineError(text);
  const [, method, written, minor] = line as unknown as [string, string, string, '0' | '1'];
  if (method === 'CONNECT' || method === 'TRACE') throw new HttpError(405, `${method} does not pass the gateway`);
  if (!METHODS.has(method)) throw new HttpError(501, 'the method is not known here');
  return { method, target: originForm(written, host), minor: minor === '0' ? 0 : 1 };
}

/**
 * Reads the lines behind the first one, which `text` begins with the break of; empty: there are none.
 *
 * @throws HttpError with the status to answer
 */
export function readRequestHeaders(text: string): RequestHeaders {
  const headers = readHeaders(linesOf(text), 1, REQUEST_NAME);
  return { host: hostOf(headers), headers };
}

/** The first line of a head, and the rest, which begins with a line break. */
export function splitHead(text: string): readonly [line: string, rest: string] {
  const at = text.indexOf('\r\n');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at)];
}

/** Reads the head of a request, all of whose bytes these are. @throws HttpError with the status to answer */
export function readRequestHead(bytes: Buffer): RequestHead {
  const [line, rest] = splitHead(headText(bytes));
  let read: RequestHeaders | undefined;
  const headers = (): RequestHeaders => (read ??= readRequestHeaders(rest));
  return { ...readRequestLine(line, () => headers().host), ...headers() };
}

function lineError(line: string): HttpError {
  if (CONTROL.test(line)) return badRequest('the head has a control character in it');
  return / HTTP\/[02-9]|HTTP\/1\.[2-9]/.test(line)
    ? new HttpError(505, 'the version is neither HTTP/1.0 nor HTTP/1.1')
    : badRequest('the first line is not `METHOD /path HTTP/1.1`');
}

const HOST = /^(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** Whether a Host header, or the authority of HTTP/2, is a host name or an address with or without a port. */
export const isHost = (host: string): boolean => HOST.test(host);

function hostOf(headers: readonly Header[]): string {
  let host: string | undefined;
  for (const [name, value] of headers) {
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (host !== undefined) throw badRequest('there are two Host headers');
    host = value;
  }
  if (host === undefined) throw badRequest('there is no Host header');
  if (!HOST.test(host)) throw badRequest('the Host header is no host name');
  return host;
}

/** The path and query of a request target; the absolute form has to name the host that Host names (RFC 9112 section 3.2). */
function originForm(written: string, host: () => string): string {
  if (written.startsWith('/')) return checkedTarget(written);
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(written);
  if (absolute && absolute[1] !== host()) throw badRequest('the request line names another host than the Host header');
  const target = absolute ? (absolute[2] as string) : written;
  if (absolute && !target.startsWith('/')) return checkedTarget(`/${target}`);
  return checkedTarget(target);
}

/** @throws HttpError for what is no path with a query */
export function checkedTarget(target: string): string {
  if (!target.startsWith('/')) throw badRequest('the request line has no path that begins with `/`');
  if (target.includes('#')) throw badRequest('the request line has a fragment');
  if (target.includes('\\')) throw badRequest('the request line has a backslash');
  return target;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/**
 * Reads the head of an answer, all of whose text this is (`headText`).
 *
 * @throws HttpError which, of a target, means 502
 */
export function readResponseHead(text: string): ResponseHead {
  const lines = linesOf(text);
  const line = STATUS_LINE.exec(lines[0] as string);
  if (!line) throw badRequest('the first line of the answer is not `HTTP/1.1 status reason`');
  const [, minor, status, reason] = line as unknown as [string, '0' | '1', string, string | undefined];
  return {
    status: Number(status),
    reason: reason ?? '',
    minor: minor === '0' ? 0 : 1,
    headers: readHeaders(lines, 1, TOKEN),
  };
}

/** Reads trailer lines, with the empty one that ends them. @throws HttpError as for heads */
export const readTrailers = (bytes: Buffer): readonly Header[] =>
  bytes.length <= 2 ? [] : readHeaders(linesOf(headText(bytes)), 0, REQUEST_NAME);

/** Headers as lines, each with its break; the same list has the same text. */
export const headerLines = remembered((headers: readonly Header[]): string => {
  let text = '';
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return text;
});

/** A head as bytes. `start` is its first line. Values are Latin-1, as they were read. */
export const writeHead = (start: string, headers: readonly Header[]): Buffer =>
  Buffer.from(`${start}\r\n${headerLines(headers)}\r\n`, 'latin1');

/** Whether headers can be written so that none becomes two lines. What the gateway adds is looked at with this. */
export const areWritable = (headers: readonly Header[]): boolean => faultsOf(headers).length === 0;

const faultsOf = remembered((headers: readonly Header[]) =>
  headers.filter(([name, value]) => !TOKEN.test(name) || /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/.test(value)),
);
