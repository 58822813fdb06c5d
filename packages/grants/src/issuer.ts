/**
 * A grant at the issuer of a target: authorization code (RFC 6749, section 4.1) with PKCE (RFC 7636), state, and a nonce where there is an ID token;
 * tokens bound to the target (RFC 8707), their renewal and revocation (RFC 7009). Owns: what is said to the issuer. Does not: keep
 * anything (grants.ts).
 */
import * as client from 'openid-client';
import { GrantError, GrantUnavailable } from './errors.js';
import { issuerOf } from './metadata.js';

/** How long an issuer may take to answer, in seconds. */
const TIMEOUT_S = 10;
/** A token that says nothing of its end is taken to last so long, in seconds. */
const DEFAULT_LIFE_S = 300;
/** Of one token. */
const MAX_TOKEN_CHARACTERS = 16 * 1024;

/** What a connection says of the grants that its target wants. */
export interface GrantSettings {
  readonly clientId: string;
  readonly clientSecret: { reveal(): string } | undefined;
  /** Undefined: the target says it. */
  readonly issuer: string | undefined;
  readonly scope: string | undefined;
  /** The address of the target, which tokens are asked for. */
  readonly resource: string;
}

/** What of a grant that is under way is known in one browser alone. */
export interface GrantAttempt {
  readonly connection: string;
  /** See `Grants`. */
  readonly owner: string;
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string | undefined;
  readonly verifier: string;
  readonly redirect: string;
}

/** What an issuer has given for one person. */
export interface GrantTokens {
  readonly issuer: string;
  readonly access: string;
  readonly refresh: string | undefined;
  /** When `access` ends, in milliseconds since 1970. */
  readonly until: number;
}

/** Where to send the browser. Rejects with a GrantError. */
export async function begin(
  settings: GrantSettings,
  { connection, owner, redirect }: Pick<GrantAttempt, 'connection' | 'owner' | 'redirect'>,
): Promise<{ readonly url: URL; readonly attempt: GrantAttempt }> {
  const issuer = settings.issuer ?? (await issuerOf(settings.resource));
  const config = await discovered(issuer, settings);
  const methods = config.serverMetadata().code_challenge_methods_supported;
  if (methods && !methods.includes('S256'))
    throw new GrantError(
      `${issuer} does not bind what it gives to whoever has asked for it (PKCE), so nobody is sent there.`,
    );
  const isOpenId = settings.scope?.split(' ').includes('openid') === true;
  const attempt: GrantAttempt = {
    connection,
    owner,
    issuer,
    state: client.randomState(),
    nonce: isOpenId ? client.randomNonce() : undefined,
    verifier: client.randomPKCECodeVerifier(),
    redirect,
  };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirect,
    ...(settings.scope !== undefined && { scope: settings.scope }),
    code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
    code_challenge_method: 'S256',
    state: attempt.state,
    ...(attempt.nonce !== undefined && { nonce: attempt.nonce }),
    resource: settings.resource,
    ...(settings.scope?.split(' ').includes('offline_access') === true && { prompt: 'consent' }),
  });
  return { url, attempt };
}

/** `query`: with which the browser came back. Rejects with a GrantError. */
export async function finish(settings: GrantSettings, attempt: GrantAttempt, query: string): Promise<GrantTokens> {
  // What is a secret between the gateway and one issuer is for no other one.
  if (settings.issuer !== undefined && settings.issuer !== attempt.issuer)
    throw new GrantError('The connection has another issuer by now.');
  const config = await discovered(attempt.issuer, settings);
  const back = new URL(attempt.redirect);
  back.search = query;
  const checks = {
    pkceCodeVerifier: attempt.verifier,
    expectedState: attempt.state,
    ...(attempt.nonce !== undefined && { expectedNonce: attempt.nonce, idTokenExpected: true }),
  };
  const tokens = await inWords(attempt.issuer, () =>
    client.authorizationCodeGrant(config, back, checks, { resource: settings.resource }),
  );
  return tokensOf(attempt.issuer, tokens, undefined);
}

/** Rejects with a GrantError where the issuer gives no other one, and with a GrantUnavailable where it cannot be asked. */
export async function renew(settings: GrantSettings, { issuer, refresh }: GrantTokens): Promise<GrantTokens> {
  if (refresh === undefined) throw new GrantError(`${issuer} gave nothing to renew the grant with.`);
  const config = await discovered(issuer, settings);
  const tokens = await inWords(issuer, () =>
    client.refreshTokenGrant(config, refresh, { resource: settings.resource }),
  );
  return tokensOf(issuer, tokens, refresh);
}

/** Tells the issuer, where it wants to be told. Never rejects: what was granted is forgotten here whatever it says. */
export async function revoke(settings: GrantSettings, { issuer, access, refresh }: GrantTokens): Promise<void> {
  try {
    const config = await discovered(issuer, settings);
    if (config.serverMetadata().revocation_endpoint === undefined) return;
    await client.tokenRevocation(config, refresh ?? access);
  } catch {
    // It ends by its own time.
  }
}

type Answered = Awaited<ReturnType<typeof client.authorizationCodeGrant>>;

/** `before`: an issuer that gives no other token for renewal means that the one of before stays good (RFC 6749, section 6). */
function tokensOf(issuer: string, tokens: Answered, before: string | undefined): GrantTokens {
  const { access_token: access, refresh_token: refresh = before, token_type: type } = tokens;
  const life = tokens.expiresIn() ?? DEFAULT_LIFE_S;
  const isSendable = /^[\x21-\x7e]+$/.test(access) && access.length <= MAX_TOKEN_CHARACTERS;
  if (type !== 'bearer' || !isSendable || (refresh?.length ?? 0) > MAX_TOKEN_CHARACTERS)
    throw new GrantError(`${issuer} gave a token that cannot be used here.`);
  return { issuer, access, refresh, until: Date.now() + life * 1000 };
}

/** What an issuer says of itself: by OpenID Connect, or as any authorization server does (RFC 8414). */
async function discovered(issuer: string, { clientId, clientSecret }: GrantSettings): Promise<client.Configuration> {
  const url = new URL(issuer);
  const auth = clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret.reveal());
  const options = { timeout: TIMEOUT_S, ...(url.protocol === 'http:' && { execute: [client.allowInsecureRequests] }) };
  const ask = (algorithm: 'oidc' | 'oauth2'): Promise<client.Configuration> =>
    client.discovery(url, clientId, undefined, auth, { ...options, algorithm });
  return ask('oidc').catch(() =>
    ask('oauth2').catch((cause: unknown) => {
      throw new GrantUnavailable(`${issuer} does not say how people log in there.`, { cause });
    }),
  );
}

/** What an issuer says is for the person whose grant it is. */
async function inWords<T>(issuer: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof client.AuthorizationResponseError || cause instanceof client.ResponseBodyError) {
      const { error, error_description: description } = cause;
      if (!LATER.has(error) && !('status' in cause && cause.status >= FIRST_SERVER_ERROR))
        throw new GrantError(`${issuer} gave no grant: ${(description ?? error).slice(0, MAX_SAID)}`, { cause });
    } else if (cause instanceof client.ClientError && !UNHEARD.has(cause.code ?? ''))
      throw new GrantError(`What ${issuer} answered is no grant of yours.`, { cause });
    throw new GrantUnavailable(`${issuer} cannot be asked at the moment.`, { cause });
  }
}

const FIRST_SERVER_ERROR = 500;
/** Characters of what an issuer says is wrong. */
const MAX_SAID = 200;
/** Errors of RFC 6749 (section 4.1.2.1) and of HTTP that say nothing about a grant. */
const LATER: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable', 'slow_down']);
const UNHEARD: ReadonlySet<string> = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
]);
