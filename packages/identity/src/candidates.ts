/**
 * Which tokens a login by name is tried against. Lives here: the tokens of each principal in the order in which they were
 * made, and the names that pick one of them. Does not: what a token is worth (`directory.ts`).
 */
import { randomBytes } from 'node:crypto';
import type { Verifiers } from './token.js';

/** Tokens that one SCRAM proof is tried against. Whoever has more names the one that is meant: `dev+abcdefghij`. */
export const MAX_CANDIDATES = 8;

const NAMED = /^(.+)\+([a-z2-7]{10})$/;

/** What a user name says if it names a token by its id: `principal+id`. */
export function readLoginName(user: string): { readonly principal: string; readonly tokenId: string } | undefined {
  const [, principal, tokenId] = NAMED.exec(user) ?? [];
  return principal === undefined || tokenId === undefined ? undefined : { principal, tokenId };
}

/** 'dead': revoked or expired, for ever. 'unowned': its owner is not known under this configuration, but may be again. */
export type Use = 'usable' | 'unowned' | 'dead';

/** The ids of tokens by principal, oldest first. Those of dead tokens are forgotten when they are met. */
export class TokenIndex {
  readonly #ids = new Map<string, Set<string>>();

  add({ principal, id }: { readonly principal: string; readonly id: string }): void {
    const ids = this.#ids.get(principal);
    if (ids) ids.add(id);
    else this.#ids.set(principal, new Set([id]));
  }

  /**
   * The oldest that are usable, `MAX_CANDIDATES` at most: a token that once logged in without being named always does,
   * however many are made after it.
   */
  oldest(principal: string, use: (id: string) => Use): string[] {
    const ids = this.#ids.get(principal);
    const found: string[] = [];
    for (const id of ids ?? []) {
      const now = use(id);
      if (now === 'usable') found.push(id);
      else if (now === 'dead') ids?.delete(id);
      if (found.length === MAX_CANDIDATES) break;
    }
    if (ids?.size === 0) this.#ids.delete(principal);
    return found;
  }
}

/** Verifiers that no secret fits: a name with fewer tokens, or none, costs as many tries as any other. */
export const DECOYS: readonly Pick<Verifiers, 'storedKey' | 'serverKey'>[] = Array.from(
  { length: MAX_CANDIDATES },
  () => ({ storedKey: randomBytes(32).toString('base64'), serverKey: randomBytes(32).toString('base64') }),
);
