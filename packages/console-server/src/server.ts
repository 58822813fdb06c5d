/**
 * The console's listener. Owns: its ports, and that nothing is reached on them but the pages, logins, and what of the control API people
 * use, by the cookie of somebody who is logged in. Does not: what these routes answer (packages/control), or how pages look
 * (packages/console).
 *
 * Neither a token nor an address of a peer gives anybody anything here.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ConsoleConfig } from '@sluice/config';
import {
  type App,
  ControlError,
  type Controlled,
  addRoutesForPeople,
  admitCallers,
  answerProblems,
  refuseAddress,
  refuseBytes,
  watchSockets,
} from '@sluice/control';
import type { Store } from '@sluice/store';
import { type HandshakeTurns, ListenError, TLS_SETTINGS, selfSigned, takeTurns } from '@sluice/strangers';
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { type AppFiles, appFilesIn } from './app-files.js';
import { cookieIn } from './cookies.js';
import { grantRoutes } from './grant-routes.js';
import { keyRoutes } from './key-routes.js';
import { ATTEMPT_MS, loginRoutes } from './login-routes.js';
import { ConsoleLogins, type SettingsOf } from './logins.js';
import { SamlLogins } from './saml-login.js';
import { samlRoutes } from './saml-routes.js';
import { terminalRoutes } from './terminal-routes.js';
import { OWN_HEADER, OWN_HEADERS, READS, guardPages, isOfApi } from './own-pages.js';

export interface Console {
  /** What browsers have in their address line. */
  readonly origin: string;
  /** `host:port` of each port. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

export interface ConsoleParts {
  readonly store: Pick<Store, 'consoleLogins' | 'setting' | 'setSetting'>;
  /** The folder of the built pages. */
  readonly pages: string;
  readonly handshakes: HandshakeTurns;
}

/** Times for the head of a request, for all of it, and for the next one on the same connection, in milliseconds. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 15_000;
const CHECK_MS = 1_000;
/** In the settings of the store. */
const KEY = 'console.secret';
const MAX_BODY_BYTES = 256 * 1024;
/** How often logins are looked at whose time is over, in milliseconds. */
const LOOK_MS = 1_000;

/** Opens the console; undefined: the configuration has none. Rejects with a sentence when it cannot be opened. */
export async function openConsole(gateway: Controlled, parts: ConsoleParts): Promise<Console | undefined> {
  const settings = gateway.config.listeners.console;
  if (!settings) return undefined;
  const logins = await ConsoleLogins.open(parts.store.consoleLogins, settings, settingsIn(gateway));
  const files = appFilesIn(parts.pages);
  const key = await keyIn(parts.store);
  let origin = settings.origin === undefined ? undefined : new URL(settings.origin);
  const saml = new SamlLogins(() => origin as URL, key, ATTEMPT_MS);
  const apps: App[] = [];
  const addresses: string[] = [];
  const looking = setInterval(() => logins.look(), LOOK_MS);
  looking.unref();
  const close = async (): Promise<void> => {
    clearInterval(looking);
    await Promise.all(apps.map((app) => app.close()));
  };
  try {
    for (const address of settings.addresses) {
      const app = await appWith(gateway, settings, parts, { logins, saml, files, key, origin: () => origin as URL });
      apps.push(app);
      const url = new URL(await listen(app, address, settings.port));
      origin ??= url;
      addresses.push(url.host);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { origin: (origin as URL).origin, addresses, close };
}

interface Shared {
  readonly logins: ConsoleLogins;
  readonly saml: SamlLogins;
  readonly files: AppFiles;
  readonly key: Uint8Array;
  readonly origin: () => URL;
}

async function appWith(
  gateway: Controlled,
  { tls, session }: ConsoleConfig,
  { handshakes }: ConsoleParts,
  { logins, saml, files, key, origin }: Shared,
): Promise<App> {
  const own = tls === 'self-signed' ? await selfSigned(gateway.config.data) : undefined;
  const given = tls === 'off' || tls === 'self-signed' ? own : { certificate: tls.cert, key: tls.key };
  const times = { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_MS };
  const options = {
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      refuseAddress(error, request, reply.headers(OWN_HEADERS)),
    clientErrorHandler: refuseBytes,
  } as const;
  const secured = given && { ...TLS_SETTINGS, cert: given.certificate, key: given.key, handshakeTimeout: HEADERS_MS };
  const app = (secured
    ? fastify({ ...options, https: { ...secured, ...times } })
    : fastify({ ...options, http: times })) as unknown as App;
  if (secured) takeTurns(app.server, handshakes);
  const sockets = watchSockets(app, gateway);
  const secure = (): boolean => origin().protocol === 'https:';
  const found = ({ headers }: FastifyRequest): ReturnType<ConsoleLogins['find']> =>
    logins.find(cookieIn(headers.cookie, 'session', secure()), gateway.identity);

  answerProblems(app, gateway);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]?.slice(1) ?? '';
    if (!READS.has(request.method) || path.startsWith('v1/') || path.startsWith('auth/'))
      throw new ControlError(404, 'There is nothing at this address.');
    const file = files.file(path, request, reply.code(200));
    if (file) return file;
    // Pages have no dot in their address; files that are not there are no pages.
    if (path.includes('.')) throw new ControlError(404, 'There is nothing at this address.');
    return files.document(path, reply.code(200));
  });
  guardPages(app, origin);
  const routes = admitCallers(
    app,
    gateway,
    {
      countsFor: (request) => found(request)?.proven.principal.name,
      known: async (request) => {
        const known = found(request);
        if (!known) return undefined;
        // What a page asks by itself keeps nobody logged in who has gone home.
        if (request.headers[OWN_HEADER] === 'active') logins.touch(known.login);
        return known.proven;
      },
      nobody: { message: 'You are not logged in, or not any more.', hint: 'Log in again.' },
    },
    sockets,
  );
  // Answers that go on end with the login.
  app.addHook('onRequest', async (request, { raw }) => {
    const known = isOfApi(request) ? found(request) : undefined;
    if (known) logins.follow(known.login, raw);
  });
  addRoutesForPeople(routes);
  const entrance = { app, gateway, logins, saml, key, origin, secure, session, found };
  loginRoutes(entrance);
  samlRoutes(entrance);
  terminalRoutes(entrance);
  keyRoutes(entrance);
  grantRoutes(entrance);
  return app;
}

/** Of the settings of issuers in force. Their secrets are not among them: one that is renewed names the same people. */
function settingsIn(gateway: Controlled): SettingsOf {
  const known = new WeakMap<object, string>();
  return (name) => {
    const issuer = gateway.config.issuers.get(name);
    if (!issuer) return undefined;
    let digest = known.get(issuer);
    if (digest === undefined) {
      digest = createHash('sha256').update(JSON.stringify(issuer)).digest('base64url');
      known.set(issuer, digest);
    }
    return digest;
  };
}

/** Seals what browsers keep during a login, which a restart does not break off. */
async function keyIn(store: ConsoleParts['store']): Promise<Buffer> {
  const kept = await store.setting(KEY);
  if (kept !== undefined) return Buffer.from(kept, 'base64');
  const key = randomBytes(32);
  await store.setSetting(KEY, key.toString('base64'));
  return key;
}

async function listen(app: App, address: string, port: number): Promise<string> {
  try {
    return await app.listen({ host: address, port });
  } catch (error) {
    throw new ListenError('listeners.console', address, port, error as NodeJS.ErrnoException);
  }
}
