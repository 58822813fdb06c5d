/**
 * Which web pages may send requests: a browser lets any page send some, and shows a certificate or a remembered password by itself. Owns: this
 * check, and what a browser is told that asks before. Does not: other proofs, which no page has by chance.
 */
import type { Header, HttpTarget } from '@sluice/contract';
import { HttpError, badRequest } from './errors.js';
import { valueOf, valuesOf } from './headers.js';
import type { ClientSide, IncomingRequest } from './ports.js';

/** Whether a browser may have proven who its user is without the page that sends the request having had a part in it. */
export const isAmbient = ({ set }: IncomingRequest, { certificate }: ClientSide): boolean =>
  certificate !== undefined || set.list('authorization').some((one) => one.startsWith('basic '));

/** @throws HttpError (403) for a request by a page of another origin that the target does not name */
export function checkOrigin(request: IncomingRequest, target: HttpTarget): void {
  const { headers, host } = request.set;
  const origins = valuesOf(headers, 'origin');
  if (origins.length > 1) throw badRequest('there are two Origin headers');
  const [origin] = origins;
  // Of a navigation there is no Origin, but browsers say where it came from.
  const foreign =
    origin === undefined
      ? /^(?:cross|same)-site$/.test(valueOf(headers, 'sec-fetch-site') ?? '') && !target.origins.includes('*')
      : !isWelcome(origin, host, target.origins);
  if (foreign)
    throw new HttpError(
      403,
      'pages of this origin may not send such requests: `origins` of the connection names those that may',
    );
}

/** How long a browser may remember what it was told, in seconds. */
const PREFLIGHT_AGE_S = '600';

/**
 * The answer to a browser's question whether a page may send a request (CORS protocol of the Fetch standard). It comes without a proof, so that it is
 * answered here, where the page is one of those that the connection names, and never reaches the target.
 *
 * @returns undefined: it is no such question, or nobody has named the page
 */
export function preflightAnswer(
  { method, set }: IncomingRequest,
  origins: readonly string[],
): readonly Header[] | undefined {
  const [origin, second] = valuesOf(set.headers, 'origin');
  const wanted = valueOf(set.headers, 'access-control-request-method');
  if (method !== 'OPTIONS' || origin === undefined || second !== undefined || wanted === undefined) return undefined;
  const named = origins.includes(origin);
  if (!named && !origins.includes('*')) return undefined;
  const headers = valueOf(set.headers, 'access-control-request-headers');
  return [
    ['Access-Control-Allow-Origin', named ? origin : '*'],
    ...(named ? [['Access-Control-Allow-Credentials', 'true'] as const] : []),
    ['Access-Control-Allow-Methods', wanted],
    ...(headers === undefined ? [] : [['Access-Control-Allow-Headers', headers] as const]),
    ['Access-Control-Max-Age', PREFLIGHT_AGE_S],
    ['Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
  ];
}

function isWelcome(origin: string, host: string, origins: readonly string[]): boolean {
  if (origins.includes('*') || origins.includes(origin)) return true;
  const [, own] = /^https?:\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  return own === host.toLowerCase();
}
