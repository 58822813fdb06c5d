/**
 * What a target by HTTP is shown. Owns: putting its credential to requests, and tokens that are got for that and renewed. Does not:
 * who may send a request.
 */
import type { ConnectionConfig, HttpCredential, HttpSettings } from '@sluice/config';
import { CredentialError, type Header, type HttpEdits, type HttpTarget, type Outgoing } from '@sluice/contract';
import { personOf } from '@sluice/budgets';
import { formsOf, hidesSecret } from '@sluice/http-requests';
import { grantSettings } from '@sluice/grants';
import { type GrantSource, grantCredential } from './grant-credential.js';
import { apiOf } from './routes.js';
import type { TargetCredential } from './target-credential.js';

/** A token is renewed when it has so much time left, in milliseconds. */
const RENEWED_BEFORE_MS = 30_000;
/** One that says nothing of its end is taken to last so long, in seconds. */
const DEFAULT_LIFE_S = 300;
/** An answer of a token endpoint, in bytes, and the time it may take, in milliseconds. */
const MAX_ANSWER_BYTES = 256 * 1024;
const ANSWER_MS = 10_000;
/** After a failure nobody asks again for so long, in milliseconds. */
const PAUSE_MS = 1_000;

/** What is known of the credential of one connection, as it is configured now. */
interface KnownCredential {
  readonly http: HttpSettings;
  readonly credential: TargetCredential;
  readonly target: HttpTarget;
  readonly edits: HttpEdits | undefined;
}

/** Whose requests they are, where the credential is one of their own. */
type Who = Parameters<typeof personOf>[0];

/** Targets by HTTP, and how each is logged in at. */
export class HttpTargets {
  readonly #known = new WeakMap<HttpSettings, KnownCredential>();
  readonly #grants: GrantSource | undefined;

  /** Without `grants` nobody is logged in at targets that want to know people. */
  constructor(grants?: GrantSource) {
    this.#grants = grants;
  }

  /** Undefined where the connection is by another protocol. */
  target(connection: ConnectionConfig, who?: Who): HttpTarget | undefined {
    const { http } = connection;
    if (!http) return undefined;
    const { target } = this.#of(http);
    const own = this.#own(connection, who);
    return own
      ? { ...target, authorise: (request) => own.authorise(request), refused: (request) => own.refused?.(request) }
      : target;
  }

  /** What has to happen to each request of a connection, and to its answer; undefined: nothing. */
  edits(connection: ConnectionConfig, who: Who): HttpEdits | undefined {
    const { http } = connection;
    const own = this.#own(connection, who);
    return own ? editsOf(own) : http && this.#of(http).edits;
  }

  #own(connection: ConnectionConfig, who: Who | undefined): TargetCredential | undefined {
    const settings = grantSettings(connection);
    if (!settings || !this.#grants || !who) return undefined;
    return grantCredential(this.#grants, connection, settings, personOf(who));
  }

  #of(http: HttpSettings): KnownCredential {
    const known = this.#known.get(http);
    if (known) return known;
    const credential = credentialOf(http.credential);
    const { https, authority, base, http2, origins, holdWait, reading } = http;
    const target: HttpTarget = {
      api: apiOf(http),
      scheme: https ? 'https' : 'http',
      authority,
      base,
      http2,
      paths: reading.paths,
      holdWait,
      origins,
      ...(reading.grpc && {
        unreadGrpc: (path) => reading.grpc?.fault(path),
        streamsGrpc: (path) => reading.grpc?.bothWays(path) === true,
      }),
      authorise: (request) => credential.authorise(request),
    };
    const edits = http.credential.type === 'none' ? undefined : editsOf(credential);
    const made = { http, credential, target, edits };
    this.#known.set(http, made);
    return made;
  }
}

function editsOf({ secrets }: TargetCredential): HttpEdits {
  let before: readonly string[] = [];
  let forms = formsOf(before);
  return hidesSecret(() => {
    const now = secrets();
    if (now.join('\n') !== before.join('\n')) {
      before = now;
      forms = formsOf(now);
    }
    return forms;
  });
}

function credentialOf(from: HttpCredential): TargetCredential {
  switch (from.type) {
    case 'none':
      return { authorise: (request) => request, secrets: () => [] };
    case 'bearer':
      return fixed('Authorization', `Bearer ${from.token.reveal()}`, [from.token.reveal()]);
    case 'basic': {
      const pair = `${from.user}:${from.password.reveal()}`;
      const encoded = Buffer.from(pair).toString('base64');
      return fixed('Authorization', `Basic ${encoded}`, [from.password.reveal(), encoded]);
    }
    case 'header':
      return fixed(from.name, from.value.reveal(), [from.value.reveal()]);
    case 'query': {
      const value = from.value.reveal();
      return { authorise: (request) => withParameter(request, from.name, value), secrets: () => [value] };
    }
    case 'oauth2':
      return new ClientCredentials(from);
    case 'grant':
      return { authorise: () => Promise.reject(new CredentialError(NOBODY)), secrets: () => [] };
    default:
      return from satisfies never;
  }
}

const fixed = (name: string, value: string, secrets: readonly string[]): TargetCredential => ({
  authorise: (request) => withHeader(request, name, value),
  secrets: () => secrets,
});

/** Whatever the client has put there goes. */
function withHeader({ target, headers }: Outgoing, name: string, value: string): Outgoing {
  const lower = name.toLowerCase();
  return {
    target,
    headers: [...headers.filter(([one]) => one.toLowerCase() !== lower), [name, value] satisfies Header],
  };
}

function withParameter({ target, headers }: Outgoing, name: string, value: string): Outgoing {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const own = at < 0 ? [] : target.slice(at + 1).split('&');
  const others = own.filter((part) => part !== '' && nameOf(part) !== name);
  return {
    target: `${path}?${[...others, `${encodeURIComponent(name)}=${encodeURIComponent(value)}`].join('&')}`,
    headers,
  };
}

function nameOf(part: string): string {
  const [name = ''] = part.split('=', 1);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

type OAuth2 = Extract<HttpCredential, { type: 'oauth2' }>;

/** Client credentials (RFC 6749 section 4.4). One token for all requests; who comes while it is got waits for the same one. */
class ClientCredentials implements TargetCredential {
  readonly #from: OAuth2;
  #token: { readonly text: string; readonly until: number } | undefined;
  /** The one before, which requests that are under way still show. */
  #last = '';
  #under: Promise<string> | undefined;
  #failed = 0;

  constructor(from: OAuth2) {
    this.#from = from;
  }

  readonly secrets = (): readonly string[] =>
    [this.#token?.text ?? '', this.#last, this.#from.clientSecret.reveal()].filter((one) => one !== '');

  authorise(request: Outgoing): Outgoing | Promise<Outgoing> {
    const token = this.#token;
    if (token && token.until > Date.now()) return withHeader(request, 'Authorization', `Bearer ${token.text}`);
    return this.#renewed().then((text) => withHeader(request, 'Authorization', `Bearer ${text}`));
  }

  #renewed(): Promise<string> {
    if (Date.now() - this.#failed < PAUSE_MS) return Promise.reject(new CredentialError(UNOBTAINABLE));
    this.#under ??= this.#renew().finally(() => {
      this.#under = undefined;
    });
    return this.#under;
  }

  async #renew(): Promise<string> {
    try {
      const { text, life } = await this.#ask();
      this.#last = this.#token?.text ?? '';
      this.#token = { text, until: Date.now() + Math.max(1_000, life * 1000 - RENEWED_BEFORE_MS) };
      return text;
    } catch (error) {
      this.#failed = Date.now();
      throw new CredentialError(UNOBTAINABLE, { cause: error });
    }
  }

  async #ask(): Promise<{ text: string; life: number }> {
    const { tokenUrl, clientId, clientSecret, scope, audience } = this.#from;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) form.set('scope', scope);
    if (audience !== undefined) form.set('audience', audience);
    // RFC 6749 section 2.3.1: both are form-encoded before they are put together.
    const pair = [clientId, clientSecret.reveal()].map((one) => encodeURIComponent(one)).join(':');
    const answer = await fetch(tokenUrl, {
      method: 'POST',
      body: form,
      redirect: 'error',
      headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}`, accept: 'application/json' },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const {
      access_token: text,
      token_type: type,
      expires_in: life,
    } = JSON.parse(await bounded(answer)) as Record<string, unknown>;
    if (!answer.ok || typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text))
      throw new Error(`the token endpoint answered ${answer.status}`);
    if (typeof type === 'string' && type.toLowerCase() !== 'bearer') throw new Error(`it gave a token of type ${type}`);
    return { text, life: typeof life === 'number' && life > 0 ? life : DEFAULT_LIFE_S };
  }
}

const NOBODY = 'The target wants to know who sends a request, and this one is of nobody.';
const UNOBTAINABLE = 'The gateway cannot get a token for the target at the moment.';

async function bounded(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
