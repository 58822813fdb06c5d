import { CliError } from '@sluice/cli';
import { ControlError, type Routes } from './server.js';

/** Takes the configuration file into use now, and says what is wrong with it. */
export function reloadRoute({ app, gateway, caller }: Routes): void {
  app.post('/v1/reload', async (request): Promise<{ ok: true }> => {
    const { principal } = caller(request, 'admin');
    if (!gateway.onReload) throw new ControlError(409, 'This gateway was not started from a file.');
    gateway.log.admin(principal.name, 'config.reload', '');
    try {
      await gateway.onReload(principal.name);
    } catch (error) {
      if (error instanceof CliError) throw new ControlError(422, error.message);
      throw error;
    }
    return { ok: true };
  });
}
