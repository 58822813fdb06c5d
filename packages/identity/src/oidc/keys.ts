/** The public keys of one issuer. Owns: when they are fetched and for how long they count. Does not: verify signatures. */
import { isSafeUrl } from '@sluice/addresses';
import { type JSONWebKeySet, type JWK, createLocalJWKSet, errors } from 'jose';
import { TokenError } from './error.js';
import { type FetchJson, fetchJson } from './fetch.js';

/** Largest documents that are read, in bytes, and the most keys of a set. */
const DISCOVERY_BYTES = 256 * 1024;
const KEYS_BYTES = 512 * 1024;
const MAX_KEYS = 100;
/** Keys younger than this are not asked for again without need, in milliseconds. */
const FRESH_MS = 10 * 60_000;
/** A key that is not known has the set fetched again, at most this often. Nobody can make the gateway bother the issuer. */
const RETRY_MS = 30_000;

type KeySet = ReturnType<typeof createLocalJWKSet>;
export type KeyLookup = (...args: Parameters<KeySet>) => ReturnType<KeySet>;

export interface KeyOptions {
  /** How long the last good set is used while the issuer cannot be reached, in milliseconds. */
  readonly maxAge: number;
  readonly fetch?: FetchJson;
  readonly now?: () => number;
  /** A fetch failed; the keys of before may still be good. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/**
 * The public keys of one issuer, by OpenID Connect Discovery 1.0 (section 4) and RFC 7517. Fetched at the first token, again
 * when they are no longer fresh or a token names one that is not there; whoever waits for a fetch shares it. While the issuer
 * is down the last good set goes on working until `maxAge`, then tokens are refused.
 */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #options: Required<Omit<KeyOptions, 'onFailure'>> & Pick<KeyOptions, 'onFailure'>;
  #set: KeySet | undefined;
  /** When the set came, and when one was last asked for. */
  #fetched = Number.NEGATIVE_INFINITY;
  #tried = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(issuer: string, { maxAge, fetch = fetchJson, now = Date.now, onFailure }: KeyOptions) {
    this.#issuer = issuer;
    this.#options = { maxAge, fetch, now, onFailure };
  }

  /** For `jwtVerify`. Rejects with a TokenError 'unavailable' when there are no keys that are young enough. */
  readonly lookup: KeyLookup = async (header, token) => {
    const set = await this.#current();
    try {
      return await set(header, token);
    } catch (error) {
      const another = this.#fetching !== undefined || this.#mayRetry();
      if (!(error instanceof errors.JWKSNoMatchingKey) || !another) throw error;
      await this.#refresh();
      return (await this.#current())(header, token);
    }
  };

  /** Goes on with the keys that another one had fetched for the same issuer. */
  inherit(from: IssuerKeys): void {
    this.#set = from.#set;
    this.#fetched = from.#fetched;
    this.#tried = from.#tried;
  }

  /** Fetches them before the first token comes. Never rejects. */
  async warm(): Promise<void> {
    if (this.#set === undefined) await this.#refresh();
  }

  async #current(): Promise<KeySet> {
    const age = this.#options.now() - this.#fetched;
    if (this.#set && age < FRESH_MS) return this.#set;
    if (this.#set && age < this.#options.maxAge) {
      // Good for now; whoever comes later has newer ones.
      if (this.#mayRetry()) void this.#refresh();
      return this.#set;
    }
    if (this.#fetching || this.#mayRetry()) await this.#refresh();
    if (this.#set && this.#options.now() - this.#fetched < this.#options.maxAge) return this.#set;
    throw new TokenError('unavailable', `the keys of ${this.#issuer} cannot be fetched`);
  }

  #mayRetry(): boolean {
    return this.#fetching === undefined && this.#options.now() - this.#tried >= RETRY_MS;
  }

  /** Never rejects: what failed is told, and the set stays as it was. */
  #refresh(): Promise<void> {
    this.#fetching ??= this.#fetch()
      .catch((error: unknown) => this.#options.onFailure?.(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { fetch, now } = this.#options;
    this.#tried = now();
    const url = `${this.#issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const metadata = (await fetch(url, DISCOVERY_BYTES)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    // Section 4.3: another name in there means that somebody else's document was served.
    if (metadata?.issuer !== this.#issuer) throw new Error(`${url} is not the document of ${this.#issuer}`);
    const { jwks_uri: keysUrl } = metadata;
    if (typeof keysUrl !== 'string' || !isSafeUrl(keysUrl)) throw new Error(`${url} names no https address of keys`);
    this.#set = createLocalJWKSet(readKeys(await fetch(keysUrl, KEYS_BYTES), keysUrl));
    this.#fetched = now();
  }
}

/** Public keys only. A set without any is a mistake of the issuer, and does not replace a good one. */
function readKeys(value: unknown, url: string): JSONWebKeySet {
  const { keys } = (value ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error(`${url} has no list of keys`);
  if (keys.length > MAX_KEYS) throw new Error(`${url} has more than ${MAX_KEYS} keys`);
  const usable = keys.filter(
    (key): key is JWK =>
      typeof key === 'object' && key !== null && ['RSA', 'EC', 'OKP', 'AKP'].includes(String((key as JWK).kty)),
  );
  if (usable.length === 0) throw new Error(`${url} has no public keys`);
  return { keys: usable };
}
