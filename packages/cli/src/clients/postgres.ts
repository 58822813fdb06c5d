/** Clients of PostgreSQL. Owns: running psql or the small prompt, and what drivers and libpq are told. */
import { spawnSync } from 'node:child_process';
import { endpointOf } from '../answers.js';
import { addPostgresConfig } from '../commands/client-config.js';
import { print } from '../output.js';
import { shell } from '../shell.js';
import { type ProtocolClient, loginTo } from './client.js';

/** The token is one of the gateway's: it need not be sent, whatever the listener prefers. */
const SCRAM = '-c sluice.login=scram';

const NAME = 'postgres';

export const postgres: ProtocolClient = {
  protocol: NAME,
  connect: async (row, wish, api) => {
    const { user, token } = await loginTo(api, row.name, wish);
    const { host, port } = endpointOf(row.listener);
    if (!wish.builtin && spawnSync('psql', ['--version'], { stdio: 'ignore' }).status === 0) {
      const { status } = spawnSync(
        'psql',
        [conninfo({ host, port, user, dbname: row.name }), ...(wish.command ? ['-c', wish.command] : [])],
        {
          stdio: 'inherit',
          env: { ...process.env, PGPASSWORD: token, PGOPTIONS: `${process.env['PGOPTIONS'] ?? ''} ${SCRAM}`.trim() },
        },
      );
      return status ?? 1;
    }
    if (!wish.command)
      print('There is no psql on this machine; this is a small prompt. End a statement with ";", leave with \\q.');
    return shell(
      {
        host,
        port: Number(port),
        user,
        password: token,
        database: row.name,
        options: SCRAM,
        // As psql does by itself. Who the gateway is, SCRAM proves: it has to know the token.
        ...(row.tls && { ssl: { rejectUnauthorized: false } }),
      },
      wish.command,
    );
  },
  addConfig: (group, context) => addPostgresConfig(group, context, NAME),
};

/** A connection string of libpq (section 32.1.1.1): each value in quotes, so that none can add a keyword. */
const conninfo = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([keyword, value]) => `${keyword}='${value.replaceAll(/[\\']/g, '\\$&')}'`)
    .join(' ');
