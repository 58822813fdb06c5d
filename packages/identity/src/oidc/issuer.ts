/** Tokens of one identity provider. Owns: what makes one valid, and whom it stands for. Does not: fetch keys (keys.ts). */
import type { Principal } from '@sluice/contract';
import { type JWTPayload, type JWTHeaderParameters, errors, jwtVerify } from 'jose';
import { type Claims, claimAt, groupsAt, isName, textsAt } from './claims.js';
import { TokenError, invalid } from './error.js';
import { type FetchJson, fetchJson } from './fetch.js';
import { IssuerKeys } from './keys.js';

/** One identity provider, as the configuration has it. Times are milliseconds. */
export interface IssuerSettings {
  readonly name: string;
  /** As in "iss". */
  readonly url: string;
  readonly audience: readonly string[];
  readonly login: { readonly clientId: string } | undefined;
  readonly kind: Principal['kind'];
  readonly principal: { readonly claim: string; readonly prefix: string };
  readonly groups: { readonly claim: string | undefined; readonly prefix: string };
  readonly require: Readonly<Record<string, readonly (string | boolean)[]>>;
  readonly authorizedParties: readonly string[] | undefined;
  readonly algorithms: readonly string[];
  readonly clockSkew: number;
  readonly keysMaxAge: number;
  readonly tokens: number;
  readonly endsSessions: boolean;
  /** Claims that are kept with each session. */
  readonly record?: readonly string[];
}

/** Whom a token stands for. It exists for this login; roles are not its to give. */
export interface Verified {
  readonly principal: Omit<Principal, 'roles'> & { readonly issuer: string; readonly subject: string };
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
  readonly #claims: readonly string[];
  readonly #keys: IssuerKeys;
  readonly #now: () => number;

  constructor(
    settings: IssuerSettings,
    { claims = [], fetch = fetchJson, now = Date.now, onFailure }: IssuerOptions = {},
  ) {
    this.settings = settings;
    this.#claims = [...new Set([...claims, ...(settings.record ?? [])])];
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
    for (const [claim, wanted] of Object.entries(this.settings.require)) {
      const has = [claimAt(payload, claim)].flat();
      if (!wanted.some((one) => has.includes(one))) throw invalid(`"${claim}" is not what this issuer has to say`);
    }
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

  #principal(claims: JWTPayload): Verified['principal'] {
    const { name: issuer, kind, principal, groups } = this.settings;
    const { sub: subject } = claims;
    if (typeof subject !== 'string' || subject === '' || subject.length > 255) throw invalid('"sub" names nobody');
    const name = claimAt(claims, principal.claim);
    if (typeof name !== 'string') throw invalid(`"${principal.claim}" is missing`);
    // Anybody can say that an address is theirs; the issuer has to have looked.
    if (principal.claim === 'email' && claims['email_verified'] !== true) throw invalid('"email" is not verified');
    if (!isName(principal.prefix + name)) throw invalid(`"${principal.claim}" cannot be the name of a principal`);
    const member = groups.claim === undefined ? [] : groupsAt(claims as Claims, groups.claim, groups.prefix);
    if (!member) throw invalid(`"${groups.claim}" has too many groups`);
    return {
      name: principal.prefix + name,
      kind,
      groups: member,
      issuer,
      subject,
      claims: Object.fromEntries(this.#claims.map((claim) => [claim, textsAt(claims as Claims, claim)])),
    };
  }
}
