/** `sluice client-config` for clients of MySQL and MariaDB. Owns: these formats. */
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { CliError } from '../errors.js';
import { type ClientConfigEntry, addFormats, shellQuoted } from './client-config.js';

/** `sluice client-config my_cnf|mysql_jdbc|mysql_env`. */
export const addMySqlConfig = (group: Command, context: CommandContext, protocol: string): void =>
  addFormats(group, context, protocol, [
    ['my_cnf', 'groups for ~/.my.cnf: mariadb --defaults-group-suffix=-NAME', myCnf],
    ['mysql_jdbc', "a JDBC URL for each connection, for MariaDB's Connector/J", mysqlJdbc],
    ['mysql_env', 'environment variables for scripts; one connection', mysqlEnvironment],
  ]);

/** Who and where to in one: most clients have no other place for a connection that leaves the database free. */
export const userOf = ({ user, connection }: Pick<ClientConfigEntry, 'user' | 'connection'>): string =>
  `${user}%${connection}`;

/** MariaDB documentation, "Configuring MariaDB with Option Files". The password is asked for. */
const myCnf = (entries: readonly ClientConfigEntry[]): string =>
  entries
    .map((entry) =>
      [
        `[client-${entry.connection}]`,
        `host = ${entry.host}`,
        `port = ${entry.port}`,
        'protocol = tcp',
        `user = "${userOf(entry)}"`,
        'password',
        ...(entry.tls ? ['loose-ssl', 'loose-ssl-mode = REQUIRED'] : []),
        '',
      ].join('\n'),
    )
    .join('\n');

/** MariaDB Connector/J documentation, "TLS". The password is the token. */
const mysqlJdbc = (entries: readonly ClientConfigEntry[]): string =>
  entries
    .map((entry) => {
      const place = entry.host.includes(':') ? `[${entry.host}]` : entry.host;
      const tls: Record<string, string> = entry.tls ? { sslMode: 'trust' } : { sslMode: 'disable' };
      const query = new URLSearchParams({ user: userOf(entry), ...tls });
      return `jdbc:mariadb://${place}:${entry.port}/?${query.toString()}`;
    })
    .join('\n');

/** What most programs read. MYSQL_PWD is left to who has the token. */
function mysqlEnvironment(entries: readonly ClientConfigEntry[]): string {
  const [entry, ...others] = entries;
  if (!entry || others.length > 0) throw new CliError('An environment has room for one connection: name it.');
  return Object.entries({ MYSQL_HOST: entry.host, MYSQL_TCP_PORT: entry.port, MYSQL_USER: userOf(entry) })
    .map(([name, value]) => `export ${name}=${shellQuoted(value)}`)
    .join('\n');
}
