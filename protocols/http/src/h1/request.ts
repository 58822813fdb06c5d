/** A request by HTTP/1.1 as an exchange takes it. Owns: what its head asks of the connection. Does not: read it (head.ts). */
import { listOf } from '../headers.js';
import type { IncomingRequest } from '../ports.js';
import type { Framing } from './body.js';
import type { RequestHead } from './head.js';

export function incomingOf(head: RequestHead, framing: Framing): IncomingRequest {
  const { method, target, host, headers, minor } = head;
  const expects = framing.type !== 'none' && minor === 1 && listOf(headers, 'expect').includes('100-continue');
  return { method, target, host, headers, framing, expects, upgrade: upgradeOf(head) };
}

function upgradeOf({ headers, method, minor }: RequestHead): string | undefined {
  if (method !== 'GET' || minor === 0) return undefined;
  // Other protocols are not switched to: the request is answered as if it had not asked (RFC 9110 section 7.8).
  const asked = listOf(headers, 'upgrade').includes('websocket') && listOf(headers, 'connection').includes('upgrade');
  return asked ? 'websocket' : undefined;
}
