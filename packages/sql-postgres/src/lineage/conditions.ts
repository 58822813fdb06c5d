/**
 * Conditions: which columns they look at, and how much that tells about them. Does not: values (lineage/expression.ts). Pure.
 */
import { type NodeFields, nodeOf, strings } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { expression } from './expression.js';
import { type Operands, readOperands } from './operations.js';
import { deciding, isKnown } from './operators.js';
import type { Scope } from './scope.js';
import { type Comparisons, NOTHING, type Value } from './value.js';

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
    if (compare) return compared(analysis, scope, fields, compare);
  }
  analysis.asks(expression(analysis, scope, value), 'other');
}

type Compare = (fields: NodeFields, operands: Operands) => Comparisons | false | undefined;

/**
 * `=`, `IN (...)` and `= ANY (...)`: what a column is compared with, absent where that is more than fixed values, or where less than
 * the whole column is compared.
 */
const COMPARISONS: Readonly<Record<string, Compare>> = {
  AEXPR_OP: ({ lexpr, rexpr }, { left = NOTHING, right }) =>
    ((isPlain(rexpr, right) && left.constant) || (isPlain(lexpr, left) && right.constant)) && ONE,
  AEXPR_IN: ({ lexpr }, { left = NOTHING, items }) =>
    isPlain(lexpr, left) && items.every(({ constant }) => constant) && { values: items.length, arrays: [] },
  AEXPR_OP_ANY: ({ lexpr }, { left = NOTHING, right }) => isPlain(lexpr, left) && right.constant,
};

function compared(analysis: LineageAnalysis, scope: Scope, fields: NodeFields, compare: Compare): void {
  const operands = readOperands(analysis, scope, fields);
  const { left, right, operations } = operands;
  const comparisons = operations.every(isKnown) && compare(fields, operands);
  const kind = comparisons ? 'equality' : 'other';
  for (const value of [left ?? NOTHING, right]) analysis.asks(value, kind, comparisons || undefined);
  for (const value of operations.flatMap(deciding)) analysis.asks(value, 'other');
}

const ONE: Comparisons = { values: 1, arrays: [] };

/** A column as it is stored. Under COLLATE or a cast other values can be equal to it. */
const isPlain = (node: unknown, value: Value): boolean =>
  nodeOf(node)?.kind === 'ColumnRef' && value.kind === 'direct' && value.unknown === undefined;
