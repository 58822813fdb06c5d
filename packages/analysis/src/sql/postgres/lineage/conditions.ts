/** Conditions: which columns they look at, and how much that tells about them. */
import { nodeOf, strings } from '../ast.js';
import { type Analysis, listOf } from './analysis.js';
import { expression } from './expression.js';
import type { Scope } from './scope.js';
import { type Value, isNothing } from './value.js';

/** WHERE, ON, HAVING and the like. */
export function condition(analysis: Analysis, scope: Scope, value: unknown): void {
  if (value === undefined) return;
  const node = nodeOf(value);
  const fields = node?.fields ?? {};
  if (node?.kind === 'BoolExpr' && fields['boolop'] !== 'NOT_EXPR') {
    for (const one of listOf(fields, 'args')) condition(analysis, scope, one);
    return;
  }
  if (node?.kind === 'NullTest') return analysis.asks(expression(analysis, scope, fields['arg']), 'null');
  if (node?.kind === 'A_Expr' && EQUALITIES.has(String(fields['kind'])) && strings(fields['name']).join('.') === '=') {
    const left = expression(analysis, scope, fields['lexpr']);
    const right = expression(analysis, scope, fields['rexpr']);
    const equality = (isPlain(left) && isNothing(right)) || (isPlain(right) && isNothing(left));
    analysis.asks(left, equality ? 'equality' : 'other');
    analysis.asks(right, equality ? 'equality' : 'other');
    return;
  }
  analysis.asks(expression(analysis, scope, value), 'other');
}

/** `=`, `IN (...)` and `= ANY (...)`. */
const EQUALITIES: ReadonlySet<string> = new Set(['AEXPR_OP', 'AEXPR_IN', 'AEXPR_OP_ANY']);

const isPlain = (value: Value): boolean => value.kind === 'direct' && value.sources.size > 0;
