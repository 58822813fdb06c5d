/** What names stand for: columns, rows, `*`, and the parts of values (`value.field`, `value[1]`). Does not own: scopes (`scope.ts`). Pure. */
import { type NodeFields, nodeOf, strings, text } from '../ast.js';
import { type LineageAnalysis, VISITS_PER_MERGE, listOf } from './analysis.js';
import { callByField } from './calls.js';
import { expression, expressions } from './expression.js';
import { certain } from './overloads.js';
import { subscripted } from './part-access.js';
import { type Scope, columnOf, findColumn, findItem, sizeOf, starOf, wholeRow } from './scope.js';
import { blurred, elementOf, fieldsOf } from './types.js';
import { type Column, type Value, asColumn, computed, limitedTo, unknown } from './value.js';

export function columnRef(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
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

export function indirection(analysis: LineageAnalysis, scope: Scope, value: Value, step: unknown): Value {
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
      const { stored, limited } = value;
      const sure = stored ? certain(analysis, part.type) : {};
      const within = limited?.type === value.type ? limitedTo(part.type ?? 0, limited?.typmod ?? -1) : {};
      return blurred({ ...asColumn(part), ...computed([part, ...bounds], 'derived', part.type), ...sure, ...within });
    }
    case 'A_Star':
      return value;
    default:
      return unknown(`contains something that is not understood (${node?.kind ?? 'nothing'})`, value.sources);
  }
}
