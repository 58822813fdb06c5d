/**
 * What makes two requests the same one: an approval of the first lets the second through. Owns: which headers carry meaning, and
 * what people are shown of a request. Does not: keep either.
 */
import { hash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import type { Header, HttpCommand } from '@sluice/contract';
import { isForm, mediaType } from './body.js';
import { type Mark, isSecretName, redactHeaders, redactQuery } from './redact.js';

/** Headers that differ each time that a program sends the same request, or say how it is sent. All others count. */
const PASSING: ReadonlySet<string> = new Set([
  'accept-encoding',
  'baggage',
  'connection',
  'content-length',
  'date',
  'expect',
  'host',
  'keep-alive',
  'priority',
  'sec-websocket-key',
  'sentry-trace',
  'te',
  'trailer',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'user-agent',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'x-correlation-id',
  'x-request-id',
  'b3',
]);
/** The same of tracing, of programs that are made from a description (Stainless), and of browsers: those alone that they are known to send. */
const FAMILIES: Readonly<Record<string, string>> = {
  'x-b3-': 'traceid spanid parentspanid sampled flags',
  'x-datadog-': 'trace-id parent-id sampling-priority origin tags',
  'x-stainless-':
    'lang package-version os arch runtime runtime-version retry-count timeout read-timeout async helper helper-method poll-helper custom-poll-interval',
  'sec-ch-':
    'ua ua-arch ua-bitness ua-full-version ua-full-version-list ua-form-factors ua-mobile ua-model ua-platform ua-platform-version ua-wow64 prefers-color-scheme prefers-reduced-motion prefers-reduced-transparency width viewport-width viewport-height dpr device-memory',
  'elastic-apm-': 'traceparent',
};
const OF_FAMILIES: ReadonlySet<string> = new Set(
  Object.entries(FAMILIES).flatMap(([prefix, names]) => names.split(' ').map((name) => prefix + name)),
);

/** Those that count, as they count. */
export function meaningful(headers: readonly Header[]): readonly Header[] {
  return headers.flatMap((header): readonly Header[] => {
    const [name, value] = header;
    const lower = name.toLowerCase();
    if (PASSING.has(lower) || OF_FAMILIES.has(lower)) return [];
    if (lower !== 'prefer') return [header];
    // How long it waits says nothing of what it does, as other preferences do (PostgREST: resolution=merge-duplicates).
    const rest = value.split(',').filter((one) => !WAITING.test(one));
    return rest.length === 0 ? [] : [[name, rest.join(',').trim()]];
  });
}

/** Preferences about the time that a request takes (RFC 7240, sections 4.1 and 4.3). */
const WAITING = /^\s*(?:respond-async|wait\s*=\s*"?\d*"?)?\s*$/i;

/** All of a request that an approval is bound to, without its id: as JSON, so that nothing runs into anything else. */
export function meaningOf({ method, host, path, query, headers, body, upgrade = '', message }: HttpCommand): unknown {
  const meant = meaningful(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const said = message ? [message.kind] : [];
  return ['request', method, host, path, query, meant, bodyMeaning(body), upgrade, ...said];
}

const bodyMeaning = (body: HttpCommand['body']): unknown => {
  if (body.type === 'none') return 'none';
  return body.type === 'whole' ? ['whole', hash('sha256', body.bytes, 'hex')] : ['unseen', body.media];
};

/** A body as it is written down. */
export interface ShownBody {
  readonly media: string;
  /** Bytes behind every coding; undefined where that is not known before it has passed. */
  readonly bytes: number | undefined;
  readonly sha256?: string;
  /** Its beginning, without secrets; absent where it passed without having been read. */
  readonly text?: string;
  /** The same where it is no text. */
  readonly base64?: string;
  /** Not all of it is there. */
  readonly cut?: true;
}

/** `most`: bytes that are shown. */
export function shownBody(body: HttpCommand['body'], most: number, mark: Mark): ShownBody | undefined {
  if (body.type === 'none') return undefined;
  if (body.type === 'stream') return { media: body.media, bytes: body.length };
  const all = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.length);
  const start = all.subarray(0, most);
  const cut = start.length < all.length;
  const known = {
    media: body.media,
    bytes: all.length,
    sha256: hash('sha256', all, 'hex'),
    ...(cut && { cut: true as const }),
  };
  if (!isUtf8(all)) return { ...known, base64: start.toString('base64') };
  // A character that is cut in two would stand there as another one.
  const text = start.toString('utf8').replace(/\ufffd$/, '');
  return { ...known, text: redactBody(text, body.media, mark) };
}

/** Values of fields with secret names: of a form, and of strings in JSON. */
export function redactBody(text: string, media: string, mark: Mark): string {
  if (isForm(media)) return redactQuery(text, mark);
  if (mediaType(media).startsWith('multipart/')) return text;
  const parts: string[] = [];
  const known = new Map<string, boolean>();
  let marks = 0;
  /** Up to where `parts` has the text. */
  let given = 0;
  let end = 0;
  for (let match = nextMember(text, 0); match; match = nextMember(text, end + 1)) {
    const [all, name = ''] = match;
    const start = match.index + all.length;
    end = endOfString(text, start);
    let isSecret = known.get(name);
    if (isSecret === undefined) {
      isSecret = isSecretName(name);
      if (known.size < MAX_KNOWN_NAMES) known.set(name, isSecret);
    }
    if (!isSecret || end === start) continue;
    const written = ++marks > MAX_MARKS ? '[secret]' : mark(text.slice(start, end));
    parts.push(text.slice(given, start), `${written}"`);
    given = end + 1;
  }
  return given === 0 ? text : parts.join('') + text.slice(given);
}

/** Names of one body that are remembered. */
const MAX_KNOWN_NAMES = 1000;
/** Secrets of one body that can be told apart: a body may be full of them, and each mark takes a while. */
const MAX_MARKS = 10_000;

/** The beginning of a member of an object whose value is a string. No name of a secret has an escape. */
const MEMBER = /"([^"\\]{1,200})"\s*:\s*"/g;

function nextMember(text: string, from: number): RegExpExecArray | null {
  MEMBER.lastIndex = from;
  return MEMBER.exec(text);
}

/** Where the quote is that ends a string, or where a cut has left it open. A loop: no expression holds a step for each of millions of escapes. */
function endOfString(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Method, or that it is a message, and address without secrets. */
export const requestLine = ({ method, path, query, message }: HttpCommand, mark: Mark): string =>
  `${message ? 'message' : method} ${path}${query === '' ? '' : `?${redactQuery(query, mark)}`}`;

/**
 * What people release: the whole request, without secrets, however long it is: the approval is bound to all of it. How many may wait is for
 * whoever keeps them.
 */
export function requestText(command: HttpCommand, mark: Mark): string {
  const { method, host, path, query, body, message } = command;
  const what = message ? `${message.kind} message to` : method;
  const first = `${what} ${host}${path}${query === '' ? '' : `?${redactQuery(query, mark)}`}`;
  const headers = redactHeaders(meaningful(command.headers), mark).map(([name, value]) => `${name}: ${value}`);
  const shown = shownBody(body, Number.POSITIVE_INFINITY, mark);
  const lines = [first, ...headers];
  if (!shown) return lines.join('\n');
  return [...lines, '', shown.text ?? shown.base64 ?? '(a body that nobody has seen)'].join('\n');
}
