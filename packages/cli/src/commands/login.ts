/** `sluice login`, `logout` and `whoami`. Owns: which issuer and which flow. Does not: the flows (cli/src/login). */
import { isSafeUrl } from '@sluice/addresses';
import type { Command } from 'commander';
import type { IssuerRow, LoginToken, WhoAmI } from '@sluice/api';
import { checkedIssuer } from '../answers.js';
import { ApiClient } from '../client.js';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { loginByConsole, tokenIdOf } from '../login/by-console.js';
import { type LoginCredential, readCredential, writeCredential } from '../login/credentials.js';
import { forget, loginByDevice, loginInBrowser } from '../login/issuer.js';
import { answered, print, printJson } from '../output.js';

interface LoginOptions {
  readonly issuer?: string;
  readonly device?: boolean;
  readonly setup?: boolean;
  readonly browser: boolean;
  readonly callback: string;
}

/** `sluice login`, `logout` and `whoami`. */
export function login(program: Command, context: CommandContext): Command {
  const group = program.command('login');
  group
    .description('logs you in at an identity provider of the gateway')
    .option('--issuer <name>', 'which one, where there are several')
    .option('--device', 'the browser is on another machine: shows a code to enter there')
    .option(
      '--setup',
      'takes the token that the first start of a gateway prints, and makes you its administrator for an hour',
    )
    .option('--no-browser', 'prints the address and opens nothing')
    .option('--callback <host:port>', 'where the browser comes back to, as registered at the provider', '127.0.0.1:0')
    .action(async (options: LoginOptions) => {
      const url = context.url();
      if (!isSafeUrl(url)) throw new CliError(`${url} is not https: a login would show your token to the network.`);
      const credential = options.setup ? await setUp(url) : await credentialFrom(url, options);
      // Shown to the gateway before it is kept: one that it does not take is of no use.
      const who = await new ApiClient(url, credential.token).post<WhoAmI>('/v1/logins', {});
      writeCredential(url, credential);
      if (context.format() === 'json') return printJson(who);
      print(`Logged in as ${described(who)}.`);
    });

  program
    .command('logout')
    .description('forgets your login, here and at the identity provider')
    .action(async () => {
      const url = context.url();
      const credential = readCredential(url);
      if (!credential) throw new CliError(`You are not logged in at ${url}.`);
      writeCredential(url, undefined);
      const api = new ApiClient(url, credential.token);
      await api.delete('/v1/logins').catch(() => undefined);
      const own = tokenIdOf(credential);
      if (own !== undefined) await api.delete(`/v1/tokens/${encodeURIComponent(own)}`).catch(() => undefined);
      await forget(credential);
      if (own === undefined) print('Logged out. Sessions that are open go on; "sluice sessions" shows them.');
      else print('Logged out. Sessions that you opened with this login have ended.');
    });

  program
    .command('whoami')
    .description('who you are to the gateway, and what you may do')
    .action(async () => {
      const who = await context.api().get<WhoAmI>('/v1/whoami');
      if (context.format() === 'json') printJson(who);
      else print(described(who));
    });
  return group;
}

/** Asked for, and never part of a command line or an address, which others can read. */
async function setUp(url: string): Promise<LoginCredential> {
  const shown = await answered('The token that the gateway has printed: ');
  const { token, expires } = await new ApiClient(url, '').post<LoginToken>('/v1/setup', { token: shown });
  return { issuer: { name: 'first set-up', console: url }, token, expires: Date.parse(expires) };
}

async function credentialFrom(url: string, options: LoginOptions): Promise<LoginCredential> {
  const issuer = checkedIssuer(await choose(url, options.issuer));
  if (!('console' in issuer)) return options.device ? loginByDevice(issuer) : loginInBrowser(issuer, options);
  if (options.device)
    throw new CliError(
      `${issuer.name} has no codes to enter on another machine.`,
      'Log in without --device, or make a token in the console and set SLUICE_TOKEN.',
    );
  return loginByConsole(url, issuer, options);
}

async function choose(url: string, name: string | undefined): Promise<IssuerRow> {
  const issuers = await new ApiClient(url, '').get<IssuerRow[]>('/v1/issuers');
  const names = issuers.map((one) => one.name).join(', ');
  if (issuers.length === 0)
    throw new CliError(
      'This gateway has no identity provider to log in at.',
      'An administrator adds one: docs/identity.md.',
    );
  const [first, ...others] = name === undefined ? issuers : issuers.filter((one) => one.name === name);
  if (!first) throw new CliError(`There is no identity provider "${name}".`, `There are: ${names}.`);
  if (others.length > 0)
    throw new CliError('There are several identity providers.', `Name one with --issuer: ${names}.`);
  return first;
}

function described({ name, kind, roles, groups, issuer, connections, expires }: WhoAmI): string {
  const parts = [
    `${name}${kind === 'agent' ? ' (agent)' : ''}`,
    roles.length > 0 ? `roles ${roles.join(', ')}` : 'without roles',
    ...(groups.length > 0 ? [`groups ${groups.join(', ')}`] : []),
    ...(issuer === undefined ? [] : [`known by ${issuer}`]),
    ...(connections ? [`for ${connections.join(', ')} only`] : []),
    ...(expires === undefined ? [] : [`until ${expires}`]),
  ];
  return parts.join('; ');
}
