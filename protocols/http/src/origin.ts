/**
 * Which web pages may send requests: a browser lets any page send some, and shows a certificate or a remembered password by itself. Owns: this
 * check. Does not: answer preflights (they carry no proof, so nobody is let in by one), or other proofs, which no page has by chance.
 */
import type { HttpTarget } from '@sluice/contract';
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

function isWelcome(origin: string, host: string, origins: readonly string[]): boolean {
  if (origins.includes('*') || origins.includes(origin)) return true;
  const [, own] = /^https?:\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  return own === host.toLowerCase();
}
