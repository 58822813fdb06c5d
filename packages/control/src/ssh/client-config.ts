/** What SSH clients need to know of the gateway. Owns: the route that tells them. Does not: print it, which the command line does. */
import { SshClientConfig } from '@sluice/api';
import { mayUse } from '@sluice/identity';
import { problems } from '../answers.js';
import { ControlError, type Routes } from '../routes.js';
import { hasHostKeys } from '@sluice/config';

export function sshClientRoutes({ app, gateway, caller, scope }: Routes): void {
  const client = {
    tags: ['connections'],
    summary: 'What an SSH client needs to know',
    response: { 200: SshClientConfig, ...problems(404) },
  };
  app.get('/v1/client-config/ssh', { config: { about: 'connections' }, schema: client }, (request): SshClientConfig => {
    const { principal } = caller(request);
    const within = scope(request);
    const listener = gateway.addresses.get('ssh');
    if (listener === undefined) {
      throw new ControlError(404, 'This gateway has no listener for SSH.', 'Add listeners.ssh to its configuration.');
    }
    const at = listener.lastIndexOf(':');
    const all = principal.roles.includes('admin');
    return {
      host: listener.slice(0, at).replace(/^\[|\]$/g, ''),
      port: Number(listener.slice(at + 1)),
      hostKey: gateway.sshKeys.hostKeyLine,
      userCa: gateway.sshKeys.authorityLine,
      connections: [...gateway.config.connections.values()]
        .filter((one) => hasHostKeys(one) && within(one.name) && (all || mayUse(principal, one.access)))
        .map(({ name }) => name),
    };
  });
}
