/**
 * Where code that nobody reads runs unseen, and may say in an error what it likes: triggers, rules, row security, and functions
 * in constraints, domains, defaults, indexes and views. Owns: what the catalog says of that. Does not own: which columns are
 * masked, nor what becomes of an error (`masks/errors.ts`). Compiled functions belong to extensions and to the server, and are
 * taken to say no more than they are given.
 */
import { Edges, type Pair } from './edges.js';
import type { CatalogQuery } from './query.js';
import { type FunctionText, type SettingCode, readSettingCode } from './setting-code.js';

/** Numbers are object identifiers of relations and types. */
export interface Guards {
  /** Relations where such code runs with each statement that reads them. */
  readonly onRead: ReadonlySet<number>;
  /** The same for statements that write to them or define something of them. */
  readonly onWrite: ReadonlySet<number>;
  /** What a statement that reads a relation works on besides: below a view, children and partitions. */
  readonly read: Edges;
  /** What one that writes to it may change besides: tables with foreign keys to it. */
  readonly written: Edges;
  /** Domains with a check that calls such code, and types that are made of them. */
  readonly domains: ReadonlySet<number>;
  /** Event triggers: any definition runs them. */
  readonly onDefinition: boolean;
  /** Such code that may keep something in a setting of its session. */
  readonly settingCode: SettingCode;
  /** What runs such code where it is called, as `class oid` of pg_depend: functions, operators, types, classes of operators. */
  readonly code: ReadonlySet<string>;
}

/** Functions and operators that are not compiled. What the server comes with stands in no dependency. */
const UNREAD = `unread as materialized (
  select 'pg_catalog.pg_proc'::regclass as class, p.oid from pg_proc p join pg_language l on l.oid = p.prolang
    where l.lanname not in ('c', 'internal') and p.oid >= 16384
  union all select 'pg_catalog.pg_operator'::regclass, o.oid from pg_operator o join pg_proc p on p.oid = o.oprcode
    join pg_language l on l.oid = p.prolang where l.lanname not in ('c', 'internal') and o.oid >= 16384)`;

/**
 * What such code is in, however deep: aggregates, operator classes, domains, and types that are made of these. What a table or
 * a function depends on is looked for at the table and at the call.
 */
const BAD = `bad as (select class, oid from unread
  union select x.class, x.oid from bad b join pg_depend d on d.refclassid = b.class and d.refobjid = b.oid cross join lateral (
    select d.classid as class, d.objid as oid where d.classid in ('pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_opclass'::regclass)
    union all select d.classid, p.oid from pg_proc p
      where d.classid = 'pg_catalog.pg_proc'::regclass and p.oid = d.objid and p.prokind = 'a'
    union all select 'pg_catalog.pg_type'::regclass, k.contypid from pg_constraint k
      where d.classid = 'pg_catalog.pg_constraint'::regclass and k.oid = d.objid and k.contypid <> 0
    union all select 'pg_catalog.pg_type'::regclass, c.reltype from pg_class c
      where d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid and c.relkind = 'c'
    union all select 'pg_catalog.pg_opfamily'::regclass, f.amprocfamily from pg_amproc f
      where d.classid = 'pg_catalog.pg_amproc'::regclass and f.oid = d.objid
    union all select 'pg_catalog.pg_opfamily'::regclass, f.amopfamily from pg_amop f
      where d.classid = 'pg_catalog.pg_amop'::regclass and f.oid = d.objid) x)`;

/**
 * (kind, oid): `r` runs code when it is read, `w` when it is written to; `d` is a type with code; a number is the class of what
 * runs code where it is called. What is immutable in an index, a
 * check, statistics or the key of partitions the server computes when it plans a statement that reads the table.
 */
const CODE = `with recursive ${UNREAD}, ${BAD},
  calls as materialized (select d.classid, d.objid, t.oid is not null as of_type from pg_depend d
    join bad u on u.class = d.refclassid and u.oid = d.refobjid
    left join pg_type t on d.refclassid = 'pg_catalog.pg_type'::regclass and t.oid = d.refobjid)
  select 'd', oid from bad where class = 'pg_catalog.pg_type'::regclass
  union select class::oid::text, oid from bad
  union select 'r', c.oid from pg_class c where c.relrowsecurity or c.relkind = 'f'
  union select 'r', w.ev_class from pg_rewrite w join calls x
    on x.classid = 'pg_catalog.pg_rewrite'::regclass and x.objid = w.oid
  union select 'w', g.tgrelid from pg_trigger g where not g.tgisinternal
  union select 'w', w.ev_class from pg_rewrite w where w.ev_type <> '1'
  union select case k.contype when 'c' then 'r' else 'w' end, k.conrelid from pg_constraint k join calls x
    on x.classid = 'pg_catalog.pg_constraint'::regclass and x.objid = k.oid where k.conrelid <> 0
  union select 'w', a.adrelid from pg_attrdef a join calls x
    on x.classid = 'pg_catalog.pg_attrdef'::regclass and x.objid = a.oid
  union select 'r', i.indrelid from pg_index i join calls x
    on x.classid = 'pg_catalog.pg_class'::regclass and x.objid = i.indexrelid
  union select 'r', s.stxrelid from pg_statistic_ext s join calls x
    on x.classid = 'pg_catalog.pg_statistic_ext'::regclass and x.objid = s.oid
  union select case when x.of_type then 'w' else 'r' end, x.objid from calls x where x.classid = 'pg_catalog.pg_class'::regclass`;

/** (kind, from, to): `r` is read with it, `w` is changed with it. */
const REACHES = `select 'r', i.inhparent, i.inhrelid from pg_inherits i
  union select 'r', w.ev_class, d.refobjid from pg_rewrite w join pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
    where d.refobjid <> w.ev_class and w.ev_class >= 16384
  union select 'w', k.confrelid, k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid <> k.conrelid`;

const EVENTS = `select 1 from pg_event_trigger where evtenabled <> 'D' limit 1`;

const KINDS: ReadonlySet<string> = new Set(['d', 'r', 'w']);

/** Asks the catalog, whose schemas come first in the path of the connection. */
export async function readGuards(query: CatalogQuery, functions: readonly FunctionText[]): Promise<Guards> {
  const code = await query(CODE.replaceAll(/\s+/g, ' '));
  const reaches = await query(REACHES.replaceAll(/\s+/g, ' '));
  const events = await query(EVENTS);
  const oids = (kind: string): Set<number> => new Set(code.flatMap(([of, oid]) => (of === kind ? [Number(oid)] : [])));
  const edges = (kind: string): Edges =>
    Edges.of(reaches.flatMap(([of, from, to]): Pair[] => (of === kind ? [[Number(from), Number(to)]] : [])));
  return {
    onRead: oids('r'),
    onWrite: oids('w'),
    read: edges('r'),
    written: edges('w'),
    domains: oids('d'),
    onDefinition: events.length > 0,
    settingCode: await readSettingCode(query, functions),
    code: new Set(code.flatMap(([of, oid]) => (KINDS.has(of ?? '') ? [] : [`${of} ${oid}`]))),
  };
}
