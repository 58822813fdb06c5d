import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
  fastify,
} from 'fastify';
import { ResponseSerializationError, type ZodTypeProvider, serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Role } from '@sluice/contract';
import { type Proven, TokenError } from '@sluice/identity';
import { ListenError } from '../listener.js';
import type { Gateway } from '../gateway.js';
import { agentRoutes } from './agents.js';
import { approvalRoutes } from './approvals.js';
import { connectionRoutes } from './connections.js';
import { healthRoutes } from './health.js';
import { identityRoutes } from './identity.js';
import { loginRoutes } from './logins.js';
import { metricsRoute } from './metrics.js';
import { OPEN, checked, describeApi } from './openapi.js';
import { policyRoutes } from './policy.js';
import { reloadRoute } from './reload.js';
import { sessionRoutes } from './sessions.js';
import { tokenRoutes } from './tokens.js';
import { refuseAddress, refuseBytes } from './unreadable.js';

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

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whoever calls the route has one of these. */
    roles?: readonly Role[];
  }
}

/** Routes with schemas of zod. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What a route may ask for. */
export interface Routes {
  readonly app: App;
  readonly gateway: Gateway;
  /** Who sent the request: somebody with a role that the route is for. */
  caller(request: Pick<FastifyRequest, 'raw'>): Proven;
}

/** The control API: for people and programs with a token, on loopback unless the configuration says otherwise. */
export async function openControl(gateway: Gateway): Promise<Control> {
  const { address, port } = gateway.config.control;
  const app: App = fastify({
    bodyLimit: 4 * 1024 * 1024,
    forceCloseConnections: true,
    clientErrorHandler: refuseBytes,
    frameworkErrors: refuseAddress,
  });
  await addRoutes(app, gateway);
  try {
    return { url: await app.listen({ host: address, port }), close: () => app.close() };
  } catch (error) {
    throw new ListenError('control', address, port, error as NodeJS.ErrnoException);
  }
}

/** All that the control API answers. */
export async function addRoutes(app: App, gateway: Gateway): Promise<void> {
  app.setValidatorCompiler(checked);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error: Error & { statusCode?: number; hint?: string }, _request, reply: FastifyReply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) {
      const wrong = error instanceof ResponseSerializationError ? z.prettifyError(error.cause) : undefined;
      gateway.log.operator.error({ error: error.stack, wrong }, 'a control request failed');
    }
    const message = status >= 500 ? 'The gateway failed to answer; its log says why.' : error.message;
    return reply.code(status).send({ message, ...(error.hint !== undefined && { hint: error.hint }) });
  });
  app.setNotFoundHandler(() => {
    throw new ControlError(404, 'There is nothing at this address.');
  });
  const callers = new WeakMap<object, Proven>();
  // Before a body is read: nobody is told what is wrong with a request that they may not send.
  app.addHook('onRequest', async (request) => {
    const { schema, config } = request.routeOptions;
    if (request.is404 || schema?.security === OPEN.security) return;
    callers.set(request.raw, permitted(await authenticated(gateway, request), config.roles ?? []));
  });
  const caller: Routes['caller'] = ({ raw }) => permitted(callers.get(raw), []);
  const routes: Routes = { app, gateway, caller };
  await describeApi(app);
  healthRoutes(routes);
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
