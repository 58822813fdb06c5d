/**
 * Conditions: which columns they look at, and how much that tells about them. Does not: values (lineage/expression.ts). Pure.
 */
import { type NodeFields, nodeOf, strings } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { expression, expressions } from './expression.js';
import { operatorReason } from './operators.js';
import type { Scope } from './scope.js';
import { type Comparisons, type Value, computed } from './value.js';

/** WHERE, ON, HAVING and the like. */
export function condition(analysis: LineageAnalysis, scope: Scope, value: unknown): void {
  if (value === undefined) return;
  const node = nodeOf(value);
  const fields = node?.fields ?? {};
  if (node?.kind === 'BoolExpr' && fields['boolop'] !== 'NOT_EXPR') {
    for (const one of listOf(fields, 'args')) condition(analysis, scope, one);
    return;
  }
  if (node?.kind === 'NullTest') {
    const tested = expression(analysis, scope, fields['arg']);
    return analysis.asks(tested, isPlain(fields['arg'], tested) ? 'null' : 'other');
  }
  if (node?.kind === 'A_Expr' && strings(fields['name']).join('.') === '=') {
    const compare = COMPARISONS[String(fields['kind'])];
    if (compare) return compare(analysis, scope, fields);
  }
  analysis.asks(expression(analysis, scope, value), 'other');
}

type Compare = (analysis: LineageAnalysis, scope: Scope, fields: NodeFields) => void;

/** `=`, `IN (...)` and `= ANY (...)`. */
const COMPARISONS: Readonly<Record<string, Compare>> = {
  AEXPR_OP: (analysis, scope, { lexpr, rexpr }) => {
    const [left, right] = [expression(analysis, scope, lexpr), expression(analysis, scope, rexpr)];
    if (isPlain(rexpr, right) && left.constant) return compared(analysis, right, left, ONE);
    compared(analysis, left, right, isPlain(lexpr, left) && right.constant && ONE);
  },
  AEXPR_IN: (analysis, scope, { lexpr, rexpr }) => {
    const left = expression(analysis, scope, lexpr);
    const list = expressions(analysis, scope, itemsOf(rexpr));
    const isWritten = isPlain(lexpr, left) && list.every(({ constant }) => constant);
    compared(analysis, left, computed(list), isWritten && { values: list.length, arrays: [] });
  },
  AEXPR_OP_ANY: (analysis, scope, { lexpr, rexpr }) => {
    const [left, array] = [expression(analysis, scope, lexpr), expression(analysis, scope, rexpr)];
    compared(analysis, left, array, isPlain(lexpr, left) && array.constant);
  },
};

/** @param comparisons absent where more than one fixed value is compared with, or with less than the whole column */
function compared(
  analysis: LineageAnalysis,
  one: Value,
  other: Value,
  comparisons: Comparisons | false | undefined,
): void {
  const kind = comparisons && operatorReason(analysis, ['=']) === undefined ? 'equality' : 'other';
  analysis.asks(one, kind, comparisons || undefined);
  analysis.asks(other, kind);
}

const ONE: Comparisons = { values: 1, arrays: [] };

/** A column as it is stored. Under COLLATE or a cast other values can be equal to it. */
const isPlain = (node: unknown, value: Value): boolean =>
  nodeOf(node)?.kind === 'ColumnRef' && value.kind === 'direct' && value.unknown === undefined;

/** The members of IN, which stand in a bare list or in a List. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const node = nodeOf(value);
  return node?.kind === 'List' ? listOf(node.fields, 'items') : [value];
}
