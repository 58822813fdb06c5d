/** What budgets and bounds cost. Owns: the comparison of the same queries with and without. Does not: ask them (against-works.ts, postgres.ts). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, temporaryFolder } from '@sluice/testkit';
import { type Opened, openQuestions } from './against-works.js';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { type BenchOptions, drain, prepareBulk, preparePgbench } from './postgres.js';
import { type Route, end, spawnGateway } from './setting.js';

const MODES = ['simple', 'extended', 'prepared'] as const;
const CLIENTS = 8;
/** Of all routes one after another, for each second that a round has, and short ones: what else a machine does is the same for all of them. */
const TURNS_A_SECOND = 30;
const WARM_TURNS = 30;
const QUESTIONS = 400;

/** Limits that nothing here comes to. */
const POLICIES = {
  without: [],
  statements: ['{ rule: count, budget: { statements: 1000000000, within: 1h } }'],
  all: [
    '{ rule: count, budget: { statements: 1000000000, rows: 10000000000, bytes: 10000GiB, within: 1h } }',
    '{ rule: bound, max_rows: 100000000, max_bytes: 1000GiB, timeout: 10m }',
  ],
} as const;
type Policy = keyof typeof POLICIES;
const NAMES = Object.keys(POLICIES) as Policy[];

/** Small queries and bulk through one gateway, by connections that differ in their budgets, in one run. */
export async function benchBudgets(options: BenchOptions): Promise<string> {
  const { path, remove } = temporaryFolder('bench');
  const server = await startPostgres({ major: 15, settings: { jit: 'off', synchronous_commit: 'off' } });
  const gateway = await spawnGateway(
    join(path, 'gateway'),
    `connections:
${NAMES.map(
  (name) => `  ${name}:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user}, password: ${server.password} }
    access: ["group:engineers"]
    policies: [${name}]
`,
).join('')}policies:
${NAMES.map((name) => `  ${name}: [${POLICIES[name].join(', ')}]\n`).join('')}`,
  );
  const { port, token, child } = gateway;
  const routes = NAMES.map((name): Route & { name: Policy } => ({
    name,
    port,
    user: 'bench',
    password: token,
    database: name,
    pid: child.pid,
  }));
  const direct = { port: server.port, user: server.user, password: server.password, database: 'postgres' };
  try {
    await preparePgbench({ name: 'direct', pid: undefined, ...direct });
    await prepareBulk({ name: 'direct', pid: undefined, ...direct });
    const text = `${[
      '# What budgets and bounds cost',
      '',
      `\`pnpm bench budgets\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; PostgreSQL 15 on the same machine; order random in each turn.`,
      '',
      'CPU is that of the gateway, all threads, by the kernel. Medians of the differences within one turn; in brackets their middle half.',
      '',
      ...(await small(routes, options)),
      ...(await bulk(routes, options)),
    ].join('\n')}\n`;
    const folder = join(import.meta.dirname, '..', 'results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'budgets.md'), text);
    return text;
  } finally {
    await end(child);
    await server.stop();
    remove();
  }
}

async function small(routes: readonly (Route & { name: Policy })[], options: BenchOptions): Promise<string[]> {
  const turns = Math.max(10, Math.round(options.rounds * options.seconds * TURNS_A_SECOND));
  const lines = [
    `## Small queries (those of pgbench -S, ${CLIENTS} clients, ${turns} turns of ${QUESTIONS} by each), µs of CPU for each`,
    '',
    '| mode | without | with statements: more | ratio | with statements, rows, bytes and bounds: more | ratio |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  for (const mode of MODES) {
    const samples: Record<Policy, number[]> = { without: [], statements: [], all: [] };
    const opened: (Opened & { name: Policy })[] = [];
    for (const route of routes)
      opened.push({ ...(await openQuestions(route, mode, CLIENTS, QUESTIONS)), name: route.name });
    // The first turns are those of a gateway that has just begun.
    for (let turn = -WARM_TURNS; turn < turns; turn++)
      for (const one of shuffled(opened)) {
        const before = cpuOf(one.pid);
        await one.turn();
        if (turn >= 0) samples[one.name].push((cpuOf(one.pid) - before) / QUESTIONS);
      }
    for (const { close } of opened) close();
    const { without, statements, all } = samples;
    const row = [mode, median(without).toFixed(1), ...compared(without, statements), ...compared(without, all)];
    lines.push(`| ${row.join(' | ')} |`);
    process.stderr.write(`${row.join(' | ')}\n`);
  }
  return [...lines, ''];
}

async function bulk(routes: readonly (Route & { name: Policy })[], { rounds }: BenchOptions): Promise<string[]> {
  const samples: Record<Policy, number[]> = { without: [], statements: [], all: [] };
  for (let round = 0; round < rounds; round++)
    for (const route of shuffled(routes)) {
      const before = cpuOf(route.pid as number);
      const bytes = await drain(route, 'select * from bulk');
      samples[route.name].push((cpuOf(route.pid as number) - before) / 1000 / (bytes / 1e9));
    }
  const { without, all } = samples;
  return [
    '## Bulk (a million rows of ten columns), ms of CPU for a gigabyte',
    '',
    '| without | with statements, rows, bytes and bounds: more | ratio |',
    '| --- | --- | --- |',
    `| ${[median(without).toFixed(0), ...compared(without, all)].join(' | ')} |`,
    '',
  ];
}

/** How much more, and as a ratio, turn by turn. */
function compared(without: readonly number[], with_: readonly number[]): [string, string] {
  const more = with_.map((one, at) => one - (without[at] ?? Number.NaN));
  const ratios = with_.map((one, at) => one / (without[at] ?? Number.NaN));
  const [low, high] = spread(more);
  return [`**${median(more).toFixed(1)}** (${low.toFixed(1)} to ${high.toFixed(1)})`, median(ratios).toFixed(2)];
}
