/** A request by HTTP/1.1 as an exchange takes it. Owns: what its head asks of the connection. Does not: read it (head.ts). */
import type { HeaderSet } from '../header-set.js';
import type { IncomingRequest } from '../ports.js';
import type { Framing } from './body.js';
import type { RequestLine } from './head.js';

export function incomingOf(line: RequestLine, set: HeaderSet, framing: Framing): IncomingRequest {
  const { method, target, minor } = line;
  const expects = framing.type !== 'none' && minor === 1 && set.list('expect').includes('100-continue');
  return { method, target, set, framing, expects, upgrade: upgradeOf(line, set) };
}

function upgradeOf({ method, minor }: RequestLine, set: HeaderSet): string | undefined {
  if (method !== 'GET' || minor === 0) return undefined;
  // Other protocols are not switched to: the request is answered as if it had not asked (RFC 9110 section 7.8).
  const asked = set.list('upgrade').includes('websocket') && set.list('connection').includes('upgrade');
  return asked ? 'websocket' : undefined;
}
