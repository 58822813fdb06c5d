/**
 * What every route of the control API is made with: who calls, how far what they show reaches, and how a request is refused. Does
 * not own: the server and the list of routes (server.ts).
 */
import type { Role } from '@sluice/contract';
import type { Proven } from '@sluice/identity';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Controlled } from './controlled.js';

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
    /** Answered however often it is asked: who watches the gateway has it restarted where there is no answer. */
    unpaced?: boolean;
    /** Its answers cost much: of each caller one is made at a time. */
    inTurn?: boolean;
    /** What it is about; every route that is not open says so. */
    about?: About;
  }
}

/**
 * What a route is about, which decides what a token that is for certain connections only may ask of it:
 * 'caller': nothing but who calls; any token may. 'gateway': the gateway as a whole; such a token may not.
 * 'connections': those that its handler names to `scope`, which has to happen before anything is answered.
 */
export type About = 'caller' | 'gateway' | 'connections';

/** Whether what a caller shows is good for something of this connection; undefined: for what concerns no single one. */
export type TokenScope = (connection: string | undefined) => boolean;

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
  readonly gateway: Controlled;
  /** Who sent the request: somebody with a role that the route is for. */
  caller(request: Pick<FastifyRequest, 'raw'>): Proven;
  /** How far what the caller shows reaches. A route about 'connections' has to ask for it. */
  scope(request: Pick<FastifyRequest, 'raw'>): TokenScope;
}

/** @throws ControlError when what the caller shows is not good for this connection, or for what concerns none */
export function admit(scope: TokenScope, connection: string | undefined): void {
  if (scope(connection)) return;
  const what = connection === undefined ? 'more than single connections' : `connection "${connection}"`;
  throw new ControlError(
    403,
    `The token that you show is for certain connections only, and this concerns ${what}.`,
    'Show one that was made without connections, or made for this one.',
  );
}
