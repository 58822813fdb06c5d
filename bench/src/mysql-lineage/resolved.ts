/**
 * Where the outputs of a query come from, as the server itself has written the query down: every name has its table in front of it, and
 * stars are columns. Owns: a reading of such texts that has no rules of names. Does not: conditions, which name no source.
 */
import type { Query, Select, Statement, TableReference } from '@sluice/sql-mysql';

/** By `table.column`, of tables and views; and what the column is called. */
export interface ResolvedOutput {
  readonly name: string;
  readonly sources: ReadonlySet<string>;
}

/** What an alias stands for: a table or a view by its name, or outputs of a query. */
type Meaning = string | readonly ResolvedOutput[];

interface Surroundings {
  /** Whether a table or view has a column: a query of WITH may stand elsewhere in a trace, and is none. */
  readonly has: (table: string, column: string) => boolean;
  readonly aliases: ReadonlyMap<string, Meaning>;
  readonly named: ReadonlyMap<string, readonly ResolvedOutput[]>;
  readonly parent?: Surroundings;
}

/** A recursive query is read until nothing comes in addition. */
const MAX_ROUNDS = 12;

/** Undefined: it is no query. `has`: whether a table or view has a column. */
export function resolvedOutputs(statement: Statement, has: Surroundings['has']): ResolvedOutput[] | undefined {
  return statement.kind === 'query'
    ? outputsOf(statement.query, { has, aliases: new Map(), named: new Map() })
    : undefined;
}

function outputsOf(query: Query, around: Surroundings): ResolvedOutput[] {
  const own = query.with ? { ...around, named: namedBy(query.with, around) } : around;
  switch (query.kind) {
    case 'select':
      return selected(query, own);
    case 'set': {
      const right = outputsOf(query.right, own);
      return outputsOf(query.left, own).map(({ name, sources }, at) => ({
        name,
        sources: unionOf([sources, right[at]?.sources ?? NOTHING]),
      }));
    }
    case 'nested':
      return outputsOf(query.query, own);
    case 'values':
      return (query.rows[0] ?? []).map((_, at) => ({
        name: '',
        sources: unionOf(query.rows.map((row) => sourcesIn(row[at], own))),
      }));
    default:
      return [];
  }
}

function namedBy({ tables, recursive }: NonNullable<Query['with']>, around: Surroundings): Surroundings['named'] {
  const named = new Map(around.named);
  for (const { name, columns, query } of tables) {
    const read = (): ResolvedOutput[] =>
      outputsOf(query, { ...around, named }).map((one, at) => ({ ...one, name: columns?.[at] ?? one.name }));
    if (recursive) named.set(name, []);
    let size = -1;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = read();
      named.set(name, found);
      const sum = found.reduce((all, { sources }) => all + sources.size, 0);
      if (!recursive || sum === size) break;
      size = sum;
    }
  }
  return named;
}

function selected({ items, from }: Select, around: Surroundings): ResolvedOutput[] {
  const aliases = new Map<string, Meaning>();
  const scope: Surroundings = { has: around.has, aliases, named: around.named, parent: around };
  const take = (one: TableReference): void => {
    switch (one.kind) {
      case 'table':
        aliases.set(one.alias ?? one.table.name, around.named.get(one.table.name) ?? one.table.name);
        return;
      case 'derived': {
        const found = outputsOf(one.query, scope);
        const columns = found.map((output, at) => ({ ...output, name: one.columns?.[at] ?? output.name }));
        aliases.set(one.alias ?? '', columns);
        return;
      }
      case 'join':
        take(one.left);
        take(one.right);
        return;
      default:
        aliases.set(one.alias ?? '', [{ name: ANY, sources: sourcesIn(one.document, scope) }]);
    }
  };
  for (const one of from) take(one);
  return items.flatMap((item) =>
    item.kind === 'star' ? [] : [{ name: item.name, sources: sourcesIn(item.value, scope) }],
  );
}

/** Whatever column of it is asked for. */
const ANY = '*';
const NOTHING: ReadonlySet<string> = new Set();

const unionOf = (all: readonly ReadonlySet<string>[]): ReadonlySet<string> => new Set(all.flatMap((one) => [...one]));

/** Of every column in an expression, whatever is done with it. */
function sourcesIn(part: unknown, scope: Surroundings): ReadonlySet<string> {
  if (typeof part !== 'object' || part === null) return NOTHING;
  if (Array.isArray(part)) return unionOf(part.map((one) => sourcesIn(one, scope)));
  const { kind } = part as { kind?: string };
  if (kind === 'exists') return NOTHING;
  if (kind === 'column') return meant(part as { table?: string; name: string }, scope);
  if (kind === 'subquery') {
    const { query } = part as { query: Query };
    return unionOf(outputsOf(query, scope).map(({ sources }) => sources));
  }
  return unionOf(Object.values(part).map((one) => sourcesIn(one, scope)));
}

/** A name that the server has not put a table in front of is left out: it says nothing for certain. */
function meant(
  { table, name }: { readonly table?: string; readonly name: string },
  scope: Surroundings,
): ReadonlySet<string> {
  if (table === undefined) return NOTHING;
  for (let at: Surroundings | undefined = scope; at; at = at.parent) {
    const meaning = at.aliases.get(table);
    if (meaning === undefined) continue;
    if (typeof meaning === 'string')
      return scope.has(meaning, name) ? new Set([`${meaning}.${name}`.toLowerCase()]) : NOTHING;
    const found = meaning.filter((one) => one.name === ANY || one.name.toLowerCase() === name.toLowerCase());
    return unionOf(found.map(({ sources }) => sources));
  }
  return NOTHING;
}
