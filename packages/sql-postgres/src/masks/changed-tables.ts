/**
 * What a definition has changed, where it has changed nothing else that masks know of: then only that is read anew. Owns: for which
 * definitions that is known. Does not own: how it is read (`catalog/named.ts`), nor what a definition means until its transaction has
 * ended (lineage). Pure.
 */
import type { Facts } from '@sluice/contract';
import { type Node, isFields, nodeOf, nodesOf, strings, text as textOf } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Named } from '../catalog/named.js';
import { lastParts } from '../written-names.js';
import {
  CODE_BEHIND_WRITES,
  GOES_WITH_IT,
  type Lineage,
  type StatementLineage,
  bodiesInStandard,
  functionName,
  isSchemaName,
  listOf,
  schemaName,
} from '../lineage/index.js';
import { actionsOf } from './effects.js';

/** Statements that change the tables that they name or make, and what belongs to those; lineage has their names. */
const OF_TABLES: ReadonlySet<string> = new Set(
  `CreateStmt CreateTableAsStmt ViewStmt AlterTableStmt IndexStmt CreateSeqStmt AlterSeqStmt CommentStmt GrantStmt AlterOwnerStmt
   DropStmt`.split(/\s+/),
);
/** DROP of anything else takes away more than relations. */
const DROPS_RELATIONS = /^drop (?:table|view|materialized view|sequence|foreign table|index)$/;

/** Beside names of tables, which have no blanks here: other things by their names. */
const typeName = (name: string): string => `type ${name}`;
/** Stands among them where something has another name now, which stands in what the server spells. */
const RESPELLED = 'what is spelled';

/** Sorted by what they are names of. */
export function namedIn(names: Iterable<string>): Named {
  const all = [...names];
  const after = (prefix: string): string[] =>
    all.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  return {
    tables: all.filter((name) => !name.includes(' ')),
    functions: after(functionName('')),
    types: after(typeName('')),
    schemas: all.some(isSchemaName),
    respelled: all.includes(RESPELLED),
  };
}

/**
 * Names of tables, with their schema where it is known, and of other things (`namedIn`); undefined: it may have changed more than these.
 *
 * @param node the statement
 */
export function changedNames(
  lineage: StatementLineage | undefined,
  facts: Facts,
  statement: number,
  node: Node | undefined,
  catalog: Catalog,
): readonly string[] | undefined {
  if (!lineage || !node || lineage.effects.some(({ type }) => type === 'code' || type === 'uncertain'))
    return undefined;
  const own = Object.hasOwn(BY_THEMSELVES, node.kind) ? BY_THEMSELVES[node.kind]?.(node, catalog) : 'as lineage says';
  const names = own === 'as lineage says' ? changedTables(lineage, facts, statement, catalog) : own;
  const compared = mayCompareMore(node) ? table(node.fields['relation']) : [];
  return names && compared && [...names, ...compared];
}

/** An index that `Relation.compares` may be about. Its table shows what it did. */
function mayCompareMore({ kind, fields }: Node): boolean {
  if (kind === 'IndexStmt')
    return (
      fields['whereClause'] !== undefined ||
      nodesOf(fields['indexParams']).some((element) => element.fields['expr'] !== undefined)
    );
  const commands = kind === 'AlterTableStmt' ? nodesOf(fields['cmds']) : [];
  return commands.some((command) => nodeOf(command.fields['def'])?.fields['contype'] === 'CONSTR_EXCLUSION');
}

type Names = readonly string[] | undefined;
const relationIn = (value: unknown): string[] => {
  const name = isFields(value) ? textOf(value, 'relname') : '';
  return name === '' || name.includes(' ') ? [] : [name];
};
const lastOf = (value: unknown): string => strings(value).at(-1) ?? '';
/** Of a relation that must be there; undefined where its name has a blank. */
const table = (value: unknown, ...also: readonly string[]): Names => {
  const names = relationIn(value);
  return names.length === 0 ? undefined : [...names, ...also];
};
const typeOfName = (name: string): Names => (name === '' || name.includes(' ') ? undefined : [typeName(name), name]);
const functionOf = (name: string): Names => (name === '' ? undefined : [functionName(name)]);

/** Statements of which their own words say all that they change. */
const BY_THEMSELVES: Readonly<Record<string, (node: Node, catalog: Catalog) => Names | 'as lineage says'>> = {
  CreateTrigStmt: ({ fields }) => table(fields['relation']),
  CreatePolicyStmt: ({ fields }) => table(fields['table']),
  AlterPolicyStmt: ({ fields }) => table(fields['table']),
  AlterEnumStmt: () => [],
  CreateEnumStmt: ({ fields }) => typeOfName(lastOf(fields['typeName'])),
  CompositeTypeStmt: ({ fields }) => typeOfName(relationIn(fields['typevar'])[0] ?? ''),
  CreateDomainStmt: ({ fields }) => typeOfName(lastOf(fields['domainname'])),
  // Of a body that the server reads as it is made, it is the server that says what is in it.
  CreateFunctionStmt: ({ fields }) =>
    fields['sql_body'] === undefined ? functionOf(lastOf(fields['funcname'])) : undefined,
  AlterFunctionStmt: ({ fields }) => functionOf(isFields(fields['func']) ? lastOf(fields['func']['objname']) : ''),
  RenameStmt: ({ fields }) => renamed(fields),
  AlterObjectSchemaStmt: ({ fields }) =>
    MOVES.has(String(fields['objectType'])) ? table(fields['relation'], RESPELLED) : undefined,
  GrantStmt: ({ fields }) => (fields['objtype'] === 'OBJECT_SCHEMA' ? [schemaName('')] : 'as lineage says'),
  DropStmt: ({ fields }) => dropped(fields),
};

const MOVES: ReadonlySet<string> = new Set(
  'OBJECT_TABLE OBJECT_VIEW OBJECT_MATVIEW OBJECT_SEQUENCE OBJECT_FOREIGN_TABLE'.split(' '),
);
/** ALTER INDEX renames a table as well, if its name is one. */
const RENAMES: ReadonlySet<string> = new Set([...MOVES, 'OBJECT_INDEX']);
const RENAMES_NOTHING: ReadonlySet<string> = new Set(['OBJECT_TRIGGER', 'OBJECT_POLICY', 'OBJECT_TABCONSTRAINT']);

function renamed({ renameType, relation, newname }: Node['fields']): Names {
  const [kind, to] = [String(renameType), String(newname ?? '')];
  if (RENAMES_NOTHING.has(kind)) return [];
  if (kind === 'OBJECT_COLUMN') return table(relation, RESPELLED);
  return RENAMES.has(kind) && !to.includes(' ') ? table(relation, to, RESPELLED) : undefined;
}

const DROPS_FUNCTIONS: ReadonlySet<string> = new Set(
  'OBJECT_FUNCTION OBJECT_PROCEDURE OBJECT_ROUTINE OBJECT_AGGREGATE'.split(' '),
);

function dropped(fields: Node['fields']): Names | 'as lineage says' {
  const kind = String(fields['removeType']);
  const objects = listOf(fields, 'objects').map((object) => nodeOf(object));
  const isCascade = fields['behavior'] === 'DROP_CASCADE';
  const each = (names: (node: Node) => Names): Names => {
    const found = objects.map((node) => node && names(node));
    return isCascade || found.includes(undefined) ? undefined : found.flatMap((one) => one ?? []);
  };
  if (DROPS_FUNCTIONS.has(kind)) return each((node) => functionOf(lastOf(node.fields['objname'])));
  if (kind === 'OBJECT_TYPE' || kind === 'OBJECT_DOMAIN')
    return each((node) => typeOfName(lastOf(node.fields['names'])));
  // Nothing hangs on them.
  if (kind === 'OBJECT_TRIGGER' || kind === 'OBJECT_POLICY') {
    const tables = objects.map((node) => strings(node?.fields['items']).at(-2) ?? '');
    return tables.some((name) => name === '' || name.includes(' ')) ? undefined : tables;
  }
  return 'as lineage says';
}

/** The same of statements of which lineage says all that they change: tables, schemas and what belongs to them. */
export function changedTables(lineage: StatementLineage, facts: Facts, statement: number, catalog: Catalog): Names {
  const isSchema = lineage.statement === 'CreateSchemaStmt';
  if (!(isSchema || OF_TABLES.has(lineage.statement))) return undefined;
  const named = lineage.effects.map((effect): readonly string[] | 'any' => {
    if (effect.type === 'defined') return effect.names;
    return effect.type === 'relation' && effect.relation.permanent !== undefined ? [effect.relation.name] : [];
  });
  const isFollowed = lineage.effects.some(({ type }) => type === 'defined' || type === 'relation');
  if (!isFollowed || named.includes('any')) return undefined;
  const own = actionsOf(facts, statement);
  if (lineage.statement === 'DropStmt' && !own.every(({ verb }) => DROPS_RELATIONS.test(verb))) return undefined;
  let names = named.flat();
  if (isSchema) return names;
  if (lineage.statement === 'DropStmt' && names.includes(GOES_WITH_IT)) {
    names = names.filter((name) => name !== GOES_WITH_IT);
    if (!takesRelationsAlone(catalog, names)) return undefined;
  }
  // How schemas and functions stand among them.
  if (names.some((name) => name.includes(' ') && name !== CODE_BEHIND_WRITES)) return undefined;
  if (names.length === 0) return [];
  const written = own.flatMap(({ resources }) => resources.flatMap(({ type, name }) => (type === 'table' ? name : [])));
  if (written.some((name) => name.includes(' '))) return undefined;
  // What goes with an altered one may have the same name in another schema.
  return lineage.statement === 'CreateStmt' ? inSchemas(names, written) : [...names, ...written.flatMap(lastParts)];
}

/**
 * DROP ... CASCADE: only relations hang on these (views, and views of them, which are among the names), since nothing is made of their rows
 * as a type, and no function has a body that the server goes through.
 */
function takesRelationsAlone(catalog: Catalog, names: readonly string[]): boolean {
  if (bodiesInStandard(catalog).length > 0) return false;
  const rows = new Set(
    names
      .flatMap((name) => catalog.relationsNamed(name))
      .flatMap(({ type }) => [type, catalog.typeByOid(type)?.array ?? 0]),
  );
  rows.delete(0);
  return ![...rows].some((type) => catalog.isMadeUseOf(type));
}

/** Where a name is written with its schema each time, that one is meant. */
function inSchemas(names: readonly string[], written: readonly string[]): readonly string[] {
  const isQualified = (name: string): boolean => QUALIFIED.test(name) && !name.startsWith('pg_temp');
  const loose = new Set([...names, ...written.flatMap((name) => (isQualified(name) ? [] : lastParts(name)))]);
  for (const name of written.filter(isQualified)) {
    const plain = name.slice(name.indexOf('.') + 1);
    const others = written.filter((one) => one !== name && one.endsWith(plain));
    if (others.length === 0) loose.delete(plain);
  }
  return [...loose, ...written.filter(isQualified)];
}

/** Of two parts, neither of which has a dot in it, as it would be in quotes. */
const QUALIFIED = /^[a-z0-9_$]+\.[a-z0-9_$]+$/;

/**
 * Nothing but other owners of tables: what a name stands for does not matter to it, nor what has become of the table since it was read.
 * Dumps have one behind each table.
 */
export function changesOwnersAlone({ parse }: Lineage, facts: Facts, text: string): boolean {
  if (!facts.actions.every(({ verb }) => verb === 'alter table')) return false;
  const parsed = parse(text);
  return (
    parsed.ok &&
    parsed.statements.every((raw) => {
      const { kind, fields } = nodeOf(raw['stmt']) ?? { kind: '', fields: {} };
      const commands = nodesOf(fields['cmds']);
      return kind === 'AlterTableStmt' && commands.every((one) => one.fields['subtype'] === 'AT_ChangeOwner');
    })
  );
}

/** Definitions of tables, which show no rows: it matters to them what has become of the tables that they name, and of no other. */
const VERBS: ReadonlySet<string> = new Set([
  'create table',
  'create index',
  'alter table',
  'create sequence',
  'comment',
]);

export const definesTables = ({ actions }: Facts): boolean =>
  actions.length > 0 &&
  actions.every(
    ({ verb, effects }) => VERBS.has(verb) && effects.every((effect) => effect === 'define' || effect === 'grant'),
  );
