/**
 * Logging in to the console and out of it. Owns: what lies between the two steps of a login, and where the browser goes after it. Does
 * not: the issuer (issuer-login.ts), or what a login is worth (logins.ts).
 */
import { actorOf } from '@sluice/audit';
import type { Controlled, App } from '@sluice/control';
import { ControlError, OPEN } from '@sluice/control';
import type { Proven } from '@sluice/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cookieIn, cookieLine } from './cookies.js';
import { IssuerLogins, type LoginAttempt, LoginError, issuersFor } from './issuer-login.js';
import type { ConsoleLogins } from './logins.js';
import { isForeign } from './own-pages.js';
import { seal, unseal } from './sealed.js';

/** How long somebody may take at the issuer, in milliseconds. */
const ATTEMPT_MS = 10 * 60_000;
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
  const { app, gateway, logins, key, origin, secure } = routes;
  let at: IssuerLogins | undefined;
  const issuers = (): IssuerLogins => (at ??= new IssuerLogins(`${origin().origin}${CALLBACK}`));

  app.get('/auth/issuers', open, () => ({ issuers: issuersFor(gateway.config.issuers).map(({ name }) => name) }));

  /** To the page that says why: sealed, so that nobody else has our page say something to somebody. */
  const failed = (reply: FastifyReply, why: string): FastifyReply => {
    const text = seal(key, why.slice(0, MAX_REASON_CHARACTERS).toWellFormed(), Date.now() + ATTEMPT_MS);
    return reply.header('cache-control', 'no-store').redirect(`/?failed=${text}`);
  };
  const failure = { schema: { ...OPEN, querystring: z.object({ failed: z.string() }) } };
  app.get('/auth/failure', failure, (request) => {
    const why = unseal(key, request.query.failed, Date.now());
    if (typeof why !== 'string') throw new ControlError(404, 'There is nothing at this address.');
    return { why };
  });

  app.get(
    '/auth/login',
    { schema: { ...OPEN, querystring: z.object({ issuer: z.string().optional(), to: z.string().optional() }) } },
    async (request, reply) => {
      // A page of another site does not send somebody through a login: they begin at ours.
      if (isForeign(request)) return reply.redirect('/');
      const all = issuersFor(gateway.config.issuers);
      const issuer = all.find(({ name }) => name === request.query.issuer) ?? (all.length === 1 ? all[0] : undefined);
      if (!issuer) return failed(reply, 'Choose where to log in.');
      try {
        const { url, attempt } = await issuers().begin(issuer, ownPath(request.query.to));
        const sealed = seal(key, attempt, Date.now() + ATTEMPT_MS);
        void reply.header('set-cookie', cookieLine('login', sealed, secure(), ATTEMPT_MS / 1_000));
        return reply.header('cache-control', 'no-store').redirect(url.href);
      } catch (error) {
        return failed(reply, sentenceOf(error));
      }
    },
  );

  app.get(CALLBACK, open, async (request, reply) => {
    const sealed = cookieIn(request.headers.cookie, 'login', secure());
    // Whatever comes of it, it was used.
    void reply.header('set-cookie', cookieLine('login', '', secure(), 0));
    const attempt = sealed === undefined ? undefined : attemptOf(unseal(key, sealed, Date.now()));
    const issuer = attempt && issuersFor(gateway.config.issuers).find(({ name }) => name === attempt.issuer);
    if (!attempt || !issuer) return failed(reply, 'This login was not begun in this browser, or it took too long.');
    try {
      const proven = await issuers().finish(issuer, attempt, new URL(request.url, origin()).search, gateway.identity);
      const secret = await logins.begin(proven);
      gateway.log.admin(actorOf(proven), 'login', `to the console, by ${proven.tokenId} from ${request.ip}`);
      const lines = [
        cookieLine('login', '', secure(), 0),
        cookieLine('session', secret, secure(), routes.session / 1_000),
      ];
      return reply
        .removeHeader('set-cookie')
        .header('set-cookie', lines)
        .header('cache-control', 'no-store')
        .redirect(attempt.to);
    } catch (error) {
      if (!(error instanceof LoginError))
        gateway.log.operator.error({ error: String(error) }, 'a login to the console failed');
      return failed(reply, sentenceOf(error));
    }
  });

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
    return { at: issuer && (await issuers().logout(issuer, `${origin().origin}/`))?.href };
  });
}

/** A page of ours: a path, and never the beginning of an address of somebody else's. */
export function ownPath(wanted: string | undefined): string {
  if (wanted === undefined || wanted.length > MAX_PATH_CHARACTERS) return '/';
  // Browsers take a backslash for a slash, and drop tabs and line breaks: only what cannot mean anything else.
  return /^\/(?!\/)[\w\-./?=&%+]*$/.test(wanted) && !wanted.startsWith('/auth/') ? wanted : '/';
}

const Attempt = z.strictObject({
  issuer: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  to: z.string(),
});

const attemptOf = (value: unknown): LoginAttempt | undefined => Attempt.safeParse(value).data;

const sentenceOf = (error: unknown): string =>
  error instanceof LoginError ? error.message : 'The gateway failed to log you in; its log says why.';
