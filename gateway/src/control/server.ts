import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Role } from '@sluice/contract';
import { type Proven, TokenError } from '@sluice/identity';
import { ListenError } from '../listener.js';
import type { Gateway } from '../gateway.js';
import { agentRoutes } from './agents.js';
import { approvalRoutes } from './approvals.js';
import { connectionRoutes } from './connections.js';
import { identityRoutes } from './identity.js';
import { loginRoutes } from './logins.js';
import { metricsRoute } from './metrics.js';
import { policyRoutes } from './policy.js';
import { reloadRoute } from './reload.js';
import { sessionRoutes } from './sessions.js';
import { tokenRoutes } from './tokens.js';

export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

/** A request that cannot be answered, in words for whoever sent it. */
export class ControlError extends Error {
  readonly statusCode: number;
  readonly hint: string | undefined;

  constructor(statusCode: number, message: string, hint?: string) {
    super(message);
    this.statusCode = statusCode;
    this.hint = hint;
  }
}

/** What a route may ask for. */
export interface Routes {
  readonly app: FastifyInstance;
  readonly gateway: Gateway;
  /** Who sent the request; refused unless they have one of these roles. */
  caller(request: FastifyRequest, ...roles: readonly Role[]): Proven;
}

/** The control API: for people and programs with a token, on loopback unless the configuration says otherwise. */
export async function openControl(gateway: Gateway): Promise<Control> {
  const { address, port } = gateway.config.control;
  const app = fastify({ bodyLimit: 4 * 1024 * 1024, forceCloseConnections: true });
  app.setErrorHandler((error: Error & { statusCode?: number; hint?: string }, _request, reply: FastifyReply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) gateway.log.operator.error({ error: error.stack }, 'a control request failed');
    const message = status >= 500 ? 'The gateway failed to answer; its log says why.' : error.message;
    return reply.code(status).send({ message, ...(error.hint !== undefined && { hint: error.hint }) });
  });
  app.setNotFoundHandler(() => {
    throw new ControlError(404, 'There is nothing at this address.');
  });
  app.get('/healthz', () => ({ ok: true }));
  app.get('/readyz', (_request, reply) => {
    const ready = gateway.ready;
    return reply.code(ready.ok ? 200 : 503).send(ready);
  });
  const callers = new WeakMap<FastifyRequest, Proven>();
  app.addHook('onRequest', async (request) => {
    const proven = await authenticated(gateway, request);
    if (proven) callers.set(request, proven);
  });
  const routes: Routes = { app, gateway, caller: (request, ...roles) => permitted(callers.get(request), roles) };
  agentRoutes(routes);
  approvalRoutes(routes);
  connectionRoutes(routes);
  identityRoutes(routes);
  loginRoutes(routes);
  metricsRoute(routes);
  policyRoutes(routes);
  reloadRoute(routes);
  sessionRoutes(routes);
  tokenRoutes(routes);
  try {
    return { url: await app.listen({ host: address, port }), close: () => app.close() };
  } catch (error) {
    throw new ListenError('control', address, port, error as NodeJS.ErrnoException);
  }
}

/** Whom a request's token proves; undefined: nobody. */
async function authenticated({ identity }: Gateway, request: FastifyRequest): Promise<Proven | undefined> {
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
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
    throw new ControlError(403, `"${proven.principal.name}" may not do this: it is for ${roles.join(' and ')}.`);
  }
  return proven;
}
