import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '@sluice/contract';
import { ITERATIONS, type Verifiers, doubleSha256, newToken, saltOf, tokenId, verifiersOf } from './token.js';

/** A token as it is kept. Times are milliseconds since 1970. */
export interface StoredToken extends Verifiers {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly created: number;
  readonly expires: number | undefined;
  readonly lastUsed: number | undefined;
  readonly revoked: number | undefined;
  /** Only for these connections; undefined: for all that the principal may use. */
  readonly connections: readonly string[] | undefined;
}

/** What the directory needs to keep. */
export interface IdentityStore {
  tokens(): Promise<StoredToken[]>;
  addToken(token: StoredToken): Promise<void>;
  revokeToken(id: string, at: number): Promise<void>;
  touchToken(id: string, at: number): Promise<void>;
  setting(name: string): Promise<string | undefined>;
  setSetting(name: string, value: string): Promise<void>;
}

/** Somebody who has proven to be who they say. */
export interface Proven {
  readonly principal: Principal;
  readonly tokenId: string;
  readonly connections?: readonly string[] | undefined;
}

export interface ScramCandidateKeys {
  readonly tokenId: string;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** `lastUsed` is written at most this often for a token, in milliseconds. */
const TOUCH = 60_000;

/**
 * The people, agents and tokens that the gateway knows. Held in memory: a login asks no database, and takes as long for a
 * name that does not exist as for one that does.
 */
export class Directory {
  readonly #principals: ReadonlyMap<string, Principal>;
  readonly #store: IdentityStore;
  readonly #secret: Buffer;
  readonly #tokens: Map<string, StoredToken>;

  private constructor(
    principals: ReadonlyMap<string, Principal>,
    store: IdentityStore,
    secret: Buffer,
    tokens: StoredToken[],
  ) {
    this.#principals = principals;
    this.#store = store;
    this.#secret = secret;
    this.#tokens = new Map(tokens.map((token) => [token.id, token]));
  }

  static async open(principals: ReadonlyMap<string, Principal>, store: IdentityStore): Promise<Directory> {
    let secret = await store.setting('identity.secret');
    if (secret === undefined) {
      secret = randomBytes(32).toString('base64');
      await store.setSetting('identity.secret', secret);
    }
    return new Directory(principals, store, Buffer.from(secret, 'base64'), await store.tokens());
  }

  principal(name: string): Principal | undefined {
    return this.#principals.get(name);
  }

  /**
   * For a SCRAM exchange with this user: the salt is there whether the user is or not. A proof that fits a candidate counts
   * only when `proven` says so at that time.
   */
  scram(user: string): { salt: Buffer; iterations: number; candidates: readonly ScramCandidateKeys[] } {
    const candidates = this.#of(user).map(({ id, storedKey, serverKey }) => ({
      tokenId: id,
      storedKey: Buffer.from(storedKey, 'base64'),
      serverKey: Buffer.from(serverKey, 'base64'),
    }));
    return { salt: saltOf(user, this.#secret), iterations: ITERATIONS, candidates };
  }

  /** The owner of a token that was proven by its verifiers. Undefined when it was revoked or ran out meanwhile. */
  proven(id: string): Proven | undefined {
    const token = this.#tokens.get(id);
    const principal = token && this.#principals.get(token.principal);
    if (!principal || !usable(token)) return undefined;
    this.#touch(token);
    return { principal, tokenId: id, connections: token.connections };
  }

  /** Checks a token shown in the clear, by a user who says whose it is. */
  password(user: string, secret: string): Proven | undefined {
    const proven = this.bearer(secret);
    return proven?.principal.name === user ? proven : undefined;
  }

  /** Checks a token shown in the clear. */
  bearer(secret: string): Proven | undefined {
    const digest = doubleSha256(secret);
    const id = tokenId(secret);
    const token = id === undefined ? undefined : this.#tokens.get(id);
    return token && same(digest, Buffer.from(token.sha256, 'base64')) ? this.proven(token.id) : undefined;
  }

  /**
   * Makes a token for a principal of the configuration. The token itself is returned here and kept nowhere. `expires` is in
   * milliseconds since 1970. Rejects when there is no such principal, or the store cannot keep it.
   */
  async createToken(wish: {
    readonly principal: string;
    readonly name: string;
    readonly expires?: number | undefined;
    readonly connections?: readonly string[] | undefined;
  }): Promise<{ token: string; stored: StoredToken }> {
    if (!this.#principals.has(wish.principal))
      throw new Error(`There is no principal "${wish.principal}" in the configuration.`);
    const { id, token } = newToken();
    const stored: StoredToken = {
      id,
      principal: wish.principal,
      name: wish.name,
      created: Date.now(),
      expires: wish.expires,
      lastUsed: undefined,
      revoked: undefined,
      connections: wish.connections,
      ...(await verifiersOf(token, saltOf(wish.principal, this.#secret))),
    };
    await this.#store.addToken(stored);
    this.#tokens.set(id, stored);
    return { token, stored };
  }

  /**
   * Returns the token that is now useless; undefined when there is none of that id. When the store cannot keep it, it is useless
   * all the same until the gateway starts again, and the promise rejects.
   */
  async revokeToken(id: string): Promise<StoredToken | undefined> {
    const token = this.#tokens.get(id);
    if (!token) return undefined;
    const revoked = { ...token, revoked: token.revoked ?? Date.now() };
    this.#tokens.set(id, revoked);
    await this.#store.revokeToken(id, revoked.revoked);
    return revoked;
  }

  /** All of them, those that are of no more use as well. */
  tokens(): StoredToken[] {
    return [...this.#tokens.values()];
  }

  #of(user: string): StoredToken[] {
    if (!this.#principals.has(user)) return [];
    return [...this.#tokens.values()].filter((token) => token.principal === user && usable(token));
  }

  #touch(token: StoredToken): void {
    const now = Date.now();
    if (token.lastUsed !== undefined && now - token.lastUsed < TOUCH) return;
    this.#tokens.set(token.id, { ...token, lastUsed: now });
    // A date for the list of tokens: a login does not fail because it could not be kept.
    this.#store.touchToken(token.id, now).catch(() => undefined);
  }
}

const same = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

const usable = (token: StoredToken): boolean =>
  token.revoked === undefined && (token.expires === undefined || token.expires > Date.now());
