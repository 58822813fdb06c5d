/** The control API's server: TLS, times, rates, proofs and roles before a route. Does not: what routes do. */
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { ResponseSerializationError, serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Role } from '@sluice/contract';
import { type Proven, TokenError, TokenLimitError } from '@sluice/identity';
import { ListenError } from '@sluice/strangers';
import { MAX_REQUESTS_PER_SECOND, RequestRates } from './rates.js';
import { addressGroup } from '@sluice/addresses';
import { HEADERS, type Sockets, addHeaders, watchSockets } from './strangers.js';
import type { Controlled } from './controlled.js';
import { type App, ControlError, type Routes, type TokenScope, admit } from './routes.js';
import { agentRoutes } from './agents.js';
import { approvalRoutes } from './approvals.js';
import { connectionRoutes } from './connections.js';
import { documentationRoutes } from './documentation.js';
import { healthRoutes } from './health.js';
import { identityRoutes } from './identity.js';
import { loginRoutes } from './logins.js';
import { sshClientRoutes } from './ssh/client-config.js';
import { metricsRoute } from './metrics.js';
import { OPEN, checked, describeApi } from './openapi.js';
import { operatingRoutes } from './operating.js';
import { policyRoutes } from './policy.js';
import { reloadRoute } from './reload.js';
import { sessionRoutes } from './sessions.js';
import { tokenRoutes } from './tokens.js';
import { refuseAddress, refuseBytes } from './unreadable.js';

export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

/** Times for the head of a request, for all of it, and for the next one on the same connection, in milliseconds. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 15_000;
/** How often late requests are looked for, in milliseconds. */
const CHECK_MS = 1_000;

const say = (reply: FastifyReply, status: number, message: string, hint?: string): FastifyReply =>
  reply.code(status).send({ message, ...(hint !== undefined && { hint }) });

/** The control API: for people and programs with a token, on loopback unless the configuration says otherwise. */
export async function openControl(gateway: Controlled): Promise<Control> {
  const { address, port } = gateway.config.control;
  const app: App = fastify({
    bodyLimit: 4 * 1024 * 1024,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_MS },
    // Two kinds of request that no route and no hook sees.
    frameworkErrors: (error, request, reply) => refuseAddress(error, request, reply.headers(HEADERS)),
    clientErrorHandler: refuseBytes,
  });
  const sockets = watchSockets(app, gateway);
  await addRoutes(app, gateway, sockets);
  try {
    return { url: await app.listen({ host: address, port }), close: () => app.close() };
  } catch (error) {
    throw new ListenError('control', address, port, error as NodeJS.ErrnoException);
  }
}

/** All that the control API answers. */
export async function addRoutes(app: App, gateway: Controlled, sockets?: Sockets): Promise<void> {
  app.setValidatorCompiler(checked);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error: Error & { statusCode?: number; hint?: string }, _request, reply: FastifyReply) => {
    const status = error instanceof TokenLimitError ? 409 : (error.statusCode ?? 500);
    const unforeseen = status >= 500 && !(error instanceof ControlError);
    if (unforeseen) {
      const wrong = error instanceof ResponseSerializationError ? z.prettifyError(error.cause) : undefined;
      gateway.log.operator.error({ error: error.stack, wrong }, 'a control request failed');
    }
    const message = unforeseen ? 'The gateway failed to answer; its log says why.' : error.message;
    // Whoever is not let in may have a body on its way, which nobody would read to its end.
    if (status === 401) void reply.header('connection', 'close');
    return say(reply, status, message, error.hint);
  });
  app.setNotFoundHandler(() => {
    throw new ControlError(404, 'There is nothing at this address.');
  });
  addHeaders(app, gateway);
  const rates = new RequestRates();
  app.addHook('onRequest', async (request, reply) => paced(gateway, rates, request, reply));
  const callers = new WeakMap<object, Proven>();
  const scoped = new WeakSet<object>();
  app.addHook('onRoute', ({ schema, config, url }) => {
    if (schema?.security !== OPEN.security && config?.about === undefined)
      throw new Error(`The route ${url} does not say what it is about.`);
  });
  // Before a body is read: nobody is told what is wrong with a request that they may not send.
  app.addHook('onRequest', async (request, reply) => {
    const { schema, config } = request.routeOptions;
    if (request.is404 || schema?.security === OPEN.security) return;
    const known = await authenticated(gateway, request);
    if (known?.by === 'issuer') {
      // Counted for their address before it was known whose token it is.
      rates.giveBack(addressOf(request));
      wait(rates.take(known.principal.name), reply);
    }
    if (known) sockets?.loggedIn(request.raw.socket, known.principal.name);
    const proven = permitted(known, config.roles ?? []);
    if (config.about === 'gateway') admit(scopeOf(proven), undefined);
    callers.set(request.raw, proven);
  });
  // A handler that forgot the scope of its caller answers nothing. A refusal may come before it is asked for.
  app.addHook('preSerialization', async (request, reply, payload) => {
    const { about } = request.routeOptions.config;
    if (about === 'connections' && reply.statusCode < 300 && !scoped.has(request.raw))
      throw new Error(`${request.routeOptions.url} has not looked at the scope of its caller`);
    return payload;
  });
  const caller: Routes['caller'] = ({ raw }) => permitted(callers.get(raw), []);
  const scope: Routes['scope'] = (request) => {
    scoped.add(request.raw);
    return scopeOf(caller(request));
  };
  const routes: Routes = { app, gateway, caller, scope };
  await describeApi(app);
  healthRoutes(routes);
  agentRoutes(routes);
  approvalRoutes(routes);
  connectionRoutes(routes);
  documentationRoutes(routes);
  identityRoutes(routes);
  loginRoutes(routes);
  sshClientRoutes(routes);
  metricsRoute(routes);
  operatingRoutes(routes);
  policyRoutes(routes);
  reloadRoute(routes);
  sessionRoutes(routes);
  tokenRoutes(routes);
}

const scopeOf =
  ({ connections }: Proven): TokenScope =>
  (connection) =>
    connections === undefined || (connection !== undefined && connections.includes(connection));

/**
 * Before anything is looked up: a right gateway token costs one hash and counts for its owner, so that strangers at the same
 * address keep nobody out; all else counts for the address.
 */
function paced({ identity }: Controlled, rates: RequestRates, request: FastifyRequest, reply: FastifyReply): void {
  if (request.routeOptions.config.unpaced) return;
  const token = bearerOf(request);
  const caller = token === undefined ? undefined : identity.bearer(token)?.principal.name;
  wait(rates.take(caller ?? addressOf(request)), reply);
}

/** No principal has a name with a blank in it. */
const addressOf = (request: FastifyRequest): string => `address ${addressGroup(request.ip)}`;

/** @throws ControlError unless there is nothing to wait for */
function wait(milliseconds: number, reply: FastifyReply): void {
  if (milliseconds === 0) return;
  const seconds = Math.ceil(milliseconds / 1_000);
  // What is sent behind it on the same connection is not read: an answer would cost as much as the one that is refused.
  void reply.header('retry-after', seconds).header('connection', 'close');
  throw new ControlError(
    429,
    `You ask the control API more often than ${MAX_REQUESTS_PER_SECOND} times a second.`,
    `Try again in ${seconds} s. What happens is told by /v1/sessions/{id}/watch without asking again.`,
  );
}

const bearerOf = (request: FastifyRequest): string | undefined =>
  /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];

/** Whom a request's token proves; undefined: nobody. */
async function authenticated({ identity }: Controlled, request: FastifyRequest): Promise<Proven | undefined> {
  const token = bearerOf(request);
  if (token === undefined) return undefined;
  try {
    return await identity.authenticate(token);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (error.reason === 'invalid') return undefined;
    throw new ControlError(503, `This token cannot be checked now: ${error.message}.`, 'Try again in a minute.');
  }
}

function permitted(proven: Proven | undefined, roles: readonly Role[]): Proven {
  if (!proven)
    throw new ControlError(
      401,
      'This token is not valid.',
      '"sluice login" gets one, or an administrator makes one with "sluice token create".',
    );
  if (roles.length > 0 && !roles.some((role) => proven.principal.roles.includes(role))) {
    throw new ControlError(403, `"${proven.principal.name}" may not do this: it is for ${roles.join(' or ')}.`);
  }
  return proven;
}
