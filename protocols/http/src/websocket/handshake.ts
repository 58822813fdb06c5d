/**
 * What a request has to be to become a WebSocket (RFC 6455 section 4.1), and from which pages it may. Owns: these checks. Does
 * not: answer it; the target does, and no extension is offered to it, since frames are read here.
 */
import type { HttpTarget } from '@sluice/contract';
import { HttpError, badRequest } from '../errors.js';
import { valueOf, valuesOf } from '../headers.js';
import type { IncomingRequest } from '../ports.js';

const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * @throws HttpError for what is no handshake, and for one by a page of another origin: browsers open WebSockets to anywhere, and
 * send along what they have (RFC 6455 section 10.2)
 */
export function checkWebSocket(request: IncomingRequest, target: HttpTarget): void {
  const { method, headers, framing } = request;
  if (method !== 'GET' || framing.type !== 'none') throw badRequest('a WebSocket begins with a GET without a body');
  if (valueOf(headers, 'sec-websocket-version') !== '13') throw new HttpError(426, 'a WebSocket here has version 13');
  if (!KEY.test(valueOf(headers, 'sec-websocket-key') ?? '')) throw badRequest('Sec-WebSocket-Key is no key');
  const origins = valuesOf(headers, 'origin');
  if (origins.length > 1) throw badRequest('there are two Origin headers');
  const [origin] = origins;
  if (origin !== undefined && !isWelcome(origin, request.host, target.origins))
    throw new HttpError(
      403,
      'pages of this origin may not open a WebSocket here: `origins` of the target names those that may',
    );
}

function isWelcome(origin: string, host: string, origins: readonly string[]): boolean {
  if (origins.includes('*') || origins.includes(origin)) return true;
  const [, own] = /^https?:\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  return own === host.toLowerCase();
}
