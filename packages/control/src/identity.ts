/**
 * Routes about who the caller is, and where logins of the command line begin and end. Does not: check tokens
 * (packages/identity).
 */
import { IssuerRow, WhoAmI } from '@sluice/api';
import type { Proven } from '@sluice/identity';
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { OPEN } from './openapi.js';
import type { Routes } from './routes.js';

const who = (summary: string): { tags: string[]; summary: string; response: { 200: typeof WhoAmI } } => ({
  tags: ['identity'],
  summary,
  response: { 200: WhoAmI },
});
const config = { about: 'caller' } as const;

/** Who the caller is. */
export function whoAmIRoute({ app, caller }: Routes): void {
  app.get('/v1/whoami', { config, schema: who('Who the caller is') }, (request): WhoAmI => toWho(caller(request)));
}

/** Where callers become somebody: identity providers, logins and logouts of the command line. */
export function identityRoutes({ app, gateway, caller }: Routes): void {
  // Open to all: whoever wants to log in has no token yet. It says what every login page of the provider says as well.
  const issuers = {
    ...OPEN,
    tags: ['identity'],
    summary: 'Identity providers to log in with',
    response: { 200: z.array(IssuerRow) },
  };
  app.get('/v1/issuers', { schema: issuers }, (): IssuerRow[] =>
    [...gateway.config.issuers.values()].flatMap(({ name, url, login, scopes }) =>
      login === undefined
        ? []
        : [
            {
              name,
              issuer: url,
              clientId: login.clientId,
              ...(login.clientSecret && { clientSecret: login.clientSecret.reveal() }),
              scopes,
              token: login.token,
            },
          ],
    ),
  );

  /** `sluice login` has a token, and shows it for the first time. */
  app.post('/v1/logins', { config, schema: who('Put a login on record') }, (request): WhoAmI => {
    const proven = caller(request);
    gateway.log.admin(actorOf(proven), 'login', `by ${proven.tokenId} from ${request.ip}`);
    return toWho(proven);
  });

  app.delete('/v1/logins', { config, schema: who('Put a logout on record') }, (request): WhoAmI => {
    const proven = caller(request);
    gateway.log.admin(actorOf(proven), 'logout', `of ${proven.tokenId} from ${request.ip}`);
    return toWho(proven);
  });
}

const toWho = ({ by, principal, tokenId, connections, expires }: Proven): WhoAmI => ({
  name: principal.name,
  kind: principal.kind,
  groups: principal.groups,
  roles: principal.roles,
  by,
  token: tokenId,
  ...(principal.issuer !== undefined && { issuer: principal.issuer }),
  ...(principal.subject !== undefined && { subject: principal.subject }),
  ...(connections && { connections }),
  ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
});
