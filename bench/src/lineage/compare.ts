import { type Catalog, type StatementLineage, newSession } from '@sluice/sql-postgres';
import type { Expected } from './oracle.js';
import type { LineageServer } from './server.js';

/** How our answer for one statement differs from the server's. */
export interface Comparison {
  readonly verdict: 'refused' | 'same' | 'over' | 'unsure' | 'wrong';
  readonly outputs: number;
  /** Outputs with more sources than the server sees. */
  readonly over: number;
  /** Of each output of which nothing is known, why. */
  readonly unknown: readonly string[];
  readonly problem?: string;
}

/** The search path of the server's session, which ours must be too. */
const SESSION = newSession('postgres', ['app', 'public']);

export async function compare(server: LineageServer, sql: string): Promise<Comparison> {
  const expected = await server.ask(sql);
  if (expected && 'refused' in expected)
    return { verdict: 'refused', outputs: 0, over: 0, unknown: [], problem: expected.refused };
  const [lineage] = server.lineage.of(sql, server.catalog, SESSION);
  if (!lineage) return { verdict: 'wrong', outputs: 0, over: 0, unknown: [], problem: 'no lineage at all' };
  const judged = judge(server.catalog, lineage, expected ?? []);
  if (judged.verdict === 'wrong' || lineage.unknown !== undefined) return judged;
  const types = await server.types(sql);
  const other = lineage.outputs.find(({ stored, unknown, type = 0 }, at) => {
    return stored && unknown === undefined && types.length > 0 && baseOf(server.catalog, type) !== types[at];
  });
  return other ? { ...judged, verdict: 'wrong', problem: `output (${other.name}) is of another type` } : judged;
}

/** Descriptions have the type that a domain is made of. */
function baseOf(catalog: Catalog, oid: number): number {
  const type = catalog.typeByOid(oid);
  return type?.kind === 'd' ? baseOf(catalog, type.base) : oid;
}

function judge(catalog: Catalog, lineage: StatementLineage, expected: readonly Expected[]): Comparison {
  const none = { outputs: expected.length, over: 0, unknown: [] };
  if (lineage.unknown !== undefined) return { ...none, verdict: 'unsure', problem: lineage.unknown };
  const { outputs } = lineage;
  const names = (all: readonly { readonly name: string }[]): string => all.map(({ name }) => name).join(', ');
  if (names(outputs) !== names(expected)) {
    return { ...none, verdict: 'wrong', problem: `outputs are (${names(expected)}), not (${names(outputs)})` };
  }
  let over = 0;
  const unknown: string[] = [];
  for (const [index, output] of outputs.entries()) {
    const wanted = rooted(catalog, expected[index]?.sources ?? new Set());
    const given = new Set([...output.sources].map(({ relation, attnum }) => `${relation}.${attnum}`));
    if (output.unknown !== undefined) unknown.push(output.unknown);
    const missing = [...wanted].filter((source) => !given.has(source));
    if (missing.length > 0 && output.unknown === undefined) {
      const problem = `output ${index + 1} (${output.name}) also comes from ${missing.map((one) => nameOf(catalog, one)).join(', ')}`;
      return { ...none, verdict: 'wrong', problem };
    }
    if ([...given].some((source) => !wanted.has(source) && !isView(catalog, source))) over++;
  }
  return { verdict: over > 0 ? 'over' : 'same', outputs: outputs.length, over, unknown };
}

/** Children and partitions stand for their roots; attribute 0 is all of the row. */
function rooted(catalog: Catalog, sources: ReadonlySet<string>): Set<string> {
  const roots = new Set<string>();
  for (const source of sources) {
    const [relation = 0, attnum = 0] = source.split('.').map(Number);
    const columns = catalog.relationByOid(relation)?.columns ?? [];
    for (const { base } of columns.filter((column) => attnum === 0 || column.base.attnum === attnum)) {
      for (const root of catalog.roots(base)) roots.add(`${root.relation}.${root.attnum}`);
    }
  }
  return roots;
}

const relationOf = (source: string): number => Number(source.split('.')[0]);

/** A view's own column is a source by which a rule can name it; for the server it is gone by now. */
const isView = (catalog: Catalog, source: string): boolean => catalog.relationByOid(relationOf(source))?.kind === 'v';

function nameOf(catalog: Catalog, source: string): string {
  const attnum = Number(source.split('.')[1]);
  return (
    catalog.relationByOid(relationOf(source))?.columns.find(({ base }) => base.attnum === attnum)?.base.name ?? source
  );
}
