/**
 * Where a request says who sends it. Owns: which headers those are, and that none of them goes on. Does not: check a proof, or
 * compare two of them, which is the gate's.
 */
import type { Header, HttpApi, HttpHead, HttpProof } from '@sluice/contract';
import { badRequest } from './errors.js';
import { lower, passableTrailers } from './headers.js';

/** Headers that carry a proof. Whatever they say stays at the gateway. */
const PROOF_HEADERS = new Set(['authorization', 'sluice-token', 'x-api-key', 'api-key', 'x-goog-api-key']);

export const isProofHeader = (name: string): boolean => PROOF_HEADERS.has(name);

/** @throws HttpError for a proof in the path or the query, which logs and browsers keep */
export function refuseProofsIn({ path, query }: Pick<HttpHead, 'path' | 'query'>): void {
  if (query !== '' && hasNamed(query, OAUTH_NAMES)) throw misplaced('query');
  if (hasToken(query)) throw misplaced('query');
  if (hasToken(path)) throw misplaced('path');
}

/**
 * All proofs of a request, in the order in which one is looked for: `Sluice-Token`, `Authorization` (bearer, or the password of
 * basic), `x-api-key`, `api-key`, `x-goog-api-key`, the client certificate.
 *
 * @throws HttpError for a proof in another header, and for a scheme that is none here
 */
export function proofsIn(headers: readonly Header[], certificate?: Uint8Array): readonly HttpProof[] {
  const proofs: HttpProof[] = [];
  const token = (secret: string): void => void proofs.push({ type: 'token', secret });
  for (const [name, value] of headers) {
    switch (lower(name)) {
      case 'sluice-token':
      case 'x-api-key':
      case 'api-key':
      case 'x-goog-api-key':
        token(value);
        break;
      case 'authorization':
        token(secretOf(value));
        break;
      default:
        if (hasToken(value)) throw misplaced(`header ${name}`);
    }
  }
  if (certificate) proofs.push({ type: 'certificate', der: certificate });
  return proofs;
}

/** Trailers of a request that may go on. They come when it has been judged, so that one with a token can only be left out. */
export const trailersGoingOn = (trailers: readonly Header[]): readonly Header[] =>
  passableTrailers(trailers).filter(([name, value]) => !isProofHeader(lower(name)) && !hasToken(value));

const CREDENTIALS = /^(bearer|basic|token) +([A-Za-z0-9._~+/=-]+)$/i;

/** The secret of an Authorization header. */
function secretOf(value: string): string {
  const [, scheme = '', secret = ''] = CREDENTIALS.exec(value) ?? [];
  if (scheme === '') throw badRequest('Authorization is neither Bearer nor Basic, and there is no other proof here');
  if (scheme.toLowerCase() !== 'basic') return secret;
  const decoded = Buffer.from(secret, 'base64').toString();
  const colon = decoded.indexOf(':');
  // A token as the user name without a password is what some tools make of `-u TOKEN:`.
  return colon < 0 || colon === decoded.length - 1 ? decoded.replace(/:$/, '') : decoded.slice(colon + 1);
}

/** @throws HttpError for a key of the client's own where the target would take it instead of the gateway's */
export function refuseKeysIn(query: string, api: HttpApi): void {
  if (api === 'gemini' && hasNamed(query, GOOGLE_NAMES)) throw misplaced('query');
}

/** RFC 6750 section 2.3. */
const OAUTH_NAMES: ReadonlySet<string> = new Set(['access_token']);
/** System parameters of Google's services, also with a dollar sign. */
const GOOGLE_NAMES: ReadonlySet<string> = new Set(
  ['key', 'oauth_token', 'access_token', 'bearer_token'].flatMap((name) => [name, `$${name}`]),
);

/** Also where a name is escaped, which the target would read. */
const hasNamed = (query: string, names: ReadonlySet<string>): boolean =>
  query.split('&').some((one) => {
    const [name = ''] = one.split('=', 1);
    return names.has(name.includes('%') ? unescaped(name) : name);
  });

function unescaped(name: string): string {
  return name.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
const GATEWAY_TOKEN = /sluice_[a-z2-7]{10}_[a-z2-7]{39}/;
/** Characters of a token. */
const TOKEN_CHARACTERS = 57;

/** Where it would go on, and stay on record. */
const hasToken = (text: string): boolean => text.length >= TOKEN_CHARACTERS && GATEWAY_TOKEN.test(text);

const misplaced = (where: string): Error =>
  badRequest(`the ${where} has a token, which logs and browsers would keep: send it as \`Authorization: Bearer\``);
