/** The control API's server: times, which routes there are, and how it says no. Does not: who may call them (callers.ts), what they do. */
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { ResponseSerializationError, serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Directory, type Proven, TokenError, TokenLimitError } from '@sluice/identity';
import { StoreError } from '@sluice/store';
import { ListenError } from '@sluice/strangers';
import { HEADERS, type Sockets, addHeaders, watchSockets } from './strangers.js';
import type { Controlled } from './controlled.js';
import { type Entry, admitCallers } from './callers.js';
import { type App, ControlError, type Routes } from './routes.js';
import { agentRoutes } from './agents.js';
import { approvalRoutes } from './approvals.js';
import { contextRoute } from './approval-context.js';
import { connectionRoutes } from './connections.js';
import { documentationRoutes } from './documentation.js';
import { eventRoutes } from './event-stream.js';
import { budgetRoutes, freezeRoutes } from './freezes.js';
import { grantRoutes } from './grants.js';
import { healthRoutes } from './health.js';
import { identityRoutes, whoAmIRoute } from './identity.js';
import { confirmationPage, confirmationRoutes } from './logins.js';
import { sshClientRoutes } from './ssh/client-config.js';
import { metricsRoute } from './metrics.js';
import { checked, describeApi } from './openapi.js';
import { operatingRoutes } from './operating.js';
import { peopleRoute } from './people.js';
import { policyRoutes } from './policy.js';
import { rulesRoute } from './rules.js';
import { reloadRoute } from './reload.js';
import { searchRoute } from './search.js';
import { sessionRoutes } from './sessions.js';
import { securityKeyRoutes } from './step-up.js';
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
  answerProblems(app, gateway);
  app.setNotFoundHandler(() => {
    throw new ControlError(404, 'There is nothing at this address.');
  });
  addHeaders(app, gateway);
  const routes = admitCallers(app, gateway, byToken(gateway), sockets);
  await describeApi(app);
  healthRoutes(routes);
  addRoutesForPeople(routes);
  documentationRoutes(routes);
  identityRoutes(routes);
  confirmationPage(routes);
  metricsRoute(routes);
  reloadRoute(routes);
  securityKeyRoutes(routes);
}

/**
 * What people use with a browser as well, by the console's own listener. What is not here exists on the control listener alone,
 * whatever somebody's roles: metrics, reload, and what is open to whoever has no token yet.
 */
export function addRoutesForPeople(routes: Routes): void {
  agentRoutes(routes);
  approvalRoutes(routes);
  budgetRoutes(routes);
  confirmationRoutes(routes);
  connectionRoutes(routes);
  contextRoute(routes);
  eventRoutes(routes);
  freezeRoutes(routes);
  grantRoutes(routes);
  whoAmIRoute(routes);
  sshClientRoutes(routes);
  operatingRoutes(routes);
  peopleRoute(routes);
  policyRoutes(routes);
  rulesRoute(routes);
  searchRoute(routes);
  sessionRoutes(routes);
  tokenRoutes(routes);
}

/** Requests are checked by the schemas of routes, answers too, and every error becomes a sentence. */
export function answerProblems(app: App, gateway: Controlled): void {
  app.setValidatorCompiler(checked);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error: Error & { statusCode?: number; hint?: string }, _request, reply: FastifyReply) => {
    const status = statusOf(error);
    const unforeseen = status >= 500 && !(error instanceof ControlError || error instanceof StoreError);
    if (unforeseen) {
      const wrong = error instanceof ResponseSerializationError ? z.prettifyError(error.cause) : undefined;
      gateway.log.operator.error({ error: error.stack, wrong }, 'a control request failed');
    }
    const message = unforeseen ? 'The gateway failed to answer; its log says why.' : error.message;
    // Whoever is not let in may have a body on its way, which nobody would read to its end.
    if (status === 401) void reply.header('connection', 'close');
    return say(reply, status, message, error.hint);
  });
}

function statusOf(error: Error & { statusCode?: number }): number {
  if (error instanceof TokenLimitError) return 409;
  return error instanceof StoreError ? 503 : (error.statusCode ?? 500);
}

/** Callers of the control listener show a token. A right one of the gateway's own costs one hash. */
const byToken = ({ identity }: Controlled): Entry => ({
  countsFor: (request) => {
    const token = bearerOf(request);
    return token === undefined ? undefined : identity.bearer(token)?.principal.name;
  },
  known: (request) => authenticated(identity, request),
  nobody: {
    message: 'This token is not valid.',
    hint: '"sluice login" gets one, or an administrator makes one with "sluice token create".',
  },
});

const bearerOf = (request: FastifyRequest): string | undefined =>
  /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];

/** Whom a request's token proves; undefined: nobody. */
async function authenticated(identity: Directory, request: FastifyRequest): Promise<Proven | undefined> {
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
