import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { CliError, note, paint, print } from '@sluice/cli';
import type { Config, ConnectionConfig } from '@sluice/config';
import {
  type PostgresServer,
  SUPERUSER,
  SUPERUSER_PASSWORD,
  type SshdServer,
  freePort,
  reachable,
  startPostgres,
} from '@sluice/testkit';
import pg from 'pg';
import { startDemoAgent } from './agent.js';
import { type DevIssuer, startIssuer } from '@sluice/testkit/issuer';
import { TICKETS_KEY, type Tickets, missingTickets, startTickets, withTickets } from './tickets.js';
import { missingVm, startVm, withVm } from './vm.js';
import {
  Gateway,
  ListenError,
  ROOT,
  operatorLog,
  readConfiguration,
  reloadFrom,
  start,
  untilSignal,
  writePrivate,
} from '@sluice/gateway';

export interface DemoOptions {
  readonly port: number;
  readonly controlPort: number;
  readonly sshPort: number;
  readonly httpPort: number;
  readonly folder?: string | undefined;
}

/** A running demo: the gateway in front of the sample shop. */
export interface Demo {
  readonly gateway: Gateway;
  readonly shop: PostgresServer;
  /** Undefined when the configuration, an older one, has none. */
  readonly issuer: DevIssuer | undefined;
  /** The sample machine, or why there is none. */
  readonly vm: SshdServer | string;
  /** The sample service, or why there is none. */
  readonly tickets: Tickets | string;
  readonly folder: string;
  /** Tokens of the sample principals. */
  readonly tokens: { readonly developer: string; readonly assistant: string };
  stop(): Promise<void>;
}

const FIXTURES = join(ROOT, 'fixtures', 'shop');
/** The demo's own identity provider, in its configuration. */
const ISSUER = 'demo';
/** Only for the sample database on loopback, which holds nothing but made-up data. */
const SHOP_PASSWORD = 'sluice-demo-only';

/** `npm start`: starts the demo, prints what to try, and runs until Ctrl+C. */
export async function demo(options: DemoOptions): Promise<void> {
  const running = await startDemo(options, (text) => note(text));
  print(screen(running));
  await untilSignal(() => running.stop());
  note(`Stopped. The data stays in ${running.folder}.`);
}

/** Starts PostgreSQL 18 with the sample shop, and the gateway in front of it. */
export async function startDemo(options: DemoOptions, progress: (text: string) => void): Promise<Demo> {
  const folder = options.folder ?? home();
  await checkPorts(options);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  progress('Starting PostgreSQL 18 ...');
  const shop = await startShop(folder);
  let issuer: DevIssuer | undefined;
  try {
    if (await createShop(shop)) progress('Created the sample shop');
    const config = readFile(folder);
    progress('Starting the gateway ...');
    if (config.issuers.has(ISSUER)) issuer = await startIssuer(options.controlPort + 1);
    const vmPort = await freePort();
    const missing = missingVm(config);
    const tickets = missingTickets(config) ?? (await startTickets());
    const read = (): Config => {
      const own = adapted(readFile(folder), folder, shop.port, options, issuer);
      const placed = typeof tickets === 'string' ? own : withTickets(own, tickets.port);
      return withVm(placed, missing === undefined ? vmPort : undefined);
    };
    const gateway = await start(() => Gateway.start(read(), operatorLog(true, 'warn')));
    const reloading = reloadFrom(gateway, configurationFile(folder), read);
    const vm = missing ?? (await startVm(gateway, folder, vmPort));
    const tokens = {
      developer: await tokenFor(gateway, folder, 'developer'),
      assistant: await tokenFor(gateway, folder, 'assistant'),
    };
    writePrivate(join(folder, 'developer.header'), `Authorization: Bearer ${tokens.developer}\n`);
    const stopAgent = await startDemoAgent(gateway, folder, shop.port).catch(async (error: unknown) => {
      await gateway.stop();
      throw error;
    });
    return {
      gateway,
      shop,
      issuer,
      vm,
      tickets,
      folder,
      tokens,
      stop: async () => {
        reloading.stop();
        await gateway.stop();
        if (typeof vm !== 'string') await vm.stop();
        if (typeof tickets !== 'string') await tickets.stop();
        await stopAgent?.();
        await issuer?.close();
        await shop.stop();
      },
    };
  } catch (error) {
    await issuer?.close();
    await shop.stop();
    throw error;
  }
}

/**
 * The data folder: in the checkout, unless that is under a folder only root may enter. PostgreSQL refuses to run as root,
 * and the user that it then runs as could not get at its data there.
 */
function home(): string {
  const beside = join(ROOT, '.sluice');
  return process.getuid?.() === 0 && !reachable(ROOT) ? '/var/lib/sluice' : beside;
}

async function startShop(folder: string): Promise<PostgresServer> {
  try {
    return await startPostgres({ major: 18, folder: join(folder, 'postgres'), auth: 'scram-sha-256' });
  } catch (error) {
    throw new CliError(`The sample database does not start: ${(error as Error).message}`);
  }
}

/** Makes the sample data unless it is there. The data of an earlier start is kept. */
async function createShop(shop: PostgresServer): Promise<boolean> {
  const connect = async (database: string): Promise<pg.Client> => {
    const client = new pg.Client({
      host: shop.host,
      port: shop.port,
      user: SUPERUSER,
      password: SUPERUSER_PASSWORD,
      database,
    });
    await client.connect();
    return client;
  };
  const admin = await connect('postgres');
  try {
    const { rowCount } = await admin.query("select 1 from pg_database where datname = 'shop'");
    if (rowCount !== 0) return false;
    // Built under another name: a start that is interrupted half-way leaves nothing that looks finished.
    await admin.query('drop database if exists shop_unfinished');
    await admin.query('drop role if exists sluice_shop');
    await admin.query('create database shop_unfinished');
    const client = await connect('shop_unfinished');
    try {
      await client.query(
        readFileSync(join(FIXTURES, 'shop.sql'), 'utf8').replace('on database shop ', 'on database shop_unfinished '),
      );
      await client.query('analyze');
    } finally {
      await client.end();
    }
    await admin.query('alter database shop_unfinished rename to shop');
    return true;
  } finally {
    await admin.end();
  }
}

/** The configuration as it is written. Throws with a sentence. */
const readFile = (folder: string): Config =>
  readConfiguration(configurationFile(folder), {
    ...process.env,
    SLUICE_SHOP_PASSWORD: SHOP_PASSWORD,
    SLUICE_TICKETS_KEY: TICKETS_KEY,
  }).config;

function configurationFile(folder: string): string {
  const file = join(folder, 'sluice.yaml');
  if (!existsSync(file)) copyFileSync(join(FIXTURES, 'sluice.yaml'), file);
  return file;
}

/** The ports of this start, and the folder, whatever the file says. */
function adapted(
  config: Config,
  folder: string,
  shopPort: number,
  { port, controlPort, sshPort, httpPort }: DemoOptions,
  issuer: DevIssuer | undefined,
): Config {
  const withPort = (connection: ConnectionConfig): ConnectionConfig =>
    connection.protocol === 'postgres' && ['shop', 'backroom', 'payroll'].includes(connection.name)
      ? { ...connection, target: { ...connection.target, port: shopPort } }
      : connection;
  const ports = new Map([
    ['postgres', port],
    ['ssh', sshPort],
    ['http', httpPort],
  ]);
  return {
    ...config,
    data: folder,
    listeners: {
      ...config.listeners,
      clients: config.listeners.clients.map((one) => ({ ...one, port: ports.get(one.protocol) ?? one.port })),
    },
    control: { ...config.control, port: controlPort },
    issuers: new Map(
      [...config.issuers].map(([name, one]) => [name, name === ISSUER && issuer ? { ...one, url: issuer.url } : one]),
    ),
    connections: new Map([...config.connections].map(([name, connection]) => [name, withPort(connection)])),
  };
}

/** The demo's tokens are kept, so that a line pasted yesterday works today. */
async function tokenFor(gateway: Gateway, folder: string, principal: string): Promise<string> {
  const file = join(folder, `${principal}.token`);
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (gateway.identity.bearer(kept)?.principal.name === principal) return kept;
  const { token } = await gateway.identity.createToken({ principal, name: 'demo' });
  writePrivate(file, `${token}\n`);
  return token;
}

/** Says at once which port is taken, before a database is started for nothing. */
async function checkPorts({ port, controlPort, sshPort, httpPort }: DemoOptions): Promise<void> {
  for (const [path, number] of [
    ['--port', port],
    ['--control-port', controlPort],
    ['--ssh-port', sshPort],
    ['--http-port', httpPort],
  ] as const) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => reject(error));
    probe.listen(number, '127.0.0.1', () => probe.close(() => resolve()));
    await promise.catch((error: NodeJS.ErrnoException) => {
      throw new CliError(
        new ListenError('listeners', '127.0.0.1', number, error).message,
        `For another one: npm start -- ${path} ${number + 1000}`,
      );
    });
  }
}

function screen({ gateway, folder, tokens, issuer, vm, tickets }: Demo): string {
  const [host, port] = (gateway.addresses.get('postgres') ?? '').split(':');
  const bold = paint.bold;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  // Other users of the machine see the arguments of a program, and not its environment.
  const psql = (user: string, token: string): string =>
    `PGPASSWORD=${token} psql "host=${host} port=${port} user=${user} dbname=shop"`;
  return `
${bold('Sluice is running')} in front of a sample shop on PostgreSQL 18. ${paint.dim('Ctrl+C stops both.')}

${bold('Connect')} as a developer, with psql or with the built-in prompt:
${line(psql('developer', tokens.developer))}
${line('./sluice connect shop --user developer')}

${bold('Try')}
${line("select name, city, email from customers where city = 'Oslo' limit 3;")}    ${paint.dim('e-mail addresses are masked,')}
${line("select 'to ' || email as harmless from customers limit 3;")}              ${paint.dim('and stay so')}
${line('drop table customers;')}                ${paint.dim('refused: rule no-destruction')}
${line('delete from customers;')}               ${paint.dim('refused: rule unfiltered-writes')}
${line('delete from customers where id = 300;')} ${paint.dim('one row: passes')}

${bold('As an agent')}, which may only read:
${line(psql('assistant', tokens.assistant))}

${issuer ? people(issuer.url) : ''}${bold('Through an agent')}, a process of its own that dials out to the gateway, as it would from a private network:
${line('./sluice connect backroom --user developer')}
${line('./sluice agents ls')}

${machine(gateway, vm)}

${service(gateway, folder, tickets)}

${bold('From a second terminal')}
${line('./sluice sessions ls')}                 ${paint.dim('who did what')}
${line('./sluice sessions replay <id>')}        ${paint.dim('plays it, answers included')}
${line('./sluice policy explain --connection shop "DELETE FROM orders"')}
${line('./sluice audit verify')}                ${paint.dim('proves that the record is unchanged')}

Everything is kept in ${bold(folder)}: the rules in sluice.yaml, the record, the database.
`;
}

const people = (
  url: string,
): string => `${paint.bold('Ask, and approve')}: the demo has an identity provider (${url}) with two people. Log in as Ana, who asks:
    ${paint.cyan('XDG_CONFIG_HOME=~/.sluice-ana ./sluice login')}
    ${paint.cyan('XDG_CONFIG_HOME=~/.sluice-ana ./sluice connect shop -c "update payments set amount = 0 where id = 1"')}
${paint.dim('It waits. In a second terminal log in as Ben, who approves:')}
    ${paint.cyan('XDG_CONFIG_HOME=~/.sluice-ben ./sluice login')}
    ${paint.cyan('XDG_CONFIG_HOME=~/.sluice-ben ./sluice approvals watch')}
    ${paint.cyan('XDG_CONFIG_HOME=~/.sluice-ben ./sluice approvals approve <number>')}
${paint.dim('The connection "payroll" waits at the login already.')}

`;
/** What to try by HTTP, or why it cannot be. */
function service(gateway: Gateway, folder: string, tickets: Tickets | string): string {
  if (typeof tickets === 'string') return `${paint.bold('No service by HTTP')}: ${tickets}.`;
  const url = `https://${gateway.addresses.get('http')}/tickets`;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  // The token is in a file, since other users of the machine see the arguments of a program.
  const curl = `curl --cacert ${folder}/gateway.crt -H @${folder}/developer.header`;
  return `${paint.bold('A service, by HTTP')}: its own key stays with the gateway.
${line(`${curl} ${url}/tickets`)}
${line(`${curl} ${url}/echo`)}  ${paint.dim('shows what the service was sent, but for the key')}
${line(`${curl} -X DELETE ${url}/tickets`)}  ${paint.dim('refused: rule all-tickets')}
${line(`${curl} -X DELETE ${url}/tickets/2`)}  ${paint.dim('waits for somebody to approve: ./sluice approvals ls')}`;
}

/** What to try by SSH, or why it cannot be. */
function machine(gateway: Gateway, vm: SshdServer | string): string {
  if (typeof vm === 'string') return `${paint.bold('No machine for SSH')}: ${vm}.`;
  const [host, port] = (gateway.addresses.get('ssh') ?? '').split(':');
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  return `${paint.bold('A machine, by SSH')}: the password is the token of the developer above, or Enter and "sluice login confirm --as developer":
${line(`ssh -p ${port} vm@${host}`)}                ${paint.dim('a terminal: recorded')}
${line(`ssh -p ${port} vm@${host} uname -a`)}       ${paint.dim('a command: judged before it runs')}
${line(`ssh -p ${port} vm@${host} rm -rf things`)}  ${paint.dim('refused: rule nothing-is-destroyed, status 126')}
${line('./sluice client-config ssh')}            ${paint.dim('for ~/.ssh/config and known_hosts')}`;
}
