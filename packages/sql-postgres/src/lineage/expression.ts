/** Expressions: from a node to the sources of its value. A kind that is not listed here makes its value unknown. Pure. */
import { type NodeFields, type Node, isFields, isSelect, nodeOf, strings, text } from '../ast.js';
import { type LineageAnalysis, VISITS_PER_MERGE, listOf } from './analysis.js';
import { call, callByField } from './calls.js';
import { cast } from './casts.js';
import { CONSTRUCTORS } from './constructors.js';
import { castMayFail, documentMayFail, isStepwise, mayFail, mayLeaveOut, operatorMayFail } from './failing.js';
import { operatorReason } from './operators.js';
import { certain, chosenOperator, commonType } from './overloads.js';
import { operated, subscripted } from './part-access.js';
import { coalesced, isSound, partsOf } from './parts.js';
import { readQuery } from './query.js';
import { type Scope, columnOf, findColumn, findItem, sizeOf, starOf, wholeRow } from './scope.js';
import { arrayOf, blurred, elementOf, fieldsOf, plainTag } from './types.js';
import {
  type Column,
  NOTHING,
  type Value,
  asColumn,
  computed,
  either,
  rowOf,
  unknown,
  withUnknown,
  withoutParts,
} from './value.js';

export { operatorReason };

export function expression(analysis: LineageAnalysis, scope: Scope, value: unknown): Value {
  const before = analysis.failures;
  const result = valueOf(analysis, scope, value);
  const node = nodeOf(value);
  if (node && leavesOut(node)) mayLeaveOut(analysis, result, result, before);
  // It may have more rows than one. How many it has is asked about where that is decided: the failure tells nothing of the rest,
  // but whether the query was run at all.
  if (node?.kind === 'SubLink' && node.fields['subLinkType'] === 'EXPR_SUBLINK') analysis.failures++;
  if (result.kind !== 'direct') analysis.computes(result);
  return result;
}

/** Kinds that work some of their parts out only where others have a certain value. Of CASE not all parts decide. */
const LEAVING_OUT: ReadonlySet<string> = new Set(['BoolExpr', 'SubLink']);
const leavesOut = ({ kind, fields }: Node): boolean =>
  LEAVING_OUT.has(kind) || (kind === 'A_Expr' && isStepwise(fields));

function valueOf(analysis: LineageAnalysis, scope: Scope, value: unknown): Value {
  const node = nodeOf(value);
  if (!node) return value === undefined ? ABSENT : together(analysis, scope, value);
  for (const readers of [EXPRESSIONS, CONSTRUCTORS]) {
    const read = Object.hasOwn(readers, node.kind) ? readers[node.kind] : undefined;
    if (read) return read(analysis, scope, node.fields);
  }
  if (COMPUTATIONS.has(node.kind)) {
    const result = together(analysis, scope, node.fields);
    if (documentMayFail(node.kind, node.fields)) mayFail(analysis, result);
    return result;
  }
  return unknown(`contains something that is not understood (${node.kind})`);
}

export const expressions = (analysis: LineageAnalysis, scope: Scope, values: readonly unknown[]): Value[] =>
  values.map((value) => expression(analysis, scope, value));

type Read = (analysis: LineageAnalysis, scope: Scope, fields: NodeFields) => Value;

/** Kinds whose value is computed from whatever expressions they contain, and from nothing else. */
export const COMPUTATIONS: ReadonlySet<string> = new Set(
  `BoolExpr BooleanTest CaseWhen GroupingFunc JsonAggConstructor JsonArgument
   JsonBehavior JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue
   JsonOutput JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTablePathSpec
   JsonValueExpr List NullTest ResTarget SortBy TypeName XmlExpr XmlSerialize`.split(/\s+/),
);

const ABSENT: Value = { ...NOTHING, fixed: true };
const constant: Read = () => ABSENT;

/** Kinds that need more than that. */
export const EXPRESSIONS: Readonly<Record<string, Read>> = {
  A_Const: (_, __, fields) => ({ ...NOTHING, constant: { values: elementsIn(fields), arrays: [] } }),
  BitString: constant,
  Boolean: constant,
  CurrentOfExpr: () => NOTHING,
  Float: constant,
  Integer: constant,
  MergeSupportFunc: () => NOTHING,
  SQLValueFunction: constant,
  SetToDefault: () => NOTHING,
  String: constant,
  A_ArrayExpr: (analysis, scope, fields) => {
    const elements = expressions(analysis, scope, listOf(fields, 'elements'));
    const { mixed } = computed(elements);
    if (plainTag(analysis, elements) !== 0)
      return { ...withoutParts(arrayOf(analysis, either(elements))), ...(mixed && { mixed }) };
    const parts = partsOf({ of: 'tuple', items: elements }, [], true);
    const type = arrayTypeOf(analysis, elements);
    const written = elements.flatMap((element) => element.constant ?? []);
    return {
      ...computed(elements, 'derived', type),
      ...(parts && { parts }),
      // An element may be an array itself.
      ...(written.length === elements.length && {
        constant: {
          values: written.reduce((sum, { values }) => sum + values, 0),
          arrays: written.flatMap(({ arrays }) => arrays),
        },
      }),
    };
  },
  A_Expr: (analysis, scope, fields) => {
    const operands = expressions(analysis, scope, [fields['lexpr'], fields['rexpr']]);
    const name = strings(fields['name']);
    const part =
      fields['kind'] === 'AEXPR_OP' ? operated(analysis, name.at(-1) ?? '', operands, fields['rexpr']) : undefined;
    if (part) return withUnknown(part, operatorReason(analysis, name));
    const own = analysis.catalog.operators(name.at(-1) ?? '').length > 0;
    const plain = plainTag(analysis, operands);
    const meant = typeOfOperator(analysis, fields, operands);
    const result = { ...computed(operands, 'derived', own ? undefined : plain), ...meant };
    if (own || operatorMayFail(fields, plain === 0)) mayFail(analysis, result);
    return withUnknown(result, operatorReason(analysis, name));
  },
  A_Indirection: (analysis, scope, fields) =>
    listOf(fields, 'indirection').reduce<Value>(
      (value, step) => indirection(analysis, scope, value, step),
      expression(analysis, scope, fields['arg']),
    ),
  CaseExpr: (analysis, scope, fields) => {
    const reason = fields['arg'] === undefined ? undefined : operatorReason(analysis, ['=']);
    const before = analysis.failures;
    const parts = (name: string): unknown[] => listOf(fields, 'args').map((when) => nodeOf(when)?.fields[name]);
    const deciding = expressions(analysis, scope, [fields['arg'], ...parts('expr')]);
    const results = expressions(analysis, scope, [...parts('result'), fields['defresult']]);
    if (fields['arg'] !== undefined && plainTag(analysis, deciding) !== 0) mayFail(analysis, computed(deciding));
    const values = [...deciding, ...results];
    const nodes = [fields['defresult'], ...parts('result')];
    const type = certain(analysis, commonType(analysis, [results.at(-1) ?? NOTHING, ...results.slice(0, -1)], nodes));
    const whole = { ...computed(values, 'derived', plainTag(analysis, values)), ...type };
    mayLeaveOut(analysis, computed(deciding), whole, before);
    return withUnknown(whole, reason);
  },
  CoalesceExpr: (analysis, scope, fields) => {
    const [node, ...others] = listOf(fields, 'args');
    const first = expression(analysis, scope, node);
    // The first is always worked out.
    const before = analysis.failures;
    const values = [first, ...expressions(analysis, scope, others)];
    const nodes = [node, ...others];
    const whole = coalesced(analysis, values, nodes) ?? {
      ...computed(values, 'derived', plainTag(analysis, values)),
      ...certain(analysis, commonType(analysis, values, nodes)),
    };
    mayLeaveOut(analysis, whole, whole, before);
    return whole;
  },
  CollateClause: (analysis, scope, fields) => expression(analysis, scope, fields['arg']),
  ColumnRef: columnRef,
  FuncCall: call,
  JsonArrayQueryConstructor: (analysis, scope, fields) =>
    computed(
      readQuery(analysis, scope, fields['query']).map(({ value }) => value),
      'aggregate',
      0,
    ),
  MinMaxExpr: (analysis, scope, fields) => {
    const result = together(analysis, scope, fields);
    if (result.type !== 0) mayFail(analysis, result);
    return result;
  },
  MultiAssignRef: (analysis, scope, fields) => {
    const index = Number(fields['colno'] ?? 1) - 1;
    const source = nodeOf(fields['source']);
    if (source?.kind === 'SubLink') {
      const column = readQuery(analysis, scope, source.fields['subselect'])[index];
      return column ? column.value : unknown('assigns more columns than its sub-query has');
    }
    const whole = expression(analysis, scope, fields['source']);
    return fieldsOf(analysis, whole)?.[index]?.value ?? whole;
  },
  NamedArgExpr: (analysis, scope, fields) => expression(analysis, scope, fields['arg']),
  ParamRef: (_, scope, fields) => {
    const number = Number(fields['number'] ?? 0);
    return scope.argument
      ? (scope.argument(number) ?? NOTHING)
      : { ...NOTHING, constant: { values: 0, arrays: [number] } };
  },
  RowExpr: (analysis, scope, fields) => {
    const values = listOf(fields, 'args').flatMap(
      (one) => expandStar(analysis, scope, one) ?? [{ name: '', value: expression(analysis, scope, one) }],
    );
    const row = values.map(({ value }, index) => ({ name: `f${index + 1}`, value }));
    return { ...rowOf(row), keys: row.map(({ name }) => name) };
  },
  SubLink: subLink,
  TypeCast: (analysis, scope, fields) => {
    const value = expression(analysis, scope, fields['arg']);
    const target = isFields(fields['typeName']) ? fields['typeName'] : {};
    const { constant: written } = value;
    const result = cast(analysis, value, target);
    if (castMayFail(result.type, fields['arg']) && !(result.parts && isSound(result.parts))) mayFail(analysis, result);
    return written && !VECTORS.has(result.type ?? 0) ? { ...result, constant: written } : result;
  },
};

/** What the operator that is meant for sure returns, where that is a plain type. */
function typeOfOperator(
  analysis: LineageAnalysis,
  { kind, name, lexpr, rexpr }: NodeFields,
  operands: readonly Value[],
): Pick<Value, 'type' | 'stored'> {
  if (kind !== 'AEXPR_OP') return {};
  const nodes = lexpr === undefined ? [rexpr] : [lexpr, rexpr];
  return certain(analysis, chosenOperator(analysis, strings(name), operands.slice(-nodes.length), nodes)?.returns);
}

/** int2vector and oidvector are arrays whose elements stand between spaces. */
const VECTORS: ReadonlySet<number> = new Set([22, 30]);

/** How many values a text is at most, if it is read as an array: elements stand between commas, boxes between semicolons. */
const elementsIn = (fields: NodeFields): number =>
  isFields(fields['sval']) ? text(fields['sval'], 'sval').split(/[,;]/).length : 1;

/** All expressions in fields that are not nodes themselves, with windows where they stand. */
function together(analysis: LineageAnalysis, scope: Scope, value: unknown): Value {
  const values: Value[] = [];
  gather(analysis, scope, value, values);
  // Only CASE, COALESCE and the like can return a row or an array, and then nothing is known about it.
  return computed(values, 'derived', plainTag(analysis, values));
}

function gather(analysis: LineageAnalysis, scope: Scope, value: unknown, into: Value[]): void {
  if (Array.isArray(value)) {
    for (const item of value) gather(analysis, scope, item, into);
    return;
  }
  if (!isFields(value)) return;
  if (isSelect(value)) {
    into.push(unknown('contains a query where none is expected'));
    return;
  }
  if (nodeOf(value)) {
    into.push(expression(analysis, scope, value));
    return;
  }
  for (const key in value) {
    if (key === 'over' && isFields(value[key])) into.push(windowOf(analysis, scope, value[key]));
    else gather(analysis, scope, value[key], into);
  }
}

/** What a window depends on: the keys that divide and order it, whose values the places and numbers of its rows tell. */
export function windowOf(analysis: LineageAnalysis, scope: Scope, window: NodeFields): Value {
  const parts = ['partitionClause', 'orderClause', 'startOffset', 'endOffset'].map((key) =>
    together(analysis, scope, window[key]),
  );
  for (const name of [text(window, 'name'), text(window, 'refname')]) {
    const named = name === '' ? undefined : scope.windows?.get(name);
    if (named) parts.push(named);
  }
  const keys = computed(parts);
  analysis.asks(keys, 'other');
  return keys;
}

function columnRef(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
  const names = strings(fields['fields']);
  const [first = '', second = '', third = '', fourth] = names;
  if (names.length === 1) {
    analysis.visit(sizeOf(scope));
    const item = findColumn(scope, first) ?? whole(analysis, scope, first);
    return item ?? scope.argument?.(first) ?? unknown(`uses the column ${first}, which is not known`);
  }
  const [schema, relation, column] =
    names.length === 2
      ? ['', first, second]
      : names.length === 3
        ? [first, second, third]
        : [second, third, fourth ?? ''];
  const item = findItem(scope, relation, schema);
  if (!item) {
    const argument = names.length === 2 ? (scope.argument?.(second) ?? scope.argument?.(first)) : undefined;
    return argument ?? unknown(`uses ${names.join('.')}, which is not known`);
  }
  analysis.visit(scope.items.length + item.columns.length);
  if (column === '*') return wholeRow(item);
  // What is no column may be a function of the row.
  return columnOf(item, column) ?? callByField(analysis, column, wholeRow(item));
}

function whole(analysis: LineageAnalysis, scope: Scope, name: string): Value | undefined {
  const item = findItem(scope, name);
  if (item) analysis.visit(item.columns.length * VISITS_PER_MERGE);
  return item && wholeRow(item);
}

/** The columns that `*`, `t.*` or `(row).*` stands for; undefined for any other expression or where they are not known. */
export function expandStar(analysis: LineageAnalysis, scope: Scope, value: unknown): readonly Column[] | undefined {
  const node = nodeOf(value);
  if (node?.kind === 'ColumnRef') {
    const names = strings(node.fields['fields']);
    if (names.at(-1) !== '*' || !endsInStar(node.fields['fields'])) return undefined;
    analysis.visit(sizeOf(scope));
    if (names.length === 1) return starOf(scope);
    const item = findItem(scope, names.at(-2) ?? '', names.length > 2 ? names.at(-3) : '');
    if (item) return item.columns;
    const argument = scope.argument?.(names[0] ?? '');
    return argument && fieldsOf(analysis, argument);
  }
  if (node?.kind !== 'A_Indirection' || !endsInStar(node.fields['indirection'])) return undefined;
  const steps = listOf(node.fields, 'indirection').slice(0, -1);
  const row = steps.reduce<Value>(
    (value_, step) => indirection(analysis, scope, value_, step),
    expression(analysis, scope, node.fields['arg']),
  );
  return fieldsOf(analysis, row);
}

export const endsInStar = (list: unknown): boolean => Array.isArray(list) && nodeOf(list.at(-1))?.kind === 'A_Star';

function indirection(analysis: LineageAnalysis, scope: Scope, value: Value, step: unknown): Value {
  const node = nodeOf(step);
  switch (node?.kind) {
    case 'String': {
      const name = text(node.fields, 'sval') || text(node.fields, 'str');
      const field = fieldsOf(analysis, value)?.find((one) => one.name === name);
      return field?.value ?? callByField(analysis, name, value);
    }
    case 'A_Indices': {
      const bounds = expressions(analysis, scope, [node.fields['lidx'], node.fields['uidx']]);
      const slice = node.fields['is_slice'] === true;
      const found = slice ? undefined : subscripted(analysis, value, node.fields['uidx']);
      if (found) return found;
      const part = slice ? value : elementOf(analysis, value);
      return blurred({ ...asColumn(part), ...computed([part, ...bounds], 'derived', part.type) });
    }
    case 'A_Star':
      return value;
    default:
      return unknown(`contains something that is not understood (${node?.kind ?? 'nothing'})`, value.sources);
  }
}

/** ARRAY(query): an array of arrays has one more dimension. */
function collected(analysis: LineageAnalysis, item: Value): Value {
  const array = arrayOf(analysis, item.parts?.isArray ? { ...withoutParts(item) } : item);
  const isKnown = item.row !== undefined || (item.type !== undefined && item.type !== 0);
  const parts = isKnown ? partsOf({ of: 'list', item }, [], true) : undefined;
  const type = item.parts?.isArray ? item.type : array.type;
  return { ...array, ...(type !== undefined && { type }), ...(parts && { parts }) };
}

/** The type of an array of written elements, where all are of one type. */
function arrayTypeOf({ catalog }: LineageAnalysis, elements: readonly Value[]): number {
  const [type = 0, ...others] = new Set(elements.map((element) => element.type ?? 0));
  return others.length > 0 ? 0 : (catalog.typeByOid(type)?.array ?? 0);
}

function subLink(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
  const columns = readQuery(analysis, scope, fields['subselect']);
  const values = columns.map(({ value }) => value);
  switch (fields['subLinkType']) {
    case 'EXISTS_SUBLINK':
      return NOTHING;
    case 'EXPR_SUBLINK':
      return values[0] ?? NOTHING;
    case 'ARRAY_SUBLINK':
      return collected(analysis, values[0] ?? NOTHING);
    case 'ANY_SUBLINK':
    case 'ALL_SUBLINK': {
      const operator = fields['operName'] === undefined ? ['='] : strings(fields['operName']);
      const operands = [expression(analysis, scope, fields['testexpr']), ...values];
      const compared = computed(operands, 'derived', 0);
      const name = [{ String: { sval: operator.at(-1) } }];
      if (operatorMayFail({ name }, plainTag(analysis, operands) === 0)) mayFail(analysis, compared);
      return withUnknown(compared, operatorReason(analysis, operator));
    }
    default:
      return unknown(`contains a sub-query of a kind that is not understood (${text(fields, 'subLinkType')})`);
  }
}
