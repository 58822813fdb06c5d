/** Why somebody has no grant, in sentences for them. Does not: find out. */

/** Why there is no grant: a sentence for whoever tries. */
export class GrantError extends Error {
  override readonly name: string = 'GrantError';
}

/** The issuer cannot be asked at the moment: what was granted may still be good. */
export class GrantUnavailable extends GrantError {
  override readonly name = 'GrantUnavailable';
}
