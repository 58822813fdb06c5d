/** Clients of SSH. Owns: running ssh, and which block of its configuration leads to the gateway. */
import { spawnSync } from 'node:child_process';
import { endpointOf } from '../answers.js';
import { addSshConfig } from '../commands/client-config-ssh.js';
import { CliError } from '../errors.js';
import type { ProtocolClient } from './client.js';

export const ssh: ProtocolClient = {
  protocol: 'ssh',
  /** With the keys of whoever calls it; ssh asks for a token otherwise. */
  connect: async ({ name, listener }, { command }) => {
    const { host, port } = endpointOf(listener);
    // Behind "--" ssh takes nothing for an option.
    const words = ['-p', port, '-l', name, '--', host, ...(command === undefined ? [] : [command])];
    const { status, error } = spawnSync('ssh', words, { stdio: 'inherit' });
    if (error) {
      const hint = `Use any client: host ${host}, port ${port}, user ${name}.`;
      throw new CliError('There is no ssh on this machine.', hint);
    }
    return status ?? 1;
  },
  addConfig: (group, context) => addSshConfig(group.command('ssh'), context),
};
