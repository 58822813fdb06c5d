/**
 * Grants at targets that want to know people, given with a browser. Owns: that one is begun and taken by whoever is logged in here, in one browser, for
 * themselves. Does not: ask an issuer, or keep anything (packages/grants).
 */
import { actorOf } from '@sluice/audit';
import { personOf } from '@sluice/budgets';
import { ControlError, OPEN, refuseFrozen } from '@sluice/control';
import { type GrantAttempt, GrantError, type GrantSettings, GrantUnavailable, grantSettings } from '@sluice/grants';
import { type Proven, mayUse } from '@sluice/identity';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cookieIn, cookieLine } from './cookies.js';
import { ATTEMPT_MS, type LoginRoutes } from './login-routes.js';
import { seal, unseal } from './sealed.js';

/** Where the browser comes back to, as it is registered at each issuer: a page of ours, which has the cookie of its own site. */
const GRANT_PAGE = '/grants/back';

const Wish = z.strictObject({ connection: z.string().min(1).max(200) });
const Back = z.strictObject({
  query: z
    .string()
    .max(8_000)
    .regex(/^\?[\x21-\x7e]*$/),
});
const AttemptShape = z.strictObject({
  connection: z.string(),
  owner: z.string(),
  issuer: z.string(),
  state: z.string(),
  nonce: z.string().optional(),
  verifier: z.string(),
  redirect: z.string(),
});

export function grantRoutes({ app, gateway, key, origin, secure, found }: LoginRoutes): void {
  const { grants, log } = gateway;
  const visitor = (request: FastifyRequest): Proven => {
    const known = found(request);
    if (!known) throw new ControlError(401, 'You are not logged in, or not any more.', 'Log in again.');
    refuseFrozen(gateway, known.proven);
    return known.proven;
  };
  /** Whoever may not use a connection does not learn that it is there. */
  const settingsFor = (proven: Proven, name: string): GrantSettings => {
    const connection = gateway.config.connections.get(name);
    const settings = connection && mayUse(proven.principal, connection.access) ? grantSettings(connection) : undefined;
    if (!settings) throw new ControlError(404, `There is no connection "${name}" that wants a grant of you.`);
    return settings;
  };

  const about = { schema: { ...OPEN, querystring: Wish } };
  app.get('/auth/grants', about, (request) => {
    const proven = visitor(request);
    const { connection } = request.query;
    const { resource, issuer, scope } = settingsFor(proven, connection);
    return { connection, resource, issuer, scope, given: grants.has(connection, personOf(proven.principal)) };
  });

  app.post('/auth/grants', { schema: { ...OPEN, body: Wish } }, async (request, reply) => {
    const proven = visitor(request);
    const { connection } = request.body;
    const at = { connection, owner: personOf(proven.principal), redirect: `${origin().origin}${GRANT_PAGE}` };
    const { url, attempt } = await grants.begin(settingsFor(proven, connection), at).catch(inWords);
    const sealed = seal(key, attempt, Date.now() + ATTEMPT_MS);
    void reply.header('set-cookie', cookieLine('grant', sealed, secure(), ATTEMPT_MS / 1_000));
    return { url: url.href };
  });

  app.post('/auth/grants/back', { schema: { ...OPEN, body: Back } }, async (request, reply) => {
    const proven = visitor(request);
    const kept = cookieIn(request.headers.cookie, 'grant', secure());
    // Whatever comes of it, it was used.
    void reply.header('set-cookie', cookieLine('grant', '', secure(), 0));
    const read = kept === undefined ? undefined : AttemptShape.safeParse(unseal(key, kept, Date.now())).data;
    const attempt: GrantAttempt | undefined = read && { ...read, nonce: read.nonce };
    // Begun by somebody else at this browser, whose grant it would be.
    if (attempt?.owner !== personOf(proven.principal))
      throw new ControlError(403, 'This was not begun in this browser by you, or it took too long.', 'Begin again.');
    const settings = settingsFor(proven, attempt.connection);
    const row = await grants.finish(settings, attempt, request.body.query, proven.principal.name).catch(inWords);
    log.admin(actorOf(proven), 'grant', `${row.connection}, at ${attempt.issuer}`);
    return { connection: row.connection };
  });
}

function inWords(error: unknown): never {
  if (error instanceof GrantUnavailable) throw new ControlError(502, error.message, 'Try again.');
  if (error instanceof GrantError) throw new ControlError(403, error.message, 'Begin again.');
  throw error;
}
