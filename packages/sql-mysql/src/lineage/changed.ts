/**
 * What the number of changed rows tells of an assignment: the server counts those that have another value afterwards, so it compares
 * the stored value with the new one. Where every row changes, or none, it tells nothing. Pure.
 */
import { folded } from '../catalog/objects.js';
import type { Assignment, ColumnReference } from '../tree.js';

/** The column itself, with something added, taken away or put beside it that is the same for all rows; NULL where it was. */
export function isChangedAnyway({ column, value }: Assignment): boolean {
  if (value.kind === 'operation' && (value.operator === '+' || value.operator === '-')) {
    const [first, ...rest] = value.operands;
    return first?.kind === 'column' && isSame(column, first) && !rest.some(reads);
  }
  if (value.kind !== 'call' || !value.native || value.name !== 'concat') return false;
  const [own, ...rest] = value.arguments;
  return own?.kind === 'column' && isSame(column, own) && !rest.some(reads);
}

/** In an UPDATE of several tables a name without its table could mean another one, which the server rejects. */
const isSame = (column: ColumnReference, { name, table }: ColumnReference): boolean =>
  folded(name) === folded(column.name) &&
  (table === undefined || column.table === undefined || folded(table) === folded(column.table));

const READING: ReadonlySet<unknown> = new Set([
  'column',
  'subquery',
  'exists',
  'variable',
  'assign',
  'match',
  'default',
]);

/** Whether columns, queries or variables stand in it. */
export function reads(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if ('kind' in node && READING.has(node.kind)) return true;
  return Object.values(node).some(reads);
}

/** Whether a column is NULL shows anyway. */
export const isNull = ({ value }: Assignment): boolean => value.kind === 'constant' && value.type === 'null';
