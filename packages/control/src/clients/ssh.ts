/** What SSH clients are told. The connection is the user name. Does not: know keys of hosts, which ssh/client-config.ts has. Pure. */
import { type ClientSnippets, shellQuoted } from './client.js';

export const ssh: ClientSnippets = {
  protocol: 'ssh',
  of: ({ host, port, connection }) => [
    {
      client: 'ssh',
      about: 'In a terminal. Your key, or the token as the password.',
      text: `ssh -p ${port} ${shellQuoted(`${connection}@${host}`)}`,
    },
    {
      client: 'ssh_config',
      about:
        'For ~/.ssh/config; then "ssh NAME", scp and everything that reads it. "sluice client-config ssh" has the keys to trust.',
      text: [`Host ${connection}`, `  HostName ${host}`, `  Port ${port}`, `  User ${connection}`].join('\n'),
    },
  ],
};
