import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { LogFile } from '@sluice/audit';
import { CliError, note, print } from '@sluice/cli';
import type { Config, ConnectionConfig } from '@sluice/config';
import {
  type PostgresServer,
  SUPERUSER,
  SUPERUSER_PASSWORD,
  freePort,
  reachable,
  startPostgres,
} from '@sluice/testkit';
import pg from 'pg';
import { startDemoAgent } from './agent.js';
import { type DevIssuer, startIssuer } from '@sluice/testkit/issuer';
import { DOUBLE_KEY, missingDouble, startDouble, withDouble } from './models/double.js';
import { TICKETS_KEY, missingTickets, startTickets, withTickets } from './tickets.js';
import type { Demo } from './running-demo.js';
import { screen } from './screen.js';
import { missingStock, startStock, withStock } from './stock.js';
import { missingVm, startVm, withVm } from './vm.js';
import {
  Gateway,
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
  readonly mysqlPort: number;
  /** Of the demo's identity provider; absent: the one behind that of the control API. */
  readonly issuerPort?: number | undefined;
  /** Of the console; absent: eight behind that of the control API. */
  readonly consolePort?: number | undefined;
  readonly folder?: string | undefined;
}

const FIXTURES = join(ROOT, 'fixtures', 'shop');
/** The demo's own identity provider, in its configuration. */
const ISSUER = 'demo';
/** Only for the sample database on loopback, which holds nothing but made-up data. */
const SHOP_PASSWORD = 'sluice-demo-only';

/** `npm start`: starts the demo, prints what to try, and runs until Ctrl+C. */
export async function demo(options: DemoOptions): Promise<void> {
  const running = await startDemo(options, (text) => note(text));
  print(screen(running, home()));
  await untilSignal(() => running.stop());
  note(`Stopped. The data stays in ${running.folder}.`);
}

/** Starts PostgreSQL 18 with the sample shop, and the gateway in front of it. */
export async function startDemo(options: DemoOptions, progress: (text: string) => void): Promise<Demo> {
  const folder = options.folder === undefined ? home() : resolve(options.folder);
  await checkPorts(options);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  progress('Starting PostgreSQL 18 ...');
  const shop = await startShop(folder);
  let issuer: DevIssuer | undefined;
  try {
    if (await createShop(shop)) progress('Created the sample shop');
    const config = readFile(folder);
    progress('Starting the gateway ...');
    const console = `http://127.0.0.1:${consolePortOf(options)}`;
    if (config.issuers.has(ISSUER)) issuer = await startIssuer(issuerPortOf(options), { console });
    const vmPort = await freePort();
    const missing = missingVm(config);
    const tickets = missingTickets(config) ?? (await startTickets());
    const double = missingDouble(config) ?? (await startDouble());
    const stock = missingStock(config) ?? (await startStock(SHOP_PASSWORD));
    const read = (): Config => {
      const own = adapted(readFile(folder), folder, shop.port, options, issuer);
      const placed = typeof tickets === 'string' ? own : withTickets(own, tickets.port);
      const spoken = typeof double === 'string' ? placed : withDouble(placed, double.port);
      const stocked = withStock(spoken, typeof stock === 'string' ? undefined : stock.port);
      return withVm(stocked, missing === undefined ? vmPort : undefined);
    };
    const gateway = await start(() => Gateway.start(read(), operatorLog(true, 'warn', new LogFile(folder))));
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
      double,
      stock,
      folder,
      tokens,
      stop: async () => {
        reloading.stop();
        await gateway.stop();
        if (typeof vm !== 'string') await vm.stop();
        if (typeof tickets !== 'string') await tickets.stop();
        if (typeof double !== 'string') await double.stop();
        if (typeof stock !== 'string') await stock.stop();
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
    SLUICE_DOUBLE_KEY: DOUBLE_KEY,
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
  options: DemoOptions,
  issuer: DevIssuer | undefined,
): Config {
  const { port, controlPort, sshPort, httpPort, mysqlPort } = options;
  const { console } = config.listeners;
  const withPort = (connection: ConnectionConfig): ConnectionConfig =>
    connection.protocol === 'postgres' && ['shop', 'backroom', 'payroll'].includes(connection.name)
      ? { ...connection, target: { ...connection.target, port: shopPort } }
      : connection;
  const ports = new Map([
    ['postgres', port],
    ['ssh', sshPort],
    ['http', httpPort],
    ['mysql', mysqlPort],
  ]);
  return {
    ...config,
    data: folder,
    listeners: {
      ...config.listeners,
      clients: config.listeners.clients.map((one) => ({ ...one, port: ports.get(one.protocol) ?? one.port })),
      console: console && { ...console, port: consolePortOf(options) },
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

/** Where the demo's own identity provider listens, unless somebody says so. */
const issuerPortOf = ({ controlPort, issuerPort }: Pick<DemoOptions, 'controlPort' | 'issuerPort'>): number =>
  issuerPort ?? controlPort + 1;

/** Where the console listens, unless somebody says so. */
const consolePortOf = ({ controlPort, consolePort }: Pick<DemoOptions, 'controlPort' | 'consolePort'>): number =>
  consolePort ?? controlPort + 8;

/** Says at once which ports are taken, all of them, before a database is started for nothing. */
async function checkPorts(options: DemoOptions): Promise<void> {
  const { port, controlPort, sshPort, httpPort, mysqlPort } = options;
  const wanted = [
    ['--port', port, 'listeners.postgres'],
    ['--control-port', controlPort, 'control'],
    ['--issuer-port', issuerPortOf(options), 'issuers.demo'],
    ['--console-port', consolePortOf(options), 'listeners.console'],
    ['--ssh-port', sshPort, 'listeners.ssh'],
    ['--http-port', httpPort, 'listeners.http'],
    ['--mysql-port', mysqlPort, 'listeners.mysql'],
  ] as const;
  const problems: string[] = [];
  const others: string[] = [];
  for (const [at, [option, number]] of wanted.entries()) {
    const same = wanted.slice(0, at).find((one) => one[1] === number);
    const problem = same ? `${same[0]} names it as well.` : await problemOf(number);
    if (problem === undefined) continue;
    problems.push(`Port ${number} (${option}): ${problem}`);
    others.push(`${option} ${await freePort()}`);
  }
  if (problems.length > 0) throw new CliError(problems.join('\n'), `For others: npm start -- ${others.join(' ')}`);
}

async function problemOf(number: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  const probe = createServer();
  probe.once('error', resolve);
  probe.listen(number, '127.0.0.1', () => probe.close(() => resolve(undefined)));
  const error = await promise;
  if (!error) return undefined;
  return error.code === 'EADDRINUSE'
    ? 'another program has it.'
    : `it cannot be opened: ${error.code ?? error.message}.`;
}
