/**
 * Routes about who the caller is, and where logins of the command line begin and end. Does not: check tokens
 * (packages/identity).
 */
import { IssuerRow, LoginToken, WhoAmI } from '@sluice/api';
import type { IssuerConfig } from '@sluice/config';
import { OPERATOR, type Proven } from '@sluice/identity';
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { toBudgetRow } from './freezes.js';
import { OPEN } from './openapi.js';
import { problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';
import { lifeOf } from './token-life.js';

const who = (summary: string): { tags: string[]; summary: string; response: { 200: typeof WhoAmI } } => ({
  tags: ['identity'],
  summary,
  response: { 200: WhoAmI },
});
const config = { about: 'caller' } as const;
/** How long somebody is an administrator who has shown the token of the first set-up, in milliseconds. */
const SETUP_LIFE_MS = 3_600_000;

/** Who the caller is. */
export function whoAmIRoute({ app, gateway, caller }: Routes): void {
  app.get('/v1/whoami', { config, schema: who('Who the caller is') }, (request): WhoAmI => {
    const proven = caller(request);
    const budgets = gateway.admissions.budgets(proven).map(toBudgetRow);
    const frozen = gateway.admissions.frozen({ ...proven, connection: undefined });
    return { ...toWho(proven), ...(budgets.length > 0 && { budgets }), ...(frozen && { frozen: frozen.why }) };
  });
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
    [...gateway.config.issuers.values()].flatMap((one) => rowOf(one, gateway.approvals.console) ?? []),
  );

  const exchange = {
    ...OPEN,
    tags: ['identity'],
    summary: 'The token of a program that somebody has let in by the console',
    description: 'A code is good once, for a minute, and with the verifier that its challenge was made of (RFC 7636).',
    body: z.strictObject({ code: z.string().max(100), verifier: z.string().min(43).max(128) }),
    response: { 200: LoginToken, ...problems(403, 404, 409) },
  };
  app.post('/v1/logins/exchange', { schema: exchange }, async (request): Promise<LoginToken> => {
    const proven = gateway.loginCodes.take(request.body.code, request.body.verifier);
    const principal = proven && gateway.identity.still(proven);
    if (!proven || !principal)
      throw new ControlError(404, 'This code is good for nothing, or not any more.', 'Run "sluice login" again.');
    const expires = Date.now() + lifeOf(gateway, proven, undefined);
    const { roles } = principal;
    const wish = { principal, name: 'sluice login', expires, roles, connections: proven.connections, madeWith: proven };
    const { token, stored } = await gateway.identity.createToken(wish);
    gateway.log.admin(actorOf(proven), 'token.create', `${stored.id} for ${stored.principal}, at the command line`);
    return { token, expires: new Date(expires).toISOString() };
  });

  const setUp = {
    ...OPEN,
    tags: ['identity'],
    summary: 'An administrator token for who shows the token of the first set-up',
    description:
      'That is printed on the terminal that the gateway is started on, and good once, for ten minutes. Not by the console.',
    body: z.strictObject({ token: z.string().max(100) }),
    response: { 200: LoginToken, ...problems(403, 409) },
  };
  app.post('/v1/setup', { schema: setUp }, async (request): Promise<LoginToken> => {
    if (!gateway.setupToken.take(request.body.token))
      throw new ControlError(
        403,
        'This token is good for nothing, or not any more.',
        'A start on a terminal prints one.',
      );
    const expires = Date.now() + SETUP_LIFE_MS;
    const { token, stored } = await gateway.identity.createToken({
      principal: OPERATOR,
      name: 'first set-up',
      expires,
    });
    gateway.log.admin(OPERATOR, 'setup', `${stored.id}, taken from ${request.ip}`);
    return { token, expires: new Date(expires).toISOString() };
  });

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

/** How `sluice login` gets in there; undefined: it does not. `console`: where that is. */
function rowOf(issuer: IssuerConfig, console: string | undefined): IssuerRow | undefined {
  const { name } = issuer;
  if (issuer.saml === undefined && issuer.login) {
    const { url, login, scopes } = issuer;
    const secret = login.clientSecret && { clientSecret: login.clientSecret.reveal() };
    return { name, issuer: url, clientId: login.clientId, ...secret, scopes: [...scopes], token: login.token };
  }
  const people = issuer.kind === 'person' && (issuer.saml ?? issuer.console) !== undefined;
  return people && console !== undefined ? { name, console } : undefined;
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
