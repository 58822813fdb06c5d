/** `pnpm bench mysql`: sysbench and bulk reads through Sluice, beside haproxy and MySQL Router, in one run. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Connection } from 'mysql2/promise';
import { findTool } from '@sluice/testkit';
import { atRest } from '../at-rest.js';
import { cpuOf, machine, median, shuffled } from '../measure.js';
import { type BenchOptions, figure } from '../postgres.js';
import type { Route } from '../setting.js';
import { type MySqlRoutes, connectBy, openRoutes } from './routes.js';

const run = promisify(execFile);
const TABLE_ROWS = 10_000;
const BULK_ROWS = 800_000;
/** Sessions that lie idle: first some, with which comes what is there once, then so many more that what the heap grows by tells little. */
const FIRST_SESSIONS = 100;
const IDLE_SESSIONS = 800;
/** Logins at a time. */
const AT_ONCE = 20;
/** How sysbench sends its statements: as text, or prepared. */
const MODES = { text: 'disable', prepared: 'auto' } as const;
const CLIENTS = [8, 32] as const;
/** Before anything is measured, by each mode, through Sluice and otherwise: code that is compiled as it runs is as it stays then. Seconds. */
const WARM_UP_S = { own: 4, other: 1 } as const;

export async function benchMySql(options: BenchOptions): Promise<string> {
  const { routes, missing, another, stop } = await openRoutes();
  const report = [
    '# MySQL through Sluice, beside haproxy and MySQL Router',
    '',
    `\`pnpm bench mysql\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; MariaDB on the same machine; ${options.rounds} rounds of ${options.seconds} s, order random in each.`,
    '',
    'CPU is that of the proxy, all threads, by the kernel, after every way has worked for a while, without logins. Medians; in brackets the middle half. Machines are shared: trust the ratios.',
    'haproxy passes bytes and reads nothing of them. MySQL Router reads the protocol. Sluice reads, judges and records. Node relay is two sockets and nothing else: what Node itself costs.',
    ...missing.map((one) => `\nLeft out: ${one}.`),
    '',
  ];
  try {
    const direct = routes[0] as Route;
    await prepare(direct);
    report.push(...(await smallQueries(routes, options)));
    report.push(...(await bulk(routes, options)));
    report.push(...(await idle(another)));
  } finally {
    await stop();
  }
  const text = `${report.join('\n')}\n`;
  const folder = join(import.meta.dirname, '..', '..', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'mysql.md'), text);
  return text;
}

async function prepare(direct: Route): Promise<void> {
  await run(sysbench(), [...words(direct), 'oltp_point_select', 'prepare']);
  const client = await connectBy(direct);
  await client.query(
    `create table bulk as select seq as id, concat('customer ', seq) as name, concat('user', seq, '@example.com') as email,
       lpad(seq * 7919, 16, '4') as card, elt(1 + seq % 3, 'Lisbon', 'Oslo', 'Lima') as city, md5(seq) as note
     from seq_1_to_${BULK_ROWS}`,
  );
  await client.end();
}

/** Of the proxy, for each query: microseconds; and queries in a second. */
interface Sample {
  readonly cpu: number;
  readonly rate: number;
}

async function smallQueries(routes: readonly Route[], { rounds, seconds }: BenchOptions): Promise<string[]> {
  const samples = new Map<string, Sample[]>();
  for (const route of routes)
    for (const mode of Object.keys(MODES) as (keyof typeof MODES)[])
      await pointSelects(route, mode, 8, WARM_UP_S[route.name.startsWith('sluice') ? 'own' : 'other']);
  for (let round = 0; round < rounds; round++) {
    for (const mode of Object.keys(MODES) as (keyof typeof MODES)[])
      for (const clients of CLIENTS)
        for (const route of shuffled(routes)) {
          const key = `${mode} ${clients} ${route.name}`;
          samples.set(key, [...(samples.get(key) ?? []), await pointSelects(route, mode, clients, seconds)]);
        }
    process.stderr.write(`small queries, round ${round + 1} of ${rounds}\n`);
  }
  const proxies = routes.filter(({ pid }) => pid !== undefined).map(({ name }) => name);
  const others = proxies.filter((name) => !name.startsWith('sluice'));
  const lines = [
    '## Small queries (sysbench oltp_point_select): CPU in µs for each',
    '',
    `| mode | clients | ${proxies.join(' | ')} | ${others.map((name) => `Sluice : ${name}`).join(' | ')} | queries/s of direct |`,
    `| --- | --- | ${[...proxies, ...others].map(() => '---').join(' | ')} | --- |`,
  ];
  for (const mode of Object.keys(MODES))
    for (const clients of CLIENTS) {
      const of = (name: string): Sample[] => samples.get(`${mode} ${clients} ${name}`) ?? [];
      const figures = proxies.map((name) => figure(of(name).map(({ cpu }) => cpu)));
      const share = of('sluice').map(({ rate }, at) => rate / (of('direct')[at]?.rate ?? Number.NaN));
      const against = others.map((name) => `**${ratio(of('sluice'), of(name), ({ cpu }) => cpu)}**`);
      lines.push(`| ${[mode, clients, ...figures, ...against, median(share).toFixed(2)].join(' | ')} |`);
    }
  return [...lines, ''];
}

/** Once all clients have logged in, and prepared what they prepare, sysbench says so. */
const STARTED = 'Threads started!';

async function pointSelects(route: Route, mode: keyof typeof MODES, clients: number, seconds: number): Promise<Sample> {
  const child = spawn(
    sysbench(),
    [
      ...words(route),
      `--threads=${clients}`,
      `--time=${seconds}`,
      `--db-ps-mode=${MODES[mode]}`,
      'oltp_point_select',
      '--skip-trx=on',
      'run',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let printed = '';
  let before: number | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.includes(STARTED)) before ??= cpuBy(route);
  });
  await once(child, 'close');
  const queries = Number(/total:\s+(\d+)/.exec(printed)?.[1]);
  if (before === undefined || !(queries > 0)) throw new Error(`sysbench at ${route.name} did nothing: ${printed}`);
  return { cpu: (cpuBy(route) - before) / queries, rate: queries / seconds };
}

/** The same SELECT by the command line client, which reads row by row and keeps none. */
async function bulk(routes: readonly Route[], { rounds }: BenchOptions): Promise<string[]> {
  const samples = new Map<string, number[]>();
  const proxies = routes.filter(({ pid }) => pid !== undefined);
  let bytes = 0;
  const own = proxies.filter(({ name }) => name.startsWith('sluice'));
  for (const route of [...proxies, ...own, ...own]) await drain(route, 'select * from bulk');
  for (let round = 0; round < Math.max(5, rounds); round++) {
    for (const route of shuffled(proxies)) {
      const before = cpuBy(route);
      const read = await drain(route, 'select * from bulk');
      if (!route.name.includes('masked')) bytes = read;
      samples.set(route.name, [...(samples.get(route.name) ?? []), (cpuBy(route) - before) / 1000]);
    }
    process.stderr.write(`bulk, round ${round + 1}\n`);
  }
  const ours = samples.get('sluice') ?? [];
  return [
    `## Bulk (${BULK_ROWS.toLocaleString('en')} rows of six columns, ${(bytes / 1e6).toFixed(0)} MB)`,
    '',
    '| way | CPU ms | times haproxy | times Sluice unmasked |',
    '| --- | --- | --- | --- |',
    ...proxies.map(({ name }) => {
      const own = samples.get(name) ?? [];
      const by = (others: readonly number[]): string => ratio(own, others, (one) => one);
      return `| ${name} | ${figure(own, 0)} | **${by(samples.get('haproxy') ?? [])}** | ${by(ours)} |`;
    }),
    '',
  ];
}

/** Bytes that the client printed. */
async function drain(route: Route, sql: string): Promise<number> {
  const child = spawn(
    findTool('mariadb') ?? 'mariadb',
    [
      '--no-defaults',
      '--protocol=tcp',
      '-h127.0.0.1',
      `-P${route.port}`,
      `-u${route.user}`,
      '--skip-ssl',
      '--quick',
      '-N',
      '-e',
      sql,
      route.database,
    ],
    { env: { ...process.env, MYSQL_PWD: route.password }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`the client at ${route.name} ended with status ${status}`);
  return bytes;
}

/**
 * By a gateway that has done nothing else, once its garbage is collected: a login leaves more than its session keeps, and what the heap
 * has grown by tells when it was collected last.
 */
async function idle(another: MySqlRoutes['another']): Promise<string[]> {
  const route = await another();
  const clients: Connection[] = [];
  const memoryWith = async (sessions: number): Promise<number> => {
    while (clients.length < sessions)
      clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => connectBy(route)))));
    return atRest(route.pid as number);
  };
  const before = await memoryWith(FIRST_SESSIONS);
  const each = ((await memoryWith(FIRST_SESSIONS + IDLE_SESSIONS)) - before) / IDLE_SESSIONS;
  for (const client of clients) client.destroy();
  return [
    `## ${IDLE_SESSIONS} idle sessions`,
    '',
    `${(each / 1024).toFixed(0)} KiB of resident memory each, beside ${FIRST_SESSIONS} others in a gateway that has done nothing else, once the garbage of logins is collected.`,
    '',
  ];
}

const cpuBy = ({ pid }: Route): number => (pid === undefined ? 0 : cpuOf(pid));

function ratio<T>(ours: readonly T[], theirs: readonly T[], of: (one: T) => number): string {
  const ratios = ours.map((one, at) => of(one) / (theirs[at] === undefined ? Number.NaN : of(theirs[at])));
  return median(ratios).toFixed(2);
}

const sysbench = (): string => findTool('sysbench') ?? 'sysbench';

const words = ({ port, user, password, database }: Route): string[] => [
  '--db-driver=mysql',
  '--mysql-host=127.0.0.1',
  `--mysql-port=${port}`,
  `--mysql-user=${user}`,
  `--mysql-password=${password}`,
  `--mysql-db=${database}`,
  `--table-size=${TABLE_ROWS}`,
];
