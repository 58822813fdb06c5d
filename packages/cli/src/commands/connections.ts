import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import type { ConnectionRow } from '@sluice/api';
import { connectionsOf, endpointOf } from '../answers.js';
import { CliError } from '../errors.js';
import type { Context } from '../context.js';
import { print, printRows } from '../output.js';
import { shell } from '../shell.js';

/** `sluice ls` and `sluice connect`. */
export function connections(program: Command, context: Context): void {
  program
    .command('ls')
    .description('the connections that you may use')
    .action(async () => {
      const rows = await connectionsOf(context.api());
      printRows(rows, ['name', 'protocol', 'listener', 'policies'], context.format());
    });

  program
    .command('connect <connection>')
    .description('opens psql, or a small built-in SQL prompt where there is no psql; ssh for a machine')
    .option('-u, --user <principal>', 'who you are; default: whom the token belongs to')
    .option('-c, --command <text>', 'runs this and ends')
    .option('--builtin', 'use the built-in prompt although psql is there')
    .action(async (name: string, options: { user?: string; command?: string; builtin?: boolean }) => {
      const api = context.api();
      const rows = await connectionsOf(api);
      const row = rows.find((candidate) => candidate.name === name);
      if (!row) {
        const known = rows.map((candidate) => candidate.name).join(', ');
        throw new CliError(`There is no connection "${name}" for you.`, known ? `There are: ${known}.` : undefined);
      }
      if (row.protocol === 'ssh') {
        process.exitCode = runSsh(row, options.command);
        return;
      }
      const { user, token } = await api.post<{ user: string; token: string }>('/v1/login', {
        connection: name,
        ...(options.user && { user: options.user }),
      });
      const { host, port } = endpointOf(row.listener);
      if (!options.builtin && spawnSync('psql', ['--version'], { stdio: 'ignore' }).status === 0) {
        const { status } = spawnSync(
          'psql',
          [conninfo({ host, port, user, dbname: name }), ...(options.command ? ['-c', options.command] : [])],
          {
            stdio: 'inherit',
            env: { ...process.env, PGPASSWORD: token, PGOPTIONS: `${process.env['PGOPTIONS'] ?? ''} ${SCRAM}`.trim() },
          },
        );
        process.exitCode = status ?? 1;
        return;
      }
      if (!options.command)
        print('There is no psql on this machine; this is a small prompt. End a statement with ";", leave with \\q.');
      process.exitCode = await shell(
        {
          host,
          port: Number(port),
          user,
          password: token,
          database: name,
          options: SCRAM,
          // As psql does by itself. Who the gateway is, SCRAM proves: it has to know the token.
          ...(row.tls && { ssl: { rejectUnauthorized: false } }),
        },
        options.command,
      );
    });
}

/** With the keys of whoever calls it; ssh asks for a token otherwise. Returns the exit status. */
function runSsh({ name, listener }: ConnectionRow, command: string | undefined): number {
  const { host, port } = endpointOf(listener);
  // Behind "--" ssh takes nothing for an option.
  const words = ['-p', port, '-l', name, '--', host, ...(command === undefined ? [] : [command])];
  const { status, error } = spawnSync('ssh', words, { stdio: 'inherit' });
  if (error)
    throw new CliError('There is no ssh on this machine.', `Use any client: host ${host}, port ${port}, user ${name}.`);
  return status ?? 1;
}

/** The token is one of the gateway's: it need not be sent, whatever the listener prefers. */
const SCRAM = '-c sluice.login=scram';

/** A connection string of libpq (section 32.1.1.1): each value in quotes, so that none can add a keyword. */
export const conninfo = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([keyword, value]) => `${keyword}='${value.replaceAll(/[\\']/g, '\\$&')}'`)
    .join(' ');
