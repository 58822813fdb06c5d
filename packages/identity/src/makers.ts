/**
 * Who a person is, and who made the tokens that speak for them. Owns: when two descriptions are of one person, the chain of
 * makers of a token, who answers for an agent, and whether what is said with a proof is its owner's own word. Does not: who may approve what.
 */
import type { Principal } from '@sluice/contract';
import type { Maker, Person, Proven } from './stored.js';
import { TokenLimitError } from './token.js';

/** The principal that the operating system's user of the gateway stands for. Tokens of issuers cannot have this name. */
export const OPERATOR = 'operator';

/** A token that was made through more hands than this makes none: the chain is stored and recorded each time. */
const MAX_MAKERS = 8;

/**
 * Whether both are one person, whatever they are called. Where one has no subject (a principal of the configuration that is
 * tied to an issuer by name), the name counts at the same issuer only.
 */
export const samePerson = (one: Person, other: Person): boolean =>
  one.subject !== undefined && other.subject !== undefined
    ? one.issuer === other.issuer && one.subject === other.subject
    : one.name === other.name && one.issuer === other.issuer;

export const isOperator = ({ name, issuer }: Person): boolean => name === OPERATOR && issuer === undefined;

/**
 * The makers of what somebody makes with this proof: they, and whoever made what they show. The last is where it began.
 *
 * @throws TokenLimitError when there would be too many
 */
export function makersBy({ by, principal, tokenId, makers }: Proven): readonly Maker[] {
  if (makers.length >= MAX_MAKERS)
    throw new TokenLimitError(`A token that was made through ${MAX_MAKERS} others makes no more.`);
  const { name, issuer, subject, kind } = principal;
  const agent = kind === 'agent' && ({ kind } as const);
  return [{ name, issuer, subject, by, token: tokenId, ...agent }, ...makers];
}

/**
 * Who answers for what is done with a proof: an agent's owner is the nearest person among the makers of its token, or the first
 * of the agents that made each other's. Persons answer for themselves, and so do agents to whom the built-in operator gave a token.
 */
export function ownerOf(principal: Principal, makers: readonly Maker[]): Person {
  if (principal.kind === 'person') return principal;
  // Of tokens from before makers were kept, nobody knows who made them.
  const others = makers.filter((maker) => !isOperator(maker) && maker.token !== '');
  return others.find(({ kind }) => kind !== 'agent') ?? others.at(-1) ?? principal;
}

/**
 * Why what is said with this proof is not its owner's own word; undefined: it is. `issuers`: whether people log in at an
 * identity provider, and then have to. Without one the operator hands out tokens, and is trusted to give them to their owners.
 */
export function notOwnWord({ by, principal, makers }: Proven, issuers: boolean): string | undefined {
  if (by === 'issuer') return undefined;
  const other = makers.find((maker) => !isOperator(maker) && !samePerson(maker, principal));
  if (other)
    return `The token that you show was made by "${other.name}": it speaks for "${principal.name}" when sessions are opened, not when people are asked.`;
  if (issuers && makers.at(-1)?.by !== 'issuer')
    return 'Only a login of your own at the identity provider counts here, or a token that you made with one.';
  return undefined;
}
