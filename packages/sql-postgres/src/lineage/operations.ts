/**
 * Expressions with an operator (A_Expr): which operators stand in them, between which operands, and what they return. Owns: that.
 * Does not own: whether an operator reads anything else (`operators.ts`); documents and their parts (`part-access.ts`). Pure.
 */
import { type NodeFields, nodeOf, strings } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { baseOf } from './coercion.js';
import { expression, expressions } from './expression.js';
import { mayFail, operatorMayFail } from './failing.js';
import { type Operand, type Operation, deciding, operation, operationResult, returnsPlain } from './operators.js';
import { type ArgumentTypes, certain, typesOf } from './overloads.js';
import { operated } from './part-access.js';
import type { Scope } from './scope.js';
import { plainTag } from './types.js';
import { type Value, computed } from './value.js';

export const BOOL_TYPE = 16;

/** The operands of an A_Expr, and what runs for it. */
export interface Operands {
  /** None before a prefix operator. */
  readonly left: Value | undefined;
  readonly right: Value;
  /** The members of a list on the right. */
  readonly items: readonly Value[];
  readonly operations: readonly Operation[];
}

/** Kinds with a list on the right. */
const LISTED: ReadonlySet<string> = new Set(
  ['IN', 'BETWEEN', 'NOT_BETWEEN', 'BETWEEN_SYM', 'NOT_BETWEEN_SYM'].map((kind) => `AEXPR_${kind}`),
);
/** What stands behind kinds that are written as words: between which of the bounds each operator is. */
const BOUNDS: Readonly<Record<string, readonly (readonly [operator: string, bound: 0 | 1])[]>> = {
  AEXPR_BETWEEN: [
    ['>=', 0],
    ['<=', 1],
  ],
  AEXPR_NOT_BETWEEN: [
    ['<', 0],
    ['>', 1],
  ],
  AEXPR_BETWEEN_SYM: [
    ['>=', 0],
    ['<=', 1],
    ['>=', 1],
    ['<=', 0],
  ],
  AEXPR_NOT_BETWEEN_SYM: [
    ['<', 0],
    ['>', 1],
    ['<', 1],
    ['>', 0],
  ],
};
/** Kinds that the server makes a condition of, whatever their operators return. */
const CONDITIONS: ReadonlySet<string> = new Set([
  ...LISTED,
  ...['OP_ANY', 'OP_ALL', 'DISTINCT', 'NOT_DISTINCT'].map((kind) => `AEXPR_${kind}`),
]);

export function readOperands(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Operands {
  const { lexpr, rexpr } = fields;
  const kind = String(fields['kind']);
  const left = lexpr === undefined ? undefined : expression(analysis, scope, lexpr);
  const nodes = LISTED.has(kind) ? itemsOf(rexpr) : [];
  const items = expressions(analysis, scope, nodes);
  const right = LISTED.has(kind)
    ? computed(items, 'derived', plainTag(analysis, items))
    : expression(analysis, scope, rexpr);
  const given = { left, right, items, types: typesOf(left ? [left, right] : [right], left ? [lexpr, rexpr] : [rexpr]) };
  const isPairwise = nodeOf(lexpr)?.kind === 'RowExpr';
  const name = strings(fields['name']);
  const operations = isPairwise
    ? namesOf(kind, name).map((one) => operation(analysis, one, open(left, right)))
    : operationsOf(analysis, kind, name, { ...given, itemTypes: typesOf(items, nodes) });
  return { left, right, items, operations };
}

/** Rows are compared field by field. */
const open = (left: Value | undefined, right: Value): Operand[] =>
  [left, right].flatMap((value) => (value ? [{ value, type: undefined }] : []));

const namesOf = (kind: string, name: readonly string[]): (readonly string[])[] =>
  BOUNDS[kind]?.map(([one]) => [one]) ?? [name];

interface Typed extends Omit<Operands, 'operations'> {
  readonly types: ArgumentTypes;
  readonly itemTypes: ArgumentTypes;
}

function operationsOf(analysis: LineageAnalysis, kind: string, name: readonly string[], given: Typed): Operation[] {
  const { left, right, items, types, itemTypes } = given;
  const [type] = types;
  const bounds = BOUNDS[kind];
  if (!left) return [operation(analysis, name, [{ value: right, type }])];
  const between = (one: readonly string[], value: Value, other: Operand['type']): Operation =>
    operation(analysis, one, [
      { value: left, type },
      { value, type: other },
    ]);
  if (bounds) return bounds.map(([one, at]) => between([one], items[at] ?? right, itemTypes[at]));
  if (kind === 'AEXPR_IN') return [between(name, right, memberType(analysis, type, itemTypes))];
  const isArray = kind === 'AEXPR_OP_ANY' || kind === 'AEXPR_OP_ALL';
  return [between(name, right, isArray ? elementType(analysis, types[1]) : types[1])];
}

/** The type of the members of IN (...): the server compares them one by one, or as an array of the type that they have in common. */
function memberType({ catalog }: LineageAnalysis, left: Operand['type'], items: ArgumentTypes): Operand['type'] {
  const isAlike = typeof left === 'number' && baseOf(catalog, left)?.oid === left;
  return isAlike && items.every((type) => type === left || type === 'unknown') ? left : undefined;
}

function elementType({ catalog }: LineageAnalysis, type: Operand['type']): Operand['type'] {
  if (type === undefined || type === 'unknown') return type;
  const element = baseOf(catalog, type)?.element ?? 0;
  return element === 0 ? undefined : element;
}

/** The members of a list, which stand bare or in a List. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const node = nodeOf(value);
  return node?.kind === 'List' ? listOf(node.fields, 'items') : [value];
}

/** The value of an A_Expr. */
export function operate(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
  const kind = String(fields['kind']);
  const { left, right, items, operations } = readOperands(analysis, scope, fields);
  if (items.length > 0) analysis.computes(right);
  const operands = left ? [left, right] : [right];
  const [first] = operations;
  const part =
    kind === 'AEXPR_OP' && left && !first?.isMade
      ? operated(analysis, strings(fields['name']).at(-1) ?? '', operands, fields['rexpr'])
      : undefined;
  const returned = typeOfResult(analysis, kind, first, left, typesOf(operands, left ? [fields['lexpr']] : []));
  if (part && first) return operationResult(analysis, first, { ...part, ...(part.type === returned.type && returned) });
  const plain = plainTag(analysis, operands);
  const isMade = operations.some((one) => one.isMade);
  const isPlain = operations.every((one) => returnsPlain(analysis, one));
  const result = { ...computed(operands, 'derived', isPlain ? plain : undefined), ...returned };
  if (isMade || operatorMayFail(fields, plain === 0)) mayFail(analysis, result);
  if (!CONDITIONS.has(kind)) return first ? { ...operationResult(analysis, first, result), ...returned } : result;
  return { ...computed([result, ...operations.flatMap(deciding)]), ...returned };
}

/** What an operation returns, where that is certain. */
function typeOfResult(
  analysis: LineageAnalysis,
  kind: string,
  { meant }: Operation = NO_OPERATION,
  left: Value | undefined,
  [type]: ArgumentTypes,
): Pick<Value, 'type' | 'stored'> {
  if (CONDITIONS.has(kind)) return { type: BOOL_TYPE, stored: true };
  const [one, ...others] = meant;
  if (!one || !others.every(({ returns }) => returns === one.returns)) return {};
  if (kind !== 'AEXPR_NULLIF') return certain(analysis, one.returns);
  // It is the first operand, as the operator takes it.
  const taken = others.length === 0 ? certain(analysis, one.inputs[0]) : {};
  return taken.type === undefined && left && type !== 'unknown' && others.length === 0
    ? certain(analysis, type)
    : taken;
}

const NO_OPERATION: Operation = { meant: [], isMade: false, isPlain: false, results: [] };
