/** Cookies of the console. Owns: their names and flags. Does not: what is in them. Pure. */

/** What a cookie is for: a login that is under way, one that is done, or one that failed; a grant that is under way. */
export type CookieName = 'login' | 'session' | 'failure' | 'grant';

/**
 * With TLS `__Host-`: browsers take it from this host alone, for every path, and send it by TLS alone (RFC 6265bis, section 4.1.3).
 * Without, which is for loopback only, it has another name, so that the two are never taken for each other.
 */
const fullName = (name: CookieName, secure: boolean): string => `${secure ? '__Host-' : ''}sluice-${name}`;

/**
 * A line for `set-cookie`. A session and a grant are sent along with requests of our own pages only (Strict). The others have to be: the browser
 * comes back from another site (Lax). `seconds`: 0 takes it away.
 */
export function cookieLine(name: CookieName, value: string, secure: boolean, seconds: number): string {
  const sameSite = name === 'session' || name === 'grant' ? 'Strict' : 'Lax';
  const life = `Max-Age=${Math.floor(seconds)}`;
  return `${fullName(name, secure)}=${value}; Path=/; HttpOnly; SameSite=${sameSite}; ${life}${secure ? '; Secure' : ''}`;
}

/** The value of a cookie in a header; undefined where it is not there, or there twice: somebody else may have put one beside ours. */
export function cookieIn(header: string | undefined, name: CookieName, secure: boolean): string | undefined {
  const wanted = `${fullName(name, secure)}=`;
  const found = (header ?? '').split(';').flatMap((one) => {
    const pair = one.trim();
    return pair.startsWith(wanted) ? [pair.slice(wanted.length)] : [];
  });
  return found.length === 1 ? found[0] : undefined;
}
