/**
 * The constructors of SQL/JSON (JSON_OBJECT, JSON_ARRAY, JSON_OBJECTAGG, JSON_ARRAYAGG; since PostgreSQL 16). Owns: what they
 * put together. Does not own: other parts of SQL/JSON, which are computations (`expression.ts`).
 */
import { type NodeFields, isFields, nodeOf } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { expression, expressions, windowOf } from './expression.js';
import { documentMayFail, mayFail, mayLeaveOut } from './failing.js';
import { JSONB_TYPE, JSON_TYPE, castReason, keyOf, partsOf } from './parts.js';
import type { Scope } from './scope.js';
import { findType } from './types.js';
import { type Column, type ValueParts, type Value, computed, withUnknown } from './value.js';

type Read = (analysis: LineageAnalysis, scope: Scope, fields: NodeFields) => Value;

export const CONSTRUCTORS: Readonly<Record<string, Read>> = {
  JsonObjectConstructor: (analysis, scope, fields) => {
    const pairs = listOf(fields, 'exprs').map((one) => pairOf(analysis, scope, nodeOf(one)?.fields));
    const values = pairs.map(({ value }) => value);
    const keys = pairs.map(({ key }) => key);
    const absent = fields['absent_on_null'] === true ? values.map(presence) : [];
    const whole = computed([...keys, ...values]);
    if (documentMayFail('JsonObjectConstructor', fields) || pairs.some(({ formatted }) => formatted))
      mayFail(analysis, whole);
    const columns = pairs.flatMap(({ name, value }): Column[] => (name === undefined ? [] : [{ name, value }]));
    const isKnown = columns.length === pairs.length && !pairs.some(({ formatted }) => formatted);
    return made(
      analysis,
      fields,
      whole,
      values,
      isKnown ? partsOf({ of: 'object', fields: columns }, absent) : undefined,
    );
  },
  JsonArrayConstructor: (analysis, scope, fields) => {
    const items = listOf(fields, 'exprs').map((one) => itemOf(analysis, scope, nodeOf(one)?.fields));
    const values = items.map(({ value }) => value);
    const whole = computed(values);
    const formatted = items.some((item) => item.formatted);
    if (formatted) mayFail(analysis, whole);
    // Places move where an element is left out.
    const absent = fields['absent_on_null'] === true && values.length > 0;
    const isKnown = !formatted && !absent;
    return made(analysis, fields, whole, values, isKnown ? partsOf({ of: 'tuple', items: values }, []) : undefined);
  },
  JsonArrayAgg: (analysis, scope, fields) => {
    const { deciding, read } = aggregate(analysis, scope, fields);
    const { value, formatted } = read(() => itemOf(analysis, scope, fields['arg']));
    const absent = fields['absent_on_null'] === true ? [presence(value)] : [];
    const parts = formatted ? undefined : partsOf({ of: 'list', item: value }, [...deciding, ...absent]);
    return { ...made(analysis, outputOf(fields), computed([...deciding, value]), [value], parts), kind: 'aggregate' };
  },
  JsonObjectAgg: (analysis, scope, fields) => {
    const { deciding, read } = aggregate(analysis, scope, fields);
    const { key, value, formatted } = read(() => pairOf(analysis, scope, fields['arg']));
    const absent = fields['absent_on_null'] === true ? [presence(value)] : [];
    const whole = computed([...deciding, key, value]);
    mayFail(analysis, fields['unique'] === true || formatted ? whole : key);
    const parts = formatted ? undefined : partsOf({ of: 'map', item: value }, [...deciding, key, ...absent]);
    return { ...made(analysis, outputOf(fields), whole, [value], parts), kind: 'aggregate' };
  },
};

interface JsonItem {
  readonly value: Value;
  /** FORMAT JSON: a text that is a document, and may be none. */
  readonly formatted: boolean;
}

/** @param fields of a JsonValueExpr */
function itemOf(analysis: LineageAnalysis, scope: Scope, fields: unknown): JsonItem {
  const { raw_expr: raw, format } = isFields(fields) ? fields : {};
  const written = isFields(format) ? format['format_type'] : undefined;
  return { value: expression(analysis, scope, raw), formatted: written !== 'JS_FORMAT_DEFAULT' };
}

/** @param fields of a JsonKeyValue; `name`: the key, where it is written in the statement */
function pairOf(
  analysis: LineageAnalysis,
  scope: Scope,
  fields: unknown,
): JsonItem & { key: Value; name: string | undefined } {
  const { key, value } = isFields(fields) ? fields : {};
  const found = nodeOf(value);
  const item = itemOf(analysis, scope, found?.kind === 'JsonValueExpr' ? found.fields : value);
  return { ...item, key: expression(analysis, scope, key), name: keyOf(analysis, key) };
}

/** What decides whether a value is NULL: of a document that is put together, what decides whether there is one. */
const presence = (value: Value): Value =>
  value.parts && value.parts.of !== 'value' ? { ...computed([]), sources: value.parts.frame } : value;

interface Aggregate {
  /** FILTER, ORDER BY and OVER. */
  readonly deciding: readonly Value[];
  /** Reads the arguments: what stands in the FILTER decides what is worked out of them. */
  readonly read: <T extends JsonItem>(arguments_: () => T) => T;
}

function aggregate(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Aggregate {
  const { agg_filter: filter, over, ...others } = isFields(fields['constructor']) ? fields['constructor'] : {};
  const order = expressions(analysis, scope, listOf(others, 'agg_order'));
  analysis.asks(computed(order), 'other');
  const before = analysis.failures;
  const deciding = [expression(analysis, scope, filter), ...order];
  if (isFields(over)) deciding.push(windowOf(analysis, scope, over));
  return {
    deciding,
    read: (arguments_) => {
      const found = arguments_();
      const whole = computed([...deciding, found.value]);
      mayLeaveOut(analysis, whole, whole, before);
      return found;
    },
  };
}

/** Where an aggregate has its RETURNING. */
const outputOf = (fields: NodeFields): NodeFields => (isFields(fields['constructor']) ? fields['constructor'] : {});

/** A document as RETURNING says; of another type than json and jsonb it is not followed by its parts. */
function made(
  analysis: LineageAnalysis,
  { output }: NodeFields,
  whole: Value,
  values: readonly Value[],
  parts: ValueParts | undefined,
): Value {
  const type = returned(analysis, output);
  const value = { ...whole, kind: 'derived' as const, type: type ?? 0 };
  return withUnknown(type !== undefined && parts ? { ...value, parts } : value, castReason(analysis, values));
}

function returned(analysis: LineageAnalysis, output: unknown): number | undefined {
  if (!isFields(output)) return JSON_TYPE;
  const oid = isFields(output['typeName']) ? findType(analysis, output['typeName'])?.oid : undefined;
  return oid === JSON_TYPE || oid === JSONB_TYPE ? oid : undefined;
}
