/** Tokens of one identity provider. Owns: what makes one valid, and whom it stands for. Does not: fetch keys (keys.ts). */
import { type JWTPayload, type JWTHeaderParameters, errors, jwtVerify } from 'jose';
import type { Claims } from './claims.js';
import { type ClaimSettings, type Described, checkRequired, describedBy } from './described.js';
import { TokenError, invalid } from './error.js';
import { type FetchJson, fetchJson } from './fetch.js';
import { IssuerKeys } from './keys.js';

/** An identity provider whose tokens are taken, as the configuration has it. Times are milliseconds. */
export interface IssuerSettings extends ClaimSettings {
  readonly saml?: undefined;
  /** As in "iss". */
  readonly url: string;
  readonly audience: readonly string[];
  readonly login: { readonly clientId: string } | undefined;
  readonly authorizedParties: readonly string[] | undefined;
  readonly algorithms: readonly string[];
  readonly clockSkew: number;
  readonly keysMaxAge: number;
}

/** Any identity provider. One that speaks SAML has no tokens to verify. */
export type AnyIssuerSettings = IssuerSettings | (ClaimSettings & { readonly saml: object });

/** Whom a token stands for. */
export interface Verified {
  readonly principal: Described;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

export interface IssuerOptions {
  /** The claims that access lists ask for; those of `record` come on top. */
  readonly claims?: readonly string[];
  readonly fetch?: FetchJson;
  readonly now?: () => number;
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/** Kinds of tokens that prove a login or an access (RFC 9068 section 2.1). Not: "logout+jwt", "dpop+jwt" and their kin. */
const KINDS: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt']);

/** Verifies tokens of one issuer: RFC 7519, RFC 8725, OpenID Connect Core 1.0 section 3.1.3.7. */
export class Issuer {
  readonly settings: IssuerSettings;
  /** Claims that are kept. */
  readonly #kept: readonly string[];
  readonly #keys: IssuerKeys;
  readonly #now: () => number;

  constructor(
    settings: IssuerSettings,
    { claims = [], fetch = fetchJson, now = Date.now, onFailure }: IssuerOptions = {},
  ) {
    this.settings = settings;
    this.#kept = claims;
    this.#now = now;
    const { url, keysMaxAge: maxAge } = settings;
    this.#keys = new IssuerKeys(url, { maxAge, fetch, now, onFailure });
  }

  inherit(from: Issuer): void {
    this.#keys.inherit(from.#keys);
  }

  /** Never rejects: what failed is told to `onFailure`. */
  warm(): Promise<void> {
    return this.#keys.warm();
  }

  /** Rejects with a TokenError. */
  async verify(token: string): Promise<Verified> {
    const { payload, header } = await this.#signed(token);
    const { typ } = header;
    if (typ !== undefined && !KINDS.has(typ.toLowerCase())) throw invalid(`"typ" is ${JSON.stringify(typ)}`);
    this.#inTime(payload);
    this.#forUs(payload);
    checkRequired(this.settings, payload);
    return { principal: this.#principal(payload), expires: (payload.exp as number) * 1000 };
  }

  /** The key is chosen by "kid" among the issuer's own; "jku", "x5u", "jwk" and "x5c" of the header are not looked at. */
  async #signed(token: string): Promise<{ payload: JWTPayload; header: JWTHeaderParameters }> {
    const { url, audience, algorithms, clockSkew } = this.settings;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.#keys.lookup, {
        issuer: url,
        audience: [...audience],
        algorithms: [...algorithms],
        clockTolerance: clockSkew / 1000,
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp', 'sub'],
      });
      return { payload, header: protectedHeader };
    } catch (error) {
      if (error instanceof TokenError) throw error;
      if (error instanceof errors.JOSEError) throw invalid(error.message, error);
      throw invalid('it cannot be checked', error);
    }
  }

  /** What `jwtVerify` leaves: a token of the future is one of a clock, or an issuer, that cannot be trusted. */
  #inTime({ iat, exp }: JWTPayload): void {
    const now = this.#now();
    if (iat !== undefined && !(iat * 1000 <= now + this.settings.clockSkew)) throw invalid('"iat" is in the future');
    if (exp === undefined || !Number.isFinite(exp)) throw invalid('it never expires');
  }

  /** A token for several audiences names the one that asked for it (section 3.1.3.7, 3 to 5). */
  #forUs({ aud, azp }: JWTPayload & { azp?: unknown }): void {
    const { audience, authorizedParties, login } = this.settings;
    const parties = authorizedParties ?? [...audience, ...(login ? [login.clientId] : [])];
    const several = Array.isArray(aud) && aud.length > 1;
    if (!authorizedParties && !several) return;
    if (typeof azp !== 'string' || !parties.includes(azp)) throw invalid('"azp" names nobody who may ask for it');
  }

  #principal(claims: JWTPayload): Described {
    const { sub: subject } = claims;
    if (typeof subject !== 'string' || subject === '' || subject.length > 255) throw invalid('"sub" names nobody');
    // Anybody can say that an address is theirs; the issuer has to have looked.
    if (this.settings.principal.claim === 'email' && claims['email_verified'] !== true)
      throw invalid('"email" is not verified');
    return describedBy(this.settings, subject, claims as Claims, this.#kept);
  }
}
