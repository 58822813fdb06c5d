/**
 * Places that an answer names, as the client can reach them: behind the route that its request came by. Owns: `Location`, the paths of cookies,
 * and that an answer says nothing about a host that it shares with others. Does not: look into bodies; a page with absolute links needs a route
 * by host name.
 */
import type { Header, HttpTarget } from '@sluice/contract';
import { lower, setsOwnCookie } from './headers.js';

const NAMING = new Set(['location', 'content-location', 'set-cookie', 'service-worker-allowed']);
/** What a browser does for all of a host by the word of one answer: to others that are paths of it as well. */
const OF_THE_HOST = new Set(['clear-site-data', 'nel', 'report-to', 'strict-transport-security', 'expect-ct']);

/** Headers of an answer with the target's own addresses rewritten to the route's. `isBare`: nothing stood behind the prefix in the request. */
export function routed(
  headers: readonly Header[],
  target: HttpTarget,
  prefix: string,
  isBare: boolean,
): readonly Header[] {
  // Most answers name none, and theirs stay the list that they are.
  if (!headers.some(([name]) => NAMING.has(lower(name)) || OF_THE_HOST.has(lower(name)))) return headers;
  const own = `${target.scheme}://${target.authority}`;
  return headers.flatMap((header): readonly Header[] => {
    const [name, value] = header;
    switch (lower(name)) {
      case 'location':
      case 'content-location':
        return [[name, behind(value, own, target.base, prefix)]];
      case 'service-worker-allowed':
        // Of another connection it would have all that its pages send and get.
        return [
          [name, prefix === '' ? value : `${prefix}${withoutBase(value.startsWith('/') ? value : '/', target.base)}`],
        ];
      case 'set-cookie':
        if (setsOwnCookie(value)) return [];
        return [prefix === '' ? header : [name, cookieBehind(value, target.base, prefix, isBare)]];
      default:
        return prefix !== '' && OF_THE_HOST.has(lower(name)) ? [] : [header];
    }
  });
}

function behind(location: string, own: string, base: string, prefix: string): string {
  const isOwn = location.toLowerCase().startsWith(own) && /^(\/|\?|#|$)/.test(location.slice(own.length));
  const path = isOwn ? location.slice(own.length) : location;
  // Relative, or of another host: `//host` too.
  if (!isOwn && (!path.startsWith('/') || path.startsWith('//'))) return location;
  return prefix + withoutBase(path, base);
}

/** The route puts the base in front again. */
const withoutBase = (path: string, base: string): string =>
  base !== '' && (path === base || path.startsWith(`${base}/`)) ? path.slice(base.length) || '/' : path;

/** A cookie of one connection must not go to the others, which are paths of the same host. */
function cookieBehind(cookie: string, base: string, prefix: string, isBare: boolean): string {
  let hasPath = false;
  const parts = cookie.split(';').flatMap((part, at) => {
    const [name = '', ...rest] = part.split('=');
    const attribute = at === 0 ? '' : name.trim().toLowerCase();
    if (attribute === 'domain') return [];
    if (attribute !== 'path') return [part];
    hasPath = true;
    const path = rest.join('=').trim();
    const inner = path.startsWith('/') ? withoutBase(path, base) : '/';
    // The route itself, without a slash, is one of its addresses.
    return [` Path=${prefix}${inner === '/' ? '' : inner}`];
  });
  // Of an address of one step browsers take the root for the path that none is named in (RFC 6265 section 5.1.4).
  return (hasPath || !isBare ? parts : [...parts, ` Path=${prefix}`]).join(';');
}
