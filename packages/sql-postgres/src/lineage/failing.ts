/**
 * Computations that fail for some values. A query gives out the rows before the one that fails, so where a stored value is
 * computed with one that is another in each row, as in `1 / (n - salary)`, the number of rows tells the stored one. What cannot
 * fail is listed by name; anything else is taken to. Pure.
 */
import { type NodeFields, isFields, nodeOf, strings, text } from '../ast.js';
import { LARGE_OBJECT_CONTENTS } from '../large-objects.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import type { Value } from './value.js';

/**
 * A computation that may fail has this value: it asks about its sources where they are not the only thing that varies. One that
 * is the same in every row is counted as well: CASE may leave it out.
 */
export function mayFail(analysis: LineageAnalysis, value: Value): void {
  analysis.failures++;
  // What a large object holds was written by nobody whom a rule could name: not even that may be tried.
  if (value.mixed || value.unknown === LARGE_OBJECT_CONTENTS) analysis.asks(value, 'other');
}

/**
 * An expression that leaves parts of itself out, depending on values (CASE, AND, COALESCE, FILTER). If one of the parts may fail,
 * its failure tells what was not left out. @param deciding what decides which parts those are
 * @param before `analysis.failures` before its parts were read
 */
export function mayLeaveOut(analysis: LineageAnalysis, deciding: Value, whole: Value, before: number): void {
  if (analysis.failures > before && whole.mixed) analysis.asks(deciding, 'other');
}

/** @param areScalars no operand may be composite: rows are compared up to the first field of another type, which fails */
export function operatorMayFail({ kind, name, rexpr }: NodeFields, areScalars: boolean): boolean {
  const plain = strings(name).at(-1) ?? '';
  if (LIKE_OPERATORS.has(plain)) return !isPattern(rexpr);
  return !TOTAL_OPERATORS.has(plain) || !(areScalars || (kind === 'AEXPR_OP' && UNCOMPARING.has(plain)));
}

/** Kinds of A_Expr that the server works out as AND or OR of comparisons, and `(a, b) = (c, d)`, one field after the other. */
export const isStepwise = ({ kind, lexpr }: NodeFields): boolean =>
  STEPWISE.has(String(kind)) || nodeOf(lexpr)?.kind === 'RowExpr';
const STEPWISE: ReadonlySet<string> = new Set(
  ['IN', 'BETWEEN', 'NOT_BETWEEN', 'BETWEEN_SYM', 'NOT_BETWEEN_SYM'].map((kind) => `AEXPR_${kind}`),
);

/** A pattern that ends in an escape fails when it is reached, which is where the text before it fits. */
const isPattern = (value: unknown): boolean => !(writtenText(value) ?? '\\').includes('\\');

/** The text that stands there as a constant. */
function writtenText(value: unknown): string | undefined {
  const node = nodeOf(value);
  if (node?.kind === 'TypeCast') return writtenText(node.fields['arg']);
  const written = node?.kind === 'A_Const' ? node.fields['sval'] : undefined;
  return isFields(written) ? text(written, 'sval') : undefined;
}

/** A constant that is not NULL. */
function isWritten(value: unknown): boolean {
  const node = nodeOf(value);
  if (node?.kind === 'TypeCast') return isWritten(node.fields['arg']);
  return node?.kind === 'A_Const' && node.fields['isnull'] !== true;
}

/** @param nodes its arguments: a document is built of keys and values by turns, and a key must not be NULL */
export function functionMayFail(name: string, nodes: readonly unknown[]): boolean {
  if (KEYED_FUNCTIONS.has(name)) return !nodes.every((one, at) => at % 2 === 1 || isWritten(one));
  if (name === 'format') return !isFormat(writtenText(nodes[0]), nodes.length - 1);
  return !TOTAL_FUNCTIONS.has(name);
}

/** A field width may be no number, %I takes no NULL, and each place needs an argument. */
const isFormat = (format: string | undefined, args: number): boolean =>
  format !== undefined && TOTAL_FORMAT.test(format) && format.replaceAll('%%', '').split('%').length - 1 <= args;

/** Nodes of SQL/JSON and XML; a document with written keys does not fail unless they have to be different. */
export function documentMayFail(kind: string, fields: NodeFields): boolean {
  if (kind !== 'JsonObjectConstructor') return FAILING_DOCUMENTS.has(kind);
  if (fields['unique'] === true) return true;
  return listOf(fields, 'exprs').some((one) => !isWritten(nodeOf(one)?.fields['key']));
}

/** Casts to texts, and of constants, which are read before the statement runs. */
export function castMayFail(type: number | undefined, argument: unknown): boolean {
  return !TEXT_TYPES.has(type ?? 0) && nodeOf(argument)?.kind !== 'A_Const';
}

const words = (list: string): ReadonlySet<string> => new Set(list.split(/\s+/));

const BETWEEN = ['BETWEEN', 'NOT BETWEEN', 'BETWEEN SYMMETRIC', 'NOT BETWEEN SYMMETRIC'];
const LIKE_OPERATORS = words('~~ !~~ ~~* !~~*');
const UNCOMPARING = words('|| -> ->> #> #>> ? ?| ?&');
const TOTAL_OPERATORS = new Set([...UNCOMPARING, ...words('= <> != < > <= >= @> <@ &&'), ...BETWEEN]);
const KEYED_FUNCTIONS = words('json_build_object jsonb_build_object');
const TOTAL_FORMAT = /^(?:[^%]|%[%sL])*$/;
const FAILING_DOCUMENTS = words(
  'JsonFuncExpr JsonObjectAgg JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonValueExpr XmlExpr XmlSerialize',
);
const TOTAL_FUNCTIONS = words(
  `age array_agg array_length array_lower array_to_json array_to_string array_upper ascii avg bit_length bool_and bool_or btrim
   cardinality char_length character_length concat concat_ws count cume_dist dense_rank every first_value hashtext initcap
   json_agg json_build_array json_strip_nulls json_typeof jsonb_agg jsonb_build_array jsonb_strip_nulls jsonb_typeof lag
   last_value lead left length lower ltrim max md5 min num_nonnulls num_nulls octet_length percent_rank position quote_ident
   quote_literal quote_nullable rank replace reverse right row_number row_to_json rtrim sha224 sha256 sha384 sha512 starts_with
   string_agg string_to_array strpos sum to_json to_jsonb translate trim upper`,
);
/** text, name, varchar, char(n). */
const TEXT_TYPES: ReadonlySet<number> = new Set([25, 19, 1042, 1043]);
