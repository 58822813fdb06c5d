/**
 * Whom claims describe, by the settings of who made them. Owns: names, groups and claims that are kept, the same for tokens and for answers
 * by SAML. Does not: verify that they were made by them.
 */
import type { Principal } from '@sluice/contract';
import { type Claims, claimAt, groupsAt, isName, textsAt } from './claims.js';
import { invalid } from './error.js';

/** What an identity provider's claims mean here. Times are milliseconds. */
export interface ClaimSettings {
  readonly name: string;
  readonly kind: Principal['kind'];
  readonly principal: { readonly claim: string; readonly prefix: string };
  readonly groups: { readonly claim: string | undefined; readonly prefix: string };
  readonly require: Readonly<Record<string, readonly (string | boolean)[]>>;
  readonly tokens: number;
  readonly endsSessions: boolean;
  /** Claims that are kept with each session. */
  readonly record?: readonly string[];
}

/** Somebody as an identity provider describes them, for this login. Roles are not its to give. */
export type Described = Omit<Principal, 'roles'> & { readonly issuer: string; readonly subject: string };

/** @throws TokenError when a claim that they must have is another or not there */
export function checkRequired({ require }: ClaimSettings, claims: Claims): void {
  for (const [claim, wanted] of Object.entries(require)) {
    const has = [claimAt(claims, claim)].flat();
    if (!wanted.some((one) => has.includes(one))) throw invalid(`"${claim}" is not what this issuer has to say`);
  }
}

/**
 * `kept`: claims that access lists ask for; those of `record` come on top.
 *
 * @throws TokenError when they name nobody, or more groups than anybody has
 */
export function describedBy(
  { name: issuer, kind, principal, groups, record = [] }: ClaimSettings,
  subject: string,
  claims: Claims,
  kept: readonly string[],
): Described {
  const name = claimAt(claims, principal.claim);
  if (typeof name !== 'string') throw invalid(`"${principal.claim}" is missing`);
  if (!isName(principal.prefix + name)) throw invalid(`"${principal.claim}" cannot be the name of a principal`);
  const member = groups.claim === undefined ? [] : groupsAt(claims, groups.claim, groups.prefix);
  if (!member) throw invalid(`"${groups.claim}" has too many groups`);
  return {
    name: principal.prefix + name,
    kind,
    groups: member,
    issuer,
    subject,
    claims: Object.fromEntries([...new Set([...kept, ...record])].map((claim) => [claim, textsAt(claims, claim)])),
  };
}
