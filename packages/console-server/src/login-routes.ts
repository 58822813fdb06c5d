/**
 * Logging in to the console and out of it. Owns: where a login begins and ends, whatever the identity provider speaks. Does not: ask the
 * provider (issuer-login.ts, saml-login.ts), take answers by SAML (saml-routes.ts), or say what a login is worth (logins.ts).
 */
import { randomBytes } from 'node:crypto';
import { actorOf } from '@sluice/audit';
import { type App, ControlError, type Controlled, OPEN } from '@sluice/control';
import type { Proven } from '@sluice/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Attempt, type LoggedIn, LoginError, issuersFor } from './attempt.js';
import { cookieIn, cookieLine } from './cookies.js';
import { IssuerLogins, type TokenAttempt } from './issuer-login.js';
import type { ConsoleLogins } from './logins.js';
import { isForeign } from './own-pages.js';
import type { SamlAttempt, SamlLogins } from './saml-login.js';
import { seal, unseal } from './sealed.js';

/** How long somebody may take at the issuer, in milliseconds. */
export const ATTEMPT_MS = 10 * 60_000;
/** Where the browser comes back to, as it is registered at the issuer. */
const CALLBACK = '/auth/callback';
/** Of a page that somebody is sent to after the login. Characters. */
const MAX_PATH_CHARACTERS = 500;
/** Of a sentence about a login that failed. Characters. */
const MAX_REASON_CHARACTERS = 300;

export interface LoginRoutes {
  readonly app: App;
  readonly gateway: Controlled;
  readonly logins: ConsoleLogins;
  readonly saml: SamlLogins;
  /** Seals what the browser keeps during a login. 32 bytes. */
  readonly key: Uint8Array;
  readonly origin: () => URL;
  readonly secure: () => boolean;
  readonly session: number;
  /** Whose cookie a request has. */
  found(request: FastifyRequest): { readonly login: string; readonly proven: Proven } | undefined;
}

/** Whoever wants to log in is nobody yet. */
const open = { schema: OPEN } as const;

export function loginRoutes(routes: LoginRoutes): void {
  const { app, gateway, logins, saml, key, origin, secure } = routes;
  let at: IssuerLogins | undefined;
  const issuers = (): IssuerLogins => (at ??= new IssuerLogins(`${origin().origin}${CALLBACK}`));

  app.get('/auth/issuers', open, () => ({ issuers: issuersFor(gateway.config.issuers).map(({ name }) => name) }));

  const failure = { schema: { ...OPEN, querystring: z.object({ failed: z.string() }) } };
  app.get('/auth/failure', failure, (request) => {
    const said = FailureShape.safeParse(unseal(key, request.query.failed, Date.now())).data;
    if (!said || said.browser !== cookieIn(request.headers.cookie, 'failure', secure()))
      throw new ControlError(404, 'There is nothing at this address.');
    return { why: said.why };
  });

  const Query = z.object({
    issuer: z.string().optional(),
    to: z.string().optional(),
    fresh: z.literal('yes').optional(),
  });
  app.get('/auth/login', { schema: { ...OPEN, querystring: Query } }, async (request, reply) => {
    // A page of another site does not send somebody through a login: they begin at ours.
    if (isForeign(request)) return reply.redirect('/');
    const all = issuersFor(gateway.config.issuers);
    const issuer = all.find(({ name }) => name === request.query.issuer) ?? (all.length === 1 ? all[0] : undefined);
    if (!issuer) return failed(routes, reply, 'Choose where to log in.');
    const to = ownPath(request.query.to);
    const fresh = request.query.fresh !== undefined;
    try {
      const { url, attempt } = await (issuer.saml ? saml.begin(issuer, to, fresh) : issuers().begin(issuer, to, fresh));
      const sealed = seal(key, attempt, Date.now() + ATTEMPT_MS);
      void reply.header('set-cookie', cookieLine('login', sealed, secure(), ATTEMPT_MS / 1_000));
      return reply.header('cache-control', 'no-store').redirect(url.href);
    } catch (error) {
      return failed(routes, reply, sentenceOf(error));
    }
  });

  app.get(CALLBACK, open, (request, reply) =>
    finishing(routes, request, reply, async (attempt) => {
      const issuer = issuersFor(gateway.config.issuers).find(({ name }) => name === attempt.issuer);
      if (!issuer || issuer.saml || !('nonce' in attempt)) throw new LoginError(NOT_BEGUN);
      return issuers().finish(issuer, attempt, new URL(request.url, origin()).search, gateway.identity);
    }),
  );

  app.post('/auth/logout', open, async (request, reply) => {
    const found = routes.found(request);
    void reply.header('set-cookie', cookieLine('session', '', secure(), 0));
    if (!found) return { at: undefined };
    const { login, proven } = found;
    const ending = logins.end(login);
    gateway.log.admin(actorOf(proven), 'logout', `of the console, of ${proven.tokenId} from ${request.ip}`);
    const stored = await ending.then(
      () => true,
      () => false,
    );
    if (!stored)
      throw new ControlError(
        503,
        'You are logged out, but that could not be stored: a restart of the gateway would undo it.',
      );
    const issuer = gateway.config.issuers.get(proven.claimed?.issuer ?? '');
    // Nothing of ours is signed, and providers take no other request to log somebody out.
    if (issuer?.saml) return { at: undefined, still: issuer.name };
    if (!issuer) return { at: undefined };
    return { at: (await issuers().logout(issuer, `${origin().origin}/`))?.href };
  });
}

const NOT_BEGUN = 'This login was not begun in this browser, or it took too long.';

/** A browser comes back. `who`: finds out whom the issuer says it is; rejects with a LoginError. */
export async function finishing(
  routes: LoginRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  who: (attempt: TokenAttempt | SamlAttempt) => Promise<LoggedIn> | LoggedIn,
): Promise<FastifyReply> {
  const { gateway, logins, key, secure, session } = routes;
  const sealed = cookieIn(request.headers.cookie, 'login', secure());
  // Whatever comes of it, it was used.
  const used = cookieLine('login', '', secure(), 0);
  const attempt = sealed === undefined ? undefined : AttemptShape.safeParse(unseal(key, sealed, Date.now())).data;
  if (!attempt) return failed(routes, reply.header('set-cookie', used), NOT_BEGUN);
  try {
    const proven = await who(attempt);
    const { sessionEnds = Number.POSITIVE_INFINITY } = proven;
    const lasts = Math.min(session, sessionEnds - Date.now());
    const secret = await logins.begin(proven, attempt.fresh, sessionEnds);
    gateway.log.admin(actorOf(proven), 'login', `to the console, by ${proven.tokenId} from ${request.ip}`);
    return reply
      .header('set-cookie', [used, cookieLine('session', secret, secure(), Math.max(1, Math.floor(lasts / 1_000)))])
      .header('cache-control', 'no-store')
      .redirect(attempt.to);
  } catch (error) {
    if (!(error instanceof LoginError))
      gateway.log.operator.error({ error: String(error) }, 'a login to the console failed');
    return failed(routes, reply.header('set-cookie', used), sentenceOf(error));
  }
}

/**
 * To the page that says why: sealed, so that nobody else has our page say something to somebody; and for this browser alone, since what
 * an issuer says of a failed login comes in an address, which whoever begins one can change.
 */
export function failed(
  { key, secure }: Pick<LoginRoutes, 'key' | 'secure'>,
  reply: FastifyReply,
  reason: string,
): FastifyReply {
  const browser = randomBytes(16).toString('base64url');
  const why = reason.slice(0, MAX_REASON_CHARACTERS).toWellFormed();
  const said = seal(key, { why, browser } satisfies z.output<typeof FailureShape>, Date.now() + ATTEMPT_MS);
  return reply
    .header('set-cookie', cookieLine('failure', browser, secure(), ATTEMPT_MS / 1_000))
    .header('cache-control', 'no-store')
    .redirect(`/?failed=${said}`, 303);
}

const FailureShape = z.strictObject({ why: z.string(), browser: z.string() });

/** A page of ours: a path, and never the beginning of an address of somebody else's. */
export function ownPath(wanted: string | undefined): string {
  if (wanted === undefined || wanted.length > MAX_PATH_CHARACTERS) return '/';
  // Browsers take a backslash for a slash, and drop tabs and line breaks: only what cannot mean anything else.
  return /^\/(?!\/)[\w\-./?=&%+]*$/.test(wanted) && !wanted.startsWith('/auth/') ? wanted : '/';
}

const any = { issuer: z.string(), state: z.string(), to: z.string(), fresh: z.boolean(), began: z.number() };
const AttemptShape = z.union([
  z.strictObject({ ...any, nonce: z.string(), verifier: z.string() }) satisfies z.ZodType<Attempt>,
  z.strictObject({ ...any, request: z.string() }),
]);

export const sentenceOf = (error: unknown): string =>
  error instanceof LoginError ? error.message : 'The gateway failed to log you in; its log says why.';
