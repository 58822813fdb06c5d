import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { atRest } from './at-rest.js';
import { cpuOf, machine, median, memoryOf, shuffled, spread } from './measure.js';
import { MASKED, type Route, openSetting } from './setting.js';
import { openStub } from './stub.js';

const run = promisify(execFile);
const MODES = ['simple', 'extended', 'prepared'] as const;
const CLIENTS = [1, 8, 32] as const;
const ROWS = 1_000_000;
const IDLE = 80;
const MANY = 1000;

export interface BenchOptions {
  readonly rounds: number;
  /** Of one pgbench run, in seconds. */
  readonly seconds: number;
}

/** Small queries, bulk, and idle sessions: direct, through Sluice with everything on, and through pgbouncer, in one run. */
export async function benchPostgres(options: BenchOptions): Promise<string> {
  const report = [
    `# Postgres through Sluice, beside pgbouncer`,
    '',
    `\`pnpm bench postgres\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; PostgreSQL 15 and pgbouncer (session pooling) on the same machine; ${options.rounds} rounds of ${options.seconds} s, order random in each.`,
    '',
    'CPU is that of the proxy, all threads, by the kernel. Medians; in brackets the middle half. Machines are shared: trust the ratios.',
    '',
  ];
  const setting = await openSetting();
  try {
    const direct = setting.routes[0] as Route;
    await preparePgbench(direct);
    report.push(...(await smallQueries(setting.routes, options)));
    report.push(...(await bulk(setting.routes, options)));
    report.push(...(await masked(setting.routes, options)));
    report.push(...(await stalled(setting.routes)));
    report.push(...(await idle(setting.routes[1] as Route, IDLE, 'PostgreSQL 15')));
  } finally {
    await setting.stop();
  }
  const stub = await openStub();
  const many = await openSetting({ upstreamPort: stub.port });
  try {
    report.push(...(await idle(many.routes[1] as Route, MANY, 'a stub target')));
  } finally {
    await many.stop();
    stub.close();
  }
  const text = `${report.join('\n')}\n`;
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'postgres.md'), text);
  return text;
}

interface Sample {
  readonly tps: number;
  /** Microseconds of the proxy for each query. */
  readonly cpu: number;
  /** Microseconds; only taken with one client. */
  readonly p50: number;
  readonly p99: number;
}

async function smallQueries(routes: readonly Route[], { rounds, seconds }: BenchOptions): Promise<string[]> {
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < rounds; round++) {
    for (const mode of MODES) {
      for (const clients of CLIENTS) {
        for (const route of shuffled(routes)) {
          const key = `${mode} ${clients} ${route.name}`;
          samples.set(key, [...(samples.get(key) ?? []), await pgbench(route, mode, clients, seconds)]);
        }
      }
    }
    process.stderr.write(`small queries, round ${round + 1} of ${rounds}\n`);
  }
  const of = (mode: string, clients: number, name: string): Sample[] => samples.get(`${mode} ${clients} ${name}`) ?? [];
  const lines = [
    '## Small queries (pgbench -S)',
    '',
    '| mode | clients | Sluice µs/query | pgbouncer µs/query | ratio | tps of direct: Sluice | pgbouncer |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const mode of MODES) {
    for (const clients of CLIENTS) {
      const [direct, ours, theirs] = ['direct', 'sluice', 'pgbouncer'].map((name) => of(mode, clients, name)) as [
        Sample[],
        Sample[],
        Sample[],
      ];
      const ratios = ours.map((sample, at) => sample.cpu / (theirs[at]?.cpu ?? Number.NaN));
      const share = (them: Sample[]): string =>
        median(them.map((sample, at) => sample.tps / (direct[at]?.tps ?? Number.NaN))).toFixed(2);
      lines.push(
        `| ${mode} | ${clients} | ${figure(ours.map((s) => s.cpu))} | ${figure(theirs.map((s) => s.cpu))} | **${median(ratios).toFixed(2)}** (${spread(
          ratios,
        )
          .map((r) => r.toFixed(2))
          .join('–')}) | ${share(ours)} | ${share(theirs)} |`,
      );
    }
  }
  lines.push(
    '',
    '### Latency at one client, µs',
    '',
    '| mode | direct p50 / p99 | Sluice adds p50 / p99 | pgbouncer adds p50 / p99 |',
    '| --- | --- | --- | --- |',
  );
  for (const mode of MODES) {
    const value = (name: string, field: 'p50' | 'p99'): number =>
      median(of(mode, 1, name).map((sample) => sample[field]));
    const added = (name: string): string =>
      (['p50', 'p99'] as const).map((field) => (value(name, field) - value('direct', field)).toFixed(0)).join(' / ');
    lines.push(
      `| ${mode} | ${value('direct', 'p50').toFixed(0)} / ${value('direct', 'p99').toFixed(0)} | ${added('sluice')} | ${added('pgbouncer')} |`,
    );
  }
  return [...lines, ''];
}

export async function preparePgbench(direct: Route): Promise<void> {
  await run(findTool('pgbench') ?? 'pgbench', ['-i', '-q', '-s', '10', ...target(direct)], {
    env: environment(direct),
  });
}

/** Of the proxy, and of what it has behind it. */
const cpuOfRoute = ({ pid, behind }: Route): number =>
  [pid, behind].reduce<number>((sum, one) => sum + (one === undefined ? 0 : cpuOf(one)), 0);

/** One run of `pgbench -S` over a route. */
export async function pgbench(route: Route, mode: string, clients: number, seconds: number): Promise<Sample> {
  const logs = clients === 1 ? temporaryFolder('latency') : undefined;
  const before = cpuOfRoute(route);
  const { stdout } = await run(
    findTool('pgbench') ?? 'pgbench',
    [
      '-S',
      '-n',
      '-M',
      mode,
      '-c',
      String(clients),
      '-T',
      String(seconds),
      ...(logs ? ['-l', '--log-prefix', join(logs.path, 'l')] : []),
      ...target(route),
    ],
    { env: environment(route) },
  );
  const used = cpuOfRoute(route) - before;
  const queries = Number(/number of transactions actually processed: (\d+)/.exec(stdout)?.[1]);
  const tps = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  const latencies = logs
    ? readdirSync(logs.path)
        .flatMap((file) =>
          readFileSync(join(logs.path, file), 'utf8')
            .trim()
            .split('\n')
            .map((line) => Number(line.split(' ')[2])),
        )
        .sort((a, b) => a - b)
    : [];
  if (logs) rmSync(logs.path, { recursive: true });
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { tps, cpu: used / queries, p50: at(0.5), p99: at(0.99) };
}

async function bulk(routes: readonly Route[], { rounds }: BenchOptions): Promise<string[]> {
  await prepareBulk(routes[0] as Route);
  const lines = [
    `## Bulk (${ROWS.toLocaleString('en')} rows of ten columns)`,
    '',
    '| statement | MB | Sluice CPU ms/GB | pgbouncer CPU ms/GB | ratio |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const [name, text] of [
    ['SELECT', 'select * from bulk'],
    ['COPY', 'copy bulk to stdout'],
  ] as const) {
    const samples = new Map<string, number[]>();
    let megabytes = 0;
    for (let round = 0; round < Math.max(3, rounds); round++) {
      for (const route of shuffled(routes.filter((one) => one.pid !== undefined))) {
        const before = cpuOf(route.pid as number);
        const bytes = await drain(route, text);
        megabytes = bytes / 1e6;
        const perGigabyte = (cpuOf(route.pid as number) - before) / 1000 / (bytes / 1e9);
        samples.set(route.name, [...(samples.get(route.name) ?? []), perGigabyte]);
      }
    }
    const ours = samples.get('sluice') ?? [];
    const theirs = samples.get('pgbouncer') ?? [];
    const ratios = ours.map((value, at) => value / (theirs[at] ?? Number.NaN));
    lines.push(
      `| ${name} | ${megabytes.toFixed(0)} | ${figure(ours, 0)} | ${figure(theirs, 0)} | **${median(ratios).toFixed(2)}** (${spread(
        ratios,
      )
        .map((r) => r.toFixed(2))
        .join('–')}) |`,
    );
    process.stderr.write(`bulk ${name} done\n`);
  }
  return [...lines, ''];
}

/** The same SELECT through connections that mask some of its columns, beside pgbouncer, which masks none. */
async function masked(routes: readonly Route[], { rounds }: BenchOptions): Promise<string[]> {
  const [ours, theirs] = ['sluice', 'pgbouncer'].map((name) => routes.find((route) => route.name === name)) as [
    Route,
    Route,
  ];
  const variants = [
    { name: 'pgbouncer', route: theirs },
    { name: 'nothing masked', route: ours },
    ...Object.keys(MASKED).map((name) => ({ name: name.replace('_', ' '), route: { ...ours, database: name } })),
  ];
  const samples = new Map<string, number[]>();
  // All do the same work: what a mask makes of it may be shorter.
  const gigabytes = (await drain(theirs, 'select * from bulk')) / 1e9;
  for (let round = 0; round < Math.max(3, rounds); round++) {
    for (const { name, route } of shuffled(variants)) {
      const before = cpuOf(route.pid as number);
      await drain(route, 'select * from bulk');
      const used = (cpuOf(route.pid as number) - before) / 1000 / gigabytes;
      samples.set(name, [...(samples.get(name) ?? []), used]);
    }
    process.stderr.write(`masks, round ${round + 1}\n`);
  }
  const base = samples.get('pgbouncer') ?? [];
  return [
    '## Masks (the same SELECT of ten columns; two masked, or all text searched by ten detectors)',
    '',
    '| variant | CPU ms/GB of the unmasked result | times pgbouncer |',
    '| --- | --- | --- |',
    ...variants.map(({ name }) => {
      const values = samples.get(name) ?? [];
      const ratios = values.map((value, at) => value / (base[at] ?? Number.NaN));
      return `| ${name} | ${figure(values, 0)} | **${median(ratios).toFixed(2)}** |`;
    }),
    '',
  ];
}

export async function prepareBulk(route: Route): Promise<void> {
  const client = await open(route);
  await client.query(`create table if not exists bulk as
    select n as id, 'customer ' || n as name, 'user' || n || '@example.com' as email, lpad((n * 7919 % 10000000000000000)::text, 16, '4') as card,
           '+1-202-555-' || lpad((n % 10000)::text, 4, '0') as phone, (array['Lisbon', 'Oslo', 'Lima'])[1 + n % 3] as city,
           md5(n::text) || md5((n + 1)::text) as note, (n % 100000) / 100.0 as amount,
           timestamptz '2025-01-01' + n * interval '1 minute' as at, md5(n::text)::uuid as key
    from generate_series(1, ${ROWS}::bigint) as n`);
  await client.query('vacuum bulk');
  await client.end();
}

/** A connection after its login, as bytes: what is asked is sent as it is, and the answer is not taken apart. */
export interface RawStream {
  /** Sends messages that end in one Query or Sync. Resolves at the ReadyForQuery of an idle session, to the length of the answer in bytes. */
  ask(messages: Buffer): Promise<number>;
  close(): void;
}

export async function openStream(route: Route): Promise<RawStream> {
  const client = await open(route);
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadWriteStream } }).connection;
  stream.removeAllListeners('data');
  let answered: (bytes: number) => void = () => undefined;
  let bytes = 0;
  let tail = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    tail = Buffer.concat([tail, chunk.subarray(-6)]).subarray(-6);
    // ReadyForQuery, idle: the last six bytes of the answer.
    if (tail.toString('latin1') === 'Z\0\0\0\x05I') answered(bytes);
  });
  return {
    ask: (messages) =>
      new Promise((resolve) => {
        bytes = 0;
        tail = Buffer.alloc(0);
        answered = resolve;
        stream.write(messages);
      }),
    close: () => (stream as unknown as { destroy(): void }).destroy(),
  };
}

/** Sends a query and counts the bytes of the answer without taking them apart. */
export async function drain(route: Route, text: string): Promise<number> {
  const { ask, close } = await openStream(route);
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.from([0x51, 0, 0, 0, 0]);
  head.writeInt32BE(body.length + 4, 1);
  const total = await ask(Buffer.concat([head, body]));
  close();
  return total;
}

/** A client that asks for a gigabyte and reads nothing of it. */
async function stalled(routes: readonly Route[]): Promise<string[]> {
  const route = routes.find((one) => one.name === 'sluice') as Route;
  const client = await open(route);
  const before = memoryOf(route.pid as number);
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection;
  client.query("select repeat('x', 1000) from generate_series(1, 1000000)").catch(() => undefined);
  await pause(300);
  stream.pause();
  let peak = before;
  for (let i = 0; i < 20; i++) {
    await pause(100);
    peak = Math.max(peak, memoryOf(route.pid as number));
  }
  client.on('error', () => undefined);
  (stream as unknown as { destroy(): void }).destroy();
  return [
    '## A stalled client',
    '',
    `A client asks for 1 GB and stops reading: the gateway's memory grows by ${((peak - before) / 1e6).toFixed(1)} MB and stays there.`,
    '',
  ];
}

async function idle(route: Route, sessions: number, upstream: string): Promise<string[]> {
  const before = await atRest(route.pid as number);
  const clients: pg.Client[] = [];
  for (let n = 0; n < sessions; n += 20) {
    clients.push(...(await Promise.all(Array.from({ length: 20 }, () => open(route)))));
  }
  const each = ((await atRest(route.pid as number)) - before) / sessions;
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  return [
    `## ${sessions} idle sessions against ${upstream}`,
    '',
    `${(each / 1024).toFixed(0)} KiB of resident memory each.`,
    '',
  ];
}

async function open(route: Route): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: route.port,
    user: route.user,
    password: route.password,
    database: route.database,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const target = (route: Route): string[] => [
  '-h',
  '127.0.0.1',
  '-p',
  String(route.port),
  '-U',
  route.user,
  route.database,
];
const environment = (route: Route): NodeJS.ProcessEnv => ({
  ...process.env,
  PGPASSWORD: route.password,
  PGSSLMODE: 'disable',
  PGGSSENCMODE: 'disable',
});
export const figure = (values: readonly number[], digits = 1): string =>
  `${median(values).toFixed(digits)} (${spread(values)
    .map((value) => value.toFixed(digits))
    .join('–')})`;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
