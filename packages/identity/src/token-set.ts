/**
 * The tokens that a gateway has in memory. Owns: finding them by id and by principal, how many one principal may have, and
 * forgetting those that are good for nothing. Does not: make or check tokens, or store them.
 */
import type { StoredToken } from './stored.js';
import { TokenLimitError } from './token.js';

/** Tokens of one principal that are good at one time, and those that are not any more and are kept to be listed. */
const MAX_LIVE_TOKENS = 50;
const MAX_DEAD_TOKENS = 50;
/** How long those are kept, in milliseconds. */
const DEAD_TOKENS_KEPT_MS = 30 * 24 * 3_600_000;
/** One that lives no longer is for a single login: once used, it makes room for the next. Milliseconds. */
const BRIEF_MS = 60_000;

/** Neither revoked nor run out. */
export const usable = (token: StoredToken): boolean =>
  token.revoked === undefined && (token.expires === undefined || token.expires > Date.now());

export class TokenSet {
  readonly #byId = new Map<string, StoredToken>();
  /** The ids of each principal's, in the order in which they were made. */
  readonly #byPrincipal = new Map<string, Set<string>>();
  readonly #forgotten: (ids: readonly string[]) => void;

  /** `forgotten` is told of those that are not kept any more. */
  constructor(tokens: readonly StoredToken[], forgotten: (ids: readonly string[]) => void) {
    this.#forgotten = forgotten;
    for (const token of tokens) this.#put(token);
    for (const name of this.#byPrincipal.keys()) this.#forgetDead(name);
  }

  get(id: string): StoredToken | undefined {
    return this.#byId.get(id);
  }

  all(): StoredToken[] {
    return [...this.#byId.values()];
  }

  /** Those of one principal, the oldest first. */
  of(name: string): StoredToken[] {
    return Array.from(this.#byPrincipal.get(name) ?? []).flatMap((id) => this.#byId.get(id) ?? []);
  }

  /** @throws TokenLimitError when its principal has as many as there may be */
  add(token: StoredToken): void {
    this.#makeRoom(token.principal);
    this.#put(token);
    this.#forgetDead(token.principal);
  }

  /** Another state of one that is there. */
  update(token: StoredToken): void {
    if (this.#byId.has(token.id)) this.#byId.set(token.id, token);
  }

  remove({ id, principal }: StoredToken): void {
    this.#byId.delete(id);
    const ids = this.#byPrincipal.get(principal);
    if (ids?.delete(id) && ids.size === 0) this.#byPrincipal.delete(principal);
  }

  #put(token: StoredToken): void {
    this.#byId.set(token.id, token);
    const ids = this.#byPrincipal.get(token.principal);
    if (ids) ids.add(token.id);
    else this.#byPrincipal.set(token.principal, new Set([token.id]));
  }

  /** What a login costs must not depend on how many tokens somebody has made. */
  #makeRoom(name: string): void {
    const live = this.of(name).filter(usable);
    if (live.length < MAX_LIVE_TOKENS) return;
    const spent = live.find(
      ({ created, expires = Infinity, lastUsed }) => lastUsed !== undefined && expires - created <= BRIEF_MS,
    );
    if (!spent)
      throw new TokenLimitError(
        `"${name}" has ${MAX_LIVE_TOKENS} tokens that are good, which is the most there may be: revoke those that nobody needs ("sluice token ls", "sluice token revoke ID").`,
      );
    this.update({ ...spent, expires: Date.now() });
  }

  /** Of those that are good for nothing the newest stay, for a while. */
  #forgetDead(name: string): void {
    const dead = this.of(name).filter((token) => !usable(token));
    const old = Date.now() - DEAD_TOKENS_KEPT_MS;
    const gone = dead.filter(
      ({ revoked, expires }, at) => at < dead.length - MAX_DEAD_TOKENS || (revoked ?? expires ?? 0) < old,
    );
    if (gone.length === 0) return;
    for (const token of gone) this.remove(token);
    this.#forgotten(gone.map(({ id }) => id));
  }
}
