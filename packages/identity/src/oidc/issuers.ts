/** The identity providers of a gateway. Owns: whose token a token is. Does not: verify it (issuer.ts). */
import type { Claims } from './claims.js';
import { type ClaimSettings, type Described, checkRequired, describedBy } from './described.js';
import { invalid } from './error.js';
import { Issuer, type IssuerOptions, type AnyIssuerSettings, type Verified } from './issuer.js';

/** A longer token is not looked at. Bytes. */
const MAX_TOKEN_BYTES = 16 * 1024;

/** Three parts of base64url (RFC 7515 section 7.1), none of them empty. */
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

/** Whether a secret is meant to be a token of an identity provider. */
export const looksLikeJwt = (secret: string): boolean => JWT.test(secret);

/** The identity providers of a gateway. */
export class Issuers {
  readonly #byUrl: ReadonlyMap<string, Issuer>;
  readonly #byName: ReadonlyMap<string, AnyIssuerSettings>;
  /** Claims that access lists ask for. */
  readonly #claims: readonly string[];

  /**
   * `onFailure`: keys could not be fetched, with the name of the issuer. `before`: those of an earlier configuration, whose keys
   * are worth keeping, since an issuer may be down just now.
   */
  constructor(
    settings: Iterable<AnyIssuerSettings>,
    options: Omit<IssuerOptions, 'onFailure'> & {
      onFailure?: (issuer: string, error: Error) => void;
      before?: Issuers | undefined;
    } = {},
  ) {
    const { onFailure, before, ...rest } = options;
    const all = [...settings];
    const issuers = all.flatMap((one) =>
      one.saml
        ? []
        : [new Issuer(one, { ...rest, ...(onFailure && { onFailure: (error) => onFailure(one.name, error) }) })],
    );
    this.#claims = rest.claims ?? [];
    for (const issuer of issuers) {
      const known = before && before.#byUrl.get(issuer.settings.url);
      if (known) issuer.inherit(known);
    }
    this.#byUrl = new Map(issuers.map((one) => [one.settings.url, one]));
    this.#byName = new Map(all.map((one) => [one.name, one]));
  }

  get(name: string): AnyIssuerSettings | undefined {
    return this.#byName.get(name);
  }

  get all(): AnyIssuerSettings[] {
    return [...this.#byName.values()];
  }

  /** Fetches the keys of all: a gateway that has them can do without the issuer for a while, and a wrong address shows. */
  async warm(): Promise<void> {
    await Promise.all(Array.from(this.#byUrl.values(), (issuer) => issuer.warm()));
  }

  /**
   * Checks a token by the issuer that it names, which has to be one of ours. Rejects with a TokenError, also where its name could be
   * one of another issuer's.
   */
  async verify(token: string): Promise<Verified> {
    if (token.length > MAX_TOKEN_BYTES) throw invalid('it is too long');
    const url = issuerIn(token);
    const issuer = url === undefined ? undefined : this.#byUrl.get(url);
    if (!issuer) throw invalid('its issuer is not one of ours');
    const verified = await issuer.verify(token);
    this.#checkName(issuer.settings, verified.principal.name);
    return verified;
  }

  /**
   * Whom an issuer describes otherwise than by a token. That it is the issuer who says so was verified.
   *
   * @throws TokenError when that is nobody, or it is not the name of one of its own
   */
  describe(name: string, subject: string, claims: Claims): Described {
    const settings = this.#byName.get(name);
    if (!settings) throw invalid('its issuer is not one of ours');
    checkRequired(settings, claims);
    const described = describedBy(settings, subject, claims, this.#claims);
    this.#checkName(settings, described.name);
    return described;
  }

  /** @throws TokenError when a name begins like those of another issuer, and could be one of theirs */
  #checkName({ name: own, principal: { prefix } }: ClaimSettings, wanted: string): void {
    const borrowed = this.all.some(
      ({ name, principal }) =>
        name !== own && principal.prefix.length > prefix.length && wanted.startsWith(principal.prefix),
    );
    if (borrowed) throw invalid('its name begins like those of another issuer');
  }
}

/** Unverified: says only whose keys to check it with. */
function issuerIn(token: string): string | undefined {
  try {
    const [, payload = ''] = JWT.exec(token) ?? [];
    const { iss } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { iss?: unknown };
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}
