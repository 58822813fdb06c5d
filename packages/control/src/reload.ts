/** The route that takes the configuration file into use. Does not: read it. */
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { problems } from './answers.js';
import { UnusableConfiguration } from './controlled.js';
import { ControlError, type Routes } from './routes.js';

/** Takes the configuration file into use now, and says what is wrong with it. */
export function reloadRoute({ app, gateway, caller }: Routes): void {
  const schema = {
    tags: ['gateway'],
    summary: 'Take the configuration file into use',
    response: { 200: z.strictObject({ ok: z.literal(true) }), ...problems(409, 422) },
  };
  const config = { roles: ['admin'], about: 'gateway' } as const;
  app.post('/v1/reload', { config, schema }, async (request): Promise<{ ok: true }> => {
    const { principal } = caller(request);
    if (!gateway.onReload) throw new ControlError(409, 'This gateway was not started from a file.');
    gateway.log.admin(actorOf(caller(request)), 'config.reload', '');
    try {
      await gateway.onReload(principal.name);
    } catch (error) {
      if (error instanceof UnusableConfiguration) throw new ControlError(422, error.message);
      throw error;
    }
    return { ok: true };
  });
}
