/**
 * What a definition has the server compare from then on, where no statement says so: predicates and unique expressions of indexes,
 * exclusion constraints, foreign keys that change or delete rows, keys of partitions. Which rows there are, and where, tells about values
 * then. Of columns that have values the definition itself asks; a table of the session notes it, for whatever is put into it later.
 * Does not: ask about ON CONFLICT (modify.ts), or follow what a definition moves (keeping.ts). Pure.
 */
import { type Node, type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import type { Relation } from '../catalog/objects.js';
import { type LineageAnalysis, Unsure, listOf } from './analysis.js';
import { condition } from './conditions.js';
import { expression } from './expression.js';
import { type FoundRelation, columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE, item } from './scope.js';
import { type Column, type Value, computed, direct, unknown } from './value.js';

/** CREATE INDEX. How many rows satisfy its predicate shows in pg_class.reltuples. */
export function indexCompares(analysis: LineageAnalysis, fields: NodeFields): void {
  const elements = fields['unique'] === true ? listOf(fields, 'indexParams') : [];
  const where = fields['whereClause'];
  if (compares(analysis, columnsIn(analysis, fields['relation']), { elements, where }))
    notes(analysis, fields['relation']);
}

/**
 * Columns and constraints of CREATE TABLE and ALTER TABLE.
 *
 * @param columns of the table; undefined where it is only being made
 * @returns whether the table compares more than its columns as they are stored
 */
export function constraintsCompare(
  analysis: LineageAnalysis,
  columns: readonly Column[] | string | undefined,
  elements: readonly Node[],
): boolean {
  const all = elements.flatMap((element): { fields: NodeFields; names?: readonly string[] }[] => {
    if (element.kind !== 'ColumnDef') return [{ fields: element.fields }];
    const names = [text(element.fields, 'colname')];
    return nodesOf(element.fields['constraints']).map(({ fields }) => ({ fields, names }));
  });
  const isOf = (...kinds: string[]): boolean => all.some(({ fields }) => kinds.includes(String(fields['contype'])));
  let found = isOf('CONSTR_GENERATED') && isOf('CONSTR_UNIQUE', 'CONSTR_PRIMARY');
  for (const { fields, names } of all) {
    const asks = (compared: Compared): boolean => columns !== undefined && compares(analysis, columns, compared);
    switch (fields['contype']) {
      case 'CONSTR_EXCLUSION': {
        const excluded = listOf(fields, 'exclusions').flatMap((pair) => listIn(pair).slice(0, 1));
        asks({ elements: excluded, isExcluding: true, where: fields['where_clause'] });
        found = true;
        break;
      }
      case 'CONSTR_UNIQUE':
      case 'CONSTR_PRIMARY':
        if (asks({ names: names ?? strings(fields['keys']), areStored: true })) found = true;
        break;
      case 'CONSTR_FOREIGN':
        if (!changesRows(fields)) break;
        asks({ names: names ?? strings(fields['fk_attrs']) });
        compares(analysis, columnsIn(analysis, fields['pktable']), { names: strings(fields['pk_attrs']) });
        notes(analysis, fields['pktable']);
        found = true;
    }
  }
  return found;
}

/** LIKE ... INCLUDING INDEXES, of a table with one that compares more than columns as they are stored. */
export function copiesCompare(analysis: LineageAnalysis, { kind, fields }: Node): boolean {
  if (kind !== 'TableLikeClause' || (Number(fields['options'] ?? 0) & CREATE_TABLE_LIKE_INDEXES) === 0) return false;
  const found = foundIn(analysis, fields['relation']);
  return typeof found === 'string' || found.relation.compares === true;
}

const CREATE_TABLE_LIKE_INDEXES = 1 << 6;

/** Who reads a partition by its own name asks what decides which rows are in it. */
export function asksForPartition(analysis: LineageAnalysis, relation: Relation): void {
  for (const above of relation.parents) {
    const parent = analysis.catalog.relationByOid(above);
    if (!parent) continue;
    if (parent.partitionedBy) analysis.asks(keyOf(analysis, parent), 'other');
    asksForPartition(analysis, parent);
  }
}

/** What decides in which partition a row is (`tableoid`), and of a table of the session at which place (`ctid`): how long its values are. */
export function placeOf(analysis: LineageAnalysis, found: FoundRelation, columns: readonly Column[]): Value {
  if (found.type === 'stored') {
    const below = new Set([found.relation]);
    for (const one of below) for (const child of analysis.catalog.childrenOf(one.oid)) below.add(child);
    return computed(Array.from(below, (one) => keyOf(analysis, one)));
  }
  return computed(found.relation.view ? [] : columns.map(({ value }) => value));
}

/** The columns that decide which partition a row goes to. */
function keyOf({ catalog }: LineageAnalysis, { columns, partitionedBy = [] }: Relation): Value {
  const key = columns.filter(({ base }) => partitionedBy.includes(base.attnum) || partitionedBy.includes(0));
  return computed(key.map(({ base, type }) => direct(catalog.roots(base), type)));
}

/** Whether what is put into a column decides where its row goes. */
export const isPlacedBy = ({ columns, partitionedBy = [] }: Relation, column: string): boolean =>
  partitionedBy.includes(0) || columns.some(({ name, base }) => name === column && partitionedBy.includes(base.attnum));

/** CASCADE, SET NULL and SET DEFAULT (FKCONSTR_ACTION_* in parsenodes.h): rows go or change where values are equal. */
const changesRows = (fields: NodeFields): boolean =>
  ['fk_upd_action', 'fk_del_action'].some((action) => ['c', 'n', 'd'].includes(String(fields[action] ?? '')));

/** An element of an exclusion constraint comes with its operator. */
const listIn = (value: unknown): readonly unknown[] => {
  const node = nodeOf(value);
  return node?.kind === 'List' ? listOf(node.fields, 'items') : [];
};

interface Compared {
  /** IndexElem nodes. */
  readonly elements?: readonly unknown[];
  readonly names?: readonly string[];
  readonly where?: unknown;
  readonly isExcluding?: boolean;
  /** What is compared of columns as they are stored a statement asks by itself. */
  readonly areStored?: boolean;
}

/** @returns whether more than columns as they are stored is compared */
function compares(analysis: LineageAnalysis, columns: readonly Column[] | string, compared: Compared): boolean {
  const { elements = [], names = [], where, isExcluding = false, areStored = false } = compared;
  if (elements.length + names.length === 0 && where === undefined) return false;
  if (typeof columns === 'string') {
    analysis.asks(unknown(columns), 'other');
    return true;
  }
  const scope = { ...EMPTY_SCOPE, items: [item('', columns, { stored: true })] };
  condition(analysis, scope, where);
  let found = where !== undefined;
  const asks = (value: Value, isStored: boolean): void => {
    if (isStored && value.kind === 'direct' && value.unknown === undefined) return;
    analysis.asks(value, 'other');
    found = true;
  };
  for (const element of elements) {
    const fields = nodeOf(element)?.fields ?? {};
    const column = columns.find(({ name }) => name === text(fields, 'name'));
    asks(column?.value ?? expression(analysis, scope, fields['expr']), column !== undefined && !isExcluding);
  }
  for (const { name, value } of columns) if (names.includes(name)) asks(value, areStored);
  return found;
}

/** A table of the session, for what is put into it later. */
function notes(analysis: LineageAnalysis, table: unknown): void {
  const found = foundIn(analysis, table);
  if (typeof found === 'string' || found.type === 'stored' || found.relation.compares === true) return;
  analysis.effects.push({ type: 'relation', relation: { ...found.relation, compares: true } });
}

/**
 * The columns of a relation, or why they are not known. What this transaction has made of one is not followed: those that it had before
 * are taken then, since whoever gives one of these other values moves them.
 */
export function columnsIn(analysis: LineageAnalysis, table: unknown): readonly Column[] | string {
  const found = foundIn(analysis, table);
  if (typeof found !== 'string') return columnsOf(analysis, found);
  const name = isFields(table) ? text(table, 'relname') : '';
  const before = analysis.catalog.relations.filter((one) => one.name === name);
  if (before.length === 0 && analysis.session.overlay.defined.has(name)) return [];
  return before.length === 0
    ? found
    : before.flatMap(({ columns }) =>
        columns.map(({ name: column, base, type }) => ({
          name: column,
          value: direct(analysis.catalog.roots(base), type),
        })),
      );
}

/** @returns a text where it is not known: why */
function foundIn(analysis: LineageAnalysis, table: unknown): FoundRelation | string {
  const relation = isFields(table) ? table : {};
  try {
    return findRelation(analysis, text(relation, 'schemaname'), text(relation, 'relname'));
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return error.message;
  }
}
