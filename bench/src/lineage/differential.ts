import { compare } from './compare.js';
import { Generator } from './generate.js';
import type { LineageServer } from './server.js';

export interface Tally {
  readonly seed: number;
  /** Statements that the server accepts. */
  compared: number;
  refused: number;
  outputs: number;
  over: number;
  unknown: number;
  unsure: number;
  /** Statements whose lineage misses a source, or whose outputs are others: each with what is wrong. */
  readonly wrong: string[];
  /** Some of those that were refused, of those that were not sure, and of those with too many sources. */
  readonly examples: Map<string, string>;
  /** Why nothing is known of outputs: how many, and a statement. */
  readonly reasons: Map<string, { count: number; readonly sql: string }>;
}

/** Compares random statements with the server's analysis until the time is up, or so many have been compared. */
export async function differential(
  server: LineageServer,
  { seed, seconds = Infinity, statements = Infinity }: { seed: number; seconds?: number; statements?: number },
): Promise<Tally> {
  const generator = new Generator(seed, server.major, server.extended);
  const tally: Tally = {
    seed,
    compared: 0,
    refused: 0,
    outputs: 0,
    over: 0,
    unknown: 0,
    unsure: 0,
    wrong: [],
    examples: new Map(),
    reasons: new Map(),
  };
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && tally.compared < statements && tally.wrong.length < 20) {
    const sql = generator.statement();
    const { verdict, outputs, over, unknown, problem = '' } = await compare(server, sql);
    if (verdict !== 'same') tally.examples.set(`${verdict} ${problem.slice(0, 60)}`, sql);
    if (verdict === 'refused') {
      tally.refused++;
      continue;
    }
    tally.compared++;
    tally.outputs += outputs;
    tally.over += over;
    tally.unknown += unknown.length;
    for (const why of unknown) {
      const known = tally.reasons.get(why);
      if (known) known.count++;
      else tally.reasons.set(why, { count: 1, sql });
    }
    if (verdict === 'unsure') tally.unsure++;
    if (verdict === 'wrong') tally.wrong.push(`${problem}\n  ${sql}`);
  }
  return tally;
}

export function summary({ seed, compared, refused, outputs, over, unknown, unsure, wrong }: Tally): string {
  const share = (part: number, whole: number): string => `${((100 * part) / Math.max(whole, 1)).toFixed(2)} %`;
  return [
    `seed ${seed}: ${compared} statements compared, ${refused} refused by the server, ${outputs} outputs`,
    `${wrong.length} wrong; ${share(over, outputs)} of outputs with more sources than needed, ${share(unknown, outputs)} unknown; ${share(unsure, compared)} of statements unsure`,
  ].join('\n');
}
