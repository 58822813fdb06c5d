/** SASL OAUTHBEARER (RFC 7628). Owns: the texts of the exchange. Does not: what a token is worth (the gate). Pure. */
import type { Discovery } from '@sluice/contract';
import { isUtf8 } from 'node:buffer';
import { malformed } from '@sluice/wire';

/**
 * SASL OAUTHBEARER (RFC 7628), which libpq speaks from version 18 on. Lives here: the texts of the exchange. Does not: what a
 * token is worth (the gate).
 *
 *     client   n,,^Aauth=Bearer <token>^A^A        or with an empty auth, to ask where tokens come from
 *     server   {"status":"invalid_token", ...}     only when the token will not do
 *     client   ^A                                  and then fails, as the server says
 */
export const OAUTHBEARER = 'OAUTHBEARER';

/** The separator of key and value pairs, and the whole of the client's answer to an error (section 3.2.3). */
const SEPARATOR = '\u0001';

/**
 * The token of the client's initial response (section 3.1); undefined when it has none and asks for the discovery document.
 *
 * @throws WireError for what has another form, names an authorization identity, or binds a channel
 */
export function readBearer(response: Buffer): string | undefined {
  if (!isUtf8(response)) throw malformed('the OAUTHBEARER message is not valid UTF-8');
  const text = response.toString('utf8');
  const [gs2 = '', ...rest] = text.split(SEPARATOR);
  if (gs2.startsWith('p=')) throw malformed('OAUTHBEARER does not bind channels');
  if (/^[ny],a=/.test(gs2)) throw malformed('another identity to act as is not supported: the user name says it');
  // Each pair ends with a separator, and one more ends the message.
  if (!/^[ny],,$/.test(gs2) || rest.length < 2 || rest.at(-1) !== '' || rest.at(-2) !== '')
    throw malformed('the OAUTHBEARER message does not have the form of RFC 7628');
  const pairs = rest.slice(0, -2).map((pair) => /^([A-Za-z]+)=([\x20-\x7e\t\r\n]*)$/.exec(pair));
  if (pairs.some((pair) => pair === null)) throw malformed('the OAUTHBEARER message has a pair without a name');
  const auth = pairs.filter((pair) => pair?.[1] === 'auth');
  if (auth.length !== 1) throw malformed('the OAUTHBEARER message needs one "auth"');
  const value = auth[0]?.[2] ?? '';
  if (value === '') return undefined;
  // RFC 6750 section 2.1; the scheme is spelled in any case.
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(value)?.[1];
  if (token === undefined) throw malformed('the OAUTHBEARER message has no bearer token');
  return token;
}

/** What a client is told whose token will not do: where to get another (section 3.2.2). */
export const errorStatus = (discovery: Discovery | undefined): string =>
  JSON.stringify({
    status: 'invalid_token',
    ...(discovery && { 'openid-configuration': discovery.url, scope: discovery.scope }),
  });

export const isDummy = (response: Buffer): boolean => response.toString('latin1') === SEPARATOR;
