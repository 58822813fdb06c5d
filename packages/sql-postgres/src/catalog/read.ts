/** Reads a catalog in one consistent state. Owns: the queries. Does not: keep it (catalog.ts). */
import type { Grammar } from '../grammar.js';
import { Catalog, type CatalogContents, type Moment, type Trust } from './catalog.js';
import { withDefinitions } from './definitions.js';
import { readGuards } from './guards.js';
import { keepSpelled, readSpelledFrom, withBodies, withoutLate } from './spelled.js';
import { readFunctionTexts } from './setting-code.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import {
  type Attribute,
  type BaseColumn,
  type Operator,
  type Relation,
  type RelationKind,
  type Routine,
  type Type,
} from './objects.js';
import {
  ATTRIBUTES,
  BUILT_IN_OPERATORS,
  CASTS,
  CATALOG_PARTS,
  CHANGED_RELATIONS,
  type CatalogPart,
  CLASSES,
  CLOSED,
  EXTENSIONS,
  IMPLICIT_CASTS,
  LIMITS,
  MOMENT,
  MADE_OPERATORS,
  PARENTS,
  ROUTINES,
  SCHEMAS,
  TYPES,
  VERSION,
  attributesOf,
} from './queries.js';

/** Texts that the server spells are of one state with the rest in one of so many readings, or not known for now. */
const MAX_ATTEMPTS = 2;

/**
 * Reads the catalog in one consistent state. The connection must be idle, outside a transaction; it is left so. Views are
 * spelled by the server's current knowledge rather than the snapshot's: those for which the two may differ, because somebody changes them
 * or what they name all the time, are `unread`. Nobody can keep others from the rest.
 *
 * @param before the catalog of the same database until now: a column that is still there stays the same object, because
 * sessions know by it where the values in their temporary tables and cursors come from
 * @throws what `query` throws
 */
export async function readCatalog(
  query: CatalogQuery,
  parse: Grammar,
  before?: Catalog,
  trust?: Trust,
): Promise<Catalog> {
  for (let attempt = 1; ; attempt++) {
    const read = await readOnce(query, before);
    const filled = await withDefinitions(query, read);
    const contents = await settled(query, read, filled);
    if (contents === filled || attempt === MAX_ATTEMPTS) return new Catalog(contents, parse, trust);
  }
}

/** What was read in one snapshot needs no second look. The same object where all texts are of that state. */
async function settled(query: CatalogQuery, read: CatalogContents, filled: CatalogContents): Promise<CatalogContents> {
  if (filled === read || (await isUntouched(query, read))) return filled;
  return withoutLate(query, read, filled);
}

/**
 * The catalog with what could not be read before because it was locked, as far as it can be now; the same object where
 * nothing is new.
 */
export async function completeCatalog(query: CatalogQuery, catalog: Catalog): Promise<Catalog> {
  const { contents, parse } = catalog;
  const filled = await withDefinitions(query, contents);
  if (filled === contents) return catalog;
  // What was renamed meanwhile is spelled by its new name.
  const complete = new Catalog(await settled(query, contents, filled), parse, catalog.trust);
  return complete.unread < catalog.unread ? complete : catalog;
}

/** Whether the catalog is still the one that was read. */
export const isSame = async (query: CatalogQuery, contents: CatalogContents): Promise<boolean> =>
  (await isUntouched(query, contents)) || (await catalogVersion(query)) === contents.version;

/** The same as far as it costs the server nothing: as long as no transaction that writes has ended since. */
async function isUntouched(query: CatalogQuery, { moment }: CatalogContents): Promise<boolean> {
  const [row] = await query(
    `${LIMITS}; set local search_path to pg_catalog, pg_temp; ${MOMENT.replaceAll(/\s+/g, ' ')}`,
  );
  const { server, snapshot } = momentOf(row);
  return snapshot !== '' && snapshot === moment.snapshot && server === moment.server;
}

const momentOf = (row: CatalogRow | undefined): Moment => ({
  server: text(row, 0),
  horizon: text(row, 1),
  snapshot: text(row, 2),
});

/** A text that differs whenever the catalog does. Costs the server some milliseconds. */
export async function catalogVersion(query: CatalogQuery): Promise<string> {
  const [row] = await query(`${LIMITS}; ${VERSION.replaceAll(/\s+/g, ' ')}`);
  return text(row, 0);
}

/** What has not changed since `before` is taken from it, texts that the server spells too where nothing that they name has. */
async function readOnce(query: CatalogQuery, before: Catalog | undefined): Promise<CatalogContents> {
  await query('begin isolation level repeatable read read only');
  try {
    // Behind a pooler the process may have temporary tables of others, which come first where pg_temp is not named.
    await query(`${LIMITS}; set local search_path to pg_catalog, pg_temp`);
    const version = await catalogVersion(query);
    const known = before?.contents;
    const [momentRow] = await query(MOMENT.replaceAll(/\s+/g, ' '));
    const moment = momentOf(momentRow);
    const schemas = schemasOf(await query(SCHEMAS));
    const changed = changedParts(known?.version, version);
    // Another schema besides changes nothing of what is in the ones that were there.
    const areSchemasKept = [...(known?.schemas ?? [])].every(([oid, name]) => schemas.get(oid) === name);
    const named: readonly CatalogPart[] = areSchemasKept ? [] : ['schemas'];
    const read = async <T>(parts: readonly CatalogPart[], old: T | undefined, make: () => Promise<T>): Promise<T> =>
      old === undefined || parts.some((part) => changed.has(part)) ? make() : old;
    const extensions = await read(['extensions'], known?.extensions, async () =>
      (await query(EXTENSIONS)).map((row) => text(row, 0)),
    );
    const closed = await read(['schemas', 'members', 'roles'], known?.closed, async () =>
      closedOf(await query(CLOSED)),
    );
    const spelledFrom = await readSpelledFrom(query);
    const kept = known && keepSpelled(known, spelledFrom);
    const relations = await read([...OF_RELATIONS, ...named], kept?.relations, () =>
      readRelations(
        query,
        before,
        kept?.relations,
        areSchemasKept ? horizonFor(known?.moment, moment, momentRow) : undefined,
      ),
    );
    const types = await read(['types', ...named], known?.types, async () => (await query(TYPES)).map(typeOf));
    const routines = await read(['routines', 'extensions', ...named], kept?.routines, async () =>
      withBodies((await query(ROUTINES)).map(routineOf), kept?.routines ?? []),
    );
    const operators = await read(['operators', 'routines', ...named], known?.operators, async () =>
      (await query(MADE_OPERATORS)).map(operatorOf),
    );
    const builtInOperators = known?.builtInOperators ?? (await query(BUILT_IN_OPERATORS)).map(operatorOf);
    const implicitCasts = await read(['casts'], known?.implicitCasts, async () => numbers(await query(IMPLICIT_CASTS)));
    const casts = await read(['casts', 'routines', ...named], known?.casts, async () =>
      (await query(CASTS)).map((row) => ({ source: Number(row[0]), target: Number(row[1]), context: text(row, 2) })),
    );
    const functionTexts = await read(['routines'], known?.functionTexts, () => readFunctionTexts(query));
    const guards = await readGuards(query, functionTexts);
    return {
      version,
      moment,
      schemas,
      extensions,
      closed,
      relations,
      types,
      routines,
      operators,
      builtInOperators,
      casts,
      implicitCasts,
      functionTexts,
      guards,
      spelledFrom,
    };
  } finally {
    await query('rollback');
  }
}

const OF_RELATIONS: readonly CatalogPart[] = ['relations', 'attributes', 'defaults', 'rules', 'triggers', 'parents'];

/** Relations whose columns are read by their numbers. Where more have changed, those of all are read. */
const MAX_CHANGED_RELATIONS = 5_000;
/** Numbers of transactions have 32 bits in rows, and half of them are before a given one. */
const MAX_TRANSACTIONS_SINCE = 2n ** 30n;

/** From when on something may have changed since `before`; undefined where nobody can tell: another server, or too long ago. */
function horizonFor(before: Moment | undefined, now: Moment, row: CatalogRow | undefined): string | undefined {
  if (before?.server !== now.server) return undefined;
  const since = BigInt(text(row, 3)) - BigInt(before.horizon);
  return since >= 0n && since < MAX_TRANSACTIONS_SINCE ? before.horizon : undefined;
}

/**
 * All relations, with the columns of those alone that have changed.
 *
 * @param known those of before, as they are where nothing has changed of them
 * @param horizon from when on something may have changed since; undefined: anything may have
 */
async function readRelations(
  query: CatalogQuery,
  before: Catalog | undefined,
  known: readonly Relation[] | undefined,
  horizon: string | undefined,
): Promise<Relation[]> {
  const classes = await query(CLASSES);
  const parents = await query(PARENTS);
  if (!known || horizon === undefined) return relationsOf(classes, await query(ATTRIBUTES), parents, before);
  const late = new Set((await query(CHANGED_RELATIONS(horizon))).map(([oid]) => Number(oid)));
  const kept = new Map(known.filter(({ oid }) => !late.has(oid)).map((relation) => [relation.oid, relation]));
  const changed = classes.map(([oid]) => Number(oid)).filter((oid) => !kept.has(oid));
  if (changed.length > MAX_CHANGED_RELATIONS) return relationsOf(classes, await query(ATTRIBUTES), parents, before);
  const attributes = changed.length === 0 ? [] : await query(attributesOf(`= any ('{${changed.join()}}'::oid[])`));
  return relationsOf(classes, attributes, parents, before, kept);
}

/** All of them where nothing is known of before. */
function changedParts(before: string | undefined, now: string): ReadonlySet<CatalogPart> {
  const [old, parts] = [before?.split(' ') ?? [], now.split(' ')];
  return new Set(CATALOG_PARTS.filter((_, at) => old[at] === undefined || old[at] !== parts[at]));
}

export const schemasOf = (rows: readonly CatalogRow[]): Map<number, string> =>
  new Map(rows.map((row) => [Number(row[0]), text(row, 1)]));

/** Schema name -> role names. */
export const closedOf = (rows: readonly CatalogRow[]): Map<string, Set<string>> => pairs(rows);

function pairs(rows: readonly CatalogRow[]): Map<string, Set<string>> {
  const map = new Map<string, Set<string>>();
  for (const row of rows) {
    const set = map.get(text(row, 0));
    if (set) set.add(text(row, 1));
    else map.set(text(row, 0), new Set([text(row, 1)]));
  }
  return map;
}

function numbers(rows: readonly CatalogRow[]): Map<number, Set<number>> {
  const texts = [...pairs(rows)].map(([from, to]): [number, Set<number>] => [
    Number(from),
    new Set([...to].map(Number)),
  ]);
  return new Map(texts);
}

const operatorOf = (row: CatalogRow): Operator => ({
  schema: text(row, 0),
  name: text(row, 1),
  inputs: [row[2], row[3]].map(Number).filter((oid) => oid !== 0),
  returns: Number(row[4]),
  compiled: row[5] === 't',
  routine: Number(row[6]),
});

/**
 * @param before the catalog until now, whose columns stay the same objects
 * @param kept relations whose columns have not changed, and what is spelled of them
 */
export function relationsOf(
  classes: readonly CatalogRow[],
  attributes: readonly CatalogRow[],
  inherits: readonly CatalogRow[],
  before: Catalog | undefined,
  kept: ReadonlyMap<number, Relation> = NOTHING_KEPT,
): Relation[] {
  const columns = grouped(attributes, 1);
  const parents = grouped(inherits, 2);
  return classes.map((row) => {
    const [oid = '', schema, name, kind, type, rewritten, answering, key, compares] = row;
    const qualified = `${schema}.${name}`;
    const own = columns.get(oid ?? '') ?? [];
    const same = kept.get(Number(oid));
    return {
      ...(same?.definition !== undefined && { definition: same.definition }),
      oid: Number(oid),
      schema: schema ?? '',
      name: name ?? '',
      kind: kind as RelationKind,
      type: Number(type),
      columns: same?.columns ?? own.map((column) => attributeOf(column, qualified, before)),
      parents: (parents.get(oid ?? '') ?? []).map((parent) => Number(parent[1])),
      unread: same?.unread ?? (kind === 'v' || kind === 'm' || own.some((column) => column[5] === 't')),
      rewritten: rewritten === 't',
      answering: answering ?? '',
      ...(key != null && { partitionedBy: key.split(' ').map(Number) }),
      compares: compares === 't',
    };
  });
}

const NOTHING_KEPT: ReadonlyMap<number, Relation> = new Map();

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

export function typeOf(row: CatalogRow): Type {
  const [oid, schema, name, kind, relation, element, base, array, category, preferred, typmod] = row;
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    kind: kind ?? '',
    relation: Number(relation),
    element: Number(element),
    base: Number(base),
    array: Number(array),
    category: category ?? '',
    preferred: preferred === 't',
    typmod: Number(typmod ?? -1),
  };
}

export function routineOf(row: CatalogRow): Routine {
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
    ...(row[18] != null && { extension: row[18] }),
  };
}

/** Arrays come as JSON; NULL is an empty one. Identifiers of objects are numbers there. */
const list = <T>(value: string | null | undefined): T[] => (value == null ? [] : (JSON.parse(value) as T[]));

const text = (row: CatalogRow | undefined, index: number): string => row?.[index] ?? '';

/** Rows by their first value, each group in the order of the numbers at `place`. */
function grouped(rows: readonly CatalogRow[], place: number): Map<string, CatalogRow[]> {
  const map = new Map<string, CatalogRow[]>();
  for (const row of rows) {
    const list = map.get(text(row, 0));
    if (list) list.push(row);
    else map.set(text(row, 0), [row]);
  }
  for (const list of map.values()) list.sort((one, other) => Number(one[place]) - Number(other[place]));
  return map;
}
