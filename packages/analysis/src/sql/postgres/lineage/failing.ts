/**
 * Computations that fail for some values. A query gives out the rows before the one that fails, so where a stored value is
 * computed with one that is another in each row, as in `1 / (n - salary)`, the number of rows tells the stored one. What cannot
 * fail is listed by name; anything else is taken to.
 */
import { type Fields, strings } from '../ast.js';
import type { Analysis } from './analysis.js';
import { type Value, isFixed } from './value.js';

/** A computation that may fail has this value: it asks about its sources where they are not the only thing that varies. */
export function mayFail(analysis: Analysis, value: Value): void {
  if (isFixed(value)) return;
  analysis.failures++;
  if (value.mixed) analysis.asks(value, 'other');
}

/**
 * An expression that leaves parts of itself out, depending on values (CASE, AND, COALESCE). If one of the parts may fail, its
 * failure tells what was not left out. @param before `analysis.failures` before its parts were read
 */
export function mayLeaveOut(analysis: Analysis, value: Value, before: number): void {
  if (analysis.failures > before && value.mixed) analysis.asks(value, 'other');
}

export const operatorMayFail = (fields: Fields): boolean =>
  String(fields['kind']) === 'AEXPR_OP' && !TOTAL_OPERATORS.has(strings(fields['name']).at(-1) ?? '');

/** @param args a document is built of keys and values by turns, and a key must not be NULL; a format must be one */
export function functionMayFail(name: string, args: readonly Value[]): boolean {
  if (KEYED_FUNCTIONS.has(name)) return !args.every((one, at) => at % 2 === 1 || isFixed(one));
  if (FORMATTED_FUNCTIONS.has(name)) return args[0] === undefined || !isFixed(args[0]);
  return !TOTAL_FUNCTIONS.has(name);
}

/** Casts to texts. */
export const castMayFail = (type: number | undefined): boolean => !TEXT_TYPES.has(type ?? 0);

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

const TOTAL_OPERATORS = words('= <> != < > <= >= || -> ->> #> #>> @> <@ && ? ?| ?& ~~ !~~ ~~* !~~*');
const KEYED_FUNCTIONS = words('json_build_object jsonb_build_object');
const FORMATTED_FUNCTIONS = words('format date_trunc date_part extract');
const TOTAL_FUNCTIONS = words(
  `age array_agg array_length array_lower array_to_json array_to_string array_upper ascii avg bit_length bool_and bool_or btrim
   cardinality char_length character_length concat concat_ws count cume_dist dense_rank every first_value hashtext initcap
   json_agg json_build_array json_strip_nulls json_typeof jsonb_agg jsonb_build_array jsonb_strip_nulls jsonb_typeof lag
   last_value lead left length lower ltrim max md5 min num_nonnulls num_nulls octet_length percent_rank position quote_ident
   quote_literal quote_nullable rank replace reverse right row_number row_to_json rtrim sha224 sha256 sha384 sha512 starts_with
   string_agg string_to_array strpos sum to_char to_json to_jsonb translate trim upper`,
);
/** text, name, varchar, char(n). */
const TEXT_TYPES: ReadonlySet<number> = new Set([25, 19, 1042, 1043]);
