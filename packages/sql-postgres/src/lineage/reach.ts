/**
 * Where the server may convert a value without a word in the statement, by a cast whose code nobody has read. Owns: which of those
 * casts a statement can come to at all, by the relations, functions, operators and types that it names. Does not own: casts that are
 * written (`casts.ts`). In doubt it can. Pure.
 */
import { type NodeFields, isFields, nodeOf, strings } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { SessionNames } from './session.js';

/** Types whose values may be converted unseen, all that there are. */
export const ANY_TARGET = 'any';
export type Targets = ReadonlySet<number> | typeof ANY_TARGET;

/** What a tree names. */
interface Named {
  readonly relations: Set<string>;
  readonly routines: Set<string>;
  readonly operators: Set<string>;
  readonly types: Set<string>;
  hasParameters: boolean;
  /** Several values become one type. */
  merges: boolean;
}

/** Operators that stand for words: IN, BETWEEN, USING, CASE x WHEN. */
const IMPLIED: readonly string[] = ['=', '<>', '<', '<=', '>', '>='];
const MERGING: ReadonlySet<string> = new Set(
  'CaseExpr CoalesceExpr MinMaxExpr A_ArrayExpr List RowExpr JoinExpr SubLink'.split(' '),
);

/** The types to which a statement could have values converted by code. A type of the server's own can stand anywhere. */
export function targetsIn(catalog: Catalog, session: SessionNames, tree: unknown): Targets {
  const all = new Set(catalog.casts.flatMap(({ target, context }) => (context === 'e' ? [] : target)));
  const named = namedIn(tree);
  // The types of parameters are not written.
  if (named.hasParameters && named.merges) return ANY_TARGET;
  const types = typesOf(catalog, session, named);
  if (!types) return ANY_TARGET;
  const reached = withParts(catalog, types);
  return new Set([...all].filter((oid) => catalog.typeByOid(oid)?.schema === 'pg_catalog' || reached.has(oid)));
}

/** Whether a definition may run such a cast, or have one run with what it defines: an index, a check, a default. */
export function definesCasts(catalog: Catalog, session: SessionNames, tree: unknown): boolean {
  if (catalog.casts.length === 0) return false;
  const named = namedIn(tree);
  const types = typesOf(catalog, session, named);
  const reached = types && withParts(catalog, types);
  const isReached = (oid: number): boolean =>
    !reached || reached.has(oid) || catalog.typeByOid(oid)?.schema === 'pg_catalog';
  return catalog.casts.some(({ source, target, context }) => {
    const isWritten = named.types.has(catalog.typeByOid(target)?.name ?? '');
    return (context !== 'e' || isWritten) && isReached(source) && isReached(target);
  });
}

function namedIn(tree: unknown): Named {
  const named: Named = {
    relations: new Set(),
    routines: new Set(),
    operators: new Set(IMPLIED),
    types: new Set(),
    hasParameters: false,
    merges: false,
  };
  collect(tree, named);
  return named;
}

function collect(value: unknown, into: Named): void {
  if (Array.isArray(value)) {
    for (const one of value) collect(one, into);
    return;
  }
  if (!isFields(value)) return;
  const node = nodeOf(value);
  if (node) note(node.kind, node.fields, into);
  if (typeof value['relname'] === 'string') into.relations.add(value['relname']);
  if (Array.isArray(value['funcname'])) into.routines.add(strings(value['funcname']).at(-1) ?? '');
  if ('typemod' in value) into.types.add(strings(value['names']).at(-1) ?? '');
  if (value['op'] !== undefined && value['op'] !== 'SETOP_NONE' && value['larg'] !== undefined) into.merges = true;
  if (Array.isArray(value['valuesLists']) && value['valuesLists'].length > 1) into.merges = true;
  for (const one of Object.values(value)) collect(one, into);
}

function note(kind: string, fields: NodeFields, into: Named): void {
  if (MERGING.has(kind)) into.merges = true;
  if (kind === 'ParamRef') into.hasParameters = true;
  if (kind === 'A_Expr') into.operators.add(strings(fields['name']).at(-1) ?? '');
  if (fields['kind'] === 'AEXPR_IN') into.merges = true;
  if (kind === 'SubLink') into.operators.add(strings(fields['operName']).at(-1) ?? '');
  if (kind === 'SortBy') into.operators.add(strings(fields['useOp']).at(-1) ?? '');
  // `a.b` calls b where a has no such field.
  if (kind === 'ColumnRef') for (const name of strings(fields['fields'])) into.routines.add(name);
  if (kind === 'A_Indirection') for (const name of strings(fields['indirection'])) into.routines.add(name);
}

/** The types that stand where these are used; undefined where one is not known. */
function typesOf(catalog: Catalog, { overlay }: SessionNames, named: Named): number[] | undefined {
  const own = [...named.relations].flatMap((name) => overlay.relations.get(name)?.columns ?? []);
  const ownTypes = own.flatMap(({ value: { type } }) => type ?? []);
  if (ownTypes.length < own.length || overlay.functions.size > 0 || overlay.uncertain !== undefined) return undefined;
  const relations = [...named.relations].flatMap((name) => catalog.relationsNamed(name));
  const routines = [...named.routines].flatMap((name) => catalog.routinesNamed(name));
  const operators = [...named.operators].flatMap((name) => catalog.operators(name));
  const types = catalog.types.filter(({ name }) => named.types.has(name));
  return [
    ...ownTypes,
    ...relations.flatMap(({ columns }) => columns.map(({ type }) => type)),
    ...routines.flatMap(({ inputs, outputs, returns }) => [...inputs, returns, ...outputs.map(({ type }) => type)]),
    ...operators.flatMap(({ inputs, returns }) => [...inputs, returns]),
    ...types.map(({ oid }) => oid),
  ];
}

/** With what arrays, domains and rows of these are made of. */
function withParts(catalog: Catalog, types: readonly number[]): ReadonlySet<number> {
  const reached = new Set(types);
  for (const oid of reached) {
    const type = catalog.typeByOid(oid);
    if (!type) continue;
    for (const part of [type.element, type.base]) if (part !== 0) reached.add(part);
    for (const { type: field } of catalog.relationByOid(type.relation)?.columns ?? []) reached.add(field);
  }
  return reached;
}

/** Whether there is such a cast from the type, or from what it is made of, to one of the targets. */
export function isConverted(catalog: Catalog, oid: number, targets: Targets): boolean {
  const type = catalog.typeByOid(oid);
  const sources = [oid, type?.base ?? 0, type?.element ?? 0];
  return catalog.casts.some(
    ({ source, target, context }) =>
      context !== 'e' && sources.includes(source) && (targets === ANY_TARGET || targets.has(target)),
  );
}
