/**
 * What a definition does with values of columns by itself: a column that is computed no longer and keeps what it holds, a foreign key
 * whose columns change with those that they refer to. Does not: defaults (definitions.ts), ALTER COLUMN TYPE (alterations.ts).
 */
import { type Node, type NodeFields, isFields, nodeOf, nodesOf, relationName, strings, text } from '../ast.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { columnsOf, findRelation } from './relations.js';
import { type Column, NOTHING, type Value, computed, direct, unknown } from './value.js';

/** ALTER TABLE. @param value its RangeVar */
export function alteredKeeps(analysis: LineageAnalysis, value: unknown, commands: readonly NodeFields[]): void {
  for (const command of commands) {
    const definition = nodeOf(command['def']);
    if (definition) definedKeeps(analysis, value, [definition]);
    if (command['subtype'] === 'AT_DropExpression') keptBy(analysis, value, text(command, 'name'));
  }
}

/** Definitions of columns and constraints. @param value RangeVar of the table that has them */
export function definedKeeps(analysis: LineageAnalysis, value: unknown, elements: readonly Node[]): void {
  for (const element of elements) {
    const constraints = element.kind === 'ColumnDef' ? nodesOf(element.fields['constraints']) : [element];
    for (const { fields } of constraints) {
      if (fields['contype'] !== 'CONSTR_FOREIGN' || fields['fk_upd_action'] !== CASCADE) continue;
      goesInto(analysis, value, '', referred(analysis, fields['pktable'], strings(fields['pk_attrs'])));
    }
  }
}

/** FKCONSTR_ACTION_CASCADE (parsenodes.h). */
const CASCADE = 'c';

/** @param names without any it is the primary key, which is not known here: it may be any column */
function referred(analysis: LineageAnalysis, value: unknown, names: readonly string[]): Value {
  const isReferred = ({ name }: { readonly name: string }): boolean => names.length === 0 || names.includes(name);
  const columns = columnsIn(analysis, value);
  // Of a table the columns are known, whatever else they may be computed from.
  if (typeof columns !== 'string') return known(computed(columns.filter(isReferred).map((one) => one.value)));
  // What this transaction has made of the table is not known; which of its columns there were before is.
  const relation = text(isFields(value) ? value : {}, 'relname');
  const before = analysis.catalog.relations.filter(({ name }) => name === relation);
  if (before.length === 0 && analysis.session.overlay.defined.has(relation)) return NOTHING;
  const stored = before.flatMap((one) => one.columns.filter(isReferred));
  const isAll = names.every((name) => stored.some((one) => one.name === name));
  if (stored.length === 0 || !isAll) return unknown(columns);
  return computed(stored.map(({ base, type }) => direct(analysis.catalog.roots(base), type)));
}

function known(value: Value): Value {
  const { unknown: _, ...rest } = value;
  return rest;
}

function keptBy(analysis: LineageAnalysis, value: unknown, column: string): void {
  const columns = columnsIn(analysis, value);
  // A column that is not computed comes from itself.
  const isComputed = ({ name, value: made }: Column): boolean =>
    name === column && (made.kind !== 'direct' || made.unknown !== undefined);
  const kept =
    typeof columns === 'string' ? unknown(columns) : computed(columns.filter(isComputed).map((one) => one.value));
  goesInto(analysis, value, column, kept);
}

/** The columns of a relation, or why they are not known. */
function columnsIn(analysis: LineageAnalysis, value: unknown): readonly Column[] | string {
  const relation = isFields(value) ? value : {};
  try {
    return columnsOf(analysis, findRelation(analysis, text(relation, 'schemaname'), text(relation, 'relname')));
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return error.message;
  }
}

function goesInto(analysis: LineageAnalysis, table: unknown, column: string, value: Value): void {
  const name = isFields(table) ? relationName(table) : '';
  analysis.moves({ type: 'table', name, column, temporary: false, bases: [] }, value);
}
