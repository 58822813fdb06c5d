/**
 * What `sluice client-config` prints for clients of databases, and what all its formats share. Owns: quoting in each format.
 */
import type { Command } from 'commander';
import { checkedWord, connectionsOf, endpointOf } from '../answers.js';
import type { WhoAmI } from '@sluice/api';
import { CliError } from '../errors.js';
import { readInput } from '../input.js';
import type { CommandContext } from '../context.js';
import { print } from '../output.js';

/** What a client needs to know of one connection. The password is a token, and is in none of these but `pgpass`. */
export interface ClientConfigEntry {
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly connection: string;
  readonly tls: boolean;
}

/** The group that `client-config` commands of every protocol are in. */
export const clientConfig = (program: Command): Command =>
  program.commands.find((command) => command.name() === 'client-config') ??
  program.command('client-config').description('prints what other clients need in order to come through the gateway');

/** `sluice client-config pg_service|pgpass|jdbc|env`, of connections by `protocol`. */
export function addPostgresConfig(group: Command, context: CommandContext, protocol: string): void {
  addFormats(group, context, protocol, [
    ['pg_service', 'sections for ~/.pg_service.conf: psql service=NAME', pgService],
    ['jdbc', 'a JDBC URL for each connection', jdbc],
    ['env', 'environment variables for libpq and most drivers; one connection', environment],
  ]);
  group
    .command('pgpass [connection]')
    .description('lines for ~/.pgpass with a token, which has to be made before: sluice token create')
    .requiredOption('--token-file <file>', 'a file with the token; "-" reads it from standard input')
    .option('-u, --user <principal>', 'who logs in; default: whose the token is')
    .action(async (connection: string | undefined, options: ClientConfigOptions) => {
      const token = tokenIn(options) ?? '';
      print(pgpass(await entriesOf(context, protocol, connection, options.user, token), token));
    });
}

/** What one command prints: its name, what it is for, and how. */
export type ClientConfigFormat = readonly [
  name: string,
  description: string,
  print: (entries: readonly ClientConfigEntry[]) => string,
];

/** Adds a command for each format, of connections by `protocol`. */
export function addFormats(
  group: Command,
  context: CommandContext,
  protocol: string,
  formats: readonly ClientConfigFormat[],
): void {
  for (const [name, description, format] of formats) {
    group
      .command(`${name} [connection]`)
      .description(description)
      .option('-u, --user <principal>', 'who logs in; default: you, or whose the token is')
      .option(
        '--token-file <file>',
        'a file with the token that will be the password; its id is named where it has to be',
      )
      .action(async (connection: string | undefined, options: ClientConfigOptions) =>
        print(format(await entriesOf(context, protocol, connection, options.user, tokenIn(options)))),
      );
  }
}

interface ClientConfigOptions {
  readonly user?: string;
  readonly tokenFile?: string;
}

const tokenIn = ({ tokenFile }: ClientConfigOptions): string | undefined =>
  tokenFile === undefined ? undefined : checkedWord(readInput(tokenFile).trim());

/**
 * The user name that a login with this token says: with its id where its owner has too many to try them all. The id is told to
 * the gateway, and not the secret. Of what is no gateway token, and without one: you.
 */
async function loginName(context: CommandContext, token: string | undefined): Promise<string> {
  const [, id] = /^sluice_([a-z0-9]+)_/.exec(token ?? '') ?? [];
  if (id !== undefined) return (await context.api().get<{ readonly user: string }>(`/v1/tokens/${id}`)).user;
  return (await context.api().get<WhoAmI>('/v1/whoami')).name;
}

async function entriesOf(
  context: CommandContext,
  protocol: string,
  connection: string | undefined,
  user: string | undefined,
  token: string | undefined,
): Promise<ClientConfigEntry[]> {
  const api = context.api();
  const rows = (await connectionsOf(api)).filter((row) => row.protocol === protocol);
  const wanted = connection === undefined ? rows : rows.filter(({ name }) => name === connection);
  if (wanted.length === 0) {
    const known = rows.map(({ name }) => name).join(', ');
    throw new CliError(
      connection === undefined ? 'There is no connection for you.' : `There is no connection "${connection}" for you.`,
      known ? `There are: ${known}.` : undefined,
    );
  }
  const name = checkedWord(user ?? (await loginName(context, token)));
  return wanted.map((row) => {
    const { host: bound, port } = endpointOf(row.listener);
    // "All addresses" is no address to go to: the control API is reached at one.
    const host = ['0.0.0.0', '::'].includes(bound) ? new URL(context.url()).hostname.replaceAll(/^\[|\]$/g, '') : bound;
    return { host, port, user: name, connection: row.name, tls: row.tls ?? false };
  });
}

/** libpq documentation, 32.17: INI sections, values as they are to the end of the line. */
const pgService = (entries: readonly ClientConfigEntry[]): string =>
  entries
    .map(({ host, port, user, connection, tls }) =>
      [
        `[${connection}]`,
        `host=${host}`,
        `port=${port}`,
        `user=${user}`,
        `dbname=${connection}`,
        `sslmode=${sslmode(tls)}`,
        '',
      ].join('\n'),
    )
    .join('\n');

/** libpq documentation, 32.16: `hostname:port:database:username:password`, with ":" and "\" escaped. */
const pgpass = (entries: readonly ClientConfigEntry[], token: string): string =>
  entries
    .map(({ host, port, user, connection }) =>
      [host, port, connection, user, token].map((field) => field.replaceAll(/[\\:]/g, '\\$&')).join(':'),
    )
    .join('\n');

/** pgJDBC documentation, "Connecting to the Database". The password is the token. */
const jdbc = (entries: readonly ClientConfigEntry[]): string =>
  entries
    .map(({ host, port, user, connection, tls }) => {
      const place = host.includes(':') ? `[${host}]` : host;
      const query = new URLSearchParams({ user, sslmode: sslmode(tls) });
      return `jdbc:postgresql://${place}:${port}/${encodeURIComponent(connection)}?${query.toString()}`;
    })
    .join('\n');

/** libpq documentation, 32.15. PGPASSWORD is left to who has the token. */
function environment(entries: readonly ClientConfigEntry[]): string {
  const [entry, ...others] = entries;
  if (!entry || others.length > 0) throw new CliError('An environment has room for one connection: name it.');
  const { host, port, user, connection, tls } = entry;
  return Object.entries({ PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: connection, PGSSLMODE: sslmode(tls) })
    .map(([name, value]) => `export ${name}=${shellQuoted(value)}`)
    .join('\n');
}

const sslmode = (tls: boolean): string => (tls ? 'require' : 'disable');

/** For a POSIX shell. */
export const shellQuoted = (text: string): string =>
  /^[\w.@:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
