/**
 * Which tables an UPDATE or DELETE changes, and the conditions that its joins bring. Owns: that, by names and aliases. Does not: judge how
 * much a condition selects (filter.ts). Pure.
 */
import type { Conditions } from './filter.js';
import type { Assignment, Expression, ObjectName, Table, TableReference } from './tree.js';

/** The tables of joins, without those of queries. */
export function tablesIn(references: readonly TableReference[]): Table[] {
  return references.flatMap((one) => {
    if (one.kind === 'join') return tablesIn([one.left, one.right]);
    return one.kind === 'table' ? [one] : [];
  });
}

const isCalled = ({ table, alias }: Table, name: string): boolean =>
  (alias ?? table.name).toLowerCase() === name.toLowerCase();

/** Tables that an UPDATE assigns to; a column without its table may be any one's. */
export function writtenTables(set: readonly Assignment[], tables: readonly Table[]): readonly Table[] {
  if (set.some(({ column }) => column.table === undefined)) return tables;
  return tables.filter((one) => set.some(({ column }) => isCalled(one, column.table ?? '')));
}

export function deletedTables(targets: readonly ObjectName[], tables: readonly Table[]): readonly Table[] {
  if (targets.length === 0) return tables;
  return tables.filter((one) => targets.some(({ name }) => isCalled(one, name) || one.table.name === name));
}

/** What the statement calls its tables. */
export const calledIn = (tables: readonly Table[]): ReadonlySet<string> =>
  new Set(tables.map(({ table, alias }) => alias ?? table.name));

/** A reference to tables without those that are written, which count as such and not as read. */
export function unlessIn(reference: TableReference, written: readonly Table[]): unknown {
  if (reference.kind === 'join') {
    const { left, right, on } = reference;
    return [unlessIn(left, written), unlessIn(right, written), on];
  }
  return reference.kind === 'table' && written.includes(reference) ? reference.systemTime : reference;
}

/** Conditions of joins. `inner`: no outer join is around them, so that they leave rows out. */
export function joinConditions(references: readonly TableReference[], inner: boolean): Conditions {
  const required: Expression[] = [];
  const joining: Expression[] = [];
  for (const one of references) {
    if (one.kind !== 'join') continue;
    const leavesOut = inner && one.type !== 'left' && one.type !== 'right' && one.type !== 'full';
    if (one.on) (leavesOut ? required : joining).push(one.on);
    const below = joinConditions([one.left, one.right], leavesOut);
    required.push(...below.required);
    joining.push(...below.joining);
  }
  return { required, joining };
}
