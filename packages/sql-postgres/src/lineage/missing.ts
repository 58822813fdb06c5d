/**
 * Whether what is put into a column is NULL, or has another number of elements, depending on values: in a masked column that shows.
 * What is listed here depends on nothing but whether the column was NULL before. Pure.
 */
import { type NodeFields, isFields, nodeOf, strings, text } from '../ast.js';
import { listOf } from './analysis.js';

/** The column that an expression is put into. */
export interface Target {
  readonly column: string;
  /** What the statement calls its table. */
  readonly table: string;
  readonly type: number | undefined;
}

/** @param value the expression of an assignment */
export function isMissingAsBefore(value: unknown, target: Target): boolean {
  if (!hasColumns(value)) return true;
  const node = nodeOf(value);
  const all = (values: readonly unknown[]): boolean => values.every((one) => isMissingAsBefore(one, target));
  switch (node?.kind) {
    case 'ColumnRef':
      return isOwn(strings(node.fields['fields']), target);
    case 'TypeCast':
      return all([node.fields['arg']]);
    case 'CoalesceExpr':
    case 'MinMaxExpr':
      return all(listOf(node.fields, 'args'));
    case 'A_Expr':
      return isArithmetic(node.fields, target) && all([node.fields['lexpr'], node.fields['rexpr']]);
    case 'FuncCall':
      return isTotal(node.fields) && all(listOf(node.fields, 'args'));
    default:
      return false;
  }
}

/** Of the row that is changed, or of the one that ON CONFLICT has found a place for, which is what was to be inserted. */
function isOwn(names: readonly string[], { column, table }: Target): boolean {
  const [name, qualifier] = names.toReversed();
  if (qualifier === 'excluded') return true;
  return name === column && (qualifier === undefined || qualifier === table);
}

function isArithmetic({ kind, name }: NodeFields, { type }: Target): boolean {
  const operator = strings(name).at(-1) ?? '';
  if (kind !== 'AEXPR_OP') return false;
  // Of a document or an array `-` takes away what equals something.
  return operator === '||' || (ARITHMETIC.has(operator) && NUMBERS.has(type ?? 0));
}

const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%']);
/** int8, int2, int4, float4, float8, money, numeric, date, time, timestamp, timestamptz, interval, timetz. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 700, 701, 790, 1700, 1082, 1083, 1114, 1184, 1186, 1266]);

const isTotal = (call: NodeFields): boolean => {
  const [name = '', schema = 'pg_catalog'] = strings(call['funcname']).toReversed();
  return schema === 'pg_catalog' && TOTAL.has(name) && text(call, 'func_variadic') === '';
};

/** NULL where an argument is, or never. Not substring, which is NULL where its pattern is not found. */
const TOTAL: ReadonlySet<string> = new Set(
  `abs btrim ceil ceiling concat date_trunc floor initcap jsonb_set left lower lpad ltrim md5 regexp_replace replace reverse right
   round rpad rtrim substr translate trunc upper`.split(/\s+/),
);

/** Whether columns or queries stand in it. */
function hasColumns(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasColumns);
  if (!isFields(value)) return false;
  if (READING.some((kind) => Object.hasOwn(value, kind))) return true;
  return Object.values(value).some(hasColumns);
}
const READING = ['ColumnRef', 'SubLink', 'MultiAssignRef', 'GroupingFunc', 'A_Indirection'];
