/**
 * Tables of some names, read anew: what a definition of a table can have changed, without the rest of the catalog, which may be ten
 * thousand columns. Owns: which rows those are. Does not own: after which definitions that is enough (`masks/changed-tables.ts`), functions
 * and types (`named.ts`), nor when it is read (`masks/catalogs.ts`).
 */
import { literal } from '../estimate.js';
import type { Catalog, CatalogChange, Moment } from './catalog.js';
import { isRefusal, withDefinitions } from './definitions.js';
import type { Guards } from './guards.js';
import { guardsWith } from './guards-in-part.js';
import type { Relation } from './objects.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import { CLASSES, FOR_FEW_ROWS, LIMITS, PARENTS, TYPES } from './queries.js';
import { relationsOf, typeOf } from './read.js';
import { directCalls } from './setting-code.js';

/** Columns of the widest of the parts below. */
const MAX_WIDTH = 10;

/** Every value as text: one answer has rows of all parts. @param flags places of booleans, which are `t` and `f` where they stand alone */
function part(kind: string, width: number, select: string, flags: readonly number[] = []): string {
  const names = Array.from({ length: width }, (_, at) => `c${at}`);
  const texts = names.map((name, at) =>
    flags.includes(at) ? `case when x.${name} then 't' else 'f' end` : `x.${name}::text`,
  );
  const rest = Array.from({ length: MAX_WIDTH - width }, () => 'null');
  return `select '${kind}', ${[...texts, ...rest].join(', ')} from (${select}) as x (${names.join(', ')})`;
}

/** The tables that are read: an array, so that each catalog is asked by its index, whatever the planner takes the numbers for. */
const READ = '= any ((select oids from read)::oid[])';

/**
 * Of what users have made. To the planner a constant of type oid may be a table, and with that one changed it plans anew: 16384 is the first
 * that somebody has made, and 16383 none.
 */
const MADE = '> 16383';

/** What stands on these tables, as (kind, relation, class, oid of what it calls): see CODE in `guards.ts`. `p` is a policy. */
const CALLS = `select case when o.kind = '' then case when d.refclassid = 'pg_catalog.pg_type'::regclass then 'w' else 'r' end else o.kind end,
    o.relation, d.refclassid::oid, d.refobjid
  from (select case k.contype when 'c' then 'r' else 'w' end as kind, k.conrelid as relation, 'pg_catalog.pg_constraint'::regclass as class, k.oid
      from pg_constraint k where k.conrelid ${READ}
    union all select 'w', a.adrelid, 'pg_catalog.pg_attrdef'::regclass, a.oid from pg_attrdef a where a.adrelid ${READ}
    union all select 'r', w.ev_class, 'pg_catalog.pg_rewrite'::regclass, w.oid from pg_rewrite w where w.ev_class ${READ}
    union all select 'r', i.indrelid, 'pg_catalog.pg_class'::regclass, i.indexrelid from pg_index i where i.indrelid ${READ}
    union all select 'r', s.stxrelid, 'pg_catalog.pg_statistic_ext'::regclass, s.oid from pg_statistic_ext s where s.stxrelid ${READ}
    union all select 'w', g.tgrelid, 'pg_catalog.pg_trigger'::regclass, g.oid from pg_trigger g where g.tgrelid ${READ} and not g.tgisinternal
    union all select 'p', p.polrelid, 'pg_catalog.pg_policy'::regclass, p.oid from pg_policy p where p.polrelid ${READ}
    union all select '', c.oid, 'pg_catalog.pg_class'::regclass, c.oid from read cross join unnest(oids) as c (oid) offset 0) o
  cross join lateral (select x.refclassid, x.refobjid from pg_depend x
    where x.classid = o.class and x.objid = o.oid and x.refobjid ${MADE} offset 0) d`;

/** (kind, relation) where code runs whatever it is. */
const GUARDED = `select 'r', c.oid from pg_class c where c.oid ${READ} and (c.relrowsecurity or c.relkind = 'f')
  union all select 'w', g.tgrelid from pg_trigger g where g.tgrelid ${READ} and not g.tgisinternal
  union all select 'w', w.ev_class from pg_rewrite w where w.ev_class ${READ} and w.ev_type <> '1'`;

/** (kind, from, to): what is read or changed with it. */
const REACHED = `select 'r', i.inhparent, i.inhrelid from pg_inherits i where i.inhparent ${READ}
  union all select 'r', i.inhparent, i.inhrelid from pg_inherits i where i.inhrelid ${READ}
  union all select 'r', w.ev_class, d.refobjid from pg_rewrite w join pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
    where d.refobjid <> w.ev_class and w.ev_class ${READ}
  union all select 'w', k.confrelid, k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid <> k.conrelid
    and k.conrelid ${READ}`;

/** Functions whose bodies the server spells with names of these tables. */
const BODIES = `select d.objid from pg_depend d where $5 and d.classid = 'pg_catalog.pg_proc'::regclass
  and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid ${READ}`;

/**
 * Of tables that are known, as they were at some time since a transaction number, what has changed since: all else of them is as it was.
 * Dropped columns too. Nothing changes a column in place: each change is a row of its transaction.
 */
const COLUMNS = `select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '', a.attisdropped from pg_attribute a
  where a.attnum > 0 and a.attrelid ${READ}
  and case when a.attrelid = any ($3) then age(a.xmin) <= age(xid($4)) or (select t.long from ago t) else not a.attisdropped end`;
/** In rows numbers of transactions have 32 bits: after too many of them nobody can tell which row is the later one. */
const AGO = `select pg_snapshot_xmax(pg_current_snapshot())::text::int8 - $4::text::int8 > 1000000000 as long`;

/**
 * The tables of the names, in whatever schema, what is below them, which changes with them, and the sequences that belong to these. Where
 * something has another name now ($5), what is spelled by it too: views, and what has rules.
 */
const TABLES = `with recursive family as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relname = any ($2::name[]) and (c.relname = any ($1::name[]) or n.nspname || '.' || c.relname = any ($1))
    union select x.oid from family f cross join lateral (
      select i.inhrelid as oid from pg_inherits i where i.inhparent = f.oid
      union all select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
        where $5 and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = f.oid
          and d.classid = 'pg_catalog.pg_rewrite'::regclass) x),
  named as materialized (select array(select oid from family) as oids),
  read as materialized (select array(select unnest(oids) from named union
    select d.objid from pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjid = any ((select oids from named)::oid[]) and d.deptype in ('a', 'i')) as oids),
  ago as materialized (${AGO}),
  rows as materialized (select array(select c.reltype from pg_class c where c.oid ${READ} and c.reltype <> 0) as types)`;

const PARTS = [
  part('class', 9, `${CLASSES} and c.oid ${READ}`, [5, 8]),
  part('attribute', 7, COLUMNS, [5, 6]),
  part('parent', 3, `${PARENTS} where inhrelid ${READ}`),
  part(
    'type',
    10,
    `${TYPES} and t.oid = any ((select types || array(select e.typarray from pg_type e where e.oid = any (types)) from rows)::oid[])`,
    [9],
  ),
  part('calls', 4, `${CALLS} union all ${directCalls(READ)}`),
  part('guarded', 2, GUARDED),
  part('reached', 3, REACHED),
  part('body', 1, BODIES),
  part('horizon', 1, 'select pg_snapshot_xmin(pg_current_snapshot())'),
].join(' union all ');

/** To plan it takes longer than to run it, so the server keeps the plan: one that goes by indexes, however few tables there are. */
const NAME = 'sluice_named_tables';
const PREPARE = `prepare ${NAME} (text[], text[], oid[], xid8, bool) as ${TABLES} ${PARTS}`.replaceAll(/\s+/g, ' ');
const SETTINGS = `${FOR_FEW_ROWS}; set local plan_cache_mode to force_generic_plan`;

/** Of a name with one dot in it. There may be a table of just that name as well. */
function qualified(name: string): readonly [schema: string, table: string] | undefined {
  const [schema = '', table, ...more] = name.split('.');
  return table === undefined || more.length > 0 ? undefined : [schema, table];
}

async function readRows(
  query: CatalogQuery,
  names: readonly string[],
  known: readonly Relation[],
  { horizon }: Moment,
  areRespelled: boolean,
): Promise<readonly CatalogRow[]> {
  const list = (texts: readonly string[]): string => `array[${texts.map((one) => literal(one)).join()}]::text[]`;
  const plain = names.flatMap((name) => [name, ...(qualified(name)?.slice(1) ?? [])]);
  const oids = known.map(({ oid }) => oid).join();
  const execute = `${SETTINGS}; execute ${NAME} (${list(names)}, ${list(plain)}, '{${oids}}', ${literal(horizon)}, ${areRespelled})`;
  try {
    return await query(execute);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    // The connection is new.
    await query(`${SETTINGS}; ${PREPARE}`);
    return query(execute);
  }
}

/**
 * The tables of these names as they are now, in whatever schema or, as `schema.table`, in one; undefined where that takes more than is read
 * here (something that is spelled is locked, a table has another name now, or code that may set something is behind it), so that all has to
 * be read. The connection must be idle, outside a transaction; it is left so.
 *
 * @param before what runs unseen behind all others
 * @param areRespelled some have another name or other names in them now, and so has what reads them
 * @throws what `query` throws
 */
export async function readTables(
  query: CatalogQuery,
  catalog: Catalog,
  names: readonly string[],
  before: Guards,
  areRespelled: boolean,
): Promise<Pick<CatalogChange, 'relations' | 'types' | 'guards' | 'gone' | 'horizon'> | undefined> {
  if (names.length === 0) return { relations: [], types: [], guards: before };
  const named = namedBefore(catalog, names);
  // Which columns of one are computed is not known while it is locked: it is read as a whole.
  const known = withChildren(catalog, named).filter(({ unread }) => !unread);
  const answer = await readRows(query, names, known, catalog.contents.moment, areRespelled);
  const parts = Map.groupBy(answer, ([kind]) => kind ?? '');
  const rows = (kind: string): CatalogRow[] => (parts.get(kind) ?? []).map((row) => row.slice(1));
  const found = relationsOf(rows('class'), columnsOf(known, rows('attribute')), rows('parent'), catalog);
  const guards = guardsWith(before, found, [rows('calls'), rows('guarded'), rows('reached')]);
  if (!guards || rows('body').length > 0) return undefined;
  const relations = found.some(({ unread }) => unread) ? await withTexts(query, catalog, found) : found;
  if (!relations) return undefined;
  const oids = new Set(relations.map(({ oid }) => oid));
  const lost = named.filter(({ oid }) => !oids.has(oid));
  const gone = lost.length > 0 ? await droppedOf(query, catalog, lost) : new Set<number>();
  const [horizon] = rows('horizon')[0] ?? [];
  return gone && { relations, types: rows('type').map(typeOf), guards, gone, ...(horizon && { horizon }) };
}

/** With what the server spells of them; undefined where something of it cannot be had now. */
async function withTexts(
  query: CatalogQuery,
  { contents }: Catalog,
  relations: readonly Relation[],
): Promise<readonly Relation[] | undefined> {
  const spelled = await withDefinitions(query, { ...contents, relations, routines: [] });
  return spelled.relations.some(({ unread }) => unread) ? undefined : spelled.relations;
}

/** Of those that are known, what has changed counts. */
function columnsOf(known: readonly Relation[], changed: readonly CatalogRow[]): readonly CatalogRow[] {
  const late = new Set(changed.map(([relation, attnum]) => `${relation} ${attnum}`));
  const kept = known.flatMap(({ oid, columns }) =>
    columns.flatMap(({ base: { attnum }, name, type, typmod, generated }): CatalogRow[] =>
      late.has(`${oid} ${attnum}`)
        ? []
        : [[`${oid}`, `${attnum}`, name, `${type}`, `${typmod}`, generated === undefined ? 'f' : 't']],
    ),
  );
  return [...kept, ...changed.filter(([, , , , , , dropped]) => dropped !== 't')];
}

function withChildren(catalog: Catalog, relations: readonly Relation[]): readonly Relation[] {
  const found = new Map(relations.map((one) => [one.oid, one]));
  for (const oid of found.keys()) for (const child of catalog.childrenOf(oid)) found.set(child.oid, child);
  return [...found.values()];
}

function namedBefore(catalog: Catalog, names: readonly string[]): readonly Relation[] {
  return names.flatMap((name) => {
    const inSchema = qualified(name);
    const one = inSchema && catalog.relation(...inSchema);
    return one ? [...catalog.relationsNamed(name), one] : catalog.relationsNamed(name);
  });
}

/**
 * What is no longer there, with the sequences that have gone with it: which those are the catalog does not say, but they are of the same
 * schema. Undefined where something is there under another name.
 */
async function droppedOf(
  query: CatalogQuery,
  catalog: Catalog,
  lost: readonly Relation[],
): Promise<ReadonlySet<number> | undefined> {
  const schemas = new Set(lost.map(({ schema }) => schema));
  const sequences = catalog.relations.filter(({ kind, schema }) => kind === 'S' && schemas.has(schema));
  const asked = [...lost, ...sequences].map(({ oid }) => oid);
  const path = `${LIMITS}; set local search_path to pg_catalog, pg_temp`;
  const rows = await query(`${path}; select oid from pg_class where oid = any ('{${asked.join()}}'::oid[])`);
  const there = new Set(rows.map(([oid]) => Number(oid)));
  return lost.some(({ oid }) => there.has(oid)) ? undefined : new Set(asked.filter((oid) => !there.has(oid)));
}
