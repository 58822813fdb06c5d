/**
 * Lineage against what the server makes of the same text: the query of a view, and the trace of a PREPARE. There the server has looked up
 * every name. A column that an output has there and lineage does not name is missed.
 */
import {
  type Statement,
  type StatementLineage,
  lineageOf,
  newSession,
  readingOf,
  statementsOf,
} from '@sluice/sql-mysql';
import { Generator } from './generate.js';
import { resolvedOutputs } from './resolved.js';
import { DATABASE, type LineageServer } from './server.js';

export interface ResolutionTally {
  /** Texts, none of them twice. */
  distinct: number;
  /** Of those, how many the server gave back as a view, and as a trace. */
  views: number;
  traces: number;
  /** Outputs in these, and columns that they come from. */
  outputs: number;
  sources: number;
  /** Outputs of which lineage says that it does not know. */
  unknown: number;
  /** Texts of the server that are not read. */
  readonly unread: string[];
  readonly missed: string[];
}

export interface ResolutionOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Ends when the server has given back so many distinct texts. */
  readonly statements?: number | undefined;
  /** Forgets this column wherever it is a source: what is to be found then are the outputs that show it. */
  readonly forget?: string | undefined;
}

export async function resolution(server: LineageServer, options: ResolutionOptions): Promise<ResolutionTally> {
  const tally: ResolutionTally = {
    distinct: 0,
    views: 0,
    traces: 0,
    outputs: 0,
    sources: 0,
    unknown: 0,
    unread: [],
    missed: [],
  };
  const { seed, seconds, statements = Number.POSITIVE_INFINITY, forget } = options;
  const generator = new Generator(seed, server.catalog.contents.flavour);
  const seen = new Set<string>();
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && tally.distinct < statements) {
    const text = generator.statement();
    if (seen.has(text)) continue;
    seen.add(text);
    const statement = read(server, text);
    const lineage = statement && lineageOf(server.catalog, newSession(DATABASE), statement, reading(server));
    if (!lineage) continue;
    const view = await server.asView(text, lineage.outputs.length);
    const trace = await server.asPrepared(text);
    if (view !== undefined) tally.views++;
    if (trace !== undefined) tally.traces++;
    if (view !== undefined || trace !== undefined) tally.distinct++;
    for (const written of [view, trace])
      if (written !== undefined) compare(server, { text, lineage, written }, tally, forget);
  }
  return tally;
}

const reading = ({ catalog }: LineageServer): ReturnType<typeof readingOf> => readingOf(catalog.dialect);

function read(server: LineageServer, text: string): Statement | undefined {
  try {
    return statementsOf(text, reading(server))[0];
  } catch {
    return undefined;
  }
}

interface Tried {
  readonly text: string;
  readonly lineage: StatementLineage;
  /** By the server. */
  readonly written: string;
}

function compare(
  server: LineageServer,
  { text, lineage, written }: Tried,
  tally: ResolutionTally,
  forget: string | undefined,
): void {
  const statement = read(
    server,
    written.replaceAll(OF_OPTIMIZER, (_, name: string) => (name === 'exists' ? 'exists(' : `made_${name}(`)),
  );
  const has = (table: string, column: string): boolean => server.catalog.column(DATABASE, table, column) !== undefined;
  const outputs = statement && resolvedOutputs(statement, has);
  if (!outputs || outputs.length !== lineage.outputs.length) {
    tally.unread.push(`${text}\n  ${written}`);
    return;
  }
  const asked = new Set(lineage.predicates.map(({ column }) => `${column.table}.${column.column}`.toLowerCase()));
  for (const [at, { sources }] of outputs.entries()) {
    const output = lineage.outputs[at];
    tally.outputs++;
    tally.sources += sources.size;
    if (lineage.unknown !== undefined || output?.unknown !== undefined) {
      tally.unknown++;
      continue;
    }
    const named = new Set(
      [...(output?.sources ?? [])].map(({ table, column }) => `${table}.${column}`).filter((one) => one !== forget),
    );
    const lower = new Set([...named].map((one) => one.toLowerCase()));
    for (const source of sources) {
      if (lower.has(source) || asked.has(source)) continue;
      tally.missed.push(
        `output ${at + 1} shows ${source}, sources are ${[...named].join(', ') || 'none'}: ${text}\n  ${written}`,
      );
    }
  }
}

/** `<in_optimizer>(a, <exists>(select ...))`: what the optimiser makes of IN, in traces. */
const OF_OPTIMIZER = /<(\w+)>\s?\(/g;

export function resolutionSummary(tally: ResolutionTally): string {
  const { distinct, views, traces, outputs, sources, unknown, unread, missed } = tally;
  return [
    `${distinct} distinct statements: ${views} as views, ${traces} in traces of PREPARE`,
    `${outputs} outputs with ${sources} sources; ${unknown} unknown, ${unread.length} texts of the server not read`,
    `${missed.length} missed`,
  ].join('\n');
}
