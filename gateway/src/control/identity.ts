import type { IssuerRow, WhoAmI } from '@sluice/cli';
import type { Proven } from '@sluice/identity';
import type { Routes } from './server.js';

/** Who the caller is, and where callers become somebody: identity providers, logins and logouts of the command line. */
export function identityRoutes({ app, gateway, caller }: Routes): void {
  // Open to all: whoever wants to log in has no token yet. It says what every login page of the provider says as well.
  app.get('/v1/issuers', (): IssuerRow[] =>
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

  app.get('/v1/whoami', (request): WhoAmI => toWho(caller(request)));

  /** `sluice login` has a token, and shows it for the first time. */
  app.post('/v1/logins', (request): WhoAmI => {
    const proven = caller(request);
    gateway.log.admin(proven.principal.name, 'login', `by ${proven.tokenId} from ${request.ip}`);
    return toWho(proven);
  });

  app.delete('/v1/logins', (request): WhoAmI => {
    const proven = caller(request);
    gateway.log.admin(proven.principal.name, 'logout', `of ${proven.tokenId} from ${request.ip}`);
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
