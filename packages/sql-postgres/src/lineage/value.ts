/**
 * Where values come from. Owns: how what is known of several becomes what is known of one. Does not: read expressions. Pure.
 */
import type { BaseColumn } from '../catalog/objects.js';
import { eitherParts } from './parts.js';

/** How a value comes from its sources: as it is, by a computation, or from many rows. */
export type ValueKind = 'direct' | 'derived' | 'aggregate';

/** What a column is compared with. */
export interface Comparisons {
  /** How many written values at most. */
  readonly values: number;
  /** The numbers of the parameters that are arrays: how many values they have is known when they are bound. */
  readonly arrays: readonly number[];
}

/** What is known about where the values of an expression come from. */
export interface Value {
  readonly sources: ReadonlySet<BaseColumn>;
  readonly kind: ValueKind;
  /** Why it may come from more than `sources`: a phrase. */
  readonly unknown?: string;
  /** The fields of a composite value. */
  readonly row?: readonly Column[];
  /** An element of an array, where it is composite. */
  readonly element?: Value;
  /** What a document, an array, or the text of one is put together from. Lost in any computation. */
  readonly parts?: ValueParts;
  /** The keys of its fields, where a document is made of the row. Lost in any computation. */
  readonly keys?: readonly string[];
  /** The text of EXPLAIN, in this format: it says what is done with the columns, and holds none of their values. */
  readonly plan?: 'text' | 'json' | 'yaml' | 'xml';
  /** It tells how many rows there are or in which place one is, nothing of the values themselves. */
  readonly counts?: true;
  /** The type; 0 for some type that is not composite and no array of composites; undefined where nothing is known. */
  readonly type?: number;
  /**
   * The server describes it with `type` too: a column as it is stored, or what a function or an operator returns that is meant for
   * sure. No other type can have had a say.
   */
  readonly stored?: true;
  /** The typmod of a column or of a cast. Where `type` is another one by now it says nothing. Lost in any computation. */
  readonly limited?: { readonly type: number; readonly typmod: number };
  /**
   * It is written in the statement or bound to it, so it is the same in every row: the values that it has where it is read as
   * an array. Lost in any computation, and in the columns of a query.
   */
  readonly constant?: Comparisons;
  /** A text or NULL as it is written, which becomes of whatever type is wanted. Lost in any computation. */
  readonly literal?: true;
  /** It is the same in every row, as the time of day is. Lost in the columns of a query. */
  readonly fixed?: true;
  /** It is computed from several values of which each may be another in every row. */
  readonly mixed?: true;
}

/** What a document (json, jsonb) or an array is put together from: a value, the fields of an object, elements. */
export type ValueParts = {
  /** The columns that decide which parts there are, how many, in which order, and whether there is anything at all. */
  readonly frame: ReadonlySet<BaseColumn>;
  /** How many parts there are, parts of parts included. */
  readonly size: number;
  /** It is an array of SQL, or the text of one. */
  readonly isArray: boolean;
  /** The null of JSON may stand in its place, which is no NULL of SQL. */
  readonly mayBeNull?: true;
} & (
  | { readonly of: 'value'; readonly value: Value }
  /** No two keys are equal. */
  | { readonly of: 'object'; readonly fields: readonly Column[] }
  | { readonly of: 'tuple'; readonly items: readonly Value[] }
  /** Any number of elements, or of keys that are data. */
  | { readonly of: 'list' | 'map'; readonly item: Value }
);

export interface Column {
  readonly name: string;
  readonly value: Value;
}

const EMPTY: ReadonlySet<BaseColumn> = new Set();

/** What comes from no column: constants, and what the server makes up itself. */
export const NOTHING: Value = { sources: EMPTY, kind: 'direct', type: 0 };

export const unknown = (reason: string, sources: ReadonlySet<BaseColumn> = EMPTY): Value => ({
  sources,
  kind: 'derived',
  unknown: reason,
});

export const direct = (columns: readonly BaseColumn[], type: number, typmod = -1): Value => ({
  sources: new Set(columns),
  kind: 'direct',
  type,
  stored: true,
  ...limitedTo(type, typmod),
});

export const limitedTo = (type: number, typmod: number): Pick<Value, 'limited'> =>
  typmod < 0 ? {} : { limited: { type, typmod } };

/** What a column keeps of its type, whatever is put into it. */
export const typeIn = ({ type, stored, limited }: Value): Pick<Value, 'type' | 'stored' | 'limited'> => ({
  ...(type !== undefined && { type }),
  ...(stored && { stored }),
  ...(limited && { limited }),
});

/** The value as a column of a query has it: a different one in each row, for all that is known. */
export function asColumn(value: Value): Value {
  if (!isFixed(value)) return value;
  const { constant: _, fixed: __, ...rest } = value;
  return rest;
}

export const isFixed = ({ constant, fixed }: Value): boolean => constant !== undefined || fixed === true;

export const isNothing = (value: Value): boolean => value.sources.size === 0 && value.unknown === undefined;

/** The result of a computation over values. */
export function computed(values: readonly Value[], kind: ValueKind = 'derived', type?: number): Value {
  const reason = reasonOf(values);
  return {
    sources: union(values),
    kind,
    ...(reason !== undefined && { unknown: reason }),
    ...(type !== undefined && { type }),
    ...variance(values),
  };
}

/** Two operands that come from the same column alone are one. */
function variance(values: readonly Value[]): Pick<Value, 'fixed' | 'mixed'> {
  if (values.length > 0 && values.every(isFixed)) return { fixed: true };
  if (values.some(({ mixed }) => mixed)) return { mixed: true };
  const varying = values.filter((value) => !isFixed(value));
  const [first] = varying;
  const [column] = first?.sources ?? [];
  const isOne = varying.every(({ sources }) => column !== undefined && sources.size === 1 && sources.has(column));
  return varying.length < 2 || isOne ? {} : { mixed: true };
}

/** One of several values as it is: the arms of a set operation, the rows of VALUES. */
export function either(values: readonly Value[]): Value {
  const [first] = values;
  if (values.length === 1 && first) return first;
  const telling = values.filter((value) => !isNothing(value));
  const kind = telling.reduce<ValueKind>(
    (most, value) => (RANK[value.kind] > RANK[most] ? value.kind : most),
    'direct',
  );
  const { fixed: _, mixed: __, ...merged } = computed(values, kind, sameType(values));
  const mixed = values.some((value) => value.mixed);
  const row = sameRow(values);
  const stored = merged.type !== undefined && values.every((value) => value.stored);
  const parts = values.some((value) => value.parts) ? eitherParts(values, either) : undefined;
  const limits = new Set(values.map(({ limited }) => limited?.typmod));
  return {
    ...merged,
    ...(limits.size === 1 && first?.limited && { limited: first.limited }),
    ...(row && { row }),
    ...(parts && { parts }),
    ...(stored && { stored }),
    ...(mixed && { mixed }),
  };
}

/** A composite value of these fields. */
export const rowOf = (row: readonly Column[], type?: number): Value => ({
  ...computed(row.map(({ value }) => value)),
  row,
  ...(type !== undefined && { type }),
});

/** The value with what else it may depend on. */
export function withUnknown(value: Value, reason: string | undefined): Value {
  return reason === undefined || value.unknown !== undefined ? value : { ...value, unknown: reason };
}

export const reasonOf = (values: readonly Value[]): string | undefined =>
  values.find((value) => value.unknown !== undefined)?.unknown;

/** The value as a whole: what is made of it need not have the same parts. */
export function withoutParts(value: Value): Value {
  const { parts: _, keys: __, ...whole } = value;
  return whole;
}

/** The value as a whole, without the fields of rows either, whose names may be others by now. */
export function withoutFields(value: Value): Value {
  const { row: _, element: __, ...whole } = withoutParts(value);
  return whole;
}

export const hasFields = ({ row, element, parts }: Value): boolean => Boolean(row ?? element ?? parts);

/** Whether two values say the same, for finding fixpoints. */
export function same(one: Value, other: Value): boolean {
  return (
    one.kind === other.kind &&
    one.unknown === other.unknown &&
    one.mixed === other.mixed &&
    one.sources.size === other.sources.size &&
    [...other.sources].every((source) => one.sources.has(source)) &&
    (one.row?.length ?? 0) === (other.row?.length ?? 0) &&
    (one.row ?? []).every(({ value }, index) => same(value, other.row?.[index]?.value ?? NOTHING))
  );
}

const RANK: Readonly<Record<ValueKind, number>> = { direct: 0, derived: 1, aggregate: 2 };

function union(values: readonly Value[]): ReadonlySet<BaseColumn> {
  let merged: Set<BaseColumn> | undefined;
  let only: ReadonlySet<BaseColumn> = EMPTY;
  for (const { sources } of values) {
    if (sources.size === 0 || sources === only) continue;
    if (only.size === 0) {
      only = sources;
      continue;
    }
    merged ??= new Set(only);
    for (const source of sources) merged.add(source);
  }
  return merged ?? only;
}

/** NULL and other constants have no type of their own. */
function sameType(values: readonly Value[]): number | undefined {
  const [type = 0, ...others] = new Set(values.filter((value) => value.type !== 0).map((value) => value.type ?? -1));
  return others.length > 0 || type === -1 ? undefined : type;
}

function sameRow(values: readonly Value[]): readonly Column[] | undefined {
  const rows = values.flatMap(({ row }) => (row ? [row] : []));
  const [first] = rows;
  if (!first || values.some((value) => !value.row && !isNothing(value))) return undefined;
  if (rows.some((row) => row.length !== first.length)) return undefined;
  return first.map(({ name }, index) => ({
    name,
    value: either(rows.map((row) => row[index]?.value ?? NOTHING)),
  }));
}
