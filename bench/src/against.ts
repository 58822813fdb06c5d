/**
 * This build beside another one, in one run: whether a change made the gateway slower. Owns: interleaving the two, and the
 * interval of the ratio. Does not: compare with other programs (postgres.ts).
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Work, postgresWorks, sshWorks } from './against-works.js';
import { cpuOf, machine, median, shuffled } from './measure.js';

/** How often each build has its turn in a round: what else the machine does for a second falls on both. */
const TURNS = 8;

export interface AgainstOptions {
  readonly rounds: number;
  /** A checkout of the other version, set up (`npm run setup`). */
  readonly checkout: string;
  /** Only what has this text in its name. */
  readonly work: string;
}

/**
 * CPU time of this build as a share of that of another. Both do the same work, in turns of some tenths of a second in random order;
 * the CPU that a gateway used from the first turn of a round to the last is counted, so that what it does afterwards is too.
 *
 * @throws Error where the other checkout is not set up
 */
export async function benchAgainst({ rounds, checkout, work: wanted }: AgainstOptions): Promise<string> {
  const root = resolve(checkout);
  if (checkout === '' || !existsSync(join(root, 'gateway', 'dist', 'main.js'))) {
    throw new Error('Name the other version: --checkout DIR, a checkout in which "npm run setup" has run.');
  }
  const ratios = new Map<string, number[]>();
  for (const open of [postgresWorks, sshWorks]) {
    const { works, stop } = await open(root);
    try {
      for (const work of works.filter(({ name }) => name.includes(wanted)))
        ratios.set(work.name, await ratiosOf(work, rounds));
    } finally {
      await stop();
    }
  }
  return [
    `CPU of this build as a share of that of ${checkout}; ${machine()}; ${rounds} rounds of ${TURNS} turns each, in random order.`,
    '',
    '| work | median | geometric mean | 95 % interval of the mean |',
    '| --- | --- | --- | --- |',
    ...[...ratios].map(([name, values]) => {
      const { mean, low, high } = intervalOf(values);
      return `| ${name} | ${median(values).toFixed(3)} | ${mean.toFixed(3)} | ${low.toFixed(3)} to ${high.toFixed(3)} |`;
    }),
    '',
  ].join('\n');
}

/** Of one work: a ratio for each round, after one round that is not counted. */
async function ratiosOf(work: Work, rounds: number): Promise<number[]> {
  const pair = [await work.open('this'), await work.open('other')] as const;
  const ratios: number[] = [];
  try {
    for (let round = -1; round < rounds; round++) {
      const [ours, theirs] = pair.map(({ pid }) => cpuOf(pid)) as [number, number];
      for (let turn = 0; turn < TURNS; turn++) for (const one of shuffled(pair)) await one.turn();
      if (round >= 0) ratios.push((cpuOf(pair[0].pid) - ours) / (cpuOf(pair[1].pid) - theirs));
    }
  } finally {
    for (const one of pair) one.close();
  }
  process.stderr.write(`${work.name}: ${median(ratios).toFixed(3)}\n`);
  return ratios;
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
