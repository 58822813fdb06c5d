/**
 * This build beside another one, in one run: whether a change made the gateway slower. Owns: interleaving the two, and the
 * interval of the ratio. Does not: compare with other programs (postgres.ts).
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cpuOf, machine, median, shuffled } from './measure.js';
import { drain, pgbench, prepareBulk, preparePgbench } from './postgres.js';
import { MASKED, type Route, openSetting } from './setting.js';

export interface AgainstOptions {
  readonly rounds: number;
  /** Of one pgbench run, in seconds. */
  readonly seconds: number;
  /** A checkout of the other version, set up (`npm run setup`). */
  readonly checkout: string;
}

/** What is measured: microseconds of CPU of the gateway, for one unit of work on a route. */
interface Work {
  readonly name: string;
  measure(route: Route): Promise<number>;
}

const SELECT = 'select * from bulk';

/**
 * CPU time of this build as a share of that of another, for the same work in turn. A pair of runs follow each other in random
 * order, so what else the machine does falls on both.
 *
 * @throws Error where the other checkout is not set up
 */
export async function benchAgainst({ rounds, seconds, checkout }: AgainstOptions): Promise<string> {
  const root = resolve(checkout);
  if (checkout === '' || !existsSync(join(root, 'gateway', 'dist', 'main.js'))) {
    throw new Error('Name the other version: --checkout DIR, a checkout in which "npm run setup" has run.');
  }
  const setting = await openSetting({ against: root });
  try {
    const [direct, ...others] = setting.routes as readonly [Route, ...Route[]];
    const pair = others.filter(({ name }) => name === 'sluice' || name === 'before');
    await preparePgbench(direct);
    await prepareBulk(direct);
    const works: readonly Work[] = [
      ...[1, 8].flatMap((clients) =>
        ['simple', 'prepared'].map((mode) => ({
          name: `pgbench -S -M ${mode}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
          measure: async (route: Route) => (await pgbench(route, mode, clients, seconds)).cpu,
        })),
      ),
      ...['target', ...Object.keys(MASKED)].map((database) => ({
        name: database === 'target' ? 'SELECT of a million rows' : `the same, masked: ${database.replace('_', ' ')}`,
        measure: async (route: Route) => {
          const before = cpuOf(route.pid as number);
          await drain({ ...route, database }, SELECT);
          return cpuOf(route.pid as number) - before;
        },
      })),
    ];
    const ratios = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const { name, measure } of works) {
        const used = new Map<string, number>();
        for (const route of shuffled(pair)) used.set(route.name, await measure(route));
        const ratio = (used.get('sluice') ?? Number.NaN) / (used.get('before') ?? Number.NaN);
        ratios.set(name, [...(ratios.get(name) ?? []), ratio]);
      }
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    }
    return [
      `CPU of this build as a share of that of ${checkout}; ${machine()}; ${rounds} rounds, in turn and in random order.`,
      '',
      '| work | median | geometric mean | 95 % interval of the mean |',
      '| --- | --- | --- | --- |',
      ...[...ratios].map(([name, values]) => {
        const { mean, low, high } = intervalOf(values);
        return `| ${name} | ${median(values).toFixed(3)} | ${mean.toFixed(3)} | ${low.toFixed(3)} to ${high.toFixed(3)} |`;
      }),
      '',
    ].join('\n');
  } finally {
    await setting.stop();
  }
}

/** Two-sided 97.5 % quantiles of Student's t by degrees of freedom, from 1 on; beyond them the normal distribution's. */
const T =
  '12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 2.120 2.110 2.101 2.093 2.086 2.080 2.074 2.069 2.064 2.060 2.056 2.052 2.048 2.045 2.042'
    .split(' ')
    .map(Number);

/** The geometric mean of ratios and its 95 % confidence interval: Student's t on their logarithms. */
function intervalOf(ratios: readonly number[]): { mean: number; low: number; high: number } {
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const half = (T[logs.length - 2] ?? 1.96) * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}
