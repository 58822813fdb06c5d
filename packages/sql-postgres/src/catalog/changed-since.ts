/**
 * What has changed in a catalog since it was read, also where all is as it was again. Owns: that question. Does not own: what it means for a
 * statement (`masks/standing.ts`).
 */
import { literal } from '../estimate.js';
import type { Catalog } from './catalog.js';
import type { CatalogQuery } from './query.js';
import { LIMITS } from './queries.js';

/**
 * Each change of an object is another row, whose transaction is a later one. What only gives a table other rows (TRUNCATE) changes
 * pg_class alone, and a new name changes pg_type with it.
 */
const NAMES = ({ server, horizon }: Catalog['moment']): string => {
  const isLate = (row: string): string => `age(${row}.xmin) <= age(xid('${horizon}'::xid8))`;
  return `select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
      where a.attnum > 0 and not a.attisdropped and ${isLate('a')}
    union select c.relname, null from pg_class c where c.oid in (
      select w.ev_class from pg_rewrite w where ${isLate('w')}
      union all select a.attrelid from pg_attribute a where a.attnum > 0 and a.attisdropped and ${isLate('a')}
      union all select d.adrelid from pg_attrdef d where ${isLate('d')}
      union all select i.inhrelid from pg_inherits i where ${isLate('i')}
      union all select i.inhparent from pg_inherits i where ${isLate('i')})
    union select t.typname, null from pg_type t where ${isLate('t')}
    union select p.proname, null from pg_proc p where ${isLate('p')}
    union select o.oprname, null from pg_operator o where ${isLate('o')}
    union select '', null where exists (select from pg_cast k where ${isLate('k')})
      or exists (select from pg_namespace n where n.nspname !~ '^pg_(temp|toast)' and ${isLate('n')})
      or (select extract(epoch from pg_postmaster_start_time())::text || ' ' || d.oid from pg_database d where d.datname = current_database())
        <> ${literal(server)}
      or pg_snapshot_xmax(pg_current_snapshot())::text::numeric - ${literal(horizon)}::numeric > 1000000000`.replaceAll(
    /\s+/g,
    ' ',
  );
};

/** A relation, type, function or operator; with a column where only that has changed. The empty name: any may have. */
export interface Changed {
  readonly name: string;
  readonly column: string | undefined;
}

/**
 * Any may have changed behind a change of casts and schemas, at another server, and after too long a time. The connection must be idle,
 * outside a transaction; it is left so.
 *
 * @throws what `query` throws
 */
export async function changedSince(query: CatalogQuery, moment: Catalog['moment']): Promise<readonly Changed[]> {
  const rows = await query(`${LIMITS}; set local search_path to pg_catalog, pg_temp; ${NAMES(moment)}`);
  return rows.map(([name, column]) => ({ name: name ?? '', column: column ?? undefined }));
}
