/** What clients of PostgreSQL are told: libpq and what stands on it, JDBC, graphical ones. Does not: make tokens. Pure. */
import { type ClientSnippets, type Endpoint, TOKEN, placeOf, shellQuoted } from './client.js';

const sslmode = ({ tls }: Endpoint): string => (tls ? 'require' : 'disable');

/** A connection string of libpq (section 32.1.1.1): each value in quotes where it needs some. */
const conninfo = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${/^[\w.:+@-]+$/.test(value) ? value : `'${value.replaceAll(/[\\']/g, '\\$&')}'`}`)
    .join(' ');

export const postgres: ClientSnippets = {
  protocol: 'postgres',
  of: (endpoint) => {
    const { host, port, user, connection } = endpoint;
    const settings = { host, port, user, dbname: connection, sslmode: sslmode(endpoint) };
    const variables = {
      PGHOST: host,
      PGPORT: port,
      PGUSER: user,
      PGDATABASE: connection,
      PGSSLMODE: sslmode(endpoint),
    };
    const query = new URLSearchParams({ user, sslmode: sslmode(endpoint) });
    return [
      {
        client: 'psql',
        about: 'In a terminal. The token is the password.',
        text: `PGPASSWORD=${TOKEN} psql ${shellQuoted(conninfo(settings))}`,
      },
      {
        client: 'JDBC',
        about: 'The user is in the address; give the token as the password.',
        text: `jdbc:postgresql://${placeOf(endpoint)}/${encodeURIComponent(connection)}?${query}`,
      },
      {
        client: 'pg_service',
        about: 'For ~/.pg_service.conf; then "psql service=NAME", and every program that stands on libpq.',
        text: [`[${connection}]`, ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)].join('\n'),
      },
      {
        client: 'Environment',
        about: 'Most drivers read these.',
        text: [...Object.entries(variables), ['PGPASSWORD', TOKEN] as const]
          .map(([name, value]) => `export ${name}=${value === TOKEN ? TOKEN : shellQuoted(value)}`)
          .join('\n'),
      },
      {
        client: 'DBeaver',
        about: 'What to fill in for a new PostgreSQL connection.',
        text: [
          `Host: ${host}`,
          `Port: ${port}`,
          `Database: ${connection}`,
          `Username: ${user}`,
          `Password: ${TOKEN}`,
          `SSL mode: ${sslmode(endpoint)}`,
        ].join('\n'),
      },
    ];
  },
};
