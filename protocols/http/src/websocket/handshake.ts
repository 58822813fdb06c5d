/**
 * What a request has to be to become a WebSocket (RFC 6455 section 4.1), and from which pages it may. Owns: these checks, and
 * those of the target's answer. Does not: answer it; the target does, and no extension is offered to it, since frames are read here.
 */
import { createHash } from 'node:crypto';
import type { Header, HttpTarget } from '@sluice/contract';
import { HttpError, badRequest } from '../errors.js';
import { valueOf, valuesOf } from '../headers.js';
import { checkOrigin } from '../origin.js';
import type { IncomingRequest } from '../ports.js';

const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * @throws HttpError for what is no handshake, and for one by a page of another origin: browsers open WebSockets to anywhere, and
 * send along what they have (RFC 6455 section 10.2)
 */
export function checkWebSocket(request: IncomingRequest, target: HttpTarget): void {
  const { method, framing, set } = request;
  const { headers } = set;
  if (method !== 'GET' || framing.type !== 'none') throw badRequest('a WebSocket begins with a GET without a body');
  if (valueOf(headers, 'sec-websocket-version') !== '13') throw new HttpError(426, 'a WebSocket here has version 13');
  if (!KEY.test(valueOf(headers, 'sec-websocket-key') ?? '')) throw badRequest('Sec-WebSocket-Key is no key');
  checkOrigin(request, target);
}

/** What every server hashes behind the key (RFC 6455 section 1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Why the target's 101 is no answer to this handshake, in words; undefined when it is (RFC 6455 section 4.1). Whoever sends a 101
 * without having understood the question would have its next words taken for frames.
 */
export function faultOfAnswer({ set }: IncomingRequest, answer: readonly Header[]): string | undefined {
  const key = valueOf(set.headers, 'sec-websocket-key') ?? '';
  const accepted = valuesOf(answer, 'sec-websocket-accept');
  const expected = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  if (accepted.length !== 1 || accepted[0] !== expected)
    return "the target's answer does not fit the key of the WebSocket";
  if (valuesOf(answer, 'sec-websocket-extensions').length > 0)
    return 'the target uses an extension of WebSocket that was not offered';
  const chosen = valuesOf(answer, 'sec-websocket-protocol');
  const offered = set.list('sec-websocket-protocol');
  if (chosen.length > 1 || chosen.some((one) => !offered.includes(one.toLowerCase())))
    return 'the target chose a subprotocol that was not offered';
  return undefined;
}
