/** XMLTABLE and JSON_TABLE: every column is made of the document, and of the expressions that choose what to take. Pure. */
import { type NodeFields, isFields, nodesOf, text } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { expressions } from './expression.js';
import type { Scope } from './scope.js';
import { findType } from './types.js';
import { type Column, NOTHING, computed } from './value.js';

export function xmlTable(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Column[] {
  const names = nodesOf(fields['namespaces']).map((node) => node.fields['val']);
  const document = computed(
    expressions(analysis, scope, [fields['docexpr'], fields['rowexpr'], ...names]),
    'derived',
    0,
  );
  analysis.asks(document, 'other');
  return nodesOf(fields['columns']).map((column) => {
    const own = expressions(analysis, scope, [column.fields['colexpr'], column.fields['coldefexpr']]);
    const ordinality = column.fields['for_ordinality'] === true;
    return {
      name: text(column.fields, 'colname'),
      value: ordinality ? NOTHING : computed([document, ...own], 'derived', typeOf(analysis, column.fields)),
    };
  });
}

export function jsonTable(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Column[] {
  const parts = [fields['context_item'], fields['pathspec'], ...listOf(fields, 'passing'), fields['on_error']];
  const document = computed(expressions(analysis, scope, parts));
  analysis.asks(document, 'other');
  const read = (columns: readonly unknown[]): Column[] =>
    nodesOf(columns).flatMap(({ fields: column }) => {
      if (column['coltype'] === 'JTC_NESTED') return read(listOf(column, 'columns'));
      if (column['coltype'] === 'JTC_FOR_ORDINALITY') return [{ name: text(column, 'name'), value: NOTHING }];
      const own = expressions(analysis, scope, [column['pathspec'], column['on_empty'], column['on_error']]);
      return [{ name: text(column, 'name'), value: computed([document, ...own], 'derived', typeOf(analysis, column)) }];
    });
  return read(listOf(fields, 'columns'));
}

/** EXISTS columns have a type only if it is given. */
const typeOf = (analysis: LineageAnalysis, { typeName, coltype }: NodeFields): number | undefined =>
  isFields(typeName) ? findType(analysis, typeName)?.oid : coltype === 'JTC_EXISTS' ? 0 : undefined;
