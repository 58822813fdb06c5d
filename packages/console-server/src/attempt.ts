/**
 * A login that is under way, by whatever an identity provider speaks. Owns: what a browser keeps of it, and who can be asked. Does not: ask
 * them (issuer-login.ts, saml-login.ts).
 */
import type { IssuerConfig } from '@sluice/config';
import type { Proven } from '@sluice/identity';

/** What has to be known when the browser comes back, and nobody else may know. */
export interface Attempt {
  readonly issuer: string;
  readonly state: string;
  /** The page that somebody wanted to go to. */
  readonly to: string;
  /** The provider has to ask who it is, whoever was logged in there. */
  readonly fresh: boolean;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/** Who has logged in. `sessionEnds`: when that ends at the latest, by their provider; milliseconds since 1970. */
export type LoggedIn = Proven & { readonly sessionEnds?: number };

/** Why nobody is logged in, in a sentence for whoever tried. */
export class LoginError extends Error {}

/** The providers that people can log in to the console at. */
export const issuersFor = (issuers: ReadonlyMap<string, IssuerConfig>): IssuerConfig[] =>
  [...issuers.values()].filter((one) => one.kind === 'person' && (one.saml ?? one.console ?? one.login) !== undefined);

/**
 * `authenticated`: when they showed the provider who they are, in milliseconds since 1970; NaN: it does not say. `skew`: of its clock.
 *
 * @throws LoginError when a login of now was asked for, and this is none
 */
export function checkFresh({ fresh, began, issuer }: Attempt, authenticated: number, skew: number): void {
  if (!fresh || authenticated + skew >= began) return;
  throw new LoginError(`${issuer} did not ask again who you are, so this counts for nothing.`);
}
