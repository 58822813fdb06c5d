/**
 * A request as the rules see it and as it goes on. Owns: which of its headers do, and its path without the route's prefix. Does
 * not: read it off the wire, or put the target's credential to it.
 */
import type { Header, HttpHead, HttpTarget, Outgoing } from '@sluice/contract';
import { isClaim, isHopByHop, listOf, lower, namedInConnection, refuseOverrides } from './headers.js';
import { checkPath } from './path.js';
import type { IncomingRequest, RequestPath } from './ports.js';
import { isProofHeader } from './proof.js';

export function pathOf({ target }: IncomingRequest): RequestPath {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** The host of a Host header, lower case, without a port and without the dot of the root: rules and routes know it so. */
export const hostName = (host: string): string =>
  host
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '')
    .toLowerCase();

/** No body comes. */
export const isEmpty = ({ framing }: IncomingRequest): boolean =>
  framing.type === 'none' || (framing.type === 'length' && framing.length === 0);

/** The gateway writes these itself. */
const OURS = new Set(['host', 'expect', 'sec-websocket-extensions']);

/** A request as it came, but for its proofs and the route's prefix. */
export function asCame(
  { method, host, headers }: IncomingRequest,
  { path, query }: RequestPath,
  prefix: string,
): HttpHead {
  const rest = path.slice(prefix.length);
  const shown = headers.filter(([name]) => !isProofHeader(lower(name)));
  return { method, host: hostName(host), path: rest.startsWith('/') ? rest : `/${rest}`, query, headers: shown };
}

/**
 * What of a request that came is judged and goes on.
 *
 * @throws HttpError when it asks for something that could be read in two ways
 */
export function goingOn(came: HttpHead, target: HttpTarget): HttpHead {
  refuseOverrides(came.headers);
  const named = namedInConnection(came.headers);
  const headers = came.headers.filter(([name]) => {
    const lowerName = lower(name);
    return !OURS.has(lowerName) && !isHopByHop(lowerName, named) && !isClaim(lowerName);
  });
  checkPath(came.path, target.paths);
  return { ...came, headers };
}

/** The request as the target gets it, before its credential. `edits`: headers to replace, or to take out. */
export function outgoing(
  { path, query, headers }: HttpHead,
  request: IncomingRequest,
  target: HttpTarget,
  edits: readonly (readonly [name: string, value: string | undefined])[],
): Outgoing {
  const trailers: readonly Header[] = listOf(request.headers, 'te').includes('trailers') ? [['TE', 'trailers']] : [];
  const written = `${target.base}${path}${query === '' ? '' : `?${query}`}`;
  return { target: written, headers: edited([...headers, ...trailers], edits) };
}

function edited(
  headers: readonly Header[],
  edits: readonly (readonly [name: string, value: string | undefined])[],
): readonly Header[] {
  if (edits.length === 0) return headers;
  const names = new Set(edits.map(([name]) => name.toLowerCase()));
  const kept = headers.filter(([name]) => !names.has(lower(name)));
  return [...kept, ...edits.flatMap(([name, value]): Header[] => (value === undefined ? [] : [[name, value]]))];
}
