/**
 * A login at an identity provider with a browser: authorization code (RFC 6749, section 4.1) with PKCE (RFC 7636), state and nonce. Owns:
 * the two steps at the issuer. Does not: keep what lies between them (login-routes.ts), or check tokens (packages/identity).
 */
import type { TokenIssuerConfig } from '@sluice/config';
import { type Directory, type Proven, TokenError } from '@sluice/identity';
import * as client from 'openid-client';
import { type Attempt, LoginError, checkFresh } from './attempt.js';

/** How long an issuer may take to answer, in seconds. */
const TIMEOUT_S = 10;
/** How long what an issuer says of itself is good for, in milliseconds. */
const DISCOVERY_MS = 10 * 60_000;
/** How long after it did not answer it is asked again, in milliseconds. */
const FAILURE_MS = 2_000;

/** What of it the issuer is told in digests, or tells us again. */
export interface TokenAttempt extends Attempt {
  readonly nonce: string;
  readonly verifier: string;
}

interface Discovered {
  readonly of: TokenIssuerConfig;
  readonly config: Promise<client.Configuration>;
  /** Milliseconds since 1970. */
  until: number;
}

export class IssuerLogins {
  readonly #redirect: string;
  readonly #known = new Map<string, Discovered>();

  /** `redirect`: where the browser comes back to, as it is registered at the issuer. */
  constructor(redirect: string) {
    this.#redirect = redirect;
  }

  /** Where to send the browser. Rejects with a LoginError. `fresh`: the issuer asks who it is, whoever was logged in there. */
  async begin(
    issuer: TokenIssuerConfig,
    to: string,
    fresh: boolean,
  ): Promise<{ readonly url: URL; readonly attempt: TokenAttempt }> {
    const config = await this.#discover(issuer);
    const attempt = {
      issuer: issuer.name,
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      to,
      fresh,
      began: Date.now(),
    };
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: this.#redirect,
      scope: scopesOf(issuer).join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
      state: attempt.state,
      nonce: attempt.nonce,
      ...(fresh && { max_age: '0' }),
    });
    return { url, attempt };
  }

  /**
   * Whom the issuer says it is. `query`: with which the browser came back. Tokens are used for this and forgotten.
   *
   * Rejects with a LoginError.
   */
  async finish(issuer: TokenIssuerConfig, attempt: TokenAttempt, query: string, identity: Directory): Promise<Proven> {
    const config = await this.#discover(issuer);
    const back = new URL(this.#redirect);
    back.search = query;
    const tokens = await inWords(issuer, () =>
      client.authorizationCodeGrant(config, back, {
        pkceCodeVerifier: attempt.verifier,
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        idTokenExpected: true,
      }),
    );
    const claims = tokens.claims();
    const token = issuer.login?.token === 'access_token' ? tokens.access_token : tokens.id_token;
    const proven = await provenBy(identity, token);
    // The nonce is in the ID token: what is shown in its place has to be of the same login.
    const { subject } = proven.principal;
    if (proven.claimed?.issuer !== issuer.name || proven.claimed.subject !== claims?.sub)
      throw new LoginError(`${issuer.name} sent tokens of two people: ${subject ?? 'nobody'} is not who logged in.`);
    // An issuer has to say it when it was asked for a login of now (OpenID Connect Core 1.0, section 2).
    checkFresh(attempt, (claims?.auth_time ?? Number.NaN) * 1_000, issuer.clockSkew);
    return proven;
  }

  /** Where somebody logs out at the issuer; undefined: it has no such place. Never rejects. */
  async logout(issuer: TokenIssuerConfig, back: string): Promise<URL | undefined> {
    const config = await this.#discover(issuer).catch(() => undefined);
    if (config?.serverMetadata().end_session_endpoint === undefined) return undefined;
    // No ID token is kept that could be sent along: the issuer asks whether that is meant (RP-Initiated Logout 1.0, section 2).
    return client.buildEndSessionUrl(config, { post_logout_redirect_uri: back });
  }

  /** What an issuer says of itself, asked once for all who log in meanwhile: strangers have it asked as well. */
  #discover(issuer: TokenIssuerConfig): Promise<client.Configuration> {
    const known = this.#known.get(issuer.name);
    if (known && known.of === issuer && known.until > Date.now()) return known.config;
    const asked = { of: issuer, until: Date.now() + DISCOVERY_MS, config: discover(issuer) };
    this.#known.set(issuer.name, asked);
    asked.config.catch(() => (asked.until = Date.now() + FAILURE_MS));
    return asked.config;
  }
}

async function discover(issuer: TokenIssuerConfig): Promise<client.Configuration> {
  const registered = issuer.console ?? issuer.login;
  if (!registered) throw new LoginError(`Nobody can log in at ${issuer.name} with a browser.`);
  const { clientId, clientSecret } = registered;
  const auth = clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret.reveal());
  const plain = new URL(issuer.url).protocol === 'http:';
  return inWords(issuer, () =>
    client.discovery(new URL(issuer.url), clientId, undefined, auth, {
      timeout: TIMEOUT_S,
      ...(plain && { execute: [client.allowInsecureRequests] }),
    }),
  );
}

/** Without a token for later: a login ends by the gateway's own times. */
const scopesOf = ({ scopes }: TokenIssuerConfig): string[] => [
  ...new Set(['openid', ...scopes.filter((one) => one !== 'offline_access')]),
];

async function provenBy(identity: Directory, token: string | undefined): Promise<Proven> {
  try {
    const proven = token === undefined ? undefined : await identity.authenticate(token);
    if (proven?.by === 'issuer') return proven;
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    throw new LoginError(`The token of your identity provider is not taken here: ${error.message}.`, { cause: error });
  }
  throw new LoginError('Your identity provider gave no token that this gateway takes.');
}

/** What a provider says is for the person who logs in. */
async function inWords<T>(issuer: TokenIssuerConfig, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const {
      message,
      error_description: description,
      error: code,
    } = error as Error & {
      error?: string;
      error_description?: string;
    };
    throw new LoginError(`${issuer.name} did not log you in: ${description ?? code ?? message}`, { cause: error });
  }
}
