/**
 * Tables of a statement that is to be tried: which it reaches, whether anything of it would last, and which of their columns are masked. Owns: these
 * questions to the catalog, asked while the tables are locked. Does not: run anything (preview.ts).
 */
import { type Facts, type Lookup, type MaskRule, matcherOf, partsOfColumn } from '@sluice/contract';
import { literal, regclassOf } from './estimate.js';
import { lastParts } from './written-names.js';

export interface PreviewTable {
  /** As SQL writes it. */
  readonly name: string;
  readonly columns: readonly PreviewColumn[];
  /** Places of the columns that the primary key is made of; empty: there is none. */
  readonly key: readonly number[];
}

interface PreviewColumn {
  readonly name: string;
  readonly isMasked: boolean;
  /** pg_type.oid; of a domain, of what it is over. */
  readonly type: number;
}

/** pg_class.oid of the table that is changed, and of all that it and the others may reach. */
export interface Reached {
  readonly changed: string;
  readonly all: readonly string[];
  /** Foreign keys put defaults into rows. */
  readonly setsDefaults: boolean;
}

const MAX_TABLES = 100;

/**
 * Locks the tables against definitions of others, until the transaction ends. Returns why that cannot be: a phrase.
 *
 * @param changed the table that the statement changes, as facts name it; `named`: all that it names
 */
export async function locked(
  side: Lookup,
  changed: string,
  verb: 'insert' | 'update' | 'delete',
  named: readonly string[],
): Promise<Reached | string> {
  const [own] = await side.query(`select ${oidOf(changed)}::oid`);
  const root = own?.[0];
  if (root === null || root === undefined) return 'its table is not there for others';
  const read = await side.query(`select ${named.map((name) => `${oidOf(name)}::oid`).join(', ')}`);
  const reads = read[0] ?? [];
  if (reads.includes(null)) return 'a table that it names is not there for others';
  // An INSERT may update, and a row that goes to another partition is deleted from its own. Further on either may come of either.
  const changedToo = await side.query(
    `with recursive reached (oid) as (
       select ${root}::oid
       union select next.oid from reached r cross join lateral (
         select inhrelid as oid from pg_inherits where inhparent = r.oid
         union all select inhparent from pg_inherits where inhrelid = r.oid and r.oid <> ${root}
         union all select conrelid from pg_constraint where contype = 'f' and confrelid = r.oid
           and (confdeltype in ('c', 'n', 'd') and (r.oid <> ${root} or ${verb === 'delete'} or exists (select from pg_inherits where inhparent = ${root}))
             or confupdtype in ('c', 'n', 'd') and (r.oid <> ${root} or ${verb !== 'delete'}))) next)
     select oid, oid::regclass::text, (select relkind from pg_class c where c.oid = reached.oid) from reached limit ${MAX_TABLES + 1}`,
  );
  if (changedToo.length > MAX_TABLES) return 'it reaches too many tables';
  const foreign = changedToo.find(([, , kind]) => kind !== 'r' && kind !== 'p');
  if (foreign) return `${foreign[1]} is no table of this server`;
  const names = (of: readonly (readonly (string | null)[])[]): string =>
    of.map(([, name]) => `only ${name}`).join(', ');
  await side.query(`lock table ${names(changedToo)} in row exclusive mode`);
  const others = await side.query(
    `select oid, oid::regclass::text from pg_class where oid in (${reads.join(', ')}) and relkind in ('r', 'p')`,
  );
  if (others.length > 0) await side.query(`lock table ${names(others)} in access share mode`);
  const all = [...new Set([...changedToo, ...others].map(([oid]) => oid ?? ''))];
  const [defaults] = await side.query(
    `select 1 from pg_constraint where contype = 'f' and confrelid in (${all.join(', ')}) and 'd' in (confdeltype, confupdtype) limit 1`,
  );
  return { changed: root, all, setsDefaults: defaults !== undefined };
}

/** pg_am.oid of the one that takes back what was written. */
const HEAP = 2;
/** Volatile, and nothing of them is left behind. */
const HARMLESS = ['random', 'gen_random_uuid', 'clock_timestamp', 'timeofday', 'uuidv4', 'uuidv7']
  .map(literal)
  .join(', ');

/** They give values to a type by its name: to a domain, whose check runs. */
const BY_NAME_OF_TYPE = ['pg_input_is_valid', 'pg_input_error_info'].map(literal).join(', ');

/** Names of functions in what the server spells out, that something may be left behind of. Those of the server are in no pg_depend. */
const leaving = (
  spelled: string,
): string => `exists (select from regexp_matches(${spelled}, '([a-z_0-9]+)\\(', 'g') called
  join pg_proc p on p.proname = called[1] where p.provolatile = 'v' and p.proname not in (${HARMLESS}))`;

/**
 * Why something of it would last, run code that nobody has vetted, or reach another server: a phrase. For tables that are locked; undefined: nothing
 * would.
 */
export async function whyItLasts(
  side: Lookup,
  { actions }: Facts,
  { all, setsDefaults }: Reached,
  { usesDefaults, types }: { readonly usesDefaults: boolean; readonly types: readonly string[] },
): Promise<string | undefined> {
  const oids = all.join(', ');
  const functions = actions.flatMap(({ resources }) =>
    resources.flatMap(({ type, name }) => (type === 'function' ? lastParts(name).map(literal) : [])),
  );
  const found = async (sql: string): Promise<string | undefined> => (await side.query(sql))[0]?.[0] ?? undefined;
  const trigger = await found(
    `select tgrelid::regclass::text from pg_trigger where tgrelid in (${oids}) and not tgisinternal and tgenabled <> 'D' limit 1`,
  );
  if (trigger !== undefined) return `${trigger} has triggers`;
  // A table itself depends on functions that its partitions are told by, and those are of its parents as well.
  const odd = await found(
    `select c.oid::regclass::text from pg_class c where c.oid in (${oids}) and (c.relkind not in ('r', 'p') or c.relrowsecurity
       or c.relam not in (0, ${HEAP}) or exists (select from pg_rewrite where ev_class = c.oid)
       or exists (select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.objid in (
         select indexrelid from pg_index where indrelid = c.oid union select oid from pg_constraint where conrelid = c.oid
         union select oid from pg_attrdef where adrelid = c.oid
         union select c.oid union select relid::oid from pg_partition_ancestors(c.oid)))
       or exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and ${leaving('pg_get_constraintdef(k.oid)')})) limit 1`,
  );
  if (odd !== undefined) return `${odd} has rules, row security or functions of its own, or is no table`;
  const used = `with recursive used (oid) as (
       select atttypid from pg_attribute where attrelid in (${oids}) and attnum > 0 and not attisdropped
       union select oid from pg_type where typname in (${['null', ...types.map(literal)].join(', ')})
       union select b.oid from used u join pg_type t on t.oid = u.oid cross join lateral (
         select t.typbasetype as oid union all select t.typelem
         union all select atttypid from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped
         union all select rngsubtype from pg_range where t.oid in (rngtypid, rngmultitypid)) b where b.oid <> 0)`;
  // Spelling out a constraint of a table would wait for whoever has that table, whichever it is.
  const domain = await found(
    `${used} select u.oid::regtype::text from used u join pg_constraint k on k.contypid = u.oid
     where k.contypid <> 0 and k.conrelid = 0 and (exists (select from pg_depend d where d.classid = 'pg_constraint'::regclass and d.objid = k.oid and d.refclassid = 'pg_proc'::regclass)
       or ${leaving('pg_get_constraintdef(k.oid)')}) limit 1`,
  );
  if (domain !== undefined)
    return `the domain ${domain} is checked by a function of its own, or by one of which something may be left behind`;
  const comparing = await found(
    `${used} select p.oid::regprocedure::text from pg_proc p join pg_language l on l.oid = p.prolang
     where p.oid >= 16384 and l.lanname not in ('c', 'internal') and (p.oid in (select amproc::oid from pg_amproc)
       or p.oid in (select rngsubdiff::oid from used join pg_range r on r.rngtypid = used.oid)) limit 1`,
  );
  if (comparing !== undefined) return `an index may run ${comparing}, and nobody has vetted that`;
  const volatile = await found(
    `select proname::text from pg_proc where proname in (${['null', ...functions].join(', ')})
       and (provolatile = 'v' and proname not in (${HARMLESS}) or proname in (${BY_NAME_OF_TYPE})) limit 1`,
  );
  if (volatile !== undefined) return `it calls ${volatile}, of which something may be left behind`;
  if (!usesDefaults && !setsDefaults) return undefined;
  const sequence = await found(
    `select a.attrelid::regclass || '.' || a.attname from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid in (${oids}) and a.attnum > 0 and not a.attisdropped and (a.attidentity <> ''
       or exists (select from pg_type t where t.oid = a.atttypid and t.typtype = 'd' and t.typdefault is not null)
       or ${leaving('pg_get_expr(d.adbin, d.adrelid)')}) limit 1`,
  );
  return sequence === undefined
    ? undefined
    : `${sequence} takes its default from a sequence or the like, which gives nothing back`;
}

const MAX_COLUMNS = 30;

/**
 * Columns of a table, and which are masked by any of the rules, by whichever of its names in a tree of partitions or children: and all that are
 * generated, where one is masked that they may be made of.
 */
export async function columnsOf(side: Lookup, oid: string, masks: readonly MaskRule[]): Promise<PreviewTable> {
  const rows = await side.query(
    `select a.attname, a.attrelid::regclass::text, coalesce(a.attnum = any (i.indkey), false)::text,
       coalesce(nullif(t.typbasetype, 0), t.oid), (a.attgenerated <> '')::text from pg_attribute a join pg_type t on t.oid = a.atttypid
       left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
     where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped order by a.attnum`,
  );
  const family = await side.query(
    `with recursive up (oid) as (select ${oid}::oid union select inhparent from up join pg_inherits on inhrelid = up.oid),
       tree (oid) as (select oid from up union select inhrelid from tree join pg_inherits on inhparent = tree.oid)
     select n.nspname, c.relname from tree join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace limit 1000`,
  );
  const patterns = masks
    .flatMap(({ columns }) => columns)
    .map((pattern) => partsOfColumn(pattern).map((part) => matcherOf(part)));
  const isMasked = (column: string): boolean =>
    patterns.some((parts) => {
      const [own, table, schema] = parts.toReversed();
      return (
        own?.test(column) &&
        family.some(([inside, name]) => (table?.test(name ?? '') ?? true) && (schema?.test(inside ?? '') ?? true))
      );
    });
  // All of them have to be named, since RETURNING gives all.
  if (rows.length > MAX_COLUMNS) return { name: rows[0]?.[1] ?? '', columns: [], key: [] };
  const anyMasked = rows.some(([name]) => isMasked(name ?? ''));
  return {
    name: rows[0]?.[1] ?? '',
    columns: rows.map(([name, , , type, isGenerated]) => ({
      name: name ?? '',
      isMasked: isMasked(name ?? '') || (isGenerated === 'true' && anyMasked),
      type: Number(type),
    })),
    key: rows.flatMap(([, , isKey], at) => (isKey === 'true' ? [at] : [])),
  };
}

/** Names of columns of these tables that are made of others. */
export async function generatedIn(side: Lookup, oids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await side.query(
    `select attname from pg_attribute where attrelid in (${oids.join(', ')}) and attgenerated <> '' and not attisdropped`,
  );
  return new Set(rows.map(([name]) => name ?? ''));
}

const oidOf = (name: string): string => regclassOf(name);
