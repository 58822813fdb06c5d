/** The identity providers of a gateway. Owns: whose token a token is. Does not: verify it (issuer.ts). */
import { invalid } from './error.js';
import { Issuer, type IssuerOptions, type IssuerSettings, type Verified } from './issuer.js';

/** A longer token is not looked at. Bytes. */
const MAX_TOKEN_BYTES = 16 * 1024;

/** Three parts of base64url (RFC 7515 section 7.1), none of them empty. */
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

/** Whether a secret is meant to be a token of an identity provider. */
export const looksLikeJwt = (secret: string): boolean => JWT.test(secret);

/** The identity providers of a gateway. */
export class Issuers {
  readonly #byUrl: ReadonlyMap<string, Issuer>;
  readonly #byName: ReadonlyMap<string, Issuer>;

  /**
   * `onFailure`: keys could not be fetched, with the name of the issuer. `before`: those of an earlier configuration, whose keys
   * are worth keeping, since an issuer may be down just now.
   */
  constructor(
    settings: Iterable<IssuerSettings>,
    options: Omit<IssuerOptions, 'onFailure'> & {
      onFailure?: (issuer: string, error: Error) => void;
      before?: Issuers | undefined;
    } = {},
  ) {
    const { onFailure, before, ...rest } = options;
    const issuers = Array.from(
      settings,
      (one) => new Issuer(one, { ...rest, ...(onFailure && { onFailure: (error) => onFailure(one.name, error) }) }),
    );
    for (const issuer of issuers) {
      const known = before && before.#byUrl.get(issuer.settings.url);
      if (known) issuer.inherit(known);
    }
    this.#byUrl = new Map(issuers.map((one) => [one.settings.url, one]));
    this.#byName = new Map(issuers.map((one) => [one.settings.name, one]));
  }

  get(name: string): IssuerSettings | undefined {
    return this.#byName.get(name)?.settings;
  }

  get all(): IssuerSettings[] {
    return [...this.#byName.values()].map(({ settings }) => settings);
  }

  /** Fetches the keys of all: a gateway that has them can do without the issuer for a while, and a wrong address shows. */
  async warm(): Promise<void> {
    await Promise.all(Array.from(this.#byName.values(), (issuer) => issuer.warm()));
  }

  /**
   * Checks a token by the issuer that it names, which has to be one of ours. Rejects with a TokenError.
   *
   * A name that begins like the names of another issuer could be one of theirs, and is refused.
   */
  async verify(token: string): Promise<Verified> {
    if (token.length > MAX_TOKEN_BYTES) throw invalid('it is too long');
    const url = issuerIn(token);
    const issuer = url === undefined ? undefined : this.#byUrl.get(url);
    if (!issuer) throw invalid('its issuer is not one of ours');
    const verified = await issuer.verify(token);
    const { prefix } = issuer.settings.principal;
    const borrowed = this.all.some(
      ({ name, principal }) =>
        name !== issuer.settings.name &&
        principal.prefix.length > prefix.length &&
        verified.principal.name.startsWith(principal.prefix),
    );
    if (borrowed) throw invalid('its name begins like those of another issuer');
    return verified;
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
