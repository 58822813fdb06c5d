/**
 * What `sluice client-config ssh` prints. Owns: the format of ssh_config and known_hosts. Does not: fetch it
 * (client-config.ts).
 */
import type { Command } from 'commander';
import type { SshClientConfig } from '@sluice/api';
import { checkedSshConfig } from '../answers.js';
import type { CommandContext } from '../context.js';
import { print, printJson } from '../output.js';

/** What `command` prints for SSH clients. */
export function addSshConfig(command: Command, context: CommandContext): void {
  command
    .description('a block for ~/.ssh/config and the line for ~/.ssh/known_hosts')
    .option('--host <name>', 'what clients call the gateway')
    .action(async (options: { host?: string }) => {
      const config = checkedSshConfig(await context.api().get<SshClientConfig>('/v1/client-config/ssh'));
      if (context.format() === 'json') return printJson(config);
      print(sshConfig(config, options.host ?? config.host));
    });
}

/** For each machine a name of its own: `ssh sluice-vm`, and `ssh -l deploy+vm sluice-vm` for another account. */
export function sshConfig({ port, hostKey, userCa, connections }: SshClientConfig, host: string): string {
  const known = port === 22 ? host : `[${host}]:${port}`;
  const hosts = connections.flatMap((name) => ['', `Host sluice-${name}`, `  User ${name}`]);
  return [
    '# ~/.ssh/config',
    `Host sluice ${connections.map((name) => `sluice-${name}`).join(' ')}`.trim(),
    `  HostName ${host}`,
    `  Port ${port}`,
    '  HostKeyAlgorithms ssh-ed25519',
    `  HostKeyAlias ${known}`,
    ...hosts,
    '',
    '# ~/.ssh/known_hosts',
    `${known} ${hostKey}`,
    '',
    '# Targets with "certificate: true" trust this authority (TrustedUserCAKeys in sshd_config):',
    `# ${userCa}`,
  ].join('\n');
}
