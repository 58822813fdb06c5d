/**
 * What a catalog has by some names, read anew: tables, types, functions, and all schemas. Owns: functions and types, and what is put
 * together. Does not own: tables (`tables.ts`), after which definitions that is enough (`masks/changed-tables.ts`), nor when it is read.
 */
import { literal } from '../estimate.js';
import { Catalog, type CatalogNames, type FunctionsChange } from './catalog.js';
import type { Guards } from './guards.js';
import type { Type } from './objects.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import { CLOSED, FOR_FEW_ROWS, ROUTINES, SCHEMAS, TYPES } from './queries.js';
import { closedOf, routineOf, schemasOf, typeOf } from './read.js';
import { PG_PROC, setDirectly, functionTextsOf, textsOfFunctions, withFunctionTexts } from './setting-code.js';
import { readTables } from './tables.js';

/** By name, in whatever schema; tables also as `schema.table`. */
export interface Named {
  readonly tables: readonly string[];
  readonly functions: readonly string[];
  readonly types: readonly string[];
  /** Some have come, or others may look into them. */
  readonly schemas: boolean;
  /** Something in `tables` has another name now, which stands in what the server spells. */
  readonly respelled: boolean;
}

/** Some of it was read after the rest. */
export const isReadInPart = ({ parts }: Catalog): boolean => parts > 0;

/**
 * The catalog with all of these names as it is now; undefined where that takes more than is read here, so that all has to be read. The
 * connection must be idle, outside a transaction; it is left so.
 *
 * @throws what `query` throws
 */
export async function withNamed(query: CatalogQuery, catalog: Catalog, named: Named): Promise<Catalog | undefined> {
  const schemas = named.schemas ? await readSchemas(query) : undefined;
  const functions = await readFunctions(query, catalog, named.functions);
  if (!functions) return undefined;
  const base = { ...catalog.guards, settingCode: functions.settingCode, code: functions.code };
  const types = await readTypes(query, catalog, base, named.types);
  if (!types) return undefined;
  const tables = await readTables(query, catalog, named.tables, base, named.respelled);
  if (!tables) return undefined;
  const { horizon, ...read } = tables;
  // What else there is was read before.
  const isAllOfIt = !functions.change && !schemas && named.types.length === 0;
  return new Catalog(catalog.contents, catalog.parse, catalog.trust, {
    before: catalog,
    ...read,
    ...(isAllOfIt && horizon !== undefined && { horizon }),
    types: [...types.late, ...tables.types],
    goneTypes: types.gone,
    ...(functions.change && { functions: functions.change }),
    ...(schemas && { schemas }),
  });
}

const list = (texts: readonly string[]): string => `any (array[${texts.map((one) => literal(one)).join()}]::name[])`;
const ask = (query: CatalogQuery, text: string): Promise<readonly CatalogRow[]> =>
  query(`${FOR_FEW_ROWS}; ${text.replaceAll(/\s+/g, ' ')}`);

/** A schema that was there and has another name now holds relations that are not read here: until all is read they are as they were. */
async function readSchemas(query: CatalogQuery): Promise<CatalogNames> {
  return { schemas: schemasOf(await ask(query, SCHEMAS)), closed: closedOf(await ask(query, CLOSED)) };
}

/** (oid, class, oid) of what functions depend on: types of arguments, what their defaults call. */
const DEPENDING = (
  names: readonly string[],
): string => `select p.oid, d.refclassid::oid, d.refobjid from pg_proc p cross join lateral (
    select x.refclassid, x.refobjid from pg_depend x
      where x.classid = 'pg_catalog.pg_proc'::regclass and x.objid = p.oid and x.refobjid >= 16384 offset 0) d
  where p.proname = ${list(names)}`;

interface FunctionsRead extends Pick<Guards, 'settingCode' | 'code'> {
  /** Absent where none was asked for. */
  readonly change?: FunctionsChange;
}

/**
 * Undefined where one has a body of which the server has names alone (SQL standard), is compiled and new, is compiled no longer, or may set
 * something where others run it.
 */
async function readFunctions(
  query: CatalogQuery,
  catalog: Catalog,
  names: readonly string[],
): Promise<FunctionsRead | undefined> {
  const { settingCode, code } = catalog.guards;
  if (names.length === 0) return { settingCode, code };
  const routines = (await ask(query, `${ROUTINES} and p.proname = ${list(names)}`)).map(routineOf);
  const texts = functionTextsOf(await ask(query, textsOfFunctions(`= ${list(names)}`)));
  const depends = await ask(query, DEPENDING(names));
  const before = names.flatMap((name) => [...catalog.routinesNamed(name), ...catalog.routines('pg_catalog', name)]);
  const known = new Map(before.map((one) => [one.oid, one]));
  const late = new Set(routines.map(({ oid }) => oid));
  const isInterpreted = (language: string): boolean => language !== 'c' && language !== 'internal';
  const isLocal = routines.every(({ oid, language, body }) => {
    const old = known.get(oid);
    const same = isInterpreted(old?.language ?? 'sql') === isInterpreted(language);
    return body?.standard !== true && same;
  });
  if (!isLocal) return undefined;
  const others = catalog.functionTexts.filter(({ oid }) => !late.has(oid) && !known.has(oid));
  const setting = withFunctionTexts(settingCode, others, texts, {
    calls: new Set(depends.flatMap(([oid, of, on]) => (settingCode.counted.has(`${of} ${on}`) ? [Number(oid)] : []))),
    replaced: new Set(known.keys()),
  });
  if (!setting) return undefined;
  return {
    settingCode: setting,
    code: new Set([...code, ...texts.map(({ oid }) => `${PG_PROC} ${oid}`)]),
    change: {
      routines,
      functionTexts: [...others, ...texts],
      gone: before.flatMap(({ oid }) => (late.has(oid) ? [] : [oid])),
    },
  };
}

/** `t`: a type, or its array, as TYPES has it; `d`: (class, oid) of what one depends on, with its checks; `s`: it calls set_config. */
const TYPES_NAMED = (
  names: readonly string[],
): string => `with named as materialized (select t.oid, t.typarray, t.typrelid from pg_type t
    where t.typname = ${list(names)}),
  parts as (select 'pg_catalog.pg_type'::regclass as class, oid from named
    union all select 'pg_catalog.pg_class'::regclass, typrelid from named where typrelid <> 0
    union all select 'pg_catalog.pg_constraint'::regclass, k.oid from pg_constraint k where k.contypid in (select oid from named))
  select 'd', d.refclassid::oid::text, d.refobjid::text, null, null, null, null, null, null, null, null, null
    from parts p cross join lateral (select x.refclassid, x.refobjid from pg_depend x
      where x.classid = p.class and x.objid = p.oid and x.refobjid >= 16384 offset 0) d
  union all select 's', oid::text, null, null, null, null, null, null, null, null, null, null from (${setDirectly('in (select oid from named)')}) s
  union all select 't', x.oid::text, x.nspname, x.typname, x.typtype::text, x.typrelid::text, x.element::text, x.typbasetype::text,
    x.typarray::text, x.typcategory::text, case when x.typispreferred then 't' else 'f' end, x.typtypmod::text
    from (${TYPES} and t.oid in (select oid from named union all select typarray from named))
      as x (oid, nspname, typname, typtype, typrelid, element, typbasetype, typarray, typcategory, typispreferred, typtypmod)`;

/** Undefined where a value of one is made by code: what it is part of takes all to tell. */
async function readTypes(
  query: CatalogQuery,
  catalog: Catalog,
  { code, settingCode }: Pick<Guards, 'code' | 'settingCode'>,
  names: readonly string[],
): Promise<{ readonly late: readonly Type[]; readonly gone: readonly number[] } | undefined> {
  if (names.length === 0) return { late: [], gone: [] };
  const rows = await ask(query, TYPES_NAMED(names));
  const late = rows.filter(([kind]) => kind === 't').map((row) => typeOf(row.slice(1)));
  const isRun = rows.some(([kind, of, oid]) => {
    const object = `${of} ${oid}`;
    return kind === 's' || (kind === 'd' && (code.has(object) || settingCode.counted.has(object)));
  });
  if (isRun) return undefined;
  const there = new Set(late.map(({ oid }) => oid));
  const before = names.flatMap((name) => catalog.typesNamed(name));
  // Functions and another type come and go with a range.
  if ([...late, ...before].some(({ kind }) => kind === 'r' || kind === 'm')) return undefined;
  return { late, gone: before.flatMap(({ oid, array }) => (there.has(oid) ? [] : [oid, array])) };
}
