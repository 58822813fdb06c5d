/**
 * Token exchange (RFC 8693): the token of a CI job, which lives for minutes, gives a gateway token for the length of the job. Owns: the
 * request, its answers, and how long such a token lives. Does not: check tokens, or keep any.
 */
import { type Header, type OwnAnswer, type OwnRequest, refusalInWords } from '@sluice/contract';
import type { Admissions } from '@sluice/control';
import { type Log, type SessionView, actorOf } from '@sluice/audit';
import { type Directory, type Proven, TokenError, TokenLimitError } from '@sluice/identity';
import { mediaType } from '@sluice/http-requests';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TYPE = 'urn:ietf:params:oauth:token-type:';
/** What a token of an identity provider may be called (RFC 8693 section 3). */
const SUBJECT_TYPES: ReadonlySet<string> = new Set(['jwt', 'id_token', 'access_token'].map((one) => `${TYPE}${one}`));
const ISSUED: ReadonlySet<string> = new Set([`${TYPE}access_token`]);
/** How long a token lives when the client says nothing, where its issuer allows that, in milliseconds. */
const DEFAULT_LIFE_MS = 60 * 60_000;
/** One member of the form: more than one of a name is a fault (RFC 6749 section 3.2). */
const SINGLE = ['grant_type', 'subject_token', 'subject_token_type', 'requested_token_type', 'expires_in'];
/** Of a token's name, from what the client calls it. Characters. */
const MAX_TOKEN_NAME_CHARACTERS = 100;

interface ExchangeServices {
  readonly identity: Directory;
  readonly log: Log;
  readonly connections: ReadonlyMap<string, unknown>;
  readonly admissions: Pick<Admissions, 'refusal'>;
}

class ExchangeError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export class TokenExchange {
  readonly #parts: ExchangeServices;

  constructor(parts: ExchangeServices) {
    this.#parts = parts;
  }

  /** Rejects only when the store cannot keep the token. */
  async answer(request: OwnRequest, from: SessionView & { readonly loopback: boolean }): Promise<OwnAnswer> {
    try {
      return await this.#exchange(request, from);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      return oauth(error.status, { error: error.code, error_description: error.message });
    }
  }

  async #exchange(request: OwnRequest, from: SessionView & { readonly loopback: boolean }): Promise<OwnAnswer> {
    const form = formOf(request);
    if (!request.secure && !from.loopback)
      throw new ExchangeError('invalid_request', 'Tokens are exchanged over TLS only.');
    const proven = await this.#subject(form, from);
    const kept = this.#parts.admissions.refusal({ ...proven, connection: undefined });
    if (kept) throw new ExchangeError('invalid_grant', refusalInWords(kept).message);
    const { connections, expires } = this.#wish(form, proven);
    try {
      const { token, stored } = await this.#parts.identity.createToken({
        principal: proven.principal,
        name: (form.get('name') ?? 'token exchange').slice(0, MAX_TOKEN_NAME_CHARACTERS),
        roles: proven.principal.roles,
        connections,
        expires,
        madeWith: proven,
      });
      this.#parts.log.admin(actorOf(proven), 'token.exchange', `${stored.id} for ${stored.principal}`);
      return oauth(200, {
        access_token: token,
        issued_token_type: `${TYPE}access_token`,
        token_type: 'Bearer',
        expires_in: Math.floor((expires - Date.now()) / 1000),
      });
    } catch (error) {
      if (error instanceof TokenLimitError) throw new ExchangeError('invalid_request', error.message, 429);
      throw error;
    }
  }

  /** Whose token it is that is exchanged: one of an identity provider. */
  async #subject(form: URLSearchParams, from: SessionView): Promise<Proven> {
    const type = form.get('subject_token_type') ?? '';
    if (!SUBJECT_TYPES.has(type))
      throw new ExchangeError('invalid_request', `"subject_token_type" is one of ${[...SUBJECT_TYPES].join(', ')}.`);
    const failed = (why: string | undefined): ExchangeError => {
      this.#parts.log.requestUnproven(from, 'credentials', why);
      return new ExchangeError('invalid_grant', 'The subject token is no good token of an issuer that is known here.');
    };
    try {
      const proven = await this.#parts.identity.authenticate(form.get('subject_token') ?? '');
      if (proven?.by !== 'issuer') throw failed('token exchange');
      return proven;
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      if (error.reason === 'invalid') throw failed(error.message);
      throw new ExchangeError('temporarily_unavailable', `The token cannot be checked now: ${error.message}`, 503);
    }
  }

  /** `audience`: the connections that it is for; `expires_in`: seconds. Both may ask for less than there is, and not for more. */
  #wish(form: URLSearchParams, proven: Proven): { connections: readonly string[] | undefined; expires: number } {
    const wanted = form.getAll('audience');
    const unknown = wanted.find(
      (one) => !this.#parts.connections.has(one) || proven.connections?.includes(one) === false,
    );
    if (unknown !== undefined) throw new ExchangeError('invalid_target', `There is no connection "${unknown}".`);
    const most = this.#parts.identity.issuers?.get(proven.principal.issuer ?? '')?.tokens ?? 0;
    if (most <= 0)
      throw new ExchangeError(
        'unauthorized_client',
        'Tokens of this issuer are not exchanged: "tokens" of the issuer allows it.',
      );
    const wish = form.get('expires_in');
    const seconds = wish === null ? Math.min(most, DEFAULT_LIFE_MS) / 1000 : Number(wish);
    if (!Number.isSafeInteger(Math.floor(seconds)) || seconds < 1)
      throw new ExchangeError('invalid_request', '"expires_in" is a number of seconds.');
    return {
      connections: wanted.length > 0 ? wanted : proven.connections,
      expires: Date.now() + Math.min(most, seconds * 1000),
    };
  }
}

/** @throws ExchangeError for what is no form of RFC 8693 section 2.1 */
function formOf({ method, query, headers, body }: OwnRequest): URLSearchParams {
  if (method !== 'POST') throw new ExchangeError('invalid_request', 'Use POST.', 405);
  if (query !== '') throw new ExchangeError('invalid_request', 'Tokens belong into the body, and not into the query.');
  const media = headers.find(([name]: Header) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (mediaType(media) !== 'application/x-www-form-urlencoded')
    throw new ExchangeError('invalid_request', 'Send a form: application/x-www-form-urlencoded.');
  const form = new URLSearchParams(Buffer.from(body).toString('utf8'));
  const twice = SINGLE.find((name) => form.getAll(name).length > 1);
  if (twice !== undefined) throw new ExchangeError('invalid_request', `"${twice}" is there more than once.`);
  if (form.get('grant_type') !== GRANT) throw new ExchangeError('unsupported_grant_type', `"grant_type" is ${GRANT}.`);
  if (form.has('actor_token')) throw new ExchangeError('invalid_request', 'Nobody acts for somebody else here.');
  // What is left out silently would give more than was asked for.
  if (form.getAll('scope').some((one) => one.trim() !== ''))
    throw new ExchangeError(
      'invalid_scope',
      'Tokens have no scopes here: "audience" names the connections that one is for.',
    );
  if (form.has('resource'))
    throw new ExchangeError('invalid_target', 'Connections are named by "audience", and not by "resource".');
  const requested = form.get('requested_token_type');
  if (requested !== null && !ISSUED.has(requested))
    throw new ExchangeError('invalid_request', `Only ${[...ISSUED].join(', ')} is issued.`);
  return form;
}

const oauth = (status: number, value: object): OwnAnswer => ({
  status,
  headers: [
    ['Content-Type', 'application/json'],
    ['Cache-Control', 'no-store'],
  ],
  body: `${JSON.stringify(value)}\n`,
});
