/**
 * Logins at an identity provider: by browser or by device code. Owns: the flows, and renewal. Does not: keep tokens
 * (credentials.ts).
 */
import { spawn } from 'node:child_process';
import { isSafeUrl } from '@sluice/addresses';
import type { Configuration, TokenEndpointResponse, TokenEndpointResponseHelpers } from 'openid-client';
import type { TokenIssuerRow } from '@sluice/api';
import { CliError } from '../errors.js';
import { note } from '../output.js';
import { openCallback } from './callback.js';
import type { LoginCredential } from './credentials.js';

type IssuedTokens = TokenEndpointResponse & TokenEndpointResponseHelpers;

/** A token is fetched anew when it is good for less than this, in milliseconds. */
const RENEWED_BEFORE_MS = 30_000;

/** Authorization code with PKCE (RFC 7636) on a loopback redirect, with state and nonce. */
export async function loginInBrowser(
  issuer: TokenIssuerRow,
  options: { readonly callback: string; readonly browser: boolean },
): Promise<LoginCredential> {
  const { client, config } = await discover(issuer);
  const callback = await openCallback(options.callback);
  try {
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const nonce = issuer.scopes.includes('openid') ? client.randomNonce() : undefined;
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: callback.url,
      scope: issuer.scopes.join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      ...(nonce !== undefined && { nonce }),
    });
    note(`Log in in your browser:\n\n  ${url.href}\n`);
    if (options.browser) openBrowser(url.href);
    const address = await callback.came(state);
    const tokens = await inWords(issuer, () =>
      client.authorizationCodeGrant(config, address, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        ...(nonce !== undefined && { expectedNonce: nonce }),
      }),
    );
    return credentialOf(issuer, tokens);
  } finally {
    callback.close();
  }
}

/** Device authorization (RFC 8628): the browser is on another machine. */
export async function loginByDevice(issuer: TokenIssuerRow): Promise<LoginCredential> {
  const { client, config } = await discover(issuer);
  const tokens = await inWords(issuer, async () => {
    const started = await client.initiateDeviceAuthorization(config, { scope: issuer.scopes.join(' ') });
    note(`Open ${started.verification_uri} in any browser and enter the code\n\n  ${started.user_code}\n`);
    if (started.verification_uri_complete) note(`or open ${started.verification_uri_complete}`);
    return client.pollDeviceAuthorizationGrant(config, started);
  });
  return credentialOf(issuer, tokens);
}

export const isFresh = ({ expires }: LoginCredential): boolean => expires - RENEWED_BEFORE_MS > Date.now();

/** A new token for one that is about to expire; undefined when somebody has to log in again. */
export async function refreshed({ issuer, refreshToken }: LoginCredential): Promise<LoginCredential | undefined> {
  if (refreshToken === undefined || 'console' in issuer) return undefined;
  try {
    const { client, config } = await discover(issuer);
    const tokens = await client.refreshTokenGrant(config, refreshToken);
    // A provider that keeps the refresh token as it is need not send it again (RFC 6749 section 6).
    return credentialOf(issuer, tokens, refreshToken);
  } catch {
    return undefined;
  }
}

/** Takes the refresh token back (RFC 7009), where the provider lets one. It is forgotten here in any case. */
export async function forget({ issuer, refreshToken }: LoginCredential): Promise<void> {
  if (refreshToken === undefined || 'console' in issuer) return;
  try {
    const { client, config } = await discover(issuer);
    if (config.serverMetadata().revocation_endpoint !== undefined) await client.tokenRevocation(config, refreshToken);
  } catch {
    note('The provider could not be told; its refresh token is forgotten here, and goes on until it expires there.');
  }
}

async function discover(
  issuer: TokenIssuerRow,
): Promise<{ client: typeof import('openid-client'); config: Configuration }> {
  // Loaded on demand: most commands need none of it.
  const client = await import('openid-client');
  const { issuer: url, clientId, clientSecret } = issuer;
  const auth = clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret);
  const plain = new URL(url).protocol === 'http:';
  const config = await inWords(issuer, () =>
    client.discovery(new URL(url), clientId, undefined, auth, plain ? { execute: [client.allowInsecureRequests] } : {}),
  );
  return { client, config };
}

function credentialOf(issuer: TokenIssuerRow, tokens: IssuedTokens, former?: string): LoginCredential {
  const token = issuer.token === 'id_token' ? tokens.id_token : tokens.access_token;
  if (token === undefined) throw new CliError(`${issuer.issuer} gave no ${issuer.token}.`);
  const claimed = issuer.token === 'id_token' ? tokens.claims()?.exp : undefined;
  const seconds = tokens.expiresIn();
  const expires = claimed !== undefined ? claimed * 1000 : Date.now() + (seconds ?? 300) * 1000;
  const refreshToken = tokens.refresh_token ?? former;
  return { issuer, token, expires, ...(refreshToken !== undefined && { refreshToken }) };
}

/** What a provider says is for the person who logs in. */
async function inWords<T>(issuer: TokenIssuerRow, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const {
      message,
      error: code,
      error_description: description,
      cause,
    } = error as Error & {
      error?: string;
      error_description?: string;
      cause?: unknown;
    };
    const why = description ?? code ?? (cause instanceof Error ? `${message}: ${cause.message}` : message);
    throw new CliError(`${issuer.issuer} did not log you in: ${why}`);
  }
}

/** Opens a page of a provider or of the console, and nothing that another program would be started for. */
export function openBrowser(url: string): void {
  if (!isSafeUrl(url)) return;
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [url], { stdio: 'ignore', detached: true });
  // Not there: the address is on the screen.
  child.on('error', () => undefined);
  child.unref();
}
