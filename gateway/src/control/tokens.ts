import type { TokenRow } from '@sluice/cli';
import { parseDuration } from '@sluice/config';
import type { StoredToken } from '@sluice/identity';
import { z } from 'zod';
import { ControlError, type Routes } from './server.js';

const Wish = z.strictObject({
  principal: z.string(),
  name: z.string().max(200).default(''),
  expires: z.string().optional(),
  connections: z.array(z.string()).optional(),
});

/** Tokens: made, listed and revoked by administrators. */
export function tokenRoutes({ app, gateway, caller }: Routes): void {
  app.get('/v1/tokens', (request): TokenRow[] => {
    const { principal } = caller(request);
    const all = principal.roles.includes('admin');
    return gateway.identity
      .tokens()
      .filter((token) => all || token.principal === principal.name)
      .map(toRow);
  });

  app.post('/v1/tokens', async (request): Promise<TokenRow & { token: string }> => {
    const { principal: actor } = caller(request, 'admin');
    const wish = Wish.safeParse(request.body);
    if (!wish.success) throw new ControlError(400, z.prettifyError(wish.error));
    const { principal, name, expires, connections } = wish.data;
    if (!gateway.identity.principal(principal)) {
      throw new ControlError(
        404,
        `There is no principal "${principal}".`,
        'Principals are listed under "principals" in the configuration.',
      );
    }
    const unknown = connections?.find((connection) => !gateway.config.connections.has(connection));
    if (unknown !== undefined) throw new ControlError(404, `There is no connection "${unknown}".`);
    const time = expires === undefined ? 0 : parseDuration(expires);
    if (time === undefined) throw new ControlError(400, `"${expires}" is not a duration: write 12h or 30d.`);
    const made = await gateway.identity.createToken({
      principal,
      name,
      connections,
      ...(time > 0 && { expires: Date.now() + time }),
    });
    gateway.log.admin(actor.name, 'token.create', `${made.stored.id} for ${principal}`);
    return { ...toRow(made.stored), token: made.token };
  });

  app.delete<{ Params: { id: string } }>('/v1/tokens/:id', async (request): Promise<TokenRow> => {
    const { principal: actor } = caller(request, 'admin');
    const revoked = await gateway.identity.revokeToken(request.params.id);
    if (!revoked) throw new ControlError(404, `There is no token ${request.params.id}.`);
    gateway.endSessionsBy(revoked.id, 'The token of this session was revoked.');
    gateway.log.admin(actor.name, 'token.revoke', `${revoked.id} of ${revoked.principal}`);
    return toRow(revoked);
  });
}

const toRow = ({ id, principal, name, created, expires, lastUsed, revoked, connections }: StoredToken): TokenRow => ({
  id,
  principal,
  name,
  created: iso(created),
  ...(expires !== undefined && { expires: iso(expires) }),
  ...(lastUsed !== undefined && { lastUsed: iso(lastUsed) }),
  ...(revoked !== undefined && { revoked: iso(revoked) }),
  ...(connections && { connections }),
});

const iso = (time: number): string => new Date(time).toISOString();
