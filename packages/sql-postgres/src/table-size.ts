/**
 * How large tables are and how much they are used, for rules that ask. Owns: which tables of an action are meant, and the question. Does
 * not: decide, nor say whose turn it is (target-answers.ts).
 */
import type { Action, Lookup } from '@sluice/contract';
import type { TableSize } from '@sluice/guardrails';
import { LIMITED, literal, quoted } from './estimate.js';

/** By name, as the facts have it. */
export type TableSizes = ReadonlyMap<string, TableSize>;

export const NO_SIZE: TableSize = { rows: 0, bytes: 0, traffic: 0 };

/** Names of one text that are asked for. */
const MAX_NAMES = 100;

/** The tables that an action changes, defines or locks, and the indexes, by the names that stand there. */
export const changedNames = ({ resources, cost }: Action): string[] => [
  ...resources.flatMap(({ type, name, access }) =>
    (type === 'table' || type === 'object') && access !== 'read' && access !== 'execute' ? [name] : [],
  ),
  ...(cost?.lock?.on ?? []),
];

export const largest = (sizes: readonly TableSize[]): TableSize =>
  sizes.reduce(
    (most, one) => ({
      rows: Math.max(most.rows, one.rows),
      bytes: Math.max(most.bytes, one.bytes),
      traffic: Math.max(most.traffic, one.traffic),
    }),
    NO_SIZE,
  );

/** With what belongs to each: its partitions and children. Of an index it is its table. */
export async function tableSizes(lookup: Lookup, names: readonly string[]): Promise<TableSizes> {
  const wanted = [...new Set(names)];
  if (wanted.length > MAX_NAMES) throw new Error('too many names');
  await lookup.query(LIMITED);
  const rows = await lookup.query(`with recursive named (name, oid) as (
      select name, coalesce((select indrelid from pg_index where indexrelid = to_regclass(written)), to_regclass(written)::oid)
        from (values ${wanted.map((name) => `(${literal(name)}, ${literal(quoted(name))})`).join(', ')}) as given (name, written)),
    -- A name may have a dot of its own: then it is whatever is called so.
    meant (name, oid) as (select name, oid from named where oid is not null
      union select name, c.oid from named join pg_class c on named.oid is null and c.relpersistence <> 't'
        join pg_namespace n on n.oid = c.relnamespace and name in (c.relname, n.nspname || '.' || c.relname)),
    parts (name, oid) as (select name, oid from meant
      union select name, inhrelid from pg_inherits join parts on inhparent = parts.oid)
    select name, sum(greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)), sum(pg_total_relation_size(c.oid)),
      sum(pg_stat_get_numscans(c.oid) + coalesce((select sum(pg_stat_get_numscans(indexrelid)) from pg_index where indrelid = c.oid), 0)
        + pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))
      / greatest(1, extract(epoch from now() - (select coalesce(stats_reset, pg_postmaster_start_time()) from pg_stat_database
          where datname = current_database())) / 86400)
    from parts join pg_class c on c.oid = parts.oid and c.relkind in ('r', 'p', 'm') group by name`);
  return new Map(
    rows.map(([name, tuples, bytes, traffic]) => [
      name ?? '',
      { rows: Number(tuples), bytes: Number(bytes), traffic: Number(traffic) },
    ]),
  );
}
