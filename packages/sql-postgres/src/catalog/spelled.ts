/**
 * By what the server spells a text out of what it has parsed: views, expressions of generated columns, bodies of functions in the form of
 * the SQL standard. Owns: whether a text that was spelled at one time is the text of another. Does not own: how texts are got
 * (`definitions.ts`), nor when they are needed (`read.ts`).
 */
import type { CatalogContents } from './catalog.js';
import type { Relation, Routine, SpelledFrom } from './objects.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import { LIMITS } from './queries.js';

const attributes = (relation: string): string =>
  `(select sum(hashtextextended(concat_ws(' ', a.attnum, a.xmin), 0)) from pg_attribute a where a.attrelid = ${relation})`;
const used = (kind: string): string =>
  `in (select u.object from uses u where u.class = 'pg_catalog.${kind}'::regclass)`;

/** (kind, oid, what it has in it). What the server comes with stands in no dependency, and has the names that it has. */
const SPELLED_FROM = `with texts as materialized (
    select 'r' as kind, w.ev_class as oid, 'pg_catalog.pg_rewrite'::regclass::oid as class, w.oid as object, w.xmin::text as own
      from pg_rewrite w join pg_class c on c.oid = w.ev_class where c.relkind in ('v', 'm') and c.relpersistence <> 't'
    union all select 'r', d.adrelid, 'pg_catalog.pg_attrdef'::regclass, d.oid, d.xmin::text
      from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where a.attgenerated <> ''
    union all select 'p', p.oid, 'pg_catalog.pg_proc'::regclass, p.oid, p.xmin::text
      from pg_proc p where p.prosqlbody is not null and p.pronamespace <> 'pg_catalog'::regnamespace),
  uses as materialized (select t.kind, t.oid, d.refclassid as class, d.refobjid as object
      from texts t join pg_depend d on d.classid = t.class and d.objid = t.object
    union select 'r', t.oid, 'pg_catalog.pg_class'::regclass, t.oid from texts t where t.kind = 'r'),
  states as materialized (
    select 'pg_catalog.pg_class'::regclass::oid as class, c.oid as object, concat_ws(' ', c.xmin, n.xmin, ${attributes('c.oid')}) as state
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid ${used('pg_class')}
    union all select 'pg_catalog.pg_proc'::regclass, p.oid, concat_ws(' ', p.xmin, n.xmin, t.xmin, ${attributes('t.typrelid')})
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_type t on t.oid = p.prorettype where p.oid ${used('pg_proc')}
    union all select 'pg_catalog.pg_type'::regclass, t.oid, concat_ws(' ', t.xmin, n.xmin, ${attributes('t.typrelid')})
      from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid ${used('pg_type')}
    union all select 'pg_catalog.pg_operator'::regclass, o.oid, concat_ws(' ', o.xmin, n.xmin)
      from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oid ${used('pg_operator')})
  select x.kind, x.oid, sum(hashtextextended(x.part, 0)) from (
    select t.kind, t.oid, concat_ws(' ', t.class, t.object, t.own) as part from texts t
    union all select u.kind, u.oid, concat_ws(' ', u.class, u.object, s.state)
      from uses u left join states s on s.class = u.class and s.object = u.object) x
  group by x.kind, x.oid`.replaceAll(/\s+/g, ' ');

const spelledFrom = (rows: readonly CatalogRow[]): SpelledFrom =>
  new Map(rows.map(([kind, oid, state]) => [`${kind}${oid}`, state ?? '']));
const keyOfRelation = ({ oid }: Relation): string => `r${oid}`;
const keyOfRoutine = ({ oid }: Routine): string => `p${oid}`;

/** Asks in the transaction of the connection, whose path begins with the catalog's schema. */
export const readSpelledFrom = async (query: CatalogQuery): Promise<SpelledFrom> =>
  spelledFrom(await query(SPELLED_FROM));

/**
 * What is known of before, where a text is not the same any more without it.
 *
 * @param before what they were spelled from
 * @param now what they would be spelled from
 */
export function keepSpelled(
  { relations, routines, spelledFrom: before }: Pick<CatalogContents, 'relations' | 'routines' | 'spelledFrom'>,
  now: SpelledFrom,
): Pick<CatalogContents, 'relations' | 'routines'> {
  const isKept = (key: string): boolean => now.has(key) && before.get(key) === now.get(key);
  return {
    relations: mapped(relations, (one) => (isKept(keyOfRelation(one)) ? one : unspelled(one))),
    routines: mapped(routines, (one) =>
      !one.body?.standard || isKept(keyOfRoutine(one)) ? one : { ...one, unread: true },
    ),
  };
}

/** Functions as they have just been read, with the bodies that are known of them. */
export function withBodies(routines: readonly Routine[], kept: readonly Routine[]): readonly Routine[] {
  const known = new Map(kept.filter(({ body, unread }) => body?.standard && !unread).map((one) => [one.oid, one]));
  return mapped(routines, (one) => {
    const body = one.body?.standard === true ? known.get(one.oid)?.body : undefined;
    return body ? { ...one, body, unread: false } : one;
  });
}

/**
 * Texts that have been got since a catalog was read, but for those that may be of a later state: of these nothing is known yet. Costs the
 * server some milliseconds.
 *
 * @param read the catalog as it was read
 * @param filled the same, with texts
 */
export async function withoutLate(
  query: CatalogQuery,
  read: CatalogContents,
  filled: CatalogContents,
): Promise<CatalogContents> {
  const now = spelledFrom(await query(`${LIMITS}; set local search_path to pg_catalog, pg_temp; ${SPELLED_FROM}`));
  const isLate = (key: string): boolean => !now.has(key) || read.spelledFrom.get(key) !== now.get(key);
  const settled = <T extends Relation | Routine>(
    all: readonly T[],
    before: readonly T[],
    keyOf: (one: T) => string,
  ): readonly T[] =>
    mapped(all, (one, at) => {
      const old = before[at];
      return old?.unread === true && !one.unread && isLate(keyOf(one)) ? old : one;
    });
  return {
    ...filled,
    relations: settled(filled.relations, read.relations, keyOfRelation),
    routines: settled(filled.routines, read.routines, keyOfRoutine),
  };
}

/** The same list where all in it stays the same: indexes of it are used again. */
function mapped<T>(list: readonly T[], to: (one: T, at: number) => T): readonly T[] {
  let isSame = true;
  const made = list.map((one, at) => {
    const now = to(one, at);
    if (now !== one) isSame = false;
    return now;
  });
  return isSame ? list : made;
}

function unspelled(relation: Relation): Relation {
  const { definition: _, ...rest } = relation;
  const isView = relation.kind === 'v' || relation.kind === 'm';
  return isSpelled(relation) ? { ...(isView ? rest : relation), unread: true } : relation;
}

const isSpelled = ({ kind, columns, unread }: Relation): boolean =>
  kind === 'v' || kind === 'm' || unread || columns.some(({ generated }) => generated !== undefined);
