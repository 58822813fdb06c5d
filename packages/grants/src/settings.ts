/** Grants as a connection is configured for them. Owns: what they are for. Does not: read a configuration (packages/config). */
import type { ConnectionConfig } from '@sluice/config';
import type { GrantSettings } from './issuer.js';

/** Undefined: its target wants none. */
export function grantSettings({ http }: ConnectionConfig): GrantSettings | undefined {
  if (http?.credential.type !== 'grant') return undefined;
  const { https, authority, base, credential } = http;
  const { clientId, clientSecret, issuer, scope } = credential;
  return { clientId, clientSecret, issuer, scope, resource: `${https ? 'https:' : 'http:'}//${authority}${base}` };
}
