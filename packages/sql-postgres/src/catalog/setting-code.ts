/**
 * Where code that nobody reads may keep a value in a setting of its session, or change its search path or role: set_config in a
 * trigger, a default, a policy, behind an operator. Owns: what the catalog says of that. Does not own: which statements run it
 * (`lineage/setting-code.ts`). A function is looked at as a text: one that may do it counts, and so does one that names what counts.
 */
import type { CatalogQuery, CatalogRow } from './query.js';

/** Numbers are pg_class.oid. */
export interface SettingCode {
  /** Relations where such code runs with each statement that reads them, or what they are made of. */
  readonly onRead: ReadonlySet<number>;
  /** The same for statements that write to them or define something of them. */
  readonly onWrite: ReadonlySet<number>;
  /** An event trigger runs it. */
  readonly onDefinition: boolean;
  /** There is such code, wherever it runs. */
  readonly exists: boolean;
  /** What it is called, and all by which it is reached: functions, operators, types, relations; in lower case. */
  readonly names: ReadonlySet<string>;
  /** The same, and what has no name, as `class oid` of pg_depend. */
  readonly counted: ReadonlySet<string>;
}

/** A function that is not compiled, as far as its text tells what it may do. */
export interface FunctionText {
  /** pg_proc.oid */
  readonly oid: number;
  /** In lower case, as all names here. */
  readonly name: string;
  /** It may set something itself. */
  readonly sets: boolean;
  /** The words in its text, which may be names. */
  readonly words: ReadonlySet<string>;
  /** In lower case: names of operators, and such as have blanks, are looked for in it. */
  readonly text: string;
}

/**
 * What a function in SQL or PL/pgSQL has in its text that can set something to a value, in lower case: set_config, an UPDATE of
 * pg_settings, texts that are put together and run, names that are written in escapes, and SET of what decides what names mean.
 */
const MAY_SET =
  /set_config|execute|pg_settings|_to_xml|ts_stat|ts_rewrite|dblink|u&|\bset\s+(?:(?:session|local)\s+)?"?(?:search_path|role|session|schema)\b|\breset\b/;

const READ: ReadonlySet<string> = new Set(['sql', 'plpgsql']);

/** pg_proc.oid of set_config, which the server writes into the expressions that it keeps. */
const SET_CONFIG = '2078';
const calls = (expression: string): string => `${expression}::text like '%:funcid ${SET_CONFIG} %'`;

/** (kind, relation) where an expression of it calls set_config itself. @param of a condition on what stands for the relation */
const direct = (of: (relation: string) => string): string => `select 'w' as kind, adrelid as oid from pg_attrdef
    where ${of('adrelid')} and ${calls('adbin')}
  union all select 'r', conrelid from pg_constraint where ${of('conrelid')} and ${calls('conbin')}
  union all select 'r', polrelid from pg_policy where ${of('polrelid')} and (${calls('polqual')} or ${calls('polwithcheck')})
  union all select case ev_type when '1' then 'r' else 'w' end, ev_class from pg_rewrite
    where ${of('ev_class')} and (${calls('ev_action')} or ${calls('ev_qual')})
  union all select 'w', tgrelid from pg_trigger where ${of('tgrelid')} and ${calls('tgqual')}`;

/** The same of some tables, as (kind, relation, class, oid of what is called). @param among a condition, behind the oid of one */
export const directCalls = (
  among: string,
): string => `select kind, oid, 'pg_catalog.pg_proc'::regclass::oid, ${SET_CONFIG}::oid
  from (${direct((relation) => `${relation} ${among}`)}) o`;
export const isDirectCall = ([, , , oid]: CatalogRow): boolean => oid === SET_CONFIG;

/** Of a body that the server has read as it was made there are numbers in place of names, and pg_depend has them. */
const TEXTS = `select p.oid, p.proname, l.lanname, coalesce(${calls('p.prosqlbody')}, false), p.prosrc
  from pg_proc p join pg_language l on l.oid = p.prolang where l.lanname not in ('c', 'internal') and p.oid >= 16384`;

/** Asks the catalog, whose schemas come first in the path of the connection. They change where functions do. */
export async function readFunctionTexts(query: CatalogQuery): Promise<readonly FunctionText[]> {
  return functionTextsOf(await query(TEXTS.replaceAll(/\s+/g, ' ')));
}

/** The same of some functions. @param among a condition on their names */
export const textsOfFunctions = (among: string): string => `${TEXTS} and p.proname ${among}`;

export const functionTextsOf = (rows: readonly CatalogRow[]): readonly FunctionText[] =>
  rows.map(([oid, name = '', language = '', sets, text]) => {
    const source = (text ?? '').toLowerCase();
    return {
      oid: Number(oid),
      name: String(name).toLowerCase(),
      sets: sets === 't' || !READ.has(String(language)) || MAY_SET.test(source),
      words: new Set(source.match(WORD)),
      text: source,
    };
  });

/** pg_proc, as a class of pg_depend. */
export const PG_PROC = '1255';

/**
 * With functions that have come or changed; undefined where it takes the whole catalog to tell by what they are reached.
 *
 * @param known all texts but these
 * @param calls those of these that depend on what counts
 * @param replaced those of these that were there before, on which anything may depend
 */
export function withFunctionTexts(
  code: SettingCode,
  known: readonly FunctionText[],
  late: readonly FunctionText[],
  { calls, replaced }: { readonly calls: ReadonlySet<number>; readonly replaced: ReadonlySet<number> },
): SettingCode | undefined {
  const isCounted = ({ oid }: FunctionText): boolean => code.counted.has(`${PG_PROC} ${oid}`);
  const names = new Set(code.names);
  const counted = new Set<number>();
  for (const one of late) {
    if (!isCounted(one) && (one.sets || calls.has(one.oid))) {
      counted.add(one.oid);
      names.add(one.name);
    }
  }
  namedMore(
    late.filter((one) => !isCounted(one)),
    counted,
    names,
  );
  // One that counted and has another name now is called by that.
  if (late.some((one) => isCounted(one) && !names.has(one.name))) return undefined;
  if (counted.size === 0) return code;
  if ([...counted].some((oid) => replaced.has(oid))) return undefined;
  const others = known.filter((one) => !isCounted(one));
  if (
    namedMore(
      others,
      new Set(),
      new Set([...counted].flatMap((oid) => late.find((one) => one.oid === oid)?.name ?? [])),
    )
  )
    return undefined;
  const more = [...counted].map((oid) => `${PG_PROC} ${oid}`);
  return { ...code, exists: true, names, counted: new Set([...code.counted, ...more]) };
}

const WORD = /[\p{L}\p{N}_$]+/gu;
const PLAIN = /^[\p{L}\p{N}_$]+$/u;

/** Types whose checks or defaults call set_config. @param among a condition, behind the oid of one */
export const setDirectly = (
  among: string,
): string => `select contypid as oid from pg_constraint where contypid ${among} and ${calls('conbin')}
  union all select oid from pg_type where oid ${among} and ${calls('typdefaultbin')}`;

/**
 * As (class, oid, name, kind): what calls set_config, and is no function with a text; and, as `s`, views of pg_settings: an UPDATE of one
 * is a SET, which is seen where a client sends it, and what names one in its text may do it as well.
 */
const DIRECT = `select 'pg_catalog.pg_class'::regclass::oid as class, d.oid, lower(c.relname) as name, d.kind
    from (${direct((relation) => `${relation} >= 16384`)}) d join pg_class c on c.oid = d.oid
  union select 'pg_catalog.pg_type'::regclass, t.oid, lower(t.typname), '' from pg_constraint k join pg_type t on t.oid = k.contypid
    where k.contypid >= 16384 and ${calls('k.conbin')}
  union select 'pg_catalog.pg_type'::regclass, oid, lower(typname), '' from pg_type where oid >= 16384 and ${calls('typdefaultbin')}
  union select 'pg_catalog.pg_proc'::regclass, a.aggfnoid::oid, lower(p.proname), '' from pg_aggregate a join pg_proc p on p.oid = a.aggfnoid
    where p.oid >= 16384 and ${SET_CONFIG} in (a.aggtransfn::oid, a.aggfinalfn::oid, a.aggmtransfn::oid, a.aggmfinalfn::oid)
  union select 'pg_catalog.pg_class'::regclass, c.oid, lower(c.relname), 's' from pg_depend d join pg_rewrite r on r.oid = d.objid
    join pg_class c on c.oid = r.ev_class and c.oid >= 16384
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjid = 'pg_catalog.pg_settings'::regclass`;

/** What depends on a function, an operator or a type. */
const DEPENDING = `select y.* from pg_depend d cross join lateral (
    select d.classid as class, p.oid, lower(p.proname) as name, '' as kind from pg_proc p
      where d.classid = 'pg_catalog.pg_proc'::regclass and p.oid = d.objid
    union all select d.classid, o.oid, lower(o.oprname), '' from pg_operator o
      where d.classid = 'pg_catalog.pg_operator'::regclass and o.oid = d.objid
    union all select d.classid, d.objid, null, ''
      where d.classid in ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_event_trigger'::regclass)
    union all select 'pg_catalog.pg_opfamily'::regclass, f.amprocfamily, null, '' from pg_amproc f
      where d.classid = 'pg_catalog.pg_amproc'::regclass and f.oid = d.objid
    union all select 'pg_catalog.pg_opfamily'::regclass, f.amopfamily, null, '' from pg_amop f
      where d.classid = 'pg_catalog.pg_amop'::regclass and f.oid = d.objid
    union all select 'pg_catalog.pg_type'::regclass, t.oid, lower(t.typname), '' from pg_type t where t.oid >= 16384 and (
        (d.classid = 'pg_catalog.pg_type'::regclass and t.oid = d.objid)
        or (d.classid = 'pg_catalog.pg_cast'::regclass and t.oid in (select c.casttarget from pg_cast c where c.oid = d.objid))
        or (d.classid = 'pg_catalog.pg_constraint'::regclass and t.oid in (select k.contypid from pg_constraint k where k.oid = d.objid))
        or (d.classid = 'pg_catalog.pg_class'::regclass and t.oid in (select c.reltype from pg_class c where c.oid = d.objid and c.relkind = 'c')))
    union all select 'pg_catalog.pg_class'::regclass, c.oid, lower(c.relname), o.kind from pg_class c join (
        select d.objid as oid, 'w' as kind where d.classid = 'pg_catalog.pg_class'::regclass
        union all select i.indrelid, 'r' from pg_index i where d.classid = 'pg_catalog.pg_class'::regclass and i.indexrelid = d.objid
        union all select k.conrelid, case k.contype when 'c' then 'r' else 'w' end from pg_constraint k
          where d.classid = 'pg_catalog.pg_constraint'::regclass and k.oid = d.objid
        union all select a.adrelid, 'w' from pg_attrdef a where d.classid = 'pg_catalog.pg_attrdef'::regclass and a.oid = d.objid
        union all select g.tgrelid, 'w' from pg_trigger g where d.classid = 'pg_catalog.pg_trigger'::regclass and g.oid = d.objid
        union all select p.polrelid, 'r' from pg_policy p where d.classid = 'pg_catalog.pg_policy'::regclass and p.oid = d.objid
        union all select r.ev_class, case r.ev_type when '1' then 'r' else 'w' end from pg_rewrite r
          where d.classid = 'pg_catalog.pg_rewrite'::regclass and r.oid = d.objid
        union all select s.stxrelid, 'r' from pg_statistic_ext s
          where d.classid = 'pg_catalog.pg_statistic_ext'::regclass and s.oid = d.objid) o on o.oid = c.oid
      where c.relkind <> 'i' and c.relkind <> 'I') y
  where d.refclassid = w.class and d.refobjid = w.oid and w.class <> 'pg_catalog.pg_class'::regclass`;

/** What reads or changes a relation with it: parents, tables with keys that it refers to, views and rules, bodies, policies. */
const WITH_RELATION = `select 'pg_catalog.pg_class'::regclass::oid as class, c.oid, lower(c.relname) as name, o.kind from pg_class c join (
      select i.inhparent as oid, w.kind from pg_inherits i where i.inhrelid = w.oid
      union all select k.confrelid, 'w' from pg_constraint k where k.conrelid = w.oid and k.contype = 'f'
      union all select r.ev_class, case r.ev_type when '1' then w.kind else 'w' end from pg_depend d
        join pg_rewrite r on r.oid = d.objid and r.ev_class <> w.oid
        where d.refclassid = w.class and d.refobjid = w.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
      union all select p.polrelid, 'r' from pg_depend d join pg_policy p on p.oid = d.objid and p.polrelid <> w.oid
        where d.refclassid = w.class and d.refobjid = w.oid and d.classid = 'pg_catalog.pg_policy'::regclass) o on o.oid = c.oid
    where w.class = 'pg_catalog.pg_class'::regclass
  union all select d.classid, p.oid, lower(p.proname), '' from pg_depend d join pg_proc p on p.oid = d.objid
    where w.class = 'pg_catalog.pg_class'::regclass and d.refclassid = w.class and d.refobjid = w.oid and d.classid = 'pg_catalog.pg_proc'::regclass`;

/** All by which these functions, and what calls set_config itself, are reached, as (class, oid, name, kind). */
const reached = (functions: Iterable<number>): string => `with recursive code as (${DIRECT}
    union select 'pg_catalog.pg_proc'::regclass::oid, f.oid, null, '' from unnest('{${[...functions].join()}}'::oid[]) f (oid)
    union select x.class, x.oid, x.name, x.kind from code w cross join lateral (${DEPENDING} union all ${WITH_RELATION}) x)
  select class, oid, name, kind from code`;

const CLASSES = `select 'pg_catalog.pg_class'::regclass::oid, 'pg_catalog.pg_event_trigger'::regclass::oid, 'pg_catalog.pg_proc'::regclass::oid`;

/** Asks the catalog, in a transaction, whose schemas come first in the path of the connection. */
export async function readSettingCode(query: CatalogQuery, functions: readonly FunctionText[]): Promise<SettingCode> {
  const direct = await query(DIRECT.replaceAll(/\s+/g, ' '));
  const counted = new Set(functions.flatMap(({ oid, sets }) => (sets ? [oid] : [])));
  if (direct.length + counted.size === 0) return NOTHING;
  const [[relation, event, routine] = []] = await query(CLASSES);
  const names = new Set(functions.flatMap(({ name, sets }) => (sets ? [name] : [])));
  for (;;) {
    const rows = await query(reached(counted).replaceAll(/\s+/g, ' '));
    for (const [of, oid, name] of rows) {
      if (of === routine) counted.add(Number(oid));
      // What needs no name to run: an operator class.
      if (name !== null && name !== undefined) names.add(name);
    }
    if (!namedMore(functions, counted, names)) {
      const oids = (kind: string): Set<number> =>
        new Set(rows.flatMap(([of, oid, , is]) => (of === relation && is === kind ? [Number(oid)] : [])));
      return {
        onRead: oids('r'),
        onWrite: oids('w'),
        onDefinition: rows.some(([of]) => of === event),
        exists: true,
        names,
        counted: new Set(rows.map(([of, oid]) => `${of} ${oid}`)),
      };
    }
  }
}

const NOTHING: SettingCode = {
  onRead: new Set(),
  onWrite: new Set(),
  onDefinition: false,
  exists: false,
  names: new Set(),
  counted: new Set(),
};

/** Adds the functions that name one of these, and those that name them. @returns whether there were any */
function namedMore(functions: readonly FunctionText[], counted: Set<number>, names: Set<string>): boolean {
  const before = counted.size;
  for (let size = -1; size !== counted.size; ) {
    size = counted.size;
    const signs = [...names].filter((name) => !PLAIN.test(name));
    for (const { oid, name, words, text } of functions) {
      if (counted.has(oid) || !(isNamedIn(words, names) || signs.some((sign) => text.includes(sign)))) continue;
      counted.add(oid);
      names.add(name);
    }
  }
  return counted.size > before;
}

/** The smaller of the two is gone through. */
function isNamedIn(words: ReadonlySet<string>, names: ReadonlySet<string>): boolean {
  const [few, many] = words.size < names.size ? [words, names] : [names, words];
  for (const one of few) if (many.has(one)) return true;
  return false;
}
