/**
 * Reads information_schema. Owns: the questions, and what becomes of the answers. Does not: when they are asked (masks). Nothing of
 * it takes a lock or starts a transaction that lasts; needs SELECT on what masks name, and SHOW VIEW for views over it.
 */
import { hash } from 'node:crypto';
import type { Lookup, MySqlDialect } from '@sluice/contract';
import { Catalog, type CatalogContents } from './catalog.js';
import { type Attribute, type BaseColumn, type Relation, isOfServer } from './objects.js';

type CatalogQuery = Lookup['query'];
type CatalogRow = Awaited<ReturnType<CatalogQuery>>[number];

/** Before the first question: definitions are spelled by the modes of the session that asks. */
const SETTINGS = "set session sql_mode = '', session group_concat_max_len = 1048576";
const SERVER = 'select version(), @@global.lower_case_table_names';
const TABLES = `select table_schema, table_name, table_type from information_schema.tables order by 1, 2`;
const COLUMNS = `select table_schema, table_name, column_name, data_type, extra, generation_expression, column_key
  from information_schema.columns order by table_schema, table_name, ordinal_position`;
const VIEWS = `select table_schema, table_name, view_definition from information_schema.views order by 1, 2`;
const ROUTINES = `select routine_schema, routine_name, routine_type, routine_definition from information_schema.routines
  order by 1, 2, 3`;
const TRIGGERS = `select event_object_schema, event_object_table, trigger_name, action_statement from information_schema.triggers
  order by 1, 2, 3`;

/** What unique keys have, one part a row. MariaDB has no keys of expressions. */
const keysOf = (expression: string): string => `select table_schema, table_name, column_name, sub_part, ${expression}
  from information_schema.statistics where non_unique = 0 order by 1, 2, index_name, seq_in_index`;

/** JSON of MariaDB is a text with a condition, of the column's own name. */
const JSON_COLUMNS = `select constraint_schema, table_name, constraint_name, check_clause from information_schema.check_constraints
  where check_clause like 'json_valid(%' order by 1, 2, 3`;

/** Of a catalog that changes faster than it can be read, what has not changed is taken after so many times. */
const MAX_ATTEMPTS = 5;

/**
 * The catalog as it is now; the same object where nothing has changed since `before`. Where others define something all the time, nothing is
 * known of what has changed from one reading to the next, and all else is as it is now.
 *
 * @throws what `query` throws
 */
export async function readCatalog(query: CatalogQuery, before?: Catalog): Promise<Catalog> {
  await query(SETTINGS);
  let last = await answers(query);
  for (let attempt = 1; ; attempt++) {
    if (last.version === before?.version) return before;
    const again = await answers(query);
    if (again.version === last.version) return new Catalog(contentsOf(again, before));
    if (attempt === MAX_ATTEMPTS)
      return new Catalog(contentsOf(whatStays(last, again), before, changedIn(last, again)));
    last = again;
  }
}

/** The later of two readings, with the code of both. It equals no reading, so that all is read again the next time. */
function whatStays(one: CatalogAnswers, other: CatalogAnswers): CatalogAnswers {
  if (JSON.stringify(one.server) !== JSON.stringify(other.server))
    throw new Error('Another server answers than before.');
  return {
    ...other,
    version: `${one.version} ${other.version}`,
    routines: [...one.routines, ...other.routines],
    triggers: [...one.triggers, ...other.triggers],
  };
}

/** Tables and views of the later reading that are not as they were in the one before: what was read of one of them may be of two times. */
function changedIn(one: CatalogAnswers, other: CatalogAnswers): ReadonlySet<string> {
  const [before, now] = [one, other].map(({ tables, columns, views, keys, json }) => {
    const found = new Map<string, string>();
    for (const [part, rows] of [tables, columns, views, keys, json].entries())
      for (const row of rows) found.set(keyOf(row), `${found.get(keyOf(row)) ?? ''}${part}${JSON.stringify(row)}`);
    return found;
  });
  return new Set([...(now ?? [])].flatMap(([key, said]) => (before?.get(key) === said ? [] : [key])));
}

interface CatalogAnswers {
  readonly version: string;
  readonly server: readonly CatalogRow[];
  readonly tables: readonly CatalogRow[];
  readonly columns: readonly CatalogRow[];
  readonly views: readonly CatalogRow[];
  readonly routines: readonly CatalogRow[];
  readonly triggers: readonly CatalogRow[];
  readonly keys: readonly CatalogRow[];
  readonly json: readonly CatalogRow[];
}

async function answers(query: CatalogQuery): Promise<CatalogAnswers> {
  const server = await query(SERVER);
  const tables = await query(TABLES);
  const columns = await query(COLUMNS);
  const views = await query(VIEWS);
  const routines = await query(ROUTINES);
  const triggers = await query(TRIGGERS);
  const keys = await query(keysOf(isMariaDb(server) ? 'null' : 'expression'));
  const json = isMariaDb(server) ? await query(JSON_COLUMNS) : [];
  const all = { server, tables, columns, views, routines, triggers, keys, json };
  return { version: hash('sha256', JSON.stringify(Object.values(all)), 'base64'), ...all };
}

function contentsOf(
  answers: CatalogAnswers,
  before?: Catalog,
  changed: ReadonlySet<string> = NOTHING_CHANGED,
): CatalogContents {
  const { version, server, tables, columns, views, routines, triggers } = answers;
  const json = new Set(answers.json.map((one) => `${keyOf(one)}\0${text(one, 2)}`));
  const [row] = server;
  // Whatever that is, it is not the catalog: with one that has nothing, nothing would be masked.
  if (!row?.[0] || tables.length === 0) throw new Error('The target does not say what it has.');
  const flavour = isMariaDb(server) ? 'mariadb' : 'mysql';
  const definitions = new Map(views.map((one) => [keyOf(one), text(one, 2)]));
  const known = new Map(
    (before?.contents.relations ?? []).flatMap((one) => one.columns.map(({ base }) => [base.name, base] as const)),
  );
  const attributes = Map.groupBy(columns, keyOf);
  const keys = Map.groupBy(answers.keys, keyOf);
  return {
    version,
    flavour,
    server: versionOf(text(row, 0)),
    lowerCase: Number(row?.[1] ?? 0),
    relations: tables.map((one) => {
      const own = (attributes.get(keyOf(one)) ?? []).map(
        (column) => [column, attributeOf(column, known, json)] as const,
      );
      const relation = relationOf(one, own, keys.get(keyOf(one)) ?? [], definitions.get(keyOf(one)));
      // As a view that could not be read.
      return changed.has(keyOf(one)) ? { ...relation, kind: 'view', definition: '' } : relation;
    }),
    codeReachesSession: [...routines, ...triggers].some(
      ([schema, , , body]) =>
        !isOfServer(schema ?? '') && (body === null || body === undefined || REACHES_SESSION.test(body)),
    ),
    triggered: new Set(triggers.map(keyOf)),
  };
}

const NOTHING_CHANGED: ReadonlySet<string> = new Set();

/** Without these no code makes a temporary table, writes to a variable or setting of the session, or runs a text that it made up. */
const REACHES_SESSION =
  /temporary|prepare|immediate|@|session|local|timestamp|insert_id|rand_seed|lc_time|time_zone|\bsys\b|\bmysql\b/i;

function relationOf(
  row: CatalogRow,
  columns: readonly (readonly [CatalogRow, Attribute])[],
  keys: readonly CatalogRow[],
  definition: string | undefined,
): Relation {
  const type = text(row, 2);
  const kind = KINDS[type] ?? 'table';
  return {
    schema: text(row, 0),
    name: text(row, 1),
    kind,
    columns: columns.map(([, attribute]) => attribute),
    ...(kind === 'view' && { definition: definition ?? '' }),
    versioned: type === 'SYSTEM VERSIONED',
    key: columns.filter(([column]) => column[6] === 'PRI' || column[6] === 'UNI').map(([, { base }]) => base),
    unique: keys.map((part) =>
      part[2] ? { column: part[2], isBeginning: Boolean(part[3]) } : { expression: text(part, 4) },
    ),
  };
}

const KINDS: Readonly<Record<string, Relation['kind']>> = {
  VIEW: 'view',
  'SYSTEM VIEW': 'system view',
  SEQUENCE: 'sequence',
};

function attributeOf(row: CatalogRow, known: ReadonlyMap<string, BaseColumn>, json: ReadonlySet<string>): Attribute {
  const [schema, table, column] = [text(row, 0), text(row, 1), text(row, 2)];
  const name = `${schema}.${table}.${column}`;
  const extra = text(row, 4);
  const generated = /\b(?:VIRTUAL|STORED|PERSISTENT) GENERATED\b/.test(extra);
  const same = known.get(name);
  // A dot can stand in a name, so the text alone does not tell.
  const isSame = same?.schema === schema && same.table === table && same.column === column;
  return {
    name: column,
    type: json.has(`${schema}\0${table}\0${column}`) ? 'json' : text(row, 3).toLowerCase(),
    hidden: /\bINVISIBLE\b/.test(extra),
    base: isSame ? same : { schema, table, column, name },
    ...(generated && { generated: text(row, 5) }),
    ...(/\bauto_increment\b/i.test(extra) && { numbered: true }),
  };
}

/** @param version as `version()` says it: `10.11.19-MariaDB-log`, `9.7.4` */
function versionOf(version: string): MySqlDialect['version'] {
  const [, major = '0', minor = '0', patch = '0'] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
}

const isMariaDb = ([row]: readonly CatalogRow[]): boolean => /mariadb/i.test(text(row, 0));

const keyOf = (row: CatalogRow): string => `${text(row, 0)}\0${text(row, 1)}`;
const text = (row: CatalogRow | undefined, at: number): string => row?.[at] ?? '';
