/**
 * What browsers and administrators of providers ask of the gateway as a service provider of SAML. Owns: that an answer comes from elsewhere,
 * and is looked at by a request of our own. Does not: believe it (packages/saml), or log anybody in (login-routes.ts).
 */
import { addressGroup } from '@sluice/addresses';
import { ControlError, OPEN, Turns } from '@sluice/control';
import type { SamlIssuerConfig } from '@sluice/config';
import { MAX_ANSWER_BYTES } from '@sluice/saml';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { LoginError, issuersFor } from './attempt.js';
import { type LoginRoutes, failed, finishing, sentenceOf } from './login-routes.js';

/** Of a form: an answer in base64, its letters escaped, and what comes back with it. */
const MAX_FORM_BYTES = MAX_ANSWER_BYTES * 2;
const MAX_RELAY_CHARACTERS = 80;
/** Answers that are on their way or wait, from one address and in all: each may be long. */
const MAX_WAITING_OF_ONE = 8;
const MAX_WAITING = 64;

const Form = z.object({
  SAMLResponse: z.string(),
  RelayState: z.string().max(MAX_RELAY_CHARACTERS).default(''),
});
const Named = z.object({ issuer: z.string() });

export function samlRoutes(routes: LoginRoutes): void {
  const { gateway, saml } = routes;
  const turns = new Turns();
  const named = (wanted: string): SamlIssuerConfig => {
    const issuer = issuersFor(gateway.config.issuers).find(({ name }) => name === wanted);
    if (issuer?.saml) return issuer;
    throw new ControlError(404, 'There is nothing at this address.');
  };

  // Forms are read here alone.
  void routes.app.register(async (app) => {
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: MAX_FORM_BYTES },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );

    const metadata = { schema: { ...OPEN, params: Named } };
    app.get<{ Params: { issuer: string } }>('/auth/saml/:issuer/metadata', metadata, (request, reply) =>
      reply.type('application/samlmetadata+xml').send(saml.provider(named(request.params.issuer)).metadata()),
    );

    // The browser brings it from the provider's site, without our cookies (SameSite): whose login it is, the next request shows.
    const waiting = new Map<string, number>();
    let all = 0;
    /** Before anything of it is read. */
    const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const address = addressGroup(request.ip);
      const own = waiting.get(address) ?? 0;
      if (own >= MAX_WAITING_OF_ONE || all >= MAX_WAITING) {
        void reply.header('connection', 'close');
        throw new ControlError(429, 'Too many answers of identity providers wait to be looked at.', 'Log in again.');
      }
      all++;
      waiting.set(address, own + 1);
      reply.raw.once('close', () => {
        all--;
        const left = (waiting.get(address) ?? 1) - 1;
        if (left > 0) waiting.set(address, left);
        else waiting.delete(address);
      });
    };
    const config = { fromElsewhere: true };
    const answer = { schema: { ...OPEN, params: Named, body: Form }, config, onRequest: admit };
    app.post<{ Params: { issuer: string }; Body: z.output<typeof Form> }>(
      '/auth/saml/:issuer',
      answer,
      async (request, reply) => {
        const issuer = named(request.params.issuer);
        const { SAMLResponse, RelayState } = request.body;
        // To look at one costs much: of each address one at a time, and no more than half of the time.
        const done = await turns.take(addressGroup(request.ip), () => undefined);
        try {
          const handle = await saml.keep(issuer, SAMLResponse, RelayState);
          return reply.redirect(`/auth/saml/${issuer.name}/answer?handle=${handle}`, 303);
        } catch (error) {
          const why = sentenceOf(error);
          gateway.log.operator.warn(
            { issuer: issuer.name, address: request.ip, why },
            'an answer by SAML is not taken',
          );
          return failed(routes, reply, why);
        } finally {
          done();
        }
      },
    );

    const looked = { schema: { ...OPEN, params: Named, querystring: z.object({ handle: z.string().max(64) }) } };
    app.get<{ Params: { issuer: string }; Querystring: { handle: string } }>(
      '/auth/saml/:issuer/answer',
      looked,
      (request, reply) =>
        finishing(routes, request, reply, (attempt) => {
          if (!('request' in attempt)) throw new LoginError('Another login was begun in this browser since.');
          return saml.finish(named(request.params.issuer), attempt, request.query.handle, gateway.identity);
        }),
    );
  });
}
