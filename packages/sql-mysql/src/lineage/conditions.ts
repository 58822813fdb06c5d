/** Conditions: which columns they look at, and how much that tells about them. Does not: values (expression.ts). Pure. */
import type { Expression, Operation } from '../tree.js';
import type { LineageAnalysis } from './analysis.js';
import { expression } from './expression.js';
import type { Scope } from './scope.js';
import { type Value, computed } from './value.js';

/** WHERE, ON, HAVING and the like. */
export function condition(analysis: LineageAnalysis, scope: Scope, value: Expression | undefined): void {
  if (!value) return;
  if (value.kind !== 'operation') return analysis.asks(expression(analysis, scope, value), 'other');
  switch (value.operator) {
    case 'and':
    case 'or':
      for (const one of value.operands) condition(analysis, scope, one);
      return;
    case 'is null':
    case 'is not null': {
      const tested = expression(analysis, scope, value.operands[0] as Expression);
      return analysis.asks(tested, isPlain(value.operands[0], tested) ? 'null' : 'other');
    }
    case '=':
    case 'in':
      return compared(analysis, scope, value);
    default:
      return analysis.asks(expression(analysis, scope, value), 'other');
  }
}

/** A column as it is stored, compared with what is written or bound, tells whether it has that value. */
function compared(analysis: LineageAnalysis, scope: Scope, operation: Operation): void {
  const { operands, quantifier, operator } = operation;
  const [first, ...rest] = operands;
  if (!first || quantifier) return analysis.asks(expression(analysis, scope, operation), 'other');
  const left = expression(analysis, scope, first);
  const list = operator === 'in' ? rest.flatMap((one) => (one.kind === 'row' ? one.items : [one])) : rest;
  const values = list.map((one) => expression(analysis, scope, one));
  const isEquality = (one: Expression, value: Value, others: readonly Value[]): boolean =>
    isPlain(one, value) && others.every(({ constant }) => constant);
  const [only] = rest;
  const [right] = values;
  if (operator === '=' && only && right && isEquality(only, right, [left])) return analysis.asks(right, 'equality', 1);
  if (isEquality(first, left, values)) return analysis.asks(left, 'equality', values.length);
  analysis.asks(computed([left, ...values]), 'other');
}

const isPlain = (one: Expression | undefined, { kind, unknown }: Value): boolean =>
  one?.kind === 'column' && kind === 'direct' && unknown === undefined;
