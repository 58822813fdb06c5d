/**
 * A login by SAML 2.0 with a browser. Owns: what lies between the answer, which comes from another site and so without our cookies, and the
 * request of our own that looks at it. Does not: believe answers (packages/saml), or say whom they describe (packages/identity).
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { SamlIssuerConfig } from '@sluice/config';
import { type Directory, TokenError } from '@sluice/identity';
import { type SamlAnswer, SamlError, ServiceProvider } from '@sluice/saml';
import { type Attempt, type LoggedIn, LoginError, checkFresh } from './attempt.js';

/** How long an answer is kept for the request that looks at it, in milliseconds, and how many are. A provider has signed each. */
const KEPT_MS = 60_000;
const MAX_KEPT = 1_000;

/** The name of the request that an answer has to be for. */
export interface SamlAttempt extends Attempt {
  readonly request: string;
}

interface Kept {
  readonly issuer: string;
  readonly relay: string;
  readonly answer: SamlAnswer;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class SamlLogins {
  readonly #origin: () => URL;
  readonly #key: Uint8Array;
  readonly #life: number;
  /** By their settings: another configuration with the same ones knows which answers came before. */
  readonly #providers = new Map<string, ServiceProvider>();
  /** By their handles. */
  readonly #kept = new Map<string, Kept>();

  /** `origin`: of the console. `life`: how long somebody may take at the provider, in milliseconds. */
  constructor(origin: () => URL, key: Uint8Array, life: number) {
    this.#origin = origin;
    this.#key = createHmac('sha256', key).update('requests by SAML').digest();
    this.#life = life;
  }

  provider({ name, saml, clockSkew }: SamlIssuerConfig): ServiceProvider {
    const callback = `${this.#origin().origin}/auth/saml/${name}`;
    const { idp, ssoUrl, certificates, entityId = `${callback}/metadata` } = saml;
    const settings = { idp, ssoUrl, certificates, entityId, callback, clockSkew };
    const key = JSON.stringify(settings);
    let provider = this.#providers.get(key);
    if (!provider) this.#providers.set(key, (provider = new ServiceProvider(settings, this.#key, this.#life)));
    return provider;
  }

  /** Where to send the browser. */
  async begin(
    issuer: SamlIssuerConfig,
    to: string,
    fresh: boolean,
  ): Promise<{ readonly url: URL; readonly attempt: SamlAttempt }> {
    const state = randomBytes(24).toString('base64url');
    const { url, id: request } = await this.provider(issuer).request(state, fresh);
    return { url, attempt: { issuer: issuer.name, state, request, to, fresh, began: Date.now() } };
  }

  /** Keeps what an answer says, once it is believed. Resolves to the handle that it is looked at by, once. Rejects with a LoginError. */
  async keep(issuer: SamlIssuerConfig, encoded: string, relay: string): Promise<string> {
    const { name } = issuer;
    const answer = await inWords(name, () => this.provider(issuer).accept(encoded));
    const now = Date.now();
    for (const [handle, { until }] of this.#kept)
      if (until <= now || this.#kept.size >= MAX_KEPT) this.#kept.delete(handle);
    const handle = randomBytes(24).toString('base64url');
    this.#kept.set(handle, { issuer: name, relay, answer, until: now + KEPT_MS });
    return handle;
  }

  /**
   * Whom the provider says it is, in the browser that asked it.
   *
   * @throws LoginError
   */
  finish({ name, clockSkew }: SamlIssuerConfig, attempt: SamlAttempt, handle: string, identity: Directory): LoggedIn {
    const kept = this.#kept.get(handle);
    this.#kept.delete(handle);
    if (!kept || kept.until <= Date.now())
      throw new LoginError('This answer was looked at before, or it took too long.');
    const { issuer, relay, answer } = kept;
    const ours = issuer === name && attempt.issuer === name && relay === attempt.state;
    if (!ours || answer.inResponseTo !== attempt.request)
      throw new LoginError('This login was not begun in this browser, or another one was begun since.');
    checkFresh(attempt, answer.authenticated, clockSkew);
    try {
      const { sessionEnds } = answer;
      const proven = identity.describedBy(name, answer.subject, claimsOf(answer), answer.id);
      return { ...proven, ...(sessionEnds !== undefined && { sessionEnds }) };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      throw new LoginError(`What ${name} says of you is not taken here: ${error.message}.`, { cause: error });
    }
  }
}

/** A text where an attribute has one value, a list where it has several. The name identifier is `sub`, whatever attributes there are. */
const claimsOf = ({ subject, attributes }: SamlAnswer): Readonly<Record<string, unknown>> => ({
  ...Object.fromEntries(Array.from(attributes, ([name, values]) => [name, values.length === 1 ? values[0] : values])),
  sub: subject,
});

async function inWords<T>(issuer: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof SamlError)) throw error;
    throw new LoginError(`The answer of ${issuer} is not taken here: ${error.message}.`, { cause: error });
  }
}
