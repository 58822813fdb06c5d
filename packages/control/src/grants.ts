/**
 * Routes about grants of people at targets. Owns: who sees and takes back whose. Does not: get one, which takes the console (packages/console-server),
 * or keep any (packages/grants).
 */
import { GrantRow } from '@sluice/api';
import { actorOf } from '@sluice/audit';
import { personOf } from '@sluice/budgets';
import { type GrantRow as Grant, grantSettings } from '@sluice/grants';
import { z } from 'zod';
import { problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';

export function grantRoutes({ app, gateway, caller, scope }: Routes): void {
  const { grants, log } = gateway;
  const config = { roles: ['user', 'admin', 'auditor'], about: 'connections' } as const;
  const list = {
    tags: ['grants'],
    summary: 'What people have allowed the gateway at targets: your own, and for admin and auditor those of all',
    response: { 200: z.array(GrantRow) },
  };
  app.get('/v1/grants', { config, schema: list }, (request): GrantRow[] => {
    const { principal } = caller(request);
    const admits = scope(request);
    const seesAll = principal.roles.includes('admin') || principal.roles.includes('auditor');
    const own = personOf(principal);
    return grants
      .all()
      .filter((one) => admits(one.connection) && (seesAll || one.owner === own))
      .map(toRow);
  });

  const taking = {
    tags: ['grants'],
    summary: 'Take a grant back: your own, and as admin that of somebody else',
    params: z.object({ connection: z.string().max(200) }),
    querystring: z.object({ principal: z.string().max(200).optional().describe('Whose, as the list has it.') }),
    response: { 200: z.array(GrantRow).describe('What is gone.'), ...problems(403, 404, 503) },
  };
  const takers = { roles: ['user', 'admin'], about: 'connections' } as const;
  app.delete('/v1/grants/:connection', { config: takers, schema: taking }, async (request): Promise<GrantRow[]> => {
    const { connection } = request.params;
    const proven = caller(request);
    const { principal } = proven;
    const isOther = request.query.principal !== undefined && request.query.principal !== principal.name;
    if (isOther && !principal.roles.includes('admin'))
      throw new ControlError(403, 'Grants of others are taken back by admin.');
    const isMeant = (one: Grant): boolean =>
      isOther ? one.principal === request.query.principal : one.owner === personOf(principal);
    const admits = scope(request);
    const found = grants.all().filter((one) => one.connection === connection && admits(connection) && isMeant(one));
    if (found.length === 0)
      throw new ControlError(
        404,
        `There is no such grant for "${connection}".`,
        '"sluice grants ls" lists those that are.',
      );
    const settings = gateway.config.connections.get(connection);
    try {
      for (const one of found) {
        log.admin(actorOf(proven), 'grant.revoke', `${connection}, of ${one.principal}`);
        await grants.revoke(settings && grantSettings(settings), connection, one.owner);
      }
    } catch {
      throw new ControlError(
        503,
        'It is taken back, but that could not be stored: a restart of the gateway would undo it.',
        'Try again.',
      );
    }
    return found.map(toRow);
  });
}

const toRow = ({ connection, principal, since }: Grant): GrantRow => ({
  connection,
  principal,
  since: new Date(since).toISOString(),
});
