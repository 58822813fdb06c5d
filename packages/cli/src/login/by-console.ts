/**
 * Logins by way of the console, for providers that give programs no tokens: somebody who is logged in there lets this program in. Owns: the
 * two steps, as OAuth has them (RFC 6749, section 4.1, with PKCE). Does not: the page that asks (packages/console).
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ConsoleIssuerRow, LoginToken } from '@sluice/api';
import { ApiClient } from '../client.js';
import { CliError } from '../errors.js';
import { note } from '../output.js';
import { openCallback } from './callback.js';
import type { LoginCredential } from './credentials.js';
import { openBrowser } from './issuer.js';

/** `url`: of the control API. */
export async function loginByConsole(
  url: string,
  issuer: ConsoleIssuerRow,
  options: { readonly callback: string; readonly browser: boolean },
): Promise<LoginCredential> {
  const callback = await openCallback(options.callback);
  try {
    const verifier = randomBytes(32).toString('base64url');
    const state = randomBytes(24).toString('base64url');
    const page = new URL('/terminal', issuer.console);
    page.search = new URLSearchParams({
      at: new URL(callback.url).host,
      state,
      challenge: createHash('sha256').update(verifier).digest('base64url'),
    }).toString();
    note(`Log in in your browser:\n\n  ${page.href}\n`);
    if (options.browser) openBrowser(page.href);
    const code = (await callback.came(state)).searchParams.get('code');
    if (code === null) throw new CliError('The browser came back without a code: nobody let this program in.');
    const { token, expires } = await new ApiClient(url, '').post<LoginToken>('/v1/logins/exchange', { code, verifier });
    return { issuer, token, expires: Date.parse(expires) };
  } finally {
    callback.close();
  }
}

/** The id of the token that such a login has got, which ends with the login. */
export const tokenIdOf = ({ issuer, token }: LoginCredential): string | undefined =>
  'console' in issuer ? token.split('_')[1] : undefined;
