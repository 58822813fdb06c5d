/**
 * A request as the rules see it and as it goes on. Owns: which of its headers do, and its path without the route's prefix. Does
 * not: read it off the wire, or put the target's credential to it.
 */
import type { Header, HttpHead, HttpTarget, Outgoing } from '@sluice/contract';
import { lower } from './headers.js';
import { checkPath } from './path.js';
import type { HeaderSet } from './header-set.js';
import type { IncomingRequest, RequestPath } from './ports.js';

export function pathOf({ target }: IncomingRequest): RequestPath {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** No body comes. */
export const isEmpty = ({ framing }: IncomingRequest): boolean =>
  framing.type === 'none' || (framing.type === 'length' && framing.length === 0);

/** A request as it came, but for its proofs and the route's prefix. */
export function asCame({ method, set }: IncomingRequest, { path, query }: RequestPath, prefix: string): HttpHead {
  const rest = path.slice(prefix.length);
  return { method, host: set.hostName, path: rest.startsWith('/') ? rest : `/${rest}`, query, headers: set.shown };
}

/**
 * What of a request that came is judged and goes on.
 *
 * @throws HttpError when it asks for something that could be read in two ways
 */
export function goingOn({ method, host, path, query }: HttpHead, set: HeaderSet, target: HttpTarget): HttpHead {
  const headers = set.passing;
  checkPath(path, target.paths);
  return { method, host, path, query, headers, alike: set.number };
}

/** The request as the target gets it, before its credential. `edits`: headers to replace, or to take out. */
export function outgoing(
  { path, query, headers }: HttpHead,
  request: IncomingRequest,
  target: HttpTarget,
  edits: readonly (readonly [name: string, value: string | undefined])[],
): Outgoing {
  const asked = request.set.list('te').includes('trailers') ? [...headers, TRAILERS] : headers;
  return { target: written({ path, query }, target), headers: edited(asked, edits) };
}

/** Path and query there. A server of MCP is one address: what stands behind the route is nothing. */
export function written({ path, query }: RequestPath, { base, api }: Pick<HttpTarget, 'base' | 'api'>): string {
  const whole = api === 'mcp' && path === '/' && base !== '' ? base : `${base}${path}`;
  return query === '' ? whole : `${whole}?${query}`;
}

const TRAILERS: Header = ['TE', 'trailers'];

function edited(
  headers: readonly Header[],
  edits: readonly (readonly [name: string, value: string | undefined])[],
): readonly Header[] {
  if (edits.length === 0) return headers;
  const names = new Set(edits.map(([name]) => name.toLowerCase()));
  const kept = headers.filter(([name]) => !names.has(lower(name)));
  return [...kept, ...edits.flatMap(([name, value]): Header[] => (value === undefined ? [] : [[name, value]]))];
}
