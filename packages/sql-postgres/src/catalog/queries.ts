/**
 * What is asked of pg_catalog, for PostgreSQL 15 to 18. Every column comes as text. The search path is empty, so that
 * pg_get_viewdef, pg_get_expr and pg_get_function_sqlbody qualify all names. These three lock what they spell, so they are
 * asked apart from the rest, which locks nothing but catalogs: see `definitions.ts`. Does not: ask (read.ts).
 */

/** Temporary and TOAST schemas belong to other sessions or to nobody. */
const LASTING = `n.nspname !~ '^pg_(temp|toast)'`;
const RELATIONS = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${LASTING} and c.relpersistence <> 't' and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')`;

export const SCHEMAS = `select n.oid, n.nspname from pg_namespace n where ${LASTING}`;

export const EXTENSIONS = 'select extname from pg_extension';

/** (schema, role) where the role may not look into the schema. */
export const CLOSED = `select n.nspname, r.rolname from pg_namespace n cross join pg_roles r
  where ${LASTING} and n.nspname <> 'pg_catalog' and not has_schema_privilege(r.oid, n.oid, 'usage')`;

/**
 * Event types of rules are numbers as characters: 1 is SELECT. INSTEAD OF is bit 6 of a trigger's type. The actions of a rule are a
 * list of queries, of which those of command type 1 are SELECT; braces in constants and names are escaped there (outfuncs.c).
 */
export const CLASSES = `select c.oid, n.nspname, c.relname, c.relkind, c.reltype,
  exists (select from pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1' and w.is_instead)
    or exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgtype & 64 <> 0),
  array_to_string(array(select distinct w.ev_type from pg_rewrite w where w.ev_class = c.oid
    and case when w.ev_type <> '1' then w.ev_action::text ~ '(^[(]|[}] )[{]QUERY :commandType 1 ' end), ''),
  (select array_to_string(p.partattrs::int2[], ' ') from pg_partitioned_table p where p.partrelid = c.oid),
  exists (select from pg_index i where i.indrelid = c.oid
    and (i.indpred is not null or i.indisexclusion or i.indisunique and i.indexprs is not null))
  ${RELATIONS}`;

/** @param among a condition, behind pg_class.oid */
export const attributesOf = (among: string): string => `select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
  a.attgenerated <> ''
  from pg_attribute a
  where a.attnum > 0 and not a.attisdropped and a.attrelid ${among}`;
export const ATTRIBUTES = attributesOf(`in (select c.oid ${RELATIONS})`);

/** (server, horizon, snapshot) of a `Moment`, and the next number of a transaction. A standby does not list which are running. */
export const MOMENT = `select extract(epoch from pg_postmaster_start_time())::text || ' ' || d.oid, pg_snapshot_xmin(s),
  case when not pg_is_in_recovery() then s end, pg_snapshot_xmax(s)
  from pg_current_snapshot() s, pg_database d where d.datname = current_database()`;

/**
 * Relations of which something has come or changed since a transaction number of less than 2^31 ago (`pg_snapshot_xmin`): a row that an
 * earlier snapshot has not seen is of a transaction that was still running then, or of a later one.
 */
export const CHANGED_RELATIONS = (horizon: string): string => {
  const isLate = (row: string): string => `age(${row}.xmin) <= age(xid('${horizon}'::xid8))`;
  return `select c.oid from pg_class c where ${isLate('c')}
    union select a.attrelid from pg_attribute a where ${isLate('a')}
    union select d.adrelid from pg_attrdef d where ${isLate('d')}`;
};

export const PARENTS = 'select inhrelid, inhparent, inhseqno from pg_inherits';

export const TYPES = `select t.oid, n.nspname, t.typname, t.typtype, t.typrelid,
  case when t.typcategory = 'A' then t.typelem else 0 end, t.typbasetype, t.typarray,
  t.typcategory, t.typispreferred, t.typtypmod
  from pg_type t join pg_namespace n on n.oid = t.typnamespace where ${LASTING}`;

export const ROUTINES = `select p.oid, n.nspname, p.proname, l.lanname, p.prokind, p.provolatile,
  array_to_json(p.proargtypes::oid[]), p.pronargdefaults, p.provariadic <> 0, array_to_json(p.proallargtypes),
  array_to_json(p.proargmodes), array_to_json(p.proargnames), p.prorettype, p.proretset, p.prosecdef,
  array_to_json(p.proconfig),
  case when l.lanname = 'sql' and n.nspname <> 'pg_catalog' then p.prosrc end, p.prosqlbody is not null,
  (select e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid where d.classid = 'pg_catalog.pg_proc'::regclass
    and d.objid = p.oid and d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::regclass)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang where ${LASTING}`;

const OPERATORS = `select n.nspname, o.oprname, o.oprleft, o.oprright, o.oprresult, l.lanname in ('c', 'internal'), p.oid
  from pg_operator o join pg_namespace n on n.oid = o.oprnamespace join pg_proc p on p.oid = o.oprcode
  join pg_language l on l.oid = p.prolang`;
export const MADE_OPERATORS = `${OPERATORS} where n.nspname <> 'pg_catalog'`;
/** They stay as they are as long as the server runs. */
export const BUILT_IN_OPERATORS = `${OPERATORS} where n.nspname = 'pg_catalog'`;

/** (source, target) of what is converted without a word in the statement. */
export const IMPLICIT_CASTS = `select c.castsource, c.casttarget from pg_cast c where c.castcontext = 'i'`;

export const CASTS = `select c.castsource, c.casttarget, c.castcontext
  from pg_cast c join pg_proc p on p.oid = c.castfunc join pg_namespace n on n.oid = p.pronamespace
  join pg_language l on l.oid = p.prolang where n.nspname <> 'pg_catalog' and l.lanname not in ('c', 'internal')`;

/** Tables that somebody locks against readers, or waits to lock: a reader would wait behind both. */
const LOCKED = `with locked as materialized (select l.relation from pg_locks l where l.locktype = 'relation'
  and l.mode = 'AccessExclusiveLock' and l.database = (select d.oid from pg_database d where d.datname = current_database()))`;

const among = (oids: readonly number[]): string => `= any ('{${oids.join(',')}}'::oid[])`;

/** Whether an object depends on a table that is locked. */
const isLocked = (catalog: 'pg_rewrite' | 'pg_proc', oid: string): string =>
  `exists (select from pg_depend d join locked on locked.relation = d.refobjid
    where d.classid = 'pg_catalog.${catalog}'::regclass and d.objid = ${oid} and d.refclassid = 'pg_catalog.pg_class'::regclass)`;

/** (oid, text) */
export const VIEW_DEFINITIONS = (oids: readonly number[]): string => `${LOCKED}
  select c.oid, pg_get_viewdef(c.oid) from pg_class c where c.oid ${among(oids)}
  and not exists (select from pg_rewrite w where w.ev_class = c.oid and ${isLocked('pg_rewrite', 'w.oid')})`;

/** (oid of the table, text, attnum) */
export const GENERATED_EXPRESSIONS = (oids: readonly number[]): string => `${LOCKED}
  select a.attrelid, pg_get_expr(d.adbin, d.adrelid), a.attnum
  from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attgenerated <> '' and not a.attisdropped and a.attrelid ${among(oids)}
  and a.attrelid not in (select relation from locked)`;

/** (oid, text) */
export const FUNCTION_BODIES = (oids: readonly number[]): string => `${LOCKED}
  select p.oid, pg_get_function_sqlbody(p.oid) from pg_proc p where p.oid ${among(oids)}
  and not ${isLocked('pg_proc', 'p.oid')}`;

/**
 * A number over all rows that changes when one is added, removed or replaced: each replacement has a new xmin. It is asked of
 * the client's own connection as well, where objects of others may come before those of pg_catalog: all is qualified.
 */
const sum = (identity: string, from: string): string =>
  `(select pg_catalog.count(*)::pg_catalog.text operator(pg_catalog.||) ':' operator(pg_catalog.||)
    coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', x.xmin, ${identity}), 0)), 0)::pg_catalog.text
    from ${from})`;

const OF_LASTING = `operator(pg_catalog.=) any (select c.oid from pg_catalog.pg_class c where c.relpersistence operator(pg_catalog.<>) 't')`;
const NAMED = `operator(pg_catalog.!~) '^pg_(temp|toast)'`;

/** How long the rest may take, in milliseconds: only catalogs are locked, against readers by hardly anything. To compile takes longer than to run. */
export const LIMITS = 'set local lock_timeout to 2000; set local statement_timeout to 20000; set local jit to off';

/** For a reading that finds a few rows by their indexes, whatever the planner takes the numbers for. */
export const FOR_FEW_ROWS = [
  LIMITS,
  'set local search_path to pg_catalog, pg_temp',
  ...['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'].map((way) => `set local ${way} to off`),
].join('; ');

/** Of each catalog, a text that differs whenever it does. */
const VERSIONED = {
  relations: sum('x.oid', `pg_catalog.pg_class x where x.relpersistence operator(pg_catalog.<>) 't'`),
  attributes: sum(
    'x.attrelid, x.attnum',
    `pg_catalog.pg_attribute x where x.attnum operator(pg_catalog.>) 0 and x.attrelid ${OF_LASTING}`,
  ),
  defaults: sum('x.oid', `pg_catalog.pg_attrdef x where x.adrelid ${OF_LASTING}`),
  rules: sum('x.oid', `pg_catalog.pg_rewrite x where x.ev_class ${OF_LASTING}`),
  triggers: sum('x.oid', `pg_catalog.pg_trigger x where x.tgrelid ${OF_LASTING}`),
  parents: sum('x.inhrelid, x.inhparent', 'pg_catalog.pg_inherits x'),
  types: sum(
    'x.oid',
    `pg_catalog.pg_type x join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) x.typnamespace where n.nspname ${NAMED}`,
  ),
  routines: sum('x.oid', 'pg_catalog.pg_proc x'),
  constraints: sum('x.oid', 'pg_catalog.pg_constraint x'),
  statistics: sum('x.oid', 'pg_catalog.pg_statistic_ext x'),
  event_triggers: sum('x.oid', 'pg_catalog.pg_event_trigger x'),
  operators: sum('x.oid', 'pg_catalog.pg_operator x'),
  casts: sum('x.oid', 'pg_catalog.pg_cast x'),
  extensions: sum('x.oid', 'pg_catalog.pg_extension x'),
  schemas: sum('x.oid', `pg_catalog.pg_namespace x where x.nspname ${NAMED}`),
  members: sum('x.roleid, x.member', 'pg_catalog.pg_auth_members x'),
  // Who owns the database is a member of pg_database_owner.
  roles: `(select pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', r.oid, r.rolname, r.rolsuper, r.rolinherit, d.oid), ',' order by r.oid))
    from pg_catalog.pg_roles r left join pg_catalog.pg_database d on d.datdba operator(pg_catalog.=) r.oid
      and d.datname operator(pg_catalog.=) pg_catalog.current_database())`,
};
export type CatalogPart = keyof typeof VERSIONED;
export const CATALOG_PARTS = Object.keys(VERSIONED) as readonly CatalogPart[];

/** One text, with the parts in the order of `CATALOG_PARTS` between blanks. */
export const VERSION = `select pg_catalog.concat_ws(' ', ${Object.values(VERSIONED).join(', ')})`;
