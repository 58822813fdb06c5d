/**
 * Who calls a route, before it answers: rates, proofs, roles, scopes. Owns: that no route is reached around them, by whichever
 * listener. Does not: how a caller is known, which each listener says (`Entry`), or what routes do.
 */
import type { Principal, Role } from '@sluice/contract';
import type { Proven } from '@sluice/identity';
import { addressGroup } from '@sluice/addresses';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Controlled } from './controlled.js';
import { OPEN } from './openapi.js';
import { MAX_REQUESTS_PER_SECOND, RequestRates } from './rates.js';
import { type App, ControlError, type Routes, type TokenScope, admit } from './routes.js';
import type { Sockets } from './strangers.js';
import { Turns } from './turns.js';

/** How a listener knows its callers. */
export interface Entry {
  /**
   * For whom a request counts, found without asking anybody else; undefined: for its address. Whoever counts for themselves cannot
   * be kept out by strangers at the same address.
   */
  countsFor(request: FastifyRequest): string | undefined;
  /** Whom a request proves; undefined: nobody. @throws ControlError when that cannot be known now */
  known(request: FastifyRequest): Promise<Proven | undefined>;
  /** What callers are told who prove nothing. */
  readonly nobody: { readonly message: string; readonly hint: string };
}

/** What routes are made with. From here on every route of `app` that is not open has a caller who may call it. */
export function admitCallers(app: App, gateway: Controlled, entry: Entry, sockets?: Sockets): Routes {
  const rates = new RequestRates();
  const turns = new Turns();
  const strangers = new WeakSet<object>();
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.unpaced) return;
    const known = entry.countsFor(request);
    if (known === undefined) strangers.add(request.raw);
    wait(rates.take(known ?? addressOf(request)), reply);
  });
  const callers = new WeakMap<object, Proven>();
  const scoped = new WeakSet<object>();
  app.addHook('onRoute', ({ schema, config, url }) => {
    if (schema?.security !== OPEN.security && config?.about === undefined)
      throw new Error(`The route ${url} does not say what it is about.`);
  });
  // Before a body is read: nobody is told what is wrong with a request that they may not send.
  app.addHook('onRequest', async (request, reply) => {
    const { schema, config } = request.routeOptions;
    if (request.is404 || schema?.security === OPEN.security) return undefined;
    const known = await entry.known(request);
    if (known && strangers.has(request.raw)) {
      // Counted for their address before it was known whose token it is.
      rates.giveBack(addressOf(request));
      wait(rates.take(known.principal.name), reply);
    }
    if (known) sockets?.loggedIn(request.raw.socket, known.principal.name);
    const proven = permitted(entry, known, config.roles ?? []);
    if (config.about !== 'caller') refuseFrozen(gateway, proven);
    if (config.about === 'gateway') admit(scopeOf(proven), undefined);
    callers.set(request.raw, proven);
    if (!config.inTurn) return undefined;
    const { raw } = reply;
    // What is made and not taken would pile up, as many answers as they have connections.
    const done = await turns.take(proven.principal.name, () => raw.headersSent && raw.destroy());
    if (!raw.destroyed) raw.once('close', done);
    else done();
    return raw.destroyed ? reply.hijack() : undefined;
  });
  // A handler that forgot the scope of its caller answers nothing. A refusal may come before it is asked for.
  app.addHook('preSerialization', async (request, reply, payload) => {
    const { about } = request.routeOptions.config;
    if (about === 'connections' && reply.statusCode < 300 && !scoped.has(request.raw))
      throw new Error(`${request.routeOptions.url} has not looked at the scope of its caller`);
    return payload;
  });
  const caller: Routes['caller'] = ({ raw }) => permitted(entry, callers.get(raw), []);
  const scope: Routes['scope'] = (request) => {
    scoped.add(request.raw);
    return scopeOf(caller(request));
  };
  return { app, gateway, caller, scope };
}

/** @throws ControlError for whoever is frozen: they do nothing until somebody else thaws them */
export function refuseFrozen({ admissions }: Pick<Controlled, 'admissions'>, proven: Proven): void {
  const frozen = admissions.frozen({ ...proven, connection: undefined });
  if (frozen)
    throw new ControlError(403, `${frozen.subject} is frozen: ${frozen.why}`, 'Somebody else has to thaw it.');
}

/** Whoever reads, as they are now; undefined: they may read nothing any more. */
export function stillReads({ identity, admissions }: Controlled, who: Proven): Principal | undefined {
  const principal = identity.still(who);
  const isKeptOut = principal && admissions.frozen({ ...who, principal, connection: undefined }) !== undefined;
  return isKeptOut ? undefined : principal;
}

const scopeOf =
  ({ connections }: Proven): TokenScope =>
  (connection) =>
    connections === undefined || (connection !== undefined && connections.includes(connection));

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

function permitted({ nobody }: Entry, proven: Proven | undefined, roles: readonly Role[]): Proven {
  if (!proven) throw new ControlError(401, nobody.message, nobody.hint);
  if (roles.length > 0 && !roles.some((role) => proven.principal.roles.includes(role))) {
    throw new ControlError(403, `"${proven.principal.name}" may not do this: it is for ${roles.join(' or ')}.`);
  }
  return proven;
}
