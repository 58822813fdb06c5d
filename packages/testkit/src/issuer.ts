import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider, type Adapter, type AdapterPayload, type Configuration } from 'oidc-provider';
import {
  type IssuerPeople,
  PEOPLE,
  choosePage,
  codePage,
  confirmPage,
  donePage,
  failedPage,
  loggedOutPage,
  logoutPage,
} from './issuer-pages.js';

/** The identity provider of the demo: certified software, made-up people, no passwords. On loopback only. */
export interface DevIssuer {
  readonly url: string;
  /** Whose an access token is, and what it is for; undefined: it is none, or not any more. */
  whose(token: string): Promise<{ readonly account: string; readonly resource: string | undefined } | undefined>;
  /** Ends every access token that there is; those for renewal stay. */
  endAccess(): void;
  close(): Promise<void>;
}

export interface DevIssuerOptions {
  /** Others than those of the demo. */
  readonly people?: IssuerPeople;
  /** Where the console is that people log in to, `http://127.0.0.1:7440`. */
  readonly console?: string;
  /** People may give `GRANT_CLIENT` leave to use resources in their name, and come back to this address. */
  readonly grants?: string;
}

/** What asks people for grants at resources, without a secret. */
export const GRANT_CLIENT = 'sluice-grants';

/** What the console is registered as, where there is one. The secret is for a demo on loopback. */
export const CONSOLE_CLIENT = { id: 'sluice-console', secret: 'of-the-demo-and-of-tests-only' } as const;
/** What `sluice login` is registered as. */
const CLIENT_ID = 'sluice';

/** `port`: 0 for any. One that is taken is not used. */
export async function startIssuer(
  port: number,
  { people = PEOPLE, console, grants }: DevIssuerOptions = {},
): Promise<DevIssuer> {
  const server = createServer();
  await listening(server, port).catch(() => listening(server, 0));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(url, configuration(people, console, grants));
  const answer = provider.callback();
  server.on('request', (request, response) => {
    const choosing = /^\/choose\/[\w-]+$/.test(request.url ?? '');
    const answered = choosing ? choose(provider, people, request, response) : answer(request, response);
    answered.catch((error: unknown) => {
      response.writeHead(400, HEAD).end(failedPage(error instanceof Error ? error.message : 'unknown'));
    });
  });
  return {
    url,
    whose: async (token) => {
      const found = await provider.AccessToken.find(token);
      return found && { account: found.accountId, resource: [found.aud].flat()[0] };
    },
    endAccess: () => Memory.forget('AccessToken'),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listening(server: Server, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, '127.0.0.1', resolve);
  await promise.finally(() => server.off('error', reject));
}

const HEAD = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

/** The page on which one says who one is: GET shows it, POST takes the answer. */
async function choose(
  provider: Provider,
  people: IssuerPeople,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Bound to the browser by a cookie: whoever has only the address gets nowhere.
  const interaction = await provider.interactionDetails(request, response);
  const { uid, params, session } = interaction;
  const page = choosePage(`/choose/${uid}`, people);
  if (request.method !== 'POST') return void response.writeHead(200, HEAD).end(page);
  const accountId = new URLSearchParams(await bodyOf(request)).get('account') ?? '';
  if (!Object.hasOwn(people, accountId)) return void response.writeHead(400, HEAD).end(page);
  if (session && session.accountId !== accountId) {
    // Somebody else at the same browser, which happens all the time where one plays all parts.
    await (await provider.Session.findByUid(session.uid))?.destroy();
    delete interaction.session;
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  }
  // Programs on one's own machine are asked about each time (RFC 8252 section 8.6): to choose is to consent.
  const grant = new provider.Grant({ clientId: String(params['client_id']), accountId });
  grant.addOIDCScope(String(params['scope'] ?? 'openid'));
  if (typeof params['resource'] === 'string') grant.addResourceScope(params['resource'], RESOURCE_SCOPE);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const MAX_BODY_BYTES = 1024;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) throw new Error('the form is too long');
  }
  return body;
}

/** What anybody may do who has a token for a resource. */
const RESOURCE_SCOPE = 'use';

function configuration(people: IssuerPeople, console: string | undefined, grants: string | undefined): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = {
    ...privateKey.export({ format: 'jwk' }),
    kid: randomBytes(6).toString('hex'),
    alg: 'ES256',
    use: 'sig',
  };
  return {
    adapter: Memory,
    jwks: { keys: [jwk] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    clients: [
      {
        client_id: CLIENT_ID,
        client_name: 'sluice login',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        id_token_signed_response_alg: 'ES256',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        // Of a native client the port may be any (RFC 8252 section 7.3).
        redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
      },
      ...(console === undefined ? [] : [consoleClient(console)]),
      ...(grants === undefined ? [] : [grantClient(grants)]),
    ],
    scopes: ['openid', 'profile', 'groups'],
    claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
    // Claims belong into the ID token: that is what is shown to the gateway.
    conformIdTokenClaims: false,
    findAccount: (_, id) =>
      Object.hasOwn(people, id)
        ? { accountId: id, claims: () => ({ sub: id, name: people[id]?.name, groups: people[id]?.groups }) }
        : undefined,
    features: {
      devInteractions: { enabled: false },
      ...(grants !== undefined && {
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => ({
            scope: RESOURCE_SCOPE,
            audience: resource,
            accessTokenFormat: 'opaque' as const,
          }),
        },
      }),
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => void (ctx.body = logoutPage(form)),
        postLogoutSuccessSource: (ctx) => void (ctx.body = loggedOutPage()),
      },
      revocation: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form, _, error) => void (ctx.body = codePage(form, error !== undefined)),
        userCodeConfirmSource: (ctx, form, _, __, code) => void (ctx.body = confirmPage(form, code)),
        successSource: (ctx) => void (ctx.body = donePage()),
      },
    },
    interactions: { url: (_, { uid }) => `/choose/${uid}` },
    // What one person's command line has goes on when another one logs in with the same browser.
    expiresWithSession: () => Promise.resolve(false),
    issueRefreshToken: (_, client) => Promise.resolve(client.grantTypeAllowed('refresh_token')),
    renderError: (ctx, { error, error_description: why }) => void (ctx.body = failedPage(why ?? error)),
    ttl: {
      AccessToken: 3600,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  };
}

/** A client of the web: with a secret, and one address to come back to. */
const consoleClient = (origin: string): NonNullable<Configuration['clients']>[number] => ({
  client_id: CONSOLE_CLIENT.id,
  client_secret: CONSOLE_CLIENT.secret,
  client_name: 'the console of Sluice',
  application_type: 'web',
  token_endpoint_auth_method: 'client_secret_post',
  id_token_signed_response_alg: 'ES256',
  grant_types: ['authorization_code'],
  response_types: ['code'],
  redirect_uris: [`${origin}/auth/callback`],
  post_logout_redirect_uris: [`${origin}/`],
});

/** A client of the web that keeps no secret. */
const grantClient = (redirect: string): NonNullable<Configuration['clients']>[number] => ({
  client_id: GRANT_CLIENT,
  client_name: 'a gateway that acts for you',
  application_type: 'web',
  token_endpoint_auth_method: 'none',
  id_token_signed_response_alg: 'ES256',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: [redirect],
});

/** Everything is forgotten when the demo stops. Bounded: the oldest goes. */
class Memory implements Adapter {
  static readonly #kept = new Map<string, { payload: AdapterPayload; until: number }>();
  static readonly #most = 10_000;
  readonly #model: string;

  constructor(model: string) {
    this.#model = model;
  }

  static forget(model: string): void {
    for (const key of Memory.#kept.keys()) if (key.startsWith(`${model}:`)) Memory.#kept.delete(key);
  }

  upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<undefined> {
    const kept = Memory.#kept;
    const until = expiresIn > 0 ? Date.now() + expiresIn * 1000 : Number.POSITIVE_INFINITY;
    kept.delete(this.#key(id));
    kept.set(this.#key(id), { payload, until });
    const [oldest] = kept.keys();
    if (kept.size > Memory.#most && oldest !== undefined) kept.delete(oldest);
    return Promise.resolve(undefined);
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    const found = Memory.#kept.get(this.#key(id));
    return Promise.resolve(found && found.until > Date.now() ? found.payload : undefined);
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.userCode === userCode);
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.uid === uid);
  }

  consume(id: string): Promise<undefined> {
    const found = Memory.#kept.get(this.#key(id));
    if (found) found.payload = { ...found.payload, consumed: Math.floor(Date.now() / 1000) };
    return Promise.resolve(undefined);
  }

  destroy(id: string): Promise<undefined> {
    Memory.#kept.delete(this.#key(id));
    return Promise.resolve(undefined);
  }

  revokeByGrantId(grantId: string): Promise<undefined> {
    for (const [key, { payload }] of Memory.#kept) if (payload.grantId === grantId) Memory.#kept.delete(key);
    return Promise.resolve(undefined);
  }

  #findBy(wanted: (payload: AdapterPayload) => boolean): Promise<AdapterPayload | undefined> {
    for (const [key, { payload, until }] of Memory.#kept)
      if (key.startsWith(`${this.#model}:`) && until > Date.now() && wanted(payload)) return Promise.resolve(payload);
    return Promise.resolve(undefined);
  }

  #key(id: string): string {
    return `${this.#model}:${id}`;
  }
}
