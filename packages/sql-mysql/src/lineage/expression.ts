/** Where the value of an expression comes from. Owns: every kind of expression but calls (calls.ts). */
import type {
  CaseExpression,
  ColumnReference as ColumnName,
  Default,
  Expression,
  Operation,
  Query,
  Sequence,
  Window,
} from '../tree.js';
import type { LineageAnalysis } from './analysis.js';
import { call } from './calls.js';
import { readQuery } from './query.js';
import { type Scope, enclosed, findColumn } from './scope.js';
import { variableOf } from './session.js';
import { CONSTANT, type Value, computed, unknown } from './value.js';

export function expression(analysis: LineageAnalysis, scope: Scope, one: Expression): Value {
  switch (one.kind) {
    case 'constant':
      return CONSTANT;
    case 'parameter':
      return looked(analysis, analysis.parameters[one.index] ?? CONSTANT);
    case 'column':
      return looked(analysis, columnValue(analysis, scope, one));
    case 'variable':
      return looked(analysis, variableOf(analysis.session, one.name));
    case 'setting':
      return looked(analysis, storedIn(analysis));
    case 'assign': {
      const value = expression(analysis, scope, one.value);
      analysis.assigns(one.variable.name, value, true);
      return value;
    }
    case 'operation':
      return operation(analysis, scope, one);
    case 'call':
      return call(analysis, scope, one);
    case 'sequence':
      return sequence(analysis, scope, one);
    case 'case':
      return computed(expressions(analysis, scope, partsOf(one)));
    case 'cast':
      return computed([expression(analysis, scope, one.operand)]);
    case 'interval':
      return computed([expression(analysis, scope, one.value)]);
    case 'row':
      return computed(expressions(analysis, scope, one.items));
    case 'subquery':
      return subquery(analysis, scope, one.query);
    case 'exists':
      // Which rows there are is told by the conditions of the query.
      readQuery(analysis, enclosed(scope), one.query);
      return computed([]);
    case 'match':
      return computed(expressions(analysis, scope, [...one.columns, one.against]));
    case 'default':
      return defaultOf(analysis, scope, one);
    default:
      return unknown('contains an expression that is not understood');
  }
}

function looked(analysis: LineageAnalysis, value: Value): Value {
  analysis.looksAt(value);
  return value;
}

export const expressions = (analysis: LineageAnalysis, scope: Scope, list: readonly Expression[]): Value[] =>
  list.map((one) => expression(analysis, scope, one));

function columnValue(analysis: LineageAnalysis, scope: Scope, name: ColumnName): Value {
  const written = [name.schema, name.table, name.name].filter((part) => part !== undefined).join('.');
  return findColumn(analysis, scope, name) ?? unknown(`reads ${written}, which is not known`);
}

const partsOf = ({ operand, when, else: otherwise }: CaseExpression): Expression[] => [
  ...(operand ? [operand] : []),
  ...when.flatMap(({ condition, result }) => [condition, result]),
  ...(otherwise ? [otherwise] : []),
];

function operation(analysis: LineageAnalysis, scope: Scope, { operator, operands }: Operation): Value {
  const values = expressions(analysis, scope, operands);
  const [first] = values;
  // Another collation compares otherwise and is the same value.
  if (operator === 'collate' && first && values.length === 1) {
    const { constant: _, ...value } = first;
    return value;
  }
  return computed(values);
}

/** A scalar is the column itself; of a row, and of what IN looks into, all columns. */
function subquery(analysis: LineageAnalysis, scope: Scope, query: Query): Value {
  const columns = readQuery(analysis, enclosed(scope), query);
  const [first] = columns;
  return columns.length === 1 && first ? first.value : computed(columns.map(({ value }) => value));
}

/** What a setting, a sequence or LAST_INSERT_ID() says: it may have been given a value of a column. */
export function storedIn({ session }: LineageAnalysis): Value {
  if (session.uncertain !== undefined) return unknown(session.uncertain, session.stored.sources);
  return computed([session.stored]);
}

function sequence(analysis: LineageAnalysis, scope: Scope, { action, arguments: list }: Sequence): Value {
  const given = computed(expressions(analysis, scope, list));
  if (action === 'set') analysis.stores({ type: 'function', name: 'setval' }, given);
  return computed([storedIn(analysis), given]);
}

/** The default of a column may be an expression over others. */
function defaultOf(analysis: LineageAnalysis, scope: Scope, { column }: Default): Value {
  if (!column) return CONSTANT;
  return unknown('uses the default of a column', columnValue(analysis, scope, column).sources);
}

/** What a window is made of: which rows it has, and in which order. */
export function windowOf(analysis: LineageAnalysis, scope: Scope, window: Window | string): Value {
  const named = (name: string): Value =>
    scope.windows?.get(name.toLowerCase()) ?? unknown('uses a window that is not known');
  if (typeof window === 'string') return named(window);
  const { base, partitionBy, orderBy, frame } = window;
  const parts = expressions(analysis, scope, [...partitionBy, ...orderBy.map(({ value }) => value), ...frame]);
  return computed(base === undefined ? parts : [...parts, named(base)]);
}
