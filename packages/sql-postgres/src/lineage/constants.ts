/**
 * Constants in a list of outputs whose type nothing in the statement says. Owns: which of them are text before a set operation is looked
 * at, because their own SELECT sorts, groups or compares them (addTargetToSortList in parse_clause.c). Pure.
 */
import { type NodeFields, isFields, nodeOf, nodesOf } from '../ast.js';
import { listOf } from './analysis.js';
import { resolved } from './overloads.js';
import type { Column } from './value.js';

/** `isNamed`: an item of ORDER BY, GROUP BY or DISTINCT ON means this output. */
export function withSorted(
  fields: NodeFields,
  columns: readonly Column[],
  isNamed: (item: unknown, name: string, at: number) => boolean,
): readonly Column[] {
  const open = columns.flatMap(({ value }, at) => (value.literal ? [at] : []));
  if (open.length === 0) return columns;
  const distinct = fields['distinctClause'];
  if (Array.isArray(distinct) && nodesOf(distinct).length === 0) return resolved(columns);
  const items = ['sortClause', 'groupClause', 'distinctClause'].flatMap((key) => listOf(fields, key)).map(keyOf);
  const written = listOf(fields, 'targetList')
    .map((target) => constantOf(nodeOf(target)?.fields['val']))
    .filter((text) => text !== undefined);
  // Which constant stands where is known where each of these outputs is one.
  const texts = written.length === open.length ? written : [];
  const sorted = texts.length === 0 ? new Set<string>() : sortedByWindows(fields);
  const isText = (name: string, at: number): boolean =>
    items.some((item) => isNamed(item, name, at)) || sorted.has(texts[open.indexOf(at)] ?? '');
  return columns.map((column, at) =>
    column.value.literal && isText(column.name, at) ? (resolved([column])[0] as Column) : column,
  );
}

/** A constant as nobody has typed it: a text in quotes, or NULL. */
function constantOf(value: unknown): string | undefined {
  const node = nodeOf(value);
  if (node?.kind !== 'A_Const') return undefined;
  const { sval, isnull } = node.fields;
  if (isnull === true) return 'null';
  return isFields(sval) ? `'${String(sval['sval'] ?? '')}` : undefined;
}

const keyOf = (item: unknown): unknown => {
  const node = nodeOf(item);
  return node?.kind === 'SortBy' ? node.fields['node'] : item;
};

/** The constants by which windows of this SELECT are parted and sorted, wherever they are written; not those of queries in it. */
function sortedByWindows(fields: NodeFields): ReadonlySet<string> {
  const found = new Set<string>();
  const open: unknown[] = ['targetList', 'windowClause', 'sortClause'].map((key) => fields[key]);
  for (let value = open.pop(); value !== undefined || open.length > 0; value = open.pop()) {
    if (Array.isArray(value)) open.push(...(value as unknown[]));
    else if (isFields(value)) {
      for (const item of ['partitionClause', 'orderClause'].flatMap((key) => listOf(value as NodeFields, key))) {
        const text = constantOf(keyOf(item));
        if (text !== undefined) found.add(text);
      }
      for (const [kind, one] of Object.entries(value)) if (kind !== 'SelectStmt') open.push(one);
    }
  }
  return found;
}
