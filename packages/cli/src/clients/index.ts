/** The clients that the command line knows, and what it says where it knows none: of a protocol in somebody else's package. */
import type { ConnectionRow } from '@sluice/api';
import { endpointOf } from '../answers.js';
import { CliError } from '../errors.js';
import { printableLine } from '@sluice/printable';
import type { ProtocolClient } from './client.js';
import { http } from './http.js';
import { mysql } from './mysql.js';
import { postgres } from './postgres.js';
import { ssh } from './ssh.js';

export const CLIENTS: readonly ProtocolClient[] = [postgres, mysql, ssh, http];

/** @throws CliError with where to connect to, when no client is known for its protocol */
export function clientFor({ name, protocol, listener }: ConnectionRow): ProtocolClient {
  const client = CLIENTS.find((one) => one.protocol === protocol);
  if (client) return client;
  const { host, port } = endpointOf(listener);
  throw new CliError(
    `There is no client here for "${name}", which speaks ${printableLine(protocol)}.`,
    `Use one of your own: host ${host}, port ${port}. The password is a token: sluice token create`,
  );
}
