/** Reads a catalog in one consistent state. Owns: the queries. Does not: keep it (catalog.ts). */
import type { Parse } from '../grammar.js';
import { Catalog, type CatalogContents } from './catalog.js';
import { withDefinitions } from './definitions.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import type { Attribute, BaseColumn, Relation, RelationKind, Routine, Type } from './objects.js';
import {
  ATTRIBUTES,
  CASTS,
  CLASSES,
  CLOSED,
  LIMITS,
  OPERATORS,
  PARENTS,
  ROUTINES,
  SCHEMAS,
  TYPES,
  VERSION,
} from './queries.js';

/** A catalog that changes faster than it can be read is given up after so many times. */
const MAX_ATTEMPTS = 5;

/**
 * Reads the catalog in one consistent state. The connection must be idle, outside a transaction; it is left so. Views are
 * spelled by the server's current knowledge rather than the snapshot's, hence the second look at the version.
 *
 * @param before the catalog of the same database until now: a column that is still there stays the same object, because
 * sessions know by it where the values in their temporary tables and cursors come from
 * @throws what `query` throws; an Error when the catalog keeps changing meanwhile
 */
export async function readCatalog(query: CatalogQuery, parse: Parse, before?: Catalog): Promise<Catalog> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const contents = await withDefinitions(query, await readOnce(query, before));
    if ((await catalogVersion(query)) === contents.version) return new Catalog(contents, parse);
  }
  throw new Error('The catalog kept changing while it was read.');
}

/**
 * The catalog with what could not be read before because it was locked, as far as it can be now; the same object where
 * nothing is new.
 */
export async function completeCatalog(query: CatalogQuery, catalog: Catalog): Promise<Catalog> {
  const { contents, parse } = catalog;
  const filled = await withDefinitions(query, contents);
  // What was renamed meanwhile is spelled by its new name.
  if (filled === contents || (await catalogVersion(query)) !== contents.version) return catalog;
  const complete = new Catalog(filled, parse);
  return complete.unread < catalog.unread ? complete : catalog;
}

/** A text that differs whenever the catalog does. Costs the server some milliseconds. */
export async function catalogVersion(query: CatalogQuery): Promise<string> {
  const [row] = await query(`${LIMITS}; ${VERSION.replaceAll(/\s+/g, ' ')}`);
  return text(row, 0);
}

async function readOnce(query: CatalogQuery, before: Catalog | undefined): Promise<CatalogContents> {
  await query('begin isolation level repeatable read read only');
  try {
    // Behind a pooler the process may have temporary tables of others, which come first where pg_temp is not named.
    await query(`${LIMITS}; set local search_path to pg_catalog, pg_temp`);
    const version = await catalogVersion(query);
    const schemas = (await query(SCHEMAS)).map((row) => text(row, 0));
    const closed = pairs(await query(CLOSED));
    const relations = relationsOf(await query(CLASSES), await query(ATTRIBUTES), await query(PARENTS), before);
    const types = (await query(TYPES)).map(typeOf);
    const routines = (await query(ROUTINES)).map(routineOf);
    const operators = (await query(OPERATORS)).map((row) => ({
      schema: text(row, 0),
      name: text(row, 1),
      compiled: row[2] === 't',
    }));
    const casts = (await query(CASTS)).map((row) => ({
      source: Number(row[0]),
      target: Number(row[1]),
      context: text(row, 2),
    }));
    return { version, schemas, closed, relations, types, routines, operators, casts };
  } finally {
    await query('rollback');
  }
}

function pairs(rows: readonly CatalogRow[]): Map<string, Set<string>> {
  const map = new Map<string, Set<string>>();
  for (const row of rows) {
    const set = map.get(text(row, 0));
    if (set) set.add(text(row, 1));
    else map.set(text(row, 0), new Set([text(row, 1)]));
  }
  return map;
}

function relationsOf(
  classes: readonly CatalogRow[],
  attributes: readonly CatalogRow[],
  inherits: readonly CatalogRow[],
  before: Catalog | undefined,
): Relation[] {
  const columns = grouped(attributes);
  const parents = grouped(inherits);
  return classes.map((row) => {
    const [oid = '', schema, name, kind, type, rewritten] = row;
    const qualified = `${schema}.${name}`;
    const own = columns.get(oid ?? '') ?? [];
    return {
      oid: Number(oid),
      schema: schema ?? '',
      name: name ?? '',
      kind: kind as RelationKind,
      type: Number(type),
      columns: own.map((column) => attributeOf(column, qualified, before)),
      parents: (parents.get(oid ?? '') ?? []).map((parent) => Number(parent[1])),
      unread: kind === 'v' || kind === 'm' || own.some((column) => column[5] === 't'),
      rewritten: rewritten === 't',
    };
  });
}

function attributeOf(
  [relation, attnum, name, type, typmod]: CatalogRow,
  qualified: string,
  before: Catalog | undefined,
): Attribute {
  const fresh: BaseColumn = { relation: Number(relation), attnum: Number(attnum), name: `${qualified}.${name}` };
  const base = before?.base(fresh) ?? fresh;
  // It may have another name by now.
  if (base !== fresh) Object.assign(base, { name: fresh.name });
  return {
    name: name ?? '',
    type: Number(type),
    typmod: Number(typmod),
    base,
  };
}

function typeOf([oid, schema, name, kind, relation, element, base, array]: CatalogRow): Type {
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    kind: kind ?? '',
    relation: Number(relation),
    element: Number(element),
    base: Number(base),
    array: Number(array),
  };
}

function routineOf(row: CatalogRow): Routine {
  const inputs = list(row[6]).map(Number);
  const all = row[9] === null ? inputs : list(row[9]).map(Number);
  const modes = list<string>(row[10]);
  const names = list<string | null>(row[11]);
  const placed = all.map((type, index) => ({ type, mode: modes[index] ?? 'i', name: names[index] ?? '' }));
  const body = row[16];
  return {
    oid: Number(row[0]),
    schema: text(row, 1),
    name: text(row, 2),
    language: text(row, 3),
    kind: text(row, 4) as Routine['kind'],
    volatility: text(row, 5) as Routine['volatility'],
    inputs,
    inputNames: placed.filter(({ mode }) => 'ibv'.includes(mode)).map(({ name }) => name),
    defaults: Number(row[7]),
    variadic: row[8] === 't',
    outputs: placed.filter(({ mode }) => 'obt'.includes(mode)).map(({ name, type }) => ({ name, type })),
    returns: Number(row[12]),
    returnsSet: row[13] === 't',
    securityDefiner: row[14] === 't',
    settings: list<string>(row[15]),
    ...(typeof body === 'string' && { body: { text: body, standard: row[17] === 't' } }),
    unread: typeof body === 'string' && row[17] === 't',
  };
}

/** Arrays come as JSON; NULL is an empty one. Identifiers of objects are numbers there. */
const list = <T>(value: string | null | undefined): T[] => (value == null ? [] : (JSON.parse(value) as T[]));

const text = (row: CatalogRow | undefined, index: number): string => row?.[index] ?? '';

function grouped(rows: readonly CatalogRow[]): Map<string, CatalogRow[]> {
  const map = new Map<string, CatalogRow[]>();
  for (const row of rows) {
    const list = map.get(text(row, 0));
    if (list) list.push(row);
    else map.set(text(row, 0), [row]);
  }
  return map;
}
