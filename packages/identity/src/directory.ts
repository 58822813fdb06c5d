/**
 * The people, agents and tokens that the gateway knows, in memory. Owns: proofs, revocation, and that unknown names look like
 * known ones. Does not: store (gateway), verify tokens of issuers (oidc).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '@sluice/contract';
import { DECOYS, MAX_CANDIDATES, readLoginName } from './candidates.js';
import { makersBy } from './makers.js';
import type { Described } from './oidc/described.js';
import { TokenError } from './oidc/error.js';
import { type Issuers, looksLikeJwt } from './oidc/issuers.js';
import { People, type RoleLists } from './people.js';
import { Seen, type SeenPrincipal, nameOf } from './seen.js';
import type { IdentityStore, Person, Proven, StoredToken, TokenWish } from './stored.js';
import { TokenSet, usable } from './token-set.js';
import { SCRAM_ITERATIONS, TokenLimitError, doubleSha256, newToken, saltOf, tokenId, verifiersOf } from './token.js';

export interface DirectoryOptions {
  readonly issuers?: Issuers;
  readonly roles?: RoleLists;
}

export interface ScramCandidateKeys {
  /** Empty: a decoy, which nothing fits. */
  readonly tokenId: string;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export interface MySqlCandidateKeys {
  /** Empty: a decoy, which nothing fits. */
  readonly tokenId: string;
  readonly sha1: Buffer;
  readonly sha256: Buffer;
}

/** `lastUsed` is written at most this often for a token, in milliseconds. */
const TOUCH_MS = 60_000;

/**
 * The people, agents and tokens that the gateway knows. Held in memory: a login asks no database, and takes as long for a
 * name that does not exist as for one that does.
 */
export class Directory {
  #people: People;
  #issuers: Issuers | undefined;
  #reconfigured = 0;
  readonly #store: IdentityStore;
  readonly #secret: Buffer;
  readonly #tokens: TokenSet;
  readonly #seen = new Seen();

  private constructor(
    people: People,
    issuers: Issuers | undefined,
    store: IdentityStore,
    secret: Buffer,
    tokens: StoredToken[],
  ) {
    this.#people = people;
    this.#issuers = issuers;
    this.#store = store;
    this.#secret = secret;
    // What stays in the store because it fails is forgotten at the next start.
    this.#tokens = new TokenSet(tokens, (ids) => void this.#store.removeTokens(ids).catch(() => undefined));
  }

  static async open(
    principals: ReadonlyMap<string, Principal>,
    store: IdentityStore,
    { issuers, roles }: DirectoryOptions = {},
  ): Promise<Directory> {
    let secret = await store.setting('identity.secret');
    if (secret === undefined) {
      secret = randomBytes(32).toString('base64');
      await store.setSetting('identity.secret', secret);
    }
    const people = new People(principals, roles);
    return new Directory(people, issuers, store, Buffer.from(secret, 'base64'), await store.tokens());
  }

  /** Grows with whatever may make a proof worth nothing that was good before, but for the time: a revocation, another configuration. */
  get generation(): number {
    return this.#reconfigured + this.#tokens.changes;
  }

  /** Other people from now on. Tokens stay; those whose owner is gone prove nothing. */
  reconfigure(principals: ReadonlyMap<string, Principal>, { issuers, roles }: DirectoryOptions): void {
    this.#reconfigured++;
    this.#people = new People(principals, roles);
    this.#issuers = issuers;
  }

  /**
   * Who has proven it under the configuration of now, with no more roles than their token has; undefined: nobody any more. A
   * token need not be good any longer, nor be kept still: a session outlives it.
   */
  current({
    principal,
    tokenId,
    claimed,
    only,
  }: Pick<Proven, 'principal' | 'claimed' | 'only'> & { readonly tokenId?: string | undefined }):
    | Principal
    | undefined {
    const token = tokenId === undefined ? undefined : this.#tokens.get(tokenId);
    // A login that somebody confirmed for somebody else has the token of who confirmed it.
    if (token?.principal === principal.name) return this.#ownerOf(token);
    if (!claimed) return withOnly(this.#people.get(principal.name), only);
    const found = this.#issuers?.get(claimed.issuer ?? '') && this.#people.find(claimed);
    return found?.name === principal.name ? withOnly(found, only) : undefined;
  }

  /** One of the configuration. */
  principal(name: string): Principal | undefined {
    return this.#people.get(name);
  }

  /**
   * Everybody who is known: those of the configuration, those who have proven who they are since the start, and owners of tokens. As
   * they were last seen, with the roles that they would have now.
   */
  known(): SeenPrincipal[] {
    const all = new Map<string, SeenPrincipal>();
    const add = (principal: Principal | undefined): void => {
      if (principal) all.set(nameOf(principal), { principal, seen: this.#seen.when(principal) });
    };
    for (const { owner } of this.#tokens.all()) if (owner) add(this.#trusted(owner));
    for (const said of this.#seen.said()) add(this.#trusted(said));
    for (const principal of this.#people.all()) if (!all.has(nameOf(principal))) add(principal);
    return [...all.values()];
  }

  /** Undefined when no identity provider is configured. */
  get issuers(): Issuers | undefined {
    return this.#issuers;
  }

  /**
   * For a SCRAM exchange with this user: salt and as many candidates as for any other, whether the user is there or not.
   * A proof that fits a candidate counts only when `proven` says so at that time.
   */
  scram(user: string): { salt: Buffer; iterations: number; candidates: readonly ScramCandidateKeys[] } {
    const { principal, ids } = this.#candidates(user);
    const candidates = DECOYS.map((decoy, at) => {
      const tokenId = ids[at] ?? '';
      const { storedKey, serverKey } = this.#tokens.get(tokenId) ?? decoy;
      return { tokenId, storedKey: Buffer.from(storedKey, 'base64'), serverKey: Buffer.from(serverKey, 'base64') };
    });
    return { salt: saltOf(principal, this.#secret), iterations: SCRAM_ITERATIONS, candidates };
  }

  /** The same for a client that hashes a scramble with its secret: as many candidates for any name, each of its own hashes. */
  mysql(user: string): readonly MySqlCandidateKeys[] {
    const { ids } = this.#candidates(user);
    return DECOYS.map((decoy, at) => {
      const tokenId = ids[at] ?? '';
      const { sha1, sha256 } = this.#tokens.get(tokenId) ?? decoy;
      return { tokenId, sha1: Buffer.from(sha1, 'base64'), sha256: Buffer.from(sha256, 'base64') };
    });
  }

  /** The user name to log in with by SCRAM: with the id of the token where there are too many others to try. */
  loginName({ id, principal }: Pick<StoredToken, 'id' | 'principal'>): string {
    return this.#unnamed(principal).includes(id) ? principal : `${principal}+${id}`;
  }

  /** The owner of a token that was proven by its verifiers. Undefined when it was revoked or ran out meanwhile. */
  proven(id: string): Proven | undefined {
    const token = this.#tokens.get(id);
    const principal = token && this.#ownerOf(token);
    if (!principal || !usable(token)) return undefined;
    this.#touch(token);
    this.#seen.note(principal, token.owner);
    const endsSessions = this.#issuers?.get(token.owner?.issuer ?? '')?.endsSessions ?? false;
    return {
      by: 'token',
      principal,
      claimed: token.owner,
      tokenId: id,
      makers: token.makers,
      connections: token.connections,
      only: token.roles,
      expires: token.expires,
      endsSessions,
    };
  }

  /**
   * Checks a token of either kind. `user`: whose it has to be, who may name it by its id. Undefined: it proves nothing.
   *
   * @throws TokenError about the token of an identity provider
   */
  async authenticate(secret: string, user?: string): Promise<Proven | undefined> {
    const proven =
      this.#issuers && looksLikeJwt(secret) ? await this.#verified(this.#issuers, secret) : this.bearer(secret);
    return user === undefined || isOf(proven, user) ? proven : undefined;
  }

  /**
   * Whom an issuer has described otherwise than by a token, which was verified elsewhere. `shown`: what that was known by.
   *
   * @throws TokenError when it is nobody, or somebody else
   */
  describedBy(issuer: string, subject: string, claims: Readonly<Record<string, unknown>>, shown: string): Proven {
    if (!this.#issuers) throw new TokenError('invalid', 'its issuer is not one of ours');
    return this.#described(this.#issuers.describe(issuer, subject, claims), shown, undefined);
  }

  /** Checks a token shown in the clear, by a user who says whose it is. */
  password(user: string, secret: string): Proven | undefined {
    const proven = this.bearer(secret);
    return isOf(proven, user) ? proven : undefined;
  }

  /** Checks a token shown in the clear. */
  bearer(secret: string): Proven | undefined {
    const digest = doubleSha256(secret);
    const id = tokenId(secret);
    const token = id === undefined ? undefined : this.#tokens.get(id);
    return token && same(digest, Buffer.from(token.sha256, 'base64')) ? this.proven(token.id) : undefined;
  }

  /**
   * Makes a token. It is returned here and kept nowhere. Rejects when there is no such principal in the configuration, or the
   * store cannot keep it. Of somebody whom an identity provider knows, groups and claims are kept as they are now.
   *
   * @throws TokenLimitError when the principal has as many as there may be, or what it is made with was revoked meanwhile
   */
  async createToken(wish: TokenWish): Promise<{ token: string; stored: StoredToken }> {
    const name = typeof wish.principal === 'string' ? wish.principal : wish.principal.name;
    const known = this.#people.get(name) !== undefined;
    if (!known && typeof wish.principal === 'string')
      throw new Error(`There is no principal "${name}" in the configuration.`);
    const { id, token } = newToken();
    const stored: StoredToken = {
      id,
      principal: name,
      name: wish.name,
      created: Date.now(),
      expires: wish.expires,
      lastUsed: undefined,
      revoked: undefined,
      connections: wish.connections,
      roles: wish.roles,
      parent: wish.parent,
      makers: wish.madeWith ? makersBy(wish.madeWith) : [],
      owner: known || typeof wish.principal === 'string' ? undefined : withoutRoles(wish.principal),
      ...(await verifiersOf(token, saltOf(name, this.#secret))),
    };
    // Deriving its keys took a while: what it is made with may have been revoked, and its children with it.
    if (wish.madeWith && !this.still(wish.madeWith))
      throw new TokenLimitError('The token that you show is not valid any more.');
    // Counted before it is stored, and known to nobody before it is returned.
    this.#tokens.add(stored);
    try {
      await this.#store.addToken(stored);
    } catch (error) {
      this.#tokens.remove(stored);
      throw error;
    }
    return { token, stored };
  }

  token(id: string): StoredToken | undefined {
    return this.#tokens.get(id);
  }

  /** Whose token it is, by what the configuration says of them now or the issuer said then. */
  personOf({ owner, principal: name }: StoredToken): Person {
    return owner ?? this.#people.get(name) ?? { name };
  }

  /**
   * Makes a token useless, and those that its owner made with it; with `children` those that were made with it for others too.
   * That has happened when this returns. It is the first of those returned; none when there is none of that id. Storing it is another
   * matter: `storeRevocation`, which may be called again until it succeeds.
   */
  revokeToken(id: string, { children = false } = {}): StoredToken[] {
    const token = this.#tokens.get(id);
    const revoked: StoredToken[] = token ? [token] : [];
    // Grows while it is walked: tokens of tokens.
    for (const { id: parent } of revoked)
      revoked.push(
        ...this.tokens().filter(
          (one) => (one.parent === parent || (children && one.makers[0]?.token === parent)) && !revoked.includes(one),
        ),
      );
    const now = Date.now();
    const dead = revoked.map((one) => ({ ...one, revoked: one.revoked ?? now }));
    for (const one of dead) this.#tokens.update(one);
    return dead;
  }

  /** Rejects when the store cannot keep it. */
  storeRevocation({ id, revoked = Date.now() }: Pick<StoredToken, 'id' | 'revoked'>): Promise<void> {
    return this.#store.revokeToken(id, revoked);
  }

  /** Who shows this, as they are now: neither revoked nor run out, known still. Undefined: nobody any more. */
  still(proven: Proven): Principal | undefined {
    if (proven.expires !== undefined && proven.expires <= Date.now()) return undefined;
    const token = this.#tokens.get(proven.tokenId);
    const gone = token ? !usable(token) : proven.by === 'token';
    return gone ? undefined : this.current(proven);
  }

  /** All of them, those that are of no more use as well. */
  tokens(): StoredToken[] {
    return this.#tokens.all();
  }

  /** Tokens to try for a user name, and whose they are. A principal who is really called `name+abcdefghij` comes first. */
  #candidates(user: string): { principal: string; ids: string[] } {
    const ids = this.#unnamed(user);
    const named = ids.length === 0 ? readLoginName(user) : undefined;
    if (!named) return { principal: user, ids };
    const { principal, tokenId } = named;
    const token = this.#tokens.get(tokenId);
    return { principal, ids: token?.principal === principal && this.#isGood(token) ? [tokenId] : [] };
  }

  /**
   * Tokens of a principal that need not be named: the oldest that are good, so that one that once logged in without being named
   * always does, however many are made after it.
   */
  #unnamed(principal: string): string[] {
    return this.#tokens
      .of(principal)
      .filter((token) => this.#isGood(token))
      .slice(0, MAX_CANDIDATES)
      .map(({ id }) => id);
  }

  #isGood(token: StoredToken): boolean {
    return usable(token) && this.#ownerOf(token) !== undefined;
  }

  /** With the roles that both the owner and the token have; undefined when the owner is not known any more. */
  #ownerOf({
    principal: name,
    owner,
    roles,
  }: Pick<StoredToken, 'principal' | 'owner' | 'roles'>): Principal | undefined {
    return withOnly(owner === undefined ? this.#people.get(name) : this.#trusted(owner), roles);
  }

  /** What an issuer said is worth nothing once the issuer is gone. */
  #trusted(said: Omit<Principal, 'roles'>): Principal | undefined {
    return this.#issuers?.get(said.issuer ?? '') && this.#people.find(said);
  }

  async #verified(issuers: Issuers, token: string): Promise<Proven> {
    const { principal, expires } = await issuers.verify(token);
    return this.#described(principal, token, expires);
  }

  /** `shown`: what they showed, of which a digest is told. @throws TokenError when their name is somebody else's */
  #described(principal: Described, shown: string, expires: number | undefined): Proven {
    const found = this.#people.find(principal);
    if (!found) throw new TokenError('invalid', `"${principal.name}" is a principal of the configuration`);
    this.#seen.note(found, principal);
    const digest = createHash('sha256').update(shown).digest('hex').slice(0, 16);
    return {
      by: 'issuer',
      principal: found,
      claimed: principal,
      tokenId: `${principal.issuer}:${digest}`,
      makers: [],
      connections: undefined,
      expires,
      endsSessions: this.#issuers?.get(principal.issuer)?.endsSessions ?? false,
    };
  }

  #touch(token: StoredToken): void {
    const now = Date.now();
    if (token.lastUsed !== undefined && now - token.lastUsed < TOUCH_MS) return;
    this.#tokens.update({ ...token, lastUsed: now });
    // A date for the list of tokens: a login does not fail because it could not be kept.
    this.#store.touchToken(token.id, now).catch(() => undefined);
  }
}

const withOnly = (principal: Principal | undefined, only: readonly string[] | undefined): Principal | undefined =>
  principal && only ? { ...principal, roles: principal.roles.filter((role) => only.includes(role)) } : principal;

const withoutRoles = ({ name, kind, groups, issuer, subject, claims }: Principal): Omit<Principal, 'roles'> => ({
  name,
  kind,
  groups,
  issuer,
  subject,
  ...(claims && { claims }),
});

/** Whether this is what `user` says, by name or by name and id of the token. */
function isOf(proven: Proven | undefined, user: string): boolean {
  if (proven === undefined) return false;
  return proven.principal.name === user || `${proven.principal.name}+${proven.tokenId}` === user;
}

const same = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
