/**
 * Lineage against the server itself, by an oracle that reads no SQL: in a twin database one column has other values. An output that
 * differs there has to name that column, or a condition of the statement has to.
 */
import {
  type StatementLineage,
  type Statement,
  lineageOf,
  newSession,
  readingOf,
  statementsOf,
} from '@sluice/sql-mysql';
import { Generator } from './generate.js';
import { COLUMNS, DATABASE, type LineageServer } from './server.js';

export interface Tally {
  statements: number;
  /** Texts that the server ran. */
  accepted: number;
  distinct: number;
  /** One query in one twin. */
  checks: number;
  /** Outputs that differed. */
  changed: number;
  named: number;
  /** Not among the sources, but a condition looks at the column. */
  conditions: number;
  unknown: number;
  /** Outputs of which nothing was missed, that name columns which made no difference. */
  outputs: number;
  unread: number;
  /** They differed between two runs of the same. */
  unstable: number;
  readonly wrong: string[];
  readonly examples: Map<string, string>;
}

export interface DifferentialOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Ends when the server has run so many distinct texts. */
  readonly statements?: number | undefined;
  /** Forgets this column wherever it is a source: what is to be found then are the outputs that show it. */
  readonly forget?: string | undefined;
}

export async function differential(
  server: LineageServer,
  { seed, seconds, statements = Number.POSITIVE_INFINITY, forget }: DifferentialOptions,
): Promise<Tally> {
  const tally: Tally = {
    statements: 0,
    accepted: 0,
    distinct: 0,
    checks: 0,
    changed: 0,
    named: 0,
    conditions: 0,
    unknown: 0,
    outputs: 0,
    unread: 0,
    unstable: 0,
    wrong: [],
    examples: new Map(),
  };
  const generator = new Generator(seed, server.catalog.contents.flavour);
  const seen = new Set<string>();
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && tally.accepted < statements) {
    const text = generator.statement();
    tally.statements++;
    if (seen.has(text)) continue;
    seen.add(text);
    const plain = await server.run(text);
    if (!plain) {
      tally.examples.set(server.refusal.replaceAll(/'[^']*'|\d+/g, '?'), text);
      continue;
    }
    tally.accepted++;
    await compare(server, text, plain, tally, forget);
  }
  tally.distinct = seen.size;
  return tally;
}

async function compare(
  server: LineageServer,
  text: string,
  plain: readonly (readonly string[])[],
  tally: Tally,
  forget: string | undefined,
): Promise<void> {
  const lineage = follow(server, text);
  if (!lineage) {
    tally.unread++;
    tally.wrong.push(`not read: ${text}`);
    return;
  }
  if (lineage.unknown !== undefined) {
    tally.unknown++;
    tally.examples.set(`unknown: ${lineage.unknown}`, text);
    return;
  }
  if (lineage.outputs.length !== plain.length) {
    tally.wrong.push(`${lineage.outputs.length} outputs instead of ${plain.length}: ${text}`);
    return;
  }
  tally.outputs += plain.length;
  const asked = new Set(lineage.predicates.map(({ column }) => `${column.table}.${column.column}`));
  const twins = await server.runInTwins(text);
  for (const [number, column] of COLUMNS.entries()) {
    const twin = twins ? twins[number] : await server.run(text, column);
    if (!twin) continue;
    tally.checks++;
    const name = `${column.table}.${column.column}`;
    for (const [at, values] of plain.entries()) {
      if (String(values) === String(twin[at])) continue;
      tally.changed++;
      const output = lineage.outputs[at];
      const sources = [...(output?.sources ?? [])]
        .map((one) => `${one.table}.${one.column}`)
        .filter((one) => one !== forget);
      if (sources.includes(name)) tally.named++;
      else if (output?.unknown !== undefined) tally.unknown++;
      else if (asked.has(name)) tally.conditions++;
      else if (await isStable(server, text, column, at)) {
        tally.wrong.push(
          `output ${at + 1} of ${plain.length} shows ${name}, sources are ${sources.join(', ') || 'none'}: ${text}`,
        );
      } else tally.unstable++;
    }
  }
}

/**
 * Whether it is the value that makes the difference: what a variable has in its first row depends on what it had before, and which row a
 * group stands for that has several is the server's affair, also between two databases with the same values.
 */
async function isStable(
  server: LineageServer,
  text: string,
  column: { table: string; column: string },
  at: number,
): Promise<boolean> {
  const runs = [
    await server.run(text),
    await server.run(text, column),
    await server.run(text),
    await server.run(text, column),
  ];
  const control = await server.runControl(text);
  const [plain, twin, ...again] = runs.map((run) => String(run?.[at]));
  return plain !== twin && again[0] === plain && again[1] === twin && String(control?.[at]) === plain;
}

function follow({ catalog }: LineageServer, text: string): StatementLineage | undefined {
  const reading = readingOf(catalog.dialect);
  let statement: Statement | undefined;
  try {
    [statement] = statementsOf(text, reading);
  } catch {
    return undefined;
  }
  return statement && lineageOf(catalog, newSession(DATABASE), statement, reading);
}

export function summary(tally: Tally): string {
  const { statements, distinct, accepted, checks, changed, named, conditions, unknown, unstable, outputs, wrong } =
    tally;
  return [
    `${statements} statements, ${distinct} distinct, ${accepted} run by the server with ${outputs} outputs`,
    `${checks} checks in twins: ${changed} outputs changed, ${named} named, ${conditions} by conditions, ${unknown} unknown, ${unstable} unstable`,
    `${wrong.length} wrong`,
  ].join('\n');
}
