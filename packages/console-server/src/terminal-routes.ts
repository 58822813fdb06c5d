/**
 * Letting `sluice login` in by somebody who is logged in here. Owns: that nothing but a program on the computer of the browser is given the
 * code, and only when somebody said so. Does not: codes (packages/identity), or the token that it is exchanged for (packages/control).
 */
import { actorOf } from '@sluice/audit';
import { ControlError, OPEN, refuseFrozen } from '@sluice/control';
import { z } from 'zod';
import type { LoginRoutes } from './login-routes.js';

const Wish = z.strictObject({
  /** Where the program listens: on the computer that the browser is on (RFC 8252, section 7.3). */
  at: z
    .string()
    .regex(/^(localhost|127\.0\.0\.1|\[::1\]):[1-9]\d{0,4}$/)
    .refine((at) => URL.canParse(`http://${at}`), 'there is no such port'),
  state: z.string().regex(/^[\w-]{16,128}$/),
  challenge: z.string().regex(/^[\w-]{43}$/),
});

export function terminalRoutes({ app, gateway, found }: LoginRoutes): void {
  app.post('/auth/terminal', { schema: { ...OPEN, body: Wish } }, (request): { readonly to: string } => {
    const known = found(request);
    if (!known) throw new ControlError(401, 'You are not logged in, or not any more.', 'Log in again.');
    refuseFrozen(gateway, known.proven);
    const { at, state, challenge } = request.body;
    const to = new URL(`http://${at}/callback`);
    to.searchParams.set('code', gateway.loginCodes.begin(known.proven, challenge));
    to.searchParams.set('state', state);
    gateway.log.admin(actorOf(known.proven), 'login', `of the command line, let in by the console from ${request.ip}`);
    return { to: to.href };
  });
}
