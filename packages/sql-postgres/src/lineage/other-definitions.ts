/**
 * Definitions that the catalog will have once their transaction is over, and that others do not see before: of which names nothing
 * is known until then. Owns: which those are, so that everything else goes on being known. What can change more than can be named is
 * left out, and makes all that follows unknown. Does not own: tables, views and sequences of the session (`definitions.ts`).
 */
import { type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import { EXTENSION_FUNCTIONS } from '../extension-functions.js';
import { callFacts } from '../functions.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { readsNothing } from './known-functions.js';
import { currentRole } from './session.js';
import { ownFunction } from './own-functions.js';
import { definesCasts } from './reach.js';
import type { Column } from './value.js';

type Read = (analysis: LineageAnalysis, fields: NodeFields) => readonly Column[];

/** How functions and schemas stand among the names of `Overlay.defined`. A relation of such a name is taken for unknown as well. */
export const functionName = (name: string): string => `function ${name}`;
export const schemaName = (name: string): string => `schema ${name}`;
export const isSchemaName = (name: string): boolean => name.startsWith('schema ');

const define = ({ effects }: LineageAnalysis, names: readonly string[]): void => {
  effects.push({ type: 'defined', names });
};

/** Whatever the statement says, these are the names whose meaning it may change; undefined: any. */
const naming =
  (names: (analysis: LineageAnalysis, fields: NodeFields) => readonly string[] | undefined): Read =>
  (analysis, fields) => {
    const found = names(analysis, fields);
    if (found) define(analysis, found);
    return [];
  };

const typeNames = (name: string): string[] => (name === '' ? [] : [name, `_${name}`]);
const lastOf = (list: unknown): string => strings(list).at(-1) ?? '';
const relationNamed = (value: unknown): string => (isFields(value) ? text(value, 'relname') : '');

/** Statements by kind. */
export const OTHER_DEFINITIONS: Readonly<Record<string, Read>> = {
  CreateSchemaStmt: naming((_, fields) => {
    const role = isFields(fields['authrole']) ? text(fields['authrole'], 'rolename') : '';
    const name = text(fields, 'schemaname') || role;
    return fields['schemaElts'] === undefined && name !== '' ? [schemaName(name)] : undefined;
  }),
  CreateFunctionStmt: (analysis, fields) => {
    const [schema, name] = strings(fields['funcname']);
    if (schema === 'pg_temp' && name !== undefined)
      analysis.effects.push({ type: 'function', name, routine: ownFunction(analysis, fields) });
    else naming(({ catalog }) => functionChanged(catalog, lastOf(fields['funcname'])))(analysis, fields);
    return [];
  },
  AlterFunctionStmt: naming(({ catalog }, fields) =>
    functionChanged(catalog, isFields(fields['func']) ? lastOf(fields['func']['objname']) : ''),
  ),
  DefineStmt: naming((_, fields) =>
    fields['kind'] === 'OBJECT_AGGREGATE' ? [functionName(lastOf(fields['defnames']))] : undefined,
  ),
  CreateExtensionStmt: naming(({ catalog }, fields) => {
    const name = text(fields, 'extname');
    const isThere = catalog.everyRoutine.some(({ extension }) => extension === name);
    // Those make nothing that a name of before could mean, but for functions that read nothing, with types of their own.
    return (fields['if_not_exists'] === true && isThere) || EXTENSION_FUNCTIONS.has(name) ? [] : undefined;
  }),
  CreateDomainStmt: naming((_, fields) => typeNames(lastOf(fields['domainname']))),
  AlterDomainStmt: naming((_, fields) => [...typeNames(lastOf(fields['typeName'])), CODE_BEHIND_WRITES]),
  AlterEnumStmt: naming(() => []),
  CreateRangeStmt: naming((_, fields) => {
    const name = lastOf(fields['typeName']);
    const multiple = name.includes('range') ? name.replace('range', 'multirange') : `${name}_multirange`;
    const given = nodesOf(fields['params']).find((one) => text(one.fields, 'defname') === 'multirange_type_name');
    return given ? undefined : [...typeNames(name), ...typeNames(multiple), functionName(name), functionName(multiple)];
  }),
  AlterSeqStmt: naming(() => []),
  CreateStatsStmt: naming(({ catalog, session }, fields) =>
    callsUnread(catalog, fields) || definesCasts(catalog, session, fields) ? undefined : [],
  ),
  // What is written through a view above goes through them too.
  CreateTrigStmt: naming(codeBehind),
  RuleStmt: naming(codeBehind),
  CreatePolicyStmt: naming((_, fields) => [relationNamed(fields['table'])]),
  AlterPolicyStmt: naming((_, fields) => [relationNamed(fields['table'])]),
  CreateRoleStmt: naming(() => []),
  CreatePublicationStmt: naming(() => []),
  AlterDefaultPrivilegesStmt: naming(() => []),
  AlterOwnerStmt: naming((_, { objectType }) => (objectType === 'OBJECT_SCHEMA' ? undefined : [])),
  AlterObjectSchemaStmt: naming(({ catalog }, fields) => {
    if (RELATIONS.has(String(fields['objectType']))) return withReaders(catalog, relationNamed(fields['relation']));
    if (fields['objectType'] === 'OBJECT_TYPE') return typeNames(lastOf(nodeOf(fields['object'])?.fields['items']));
    return undefined;
  }),
};

function codeBehind({ catalog }: LineageAnalysis, fields: NodeFields): readonly string[] {
  return [...withReaders(catalog, relationNamed(fields['relation'])), CODE_BEHIND_WRITES];
}

const RELATIONS: ReadonlySet<string> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
]);

/** GRANT and REVOKE. Rights on schemas, and to roles, decide which schemas are searched. */
export function granted(analysis: LineageAnalysis, fields: NodeFields): void {
  const { catalog, session } = analysis;
  if (fields['objtype'] !== 'OBJECT_SCHEMA') return define(analysis, []);
  const open = listOf(fields, 'objects').every((one) => {
    const name = nodeOf(one)?.fields;
    return name !== undefined && catalog.isOpen(text(name, 'sval') || text(name, 'str'), currentRole(session));
  });
  // What is searched already goes on being searched by this session.
  if (fields['is_grant'] === true && open) define(analysis, [SEARCHED_BY_OTHERS]);
}

/** Stands among the names of `Overlay.defined` where other roles may look into other schemas from now on. */
const SEARCHED_BY_OTHERS = 'what others search';

/** The names that DROP takes away, of what is no table, view, index or sequence of the session; undefined: any. */
export function droppedNames({ catalog }: LineageAnalysis, fields: NodeFields): readonly string[] | undefined {
  const isCascade = fields['behavior'] === 'DROP_CASCADE';
  const objects = listOf(fields, 'objects').map((object) => nodeOf(object));
  const names = objects.map((node) => lastOf(node?.kind === 'List' ? node.fields['items'] : node?.fields['names']));
  switch (fields['removeType']) {
    case 'OBJECT_TABLE':
    case 'OBJECT_FOREIGN_TABLE':
      return [
        ...ownedByTables(catalog),
        ...goneWith(
          catalog,
          names.flatMap((name) => [name, ...descendants(catalog, name)]),
          isCascade,
        ),
      ];
    case 'OBJECT_VIEW':
    case 'OBJECT_MATVIEW':
      return goneWith(catalog, names, isCascade);
    case 'OBJECT_INDEX':
      return isCascade ? undefined : names;
    case 'OBJECT_SEQUENCE':
      // Defaults of columns go with it.
      return isCascade ? undefined : names;
    case 'OBJECT_TYPE':
    case 'OBJECT_DOMAIN':
      return isCascade ? undefined : names.flatMap(typeNames);
    case 'OBJECT_FUNCTION':
    case 'OBJECT_PROCEDURE':
    case 'OBJECT_ROUTINE':
    case 'OBJECT_AGGREGATE':
      return isCascade ? undefined : objects.map((node) => functionName(lastOf(node?.fields['objname'])));
    case 'OBJECT_SCHEMA':
      return isCascade
        ? undefined
        : objects.map((node) => schemaName(node ? text(node.fields, 'sval') || text(node.fields, 'str') : ''));
    case 'OBJECT_TRIGGER':
    case 'OBJECT_POLICY':
    case 'OBJECT_RULE':
      return objects.map((node) => strings(node?.fields['items']).at(-2) ?? '');
    case 'OBJECT_STATISTIC_EXT':
    case 'OBJECT_PUBLICATION':
      return [];
    default:
      return undefined;
  }
}

/** The names that RENAME gives another meaning, of what is none of the session's; undefined: any. */
export function renamedNames(
  { catalog }: LineageAnalysis,
  { renameType, relation, object, newname }: NodeFields,
): readonly string[] | undefined {
  const [to, of] = [String(newname ?? ''), relationNamed(relation)];
  switch (renameType) {
    case 'OBJECT_VIEW':
    case 'OBJECT_MATVIEW':
      return [...withReaders(catalog, of), to];
    case 'OBJECT_SEQUENCE':
      return [of, to];
    case 'OBJECT_TRIGGER':
    case 'OBJECT_POLICY':
    case 'OBJECT_RULE':
    case 'OBJECT_ROLE':
      return [];
    case 'OBJECT_TYPE':
    case 'OBJECT_DOMAIN':
      return [...typeNames(lastOf(nodeOf(object)?.fields['items'])), ...typeNames(to)];
    case 'OBJECT_FUNCTION':
    case 'OBJECT_PROCEDURE':
    case 'OBJECT_ROUTINE': {
      const changed = functionChanged(catalog, lastOf(nodeOf(object)?.fields['objname']));
      return changed && [...changed, functionName(to)];
    }
    default:
      return undefined;
  }
}

/**
 * A function is made or replaced. What views and other definitions show of one whose body is read, or that is known, would be
 * something else.
 */
function functionChanged(catalog: Catalog, name: string): readonly string[] | undefined {
  const there = [...catalog.routines('pg_catalog', name), ...catalog.routinesNamed(name)].filter(
    (routine) => routine.schema !== 'pg_catalog',
  );
  const isRead = there.some((routine) => FOLLOWED.has(routine.language) || readsNothing(catalog, routine));
  return name === '' || isRead ? undefined : [functionName(name)];
}

/** Bodies in SQL are read, and operators and casts by compiled functions are taken to compute only. */
const FOLLOWED: ReadonlySet<string> = new Set(['sql', 'c', 'internal']);

/** Relations of a name, and all that show what is in them: views, their views, children. Types are called the same. */
export function withReaders(catalog: Catalog, name: string): readonly string[] {
  const found = new Set(catalog.relationsNamed(name).map(({ oid }) => oid));
  for (const oid of found) for (const from of catalog.guards.read.to(oid)) found.add(from);
  const others = [...found].flatMap((oid) => catalog.relationByOid(oid)?.name ?? []);
  return [...new Set([name, ...others])];
}

const goneWith = (catalog: Catalog, names: readonly string[], isCascade: boolean): readonly string[] =>
  isCascade
    ? [GOES_WITH_IT, ...names.flatMap((name) => withReaders(catalog, name)), ...bodiesInStandard(catalog)]
    : names;

/** Stands among the names of `Overlay.defined` where a CASCADE may have taken more away than can be named: columns, defaults, constraints. */
export const GOES_WITH_IT = 'what goes with it';

/** Names of the partitions and children of relations of a name. */
export function descendants(catalog: Catalog, name: string): string[] {
  const found = new Set(catalog.relationsNamed(name).map(({ oid }) => oid));
  const names: string[] = [];
  for (const oid of found)
    for (const child of catalog.childrenOf(oid))
      if (!found.has(child.oid)) {
        found.add(child.oid);
        names.push(child.name);
      }
  return names;
}

/**
 * Sequences that may go with a table or a column, by whose names something else is meant then that shows columns of tables. Which
 * of them belong to which table the catalog does not say.
 */
export function ownedByTables({ relations, derived }: Catalog): readonly string[] {
  let names = derived.get('sequences of shared names') as readonly string[] | undefined;
  if (!names) {
    const others = new Set(relations.flatMap(({ kind, name }) => (kind === 'S' ? [] : [name])));
    const shared = relations.flatMap(({ kind, name }) => (kind === 'S' && others.has(name) ? [name] : []));
    derived.set('sequences of shared names', (names = [...new Set(shared)]));
  }
  return names;
}

/** Functions that go with a table that their bodies read: another one of the name may be meant then. The server's own stay. */
export const bodiesInStandard = ({ standardRoutines }: Catalog): string[] =>
  standardRoutines.map(({ name }) => functionName(name));

/** Whether an expression calls what nobody has read. */
export function callsUnread(catalog: Catalog, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((one) => callsUnread(catalog, one));
  if (!isFields(value)) return false;
  const node = nodeOf(value);
  if (node?.kind === 'FuncCall' && callFacts(strings(node.fields['funcname'])).reason !== undefined) return true;
  return isUnread(catalog, value, node) || Object.values(value).some((one) => callsUnread(catalog, one));
}

/** Whether a statement has operators or types in it, wherever they stand, behind which is code that nobody has read. */
export function namesUnread(catalog: Catalog, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((one) => namesUnread(catalog, one));
  if (!isFields(value)) return false;
  return isUnread(catalog, value, nodeOf(value)) || Object.values(value).some((one) => namesUnread(catalog, one));
}

/** An operator, or a TypeName by its shape, by the last part of the name. */
function isUnread(catalog: Catalog, value: NodeFields, node: ReturnType<typeof nodeOf>): boolean {
  if (node?.kind === 'A_Expr')
    return catalog.operators(strings(node.fields['name']).at(-1) ?? '').some(({ compiled }) => !compiled);
  return 'typemod' in value && catalog.namesCheckedByCode.has(strings(value['names']).at(-1) ?? '');
}

/**
 * Stands among the names of `Overlay.defined` where this transaction has put code, or a foreign key, behind tables of which the
 * statement does not speak: what cascades to them, partitions, columns of a domain.
 */
export const CODE_BEHIND_WRITES = 'code behind writes';
