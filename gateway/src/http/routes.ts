/**
 * Where a request goes. Owns: hosts, prefixes and ports of connections by HTTP, as they are in force. Does not: whether somebody may go
 * there.
 */
import type { ConnectionConfig, HttpSettings } from '@sluice/config';
import type { HttpApi, Route } from '@sluice/contract';

type Connections = ReadonlyMap<string, ConnectionConfig>;

/** Hosts of a configuration, made once for each that is in force. */
const known = new WeakMap<Connections, ReadonlyMap<string, string>>();

function hostsOf(connections: Connections): ReadonlyMap<string, string> {
  let hosts = known.get(connections);
  if (!hosts) {
    const pairs = [...connections.values()].flatMap(({ name, http }) =>
      (http?.hosts ?? []).map((host) => [host, name] as const),
    );
    known.set(connections, (hosts = new Map(pairs)));
  }
  return hosts;
}

/** `host`: as the client named it; `path`: as sent; `fixed`: the connection that the port is for. */
export function routeOf(
  connections: Connections,
  host: string,
  path: string,
  fixed: string | undefined,
): Route | undefined {
  const whole = fixed ?? hostsOf(connections).get(bareHost(host));
  if (whole !== undefined) return leadingTo(connections, whole, '');
  const end = path.indexOf('/', 1);
  const prefix = end < 0 ? path : path.slice(0, end);
  return leadingTo(connections, prefix.slice(1), prefix);
}

function leadingTo(connections: Connections, connection: string, prefix: string): Route | undefined {
  const http = connections.get(connection)?.http;
  return http && { connection, api: apiOf(http), prefix, origins: http.origins };
}

/** How its clients are told a no. */
export const apiOf = ({ models, mcp }: HttpSettings): HttpApi => models?.provider ?? (mcp ? 'mcp' : 'rest');

/** Lower case, without a port and without the dot of the root. */
function bareHost(host: string): string {
  const lower = host.toLowerCase();
  const bracket = lower.startsWith('[') ? lower.indexOf(']') : -1;
  if (bracket > 0) return lower.slice(1, bracket);
  const colon = lower.indexOf(':');
  return (colon < 0 ? lower : lower.slice(0, colon)).replace(/\.$/, '');
}
