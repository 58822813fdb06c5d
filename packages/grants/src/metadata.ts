/**
 * Whom a target by HTTP has people log in at, as it says itself (RFC 9728). Owns: asking for that, and which answers are believed. Does not: log
 * anybody in.
 */
import { isLoopback, parseAddress, specialBlockOf } from '@sluice/addresses';
import { GrantError } from './errors.js';

const PATH = '/.well-known/oauth-protected-resource';
/** An answer, in bytes, and the time that it may take, in milliseconds. */
const MAX_BYTES = 64 * 1024;
const ANSWER_MS = 10_000;

/** The first issuer that a target names. Rejects with a GrantError. `resource`: its address. */
export async function issuerOf(resource: string): Promise<string> {
  const url = new URL(resource);
  const path = url.pathname === '/' ? '' : url.pathname;
  for (const place of path === '' ? [PATH] : [`${PATH}${path}`, PATH]) {
    const document = await documentAt(new URL(place, url));
    if (!document) continue;
    // Who says it of another resource may be somebody in between (RFC 9728, section 3.3).
    const own = [resource, `${resource}/`, url.origin, `${url.origin}/`];
    if (typeof document['resource'] !== 'string' || !own.includes(document['resource']))
      throw new GrantError('The server describes another resource than itself, so nobody is sent where it says.');
    const servers = document['authorization_servers'];
    const issuer: unknown = Array.isArray(servers) ? servers[0] : undefined;
    if (typeof issuer === 'string' && mayBe(issuer, url)) return issuer;
    throw new GrantError('The server names no issuer that people could be sent to.');
  }
  throw new GrantError('The server does not say where people log in: name it as "issuer" in the credential.');
}

/** By https, and no address of a special kind, unless the target is on this machine itself. */
function mayBe(issuer: string, resource: URL): boolean {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (!url || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isLoopback(host)) return isLoopback(resource.hostname.replace(/^\[|\]$/g, ''));
  const address = parseAddress(host);
  return url.protocol === 'https:' && !(address && specialBlockOf(address));
}

/** Undefined: there is none. */
async function documentAt(url: URL): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const answer = await fetch(url, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      return undefined;
    }
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of answer.body ?? []) {
      bytes += part.length;
      if (bytes > MAX_BYTES) return undefined;
      parts.push(part);
    }
    const json: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
