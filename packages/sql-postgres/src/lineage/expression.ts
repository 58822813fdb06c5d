/** Expressions: from a node to the sources of its value. A kind that is not listed here makes its value unknown. Pure. */
import { type NodeFields, type Node, isFields, isSelect, nodeOf, strings, text } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { call } from './calls.js';
import { cast } from './casts.js';
import { CONSTRUCTORS } from './constructors.js';
import { castMayFail, documentMayFail, isStepwise, mayFail, mayLeaveOut, operatorMayFail } from './failing.js';
import { BOOL_TYPE, operate } from './operations.js';
import { deciding, operation } from './operators.js';
import { certain, commonType, typesOf } from './overloads.js';
import { TEXT_TYPE, coalesced, isSound, partsOf } from './parts.js';
import { readQuery } from './query.js';
import { columnRef, expandStar, indirection } from './references.js';
import type { Scope } from './scope.js';
import { arrayOf, fieldsOf, plainTag } from './types.js';
import { NOTHING, type Value, computed, either, rowOf, unknown, withoutParts } from './value.js';

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
    const type = typeOfKind(node);
    return type === undefined ? result : { ...result, type, stored: true };
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

/** Kinds that always have one type. */
const TYPES: Readonly<Record<string, number>> = {
  BoolExpr: BOOL_TYPE,
  BooleanTest: BOOL_TYPE,
  GroupingFunc: 23,
  JsonIsPredicate: BOOL_TYPE,
  NullTest: BOOL_TYPE,
};

const XML_TYPE = 142;

function typeOfKind({ kind, fields }: Node): number | undefined {
  if (kind === 'XmlExpr') return fields['op'] === 'IS_DOCUMENT' ? BOOL_TYPE : XML_TYPE;
  return Object.hasOwn(TYPES, kind) ? TYPES[kind] : undefined;
}

/** Types of SQLValueFunction: date, time and timestamp with and without a zone; what is left is a name. */
const VALUE_FUNCTIONS: Readonly<Record<string, number>> = {
  CURRENT_DATE: 1082,
  CURRENT_TIME: 1266,
  CURRENT_TIMESTAMP: 1184,
  LOCALTIME: 1083,
  LOCALTIMESTAMP: 1114,
};

const ABSENT: Value = { ...NOTHING, fixed: true };
const constant: Read = () => ABSENT;

/** Kinds that need more than that. */
export const EXPRESSIONS: Readonly<Record<string, Read>> = {
  A_Const: (_, __, fields) => ({
    ...NOTHING,
    constant: { values: elementsIn(fields), arrays: [] },
    ...((fields['sval'] !== undefined || fields['isnull'] === true) && { literal: true as const }),
  }),
  BitString: constant,
  Boolean: constant,
  CurrentOfExpr: () => NOTHING,
  Float: constant,
  Integer: constant,
  MergeSupportFunc: () => NOTHING,
  SQLValueFunction: (_, __, { op }) => {
    const type = VALUE_FUNCTIONS[String(op).replace(/^SVFOP_|_N$/g, '')];
    return type === undefined ? ABSENT : { ...ABSENT, type, stored: true };
  },
  SetToDefault: () => NOTHING,
  String: constant,
  A_ArrayExpr: (analysis, scope, fields) => {
    const elements = expressions(analysis, scope, listOf(fields, 'elements'));
    const { mixed } = computed(elements);
    if (plainTag(analysis, elements) !== 0)
      return { ...withoutParts(arrayOf(analysis, either(elements))), ...(mixed && { mixed }) };
    const parts = partsOf({ of: 'tuple', items: elements }, [], true);
    const type = arrayTypeOf(analysis, elements, listOf(fields, 'elements'));
    const written = elements.flatMap((element) => element.constant ?? []);
    return {
      ...computed(elements, 'derived', type),
      ...(type !== 0 && { stored: true as const }),
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
  A_Expr: operate,
  A_Indirection: (analysis, scope, fields) =>
    listOf(fields, 'indirection').reduce<Value>(
      (value, step) => indirection(analysis, scope, value, step),
      expression(analysis, scope, fields['arg']),
    ),
  CaseExpr: (analysis, scope, fields) => {
    const before = analysis.failures;
    const parts = (name: string): unknown[] => listOf(fields, 'args').map((when) => nodeOf(when)?.fields[name]);
    const deciding = expressions(analysis, scope, [fields['arg'], ...parts('expr')]);
    const results = expressions(analysis, scope, [...parts('result'), fields['defresult']]);
    if (fields['arg'] !== undefined && plainTag(analysis, deciding) !== 0) mayFail(analysis, computed(deciding));
    const values = [...deciding, ...results];
    const nodes = [fields['defresult'], ...parts('result')];
    const types = typesOf([results.at(-1) ?? NOTHING, ...results.slice(0, -1)], nodes);
    // Without ELSE the last is NULL.
    const common = commonType(analysis, nodes[0] === undefined ? ['unknown', ...types.slice(1)] : types);
    const compared =
      fields['arg'] === undefined ? [] : comparisons(analysis, deciding, [fields['arg'], ...parts('expr')]);
    const whole = {
      ...computed([...values, ...compared], 'derived', plainTag(analysis, values)),
      ...certain(analysis, common),
    };
    mayLeaveOut(analysis, computed(deciding), whole, before);
    return whole;
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
      ...certain(analysis, commonType(analysis, typesOf(values, nodes))),
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
    const nodes = listOf(fields, 'args');
    const values = expressions(analysis, scope, nodes);
    const plain = plainTag(analysis, values);
    const result = {
      ...computed(values, 'derived', plain),
      ...certain(analysis, commonType(analysis, typesOf(values, nodes))),
    };
    if (plain !== 0) mayFail(analysis, result);
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

/** CASE x WHEN y: what else than x and y may decide which of them are equal. */
function comparisons(
  analysis: LineageAnalysis,
  [first = NOTHING, ...others]: readonly Value[],
  nodes: readonly unknown[],
): Value[] {
  const [type, ...types] = typesOf([first, ...others], nodes);
  const left = { value: first, type: type === 'unknown' ? TEXT_TYPE : type };
  return others.flatMap((value, at) => deciding(operation(analysis, ['='], [left, { value, type: types[at] }])));
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

/** ARRAY(query): an array of arrays has one more dimension. */
function collected(analysis: LineageAnalysis, item: Value): Value {
  const array = arrayOf(analysis, item.parts?.isArray ? { ...withoutParts(item) } : item);
  const isKnown = item.row !== undefined || (item.type !== undefined && item.type !== 0);
  const parts = isKnown ? partsOf({ of: 'list', item }, [], true) : undefined;
  const type = item.parts?.isArray ? item.type : array.type;
  const sure = item.stored ? certain(analysis, type) : {};
  return { ...array, ...(type !== undefined && { type }), ...sure, ...(parts && { parts }) };
}

/** The type of an array of written elements (transformArrayExpr in parse_expr.c); 0 where it is open. */
function arrayTypeOf(analysis: LineageAnalysis, elements: readonly Value[], nodes: readonly unknown[]): number {
  const { type } = certain(analysis, commonType(analysis, typesOf(elements, nodes)));
  const found = analysis.catalog.typeByOid(type ?? 0);
  return found && found.element !== 0 ? found.oid : (found?.array ?? 0);
}

function subLink(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
  const columns = readQuery(analysis, scope, fields['subselect']);
  const values = columns.map(({ value }) => value);
  switch (fields['subLinkType']) {
    case 'EXISTS_SUBLINK':
      return { ...NOTHING, type: BOOL_TYPE, stored: true };
    case 'EXPR_SUBLINK':
      // Of several columns it is a row, which is compared with another.
      return columns.length > 1 ? rowOf(columns) : (values[0] ?? NOTHING);
    case 'ARRAY_SUBLINK':
      return collected(analysis, values[0] ?? NOTHING);
    case 'ANY_SUBLINK':
    case 'ALL_SUBLINK': {
      const name = fields['operName'] === undefined ? ['='] : strings(fields['operName']);
      const tested = expression(analysis, scope, fields['testexpr']);
      const operands = [tested, ...values];
      const result = { ...computed(operands), type: BOOL_TYPE, stored: true as const };
      if (operatorMayFail({ name: [{ String: { sval: name.at(-1) } }] }, plainTag(analysis, operands) === 0))
        mayFail(analysis, result);
      // Rows are compared field by field.
      const types = values.length > 1 ? [] : typesOf([tested, ...values], [fields['testexpr']]);
      const right = values.length > 1 ? computed(values) : (values[0] ?? NOTHING);
      const sides = [tested, right].map((value, at) => ({ value, type: types[at] }));
      const others = deciding(operation(analysis, name, sides));
      return { ...computed([result, ...others]), type: BOOL_TYPE, stored: true };
    }
    default:
      return unknown(`contains a sub-query of a kind that is not understood (${text(fields, 'subLinkType')})`);
  }
}
