/** Where values come from. Owns: how what is known of several values becomes what is known of one. Does not: reading expressions. */
import type { BaseColumn } from '../catalog/objects.js';

/** How a value comes from its sources: as it is, by a computation, or from many rows. */
export type ValueKind = 'direct' | 'derived' | 'aggregate';

/** What is known about where the values of an expression come from. */
export interface Value {
  readonly sources: ReadonlySet<BaseColumn>;
  readonly kind: ValueKind;
  /** Why it may come from more than `sources`: a phrase of which the statement is the subject. */
  readonly unknown?: string;
  /** It tells how many rows there are or in which place one is, nothing of the values themselves. */
  readonly counts?: true;
  /** It is written in the statement or bound to it. Lost in any computation, and in the columns of a query. */
  readonly constant?: true;
}

export interface Column {
  readonly name: string;
  readonly value: Value;
  /** `*` leaves it out. */
  readonly hidden?: true;
  /** The server may call it otherwise: the name is made of the text of an expression, or has letters that are compared by rules. */
  readonly vague?: true;
}

const EMPTY: ReadonlySet<BaseColumn> = new Set();

/** What comes from no column: what the server makes up itself. */
export const NOTHING: Value = { sources: EMPTY, kind: 'direct' };
export const CONSTANT: Value = { ...NOTHING, constant: true };

export const unknown = (reason: string, sources: ReadonlySet<BaseColumn> = EMPTY): Value => ({
  sources,
  kind: 'derived',
  unknown: reason,
});

export const direct = (columns: readonly BaseColumn[]): Value => ({ sources: new Set(columns), kind: 'direct' });

/** The value as a column of a query has it. */
export function asColumn(value: Value): Value {
  if (!value.constant) return value;
  const { constant: _, ...rest } = value;
  return rest;
}

export const isNothing = (value: Value): boolean => value.sources.size === 0 && value.unknown === undefined;

/** The result of a computation over values. */
export function computed(values: readonly Value[], kind: ValueKind = 'derived'): Value {
  const reason = values.find((value) => value.unknown !== undefined)?.unknown;
  return { sources: union(values), kind, ...(reason !== undefined && { unknown: reason }) };
}

/** One of several values as it is: the arms of a set operation, what a variable may hold. */
export function either(values: readonly Value[]): Value {
  const [first] = values;
  if (values.length === 1 && first) return first;
  const telling = values.filter((value) => !isNothing(value));
  const kind = telling.reduce<ValueKind>(
    (most, value) => (RANK[value.kind] > RANK[most] ? value.kind : most),
    'direct',
  );
  return {
    ...computed(values, kind),
    ...(telling.length > 0 && telling.every(({ counts }) => counts) && { counts: true }),
  };
}

export function withUnknown(value: Value, reason: string | undefined): Value {
  if (reason === undefined || value.unknown !== undefined) return value;
  const { counts: _, ...rest } = value;
  return { ...rest, unknown: reason };
}

/** Whether two values say the same, for finding fixpoints. */
export const same = (one: Value, other: Value): boolean =>
  one.kind === other.kind &&
  one.unknown === other.unknown &&
  one.counts === other.counts &&
  one.sources.size === other.sources.size &&
  [...other.sources].every((source) => one.sources.has(source));

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
