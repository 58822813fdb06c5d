/** The clients of every protocol that is known here. Does not: know one of a protocol in somebody else's package. */
import type { ClientSnippet } from '@sluice/api';
import { type ClientSnippets, type Endpoint, TOKEN, placeOf } from './client.js';
import { http } from './http.js';
import { mysql } from './mysql.js';
import { postgres } from './postgres.js';
import { ssh } from './ssh.js';

const ALL: readonly ClientSnippets[] = [postgres, mysql, ssh, http];

/** What to paste into each client of a connection, the most usual one first. */
export function snippetsOf(protocol: string, endpoint: Endpoint): readonly ClientSnippet[] {
  const known = ALL.find((one) => one.protocol === protocol);
  const own = known?.of(endpoint) ?? [
    {
      client: 'Any client',
      about: 'The token is the password.',
      text: `${placeOf(endpoint)}, user ${endpoint.user}, ${TOKEN}`,
    },
  ];
  const command = {
    client: 'sluice',
    about: 'With the command line of Sluice, which needs no token here.',
    text: `sluice connect ${endpoint.connection}`,
  };
  return [...own, command];
}
