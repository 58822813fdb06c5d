import { type JWTPayload, type JWK, SignJWT, exportJWK, generateKeyPair } from 'jose';
import { type IssuerSettings, Issuers } from '../src/index.js';

export const URL = 'https://login.acme.example';

export const settings = (more: Partial<IssuerSettings> = {}): IssuerSettings => ({
  name: 'corp',
  url: URL,
  audience: ['sluice'],
  login: undefined,
  kind: 'person',
  principal: { claim: 'sub', prefix: '' },
  groups: { claim: 'groups', prefix: '' },
  require: {},
  authorizedParties: undefined,
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
  clockSkew: 60_000,
  keysMaxAge: 24 * 3_600_000,
  tokens: 0,
  endsSessions: false,
  ...more,
});

/** A key of an issuer: what it publishes, and what signs. */
export interface Key {
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

export async function newKey(kid: string, algorithm = 'ES256'): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm);
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' }, privateKey };
}

/** An issuer that a test holds in its hand: its documents, its clock, and how often it was asked. */
export class FakeIssuer {
  keys: unknown[] = [];
  down = false;
  now = Date.UTC(2026, 0, 1);
  /** Addresses that were fetched. */
  readonly fetched: string[] = [];
  metadata: unknown = { issuer: URL, jwks_uri: `${URL}/keys` };
  readonly failures: string[] = [];

  readonly fetch = async (url: string): Promise<unknown> => {
    this.fetched.push(url);
    await Promise.resolve();
    if (this.down) throw new Error(`${url} answers 503`);
    return url.endsWith('/keys') ? { keys: this.keys } : this.metadata;
  };

  issuers(more: Partial<IssuerSettings> = {}, claims: readonly string[] = []): Issuers {
    return new Issuers([settings(more)], {
      claims,
      fetch: this.fetch,
      now: () => this.now,
      onFailure: (_, error) => void this.failures.push(error.message),
    });
  }

  /** Claims that would do, with changes; undefined takes one away. */
  claims(changes: Claims = {}): JWTPayload {
    const now = Math.floor(this.now / 1000);
    const all = { iss: URL, aud: 'sluice', sub: 'ana', iat: now, exp: now + 300, ...changes };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  token(key: Key, changes: Claims = {}, header: object = {}): Promise<string> {
    const { alg = '', kid = '' } = key.jwk;
    return new SignJWT(this.claims(changes)).setProtectedHeader({ alg, kid, ...header }).sign(key.privateKey);
  }
}

/** What a token claims, of any type: the wrong one, too. */
export type Claims = Readonly<Record<string, unknown>>;

/** Why a token was refused; 'taken' when it was not. */
export async function refusal(issuers: Issuers, token: string): Promise<string> {
  try {
    await issuers.verify(token);
    return 'taken';
  } catch (error) {
    return `${(error as { reason?: string }).reason}: ${(error as Error).message}`;
  }
}
