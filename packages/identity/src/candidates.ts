/**
 * Which tokens a login by name is tried against. Lives here: how many, and the names that pick one of them. Does not: what a token is worth (`directory.ts`).
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

/** Verifiers that no secret fits: a name with fewer tokens, or none, costs as many tries as any other. */
export const DECOYS: readonly Verifiers[] = Array.from({ length: MAX_CANDIDATES }, () => ({
  storedKey: randomBytes(32).toString('base64'),
  serverKey: randomBytes(32).toString('base64'),
  sha1: randomBytes(20).toString('base64'),
  sha256: randomBytes(32).toString('base64'),
}));
