/** Routes about what the caller may reach, and the short token to reach it with. Does not: open anything. */
import { ClientSnippet, ConnectionRow } from '@sluice/api';
import { mayUse, samePerson } from '@sluice/identity';
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { problems } from './answers.js';
import { snippetsOf } from './clients/index.js';
import { ControlError, type Routes, admit } from './routes.js';

const Wish = z.strictObject({
  connection: z.string(),
  user: z.string().optional().describe('Whom to log in as, other than oneself: for administrators.'),
});

/** How long the token lives that `sluice connect` logs in with, in milliseconds. It has to last for the login only. */
const CONNECT_TOKEN_MS = 60_000;

/** What the caller may reach, and a short-lived token to reach it with. */
export function connectionRoutes({ app, gateway, caller, scope }: Routes): void {
  const about = { config: { about: 'connections' } } as const;
  const list = {
    tags: ['connections'],
    summary: 'What the caller may reach',
    response: { 200: z.array(ConnectionRow) },
  };
  app.get('/v1/connections', { ...about, schema: list }, (request): ConnectionRow[] => {
    const { principal } = caller(request);
    const within = scope(request);
    const all = principal.roles.includes('admin');
    return (
      [...gateway.config.connections.values()]
        // One whose listener is opened by the next start is not to be reached yet.
        .filter(
          ({ name, protocol, access }) =>
            gateway.addresses.has(protocol) && within(name) && (all || mayUse(principal, access)),
        )
        .map(({ name, protocol, policies }) => ({
          name,
          protocol,
          policies,
          listener: gateway.addresses.get(protocol) ?? '',
          tls: gateway.config.listeners.clients.some((one) => one.protocol === protocol && one.tls !== 'off'),
        }))
    );
  });

  const snippets = {
    tags: ['connections'],
    summary: 'What to paste into each client of a connection',
    params: z.object({ connection: z.string() }),
    querystring: z.object({
      token: z.string().optional().describe("The id of a token of the caller's own that is logged in with."),
    }),
    response: { 200: z.array(ClientSnippet), ...problems(403, 404) },
  };
  app.get('/v1/connections/:connection/clients', { ...about, schema: snippets }, (request): ClientSnippet[] => {
    const { principal } = caller(request);
    const within = scope(request);
    const connection = gateway.config.connections.get(request.params.connection);
    const listener = connection && gateway.addresses.get(connection.protocol);
    const reached = connection && (principal.roles.includes('admin') || mayUse(principal, connection.access));
    if (!connection || listener === undefined || !reached)
      throw new ControlError(404, `There is no connection "${request.params.connection}" for you.`);
    admit(within, connection.name);
    const token = request.query.token === undefined ? undefined : gateway.identity.token(request.query.token);
    const own = token && samePerson(gateway.identity.personOf(token), principal);
    const at = listener.lastIndexOf(':');
    const bound = listener.slice(0, at).replaceAll(/[[\]]/g, '');
    return [
      ...snippetsOf(connection.protocol, {
        // "All addresses" is no address to go to: this listener is reached at one.
        host: ['0.0.0.0', '::'].includes(bound) ? request.hostname.replaceAll(/[[\]]/g, '') : bound,
        port: listener.slice(at + 1),
        tls: gateway.config.listeners.clients.some(
          ({ protocol, tls }) => protocol === connection.protocol && tls !== 'off',
        ),
        connection: connection.name,
        user: own ? gateway.identity.loginName(token) : principal.name,
      }),
    ];
  });

  const login = {
    tags: ['connections'],
    summary: 'Make a token to log in to one connection with',
    body: Wish,
    response: { 200: z.strictObject({ user: z.string(), token: z.string() }), ...problems(403, 404, 409) },
  };
  app.post('/v1/login', { ...about, schema: login }, async (request): Promise<{ user: string; token: string }> => {
    const proven = caller(request);
    const { principal } = proven;
    const wish = request.body;
    const connection = gateway.config.connections.get(wish.connection);
    if (!connection) throw new ControlError(404, `There is no connection "${wish.connection}".`);
    const within = scope(request);
    admit(within, connection.name);
    const user = wish.user ?? principal.name;
    const own = user === principal.name;
    if (!own && !principal.roles.includes('admin'))
      throw new ControlError(403, `"${principal.name}" cannot log in as "${user}".`);
    if (!own) admit(within, undefined);
    const other = own ? principal : gateway.identity.principal(user);
    if (!other?.roles.includes('user') || !mayUse(other, connection.access)) {
      throw new ControlError(
        403,
        `"${user}" may not use "${connection.name}".`,
        `Name somebody who may with --user; access is for: ${connection.access.join(', ')}.`,
      );
    }
    const soon = Date.now() + CONNECT_TOKEN_MS;
    const { token, stored } = await gateway.identity.createToken({
      principal: other,
      name: 'sluice connect',
      connections: [connection.name],
      roles: ['user'],
      parent: proven.tokenId,
      madeWith: proven,
      // Where a session ends with the token that opened it, that is the one it was asked with.
      expires: proven.endsSessions ? proven.expires : Math.min(soon, proven.expires ?? soon),
    });
    gateway.log.admin(actorOf(proven), 'token.create', `${stored.id} for ${user}, to connect to ${connection.name}`);
    return { user: gateway.identity.loginName(stored), token };
  });
}
