/** Functions in FROM: which columns they have, and where those come from. Pure. */
import { type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import type { Routine } from '../catalog/objects.js';
import { type LineageAnalysis, Unsure, listOf } from './analysis.js';
import { type FunctionCall, readCall, resultOf } from './calls.js';
import { cast } from './casts.js';
import { expression } from './expression.js';
import { nameOf } from './names.js';
import { certain } from './overloads.js';
import { fitting } from './results.js';
import type { Scope } from './scope.js';
import { storedValue } from './settings.js';
import { elementOf, fieldsOf, isScalar, typeTag } from './types.js';
import { type Column, NOTHING, type Value, computed, withUnknown, withoutParts } from './value.js';

/** `FROM f(...)`, `ROWS FROM (...)`, with ordinality and column definitions; and the name it has without an alias. */
export function rangeFunction(
  analysis: LineageAnalysis,
  scope: Scope,
  fields: NodeFields,
): { readonly name: string; readonly columns: readonly Column[] } {
  const functions = nodesOf(fields['functions']).map(({ fields: list }) => listOf(list, 'items'));
  const alias = isFields(fields['alias']) ? text(fields['alias'], 'aliasname') : '';
  const name = nameOf(functions[0]?.[0]);
  const columns = functions.flatMap(([call, definitions]) => {
    const own = nodeOf(definitions)?.fields;
    const list = own ? listOf(own, 'items') : functions.length === 1 ? listOf(fields, 'coldeflist') : [];
    // A function that returns a scalar lends its column the alias, if there is only one function.
    return columnsOfCall(analysis, scope, call, list, (functions.length === 1 && alias) || nameOf(call));
  });
  const ordinality =
    fields['ordinality'] === true
      ? [{ name: 'ordinality', value: { ...NOTHING, type: INT8_TYPE, stored: true as const } }]
      : [];
  return { name, columns: [...columns, ...ordinality] };
}

function columnsOfCall(
  analysis: LineageAnalysis,
  scope: Scope,
  value: unknown,
  definitions: readonly unknown[],
  alias: string,
): readonly Column[] {
  const node = nodeOf(value);
  if (node?.kind !== 'FuncCall') return [{ name: alias, value: expression(analysis, scope, value) }];
  const call = readCall(analysis, scope, node.fields);
  const unnested = strings(node.fields['funcname']).at(-1) === 'unnest' && call.args.length > 1;
  // unnest of several arrays is several functions (transformRangeFunction).
  if (unnested) {
    return call.args.flatMap((one) => shape(analysis, { ...call, args: [one] }, [], 'unnest'));
  }
  return shape(analysis, call, definitions, alias);
}

function shape(
  analysis: LineageAnalysis,
  call: FunctionCall,
  definitions: readonly unknown[],
  alias: string,
): readonly Column[] {
  const result = resultOf(analysis, call);
  const { value } = result;
  const each = (names: readonly string[], types: readonly (number | undefined)[] = []): Column[] =>
    names.map((name, index) => ({
      name,
      value: {
        ...withUnknown(computed([value], 'derived', types[index]), value.unknown),
        ...certain(analysis, types[index]),
      },
    }));
  if (result.columns) return result.columns;
  if (definitions.length > 0) {
    return nodesOf(definitions).map(({ fields }) => ({
      name: text(fields, 'colname'),
      value: cast(analysis, computed([value]), isFields(fields['typeName']) ? fields['typeName'] : {}),
    }));
  }
  const routines = fitting(result.routines, call.args.length);
  const fields = fieldsOf(analysis, value);
  if (fields) return fields;
  if (call.name.at(-1) === 'unnest') return unnest(analysis, call, routines, alias, each);
  if (routines.length === 0) throw new Unsure(`reads from ${call.name.join('.')}, whose columns are not known`);
  const shapes = routines.map((routine) => outputsOf(analysis, routine, alias, call));
  const [first] = shapes;
  if (!first || shapes.some((one) => one?.join('\0') !== first.join('\0'))) {
    throw new Unsure(`reads from ${call.name.join('.')}, whose columns are not known`);
  }
  if (first.length === 1 && first[0] === alias) return [{ name: alias, value }];
  const held = HELD[call.name.at(-1) ?? '']?.(analysis, value);
  if (held) return first.map((name) => ({ name, value: held[name] ?? NOTHING }));
  const [routine, ...others] = routines;
  const types = others.length === 0 ? routine?.outputs.map(({ type }) => typeTag(analysis, type)) : undefined;
  return each(first, types);
}

/** Built-in functions of which only these columns hold values: what sessions run, and what this one has put into its settings. */
const HELD: Readonly<Record<string, (analysis: LineageAnalysis, value: Value) => Readonly<Record<string, Value>>>> = {
  pg_stat_get_activity: (analysis, value) => ({
    query: value,
    application_name: storedValue(analysis, 'application_name'),
  }),
  pg_show_all_settings: (_, value) => ({ setting: value }),
};

/** Names of the columns of a function; undefined where they depend on more than its declaration. */
function outputsOf(
  analysis: LineageAnalysis,
  { outputs, returns }: Routine,
  alias: string,
  call: FunctionCall,
): string[] | undefined {
  if (outputs.length > 1) return outputs.map(({ name }) => name);
  // A single OUT argument names the column.
  if (outputs.length === 1 && outputs[0]?.name) return [call.name.at(-1) === alias ? outputs[0].name : alias];
  if (POLYMORPHIC.has(returns)) {
    const [argument] = call.args;
    return argument && isScalar(analysis, argument) ? [alias] : undefined;
  }
  if (returns === RECORD) return undefined;
  const relation = analysis.relationOf(analysis.catalog.typeByOid(returns));
  return relation ? relation.columns.map(({ name }) => name) : [alias];
}

const INT8_TYPE = 20;
const RECORD = 2249;
const POLYMORPHIC: ReadonlySet<number> = new Set([2283, 2776, 3500, 5077, 5079]);

/** unnest is for arrays, multiranges and tsvector, whose columns differ. */
function unnest(
  analysis: LineageAnalysis,
  { args }: FunctionCall,
  routines: readonly Routine[],
  alias: string,
  each: (names: readonly string[]) => Column[],
): readonly Column[] {
  const [array = NOTHING] = args;
  const type = analysis.catalog.typeByOid(array.type ?? 0);
  const vector = routines.find(({ outputs, inputs }) => outputs.length > 1 && inputs[0] === type?.oid);
  if (vector) return each(vector.outputs.map(({ name }) => name));
  const element = elementOf(analysis, array);
  const fields = fieldsOf(analysis, element);
  if (fields) return fields.map(({ name, value }) => ({ name, value: computed([value, array]) }));
  if (!isScalar(analysis, element)) throw new Unsure('reads from unnest of something whose elements are not known');
  const value = { ...withoutParts(element), ...computed([element, array], 'derived', element.type) };
  return [{ name: alias, value: array.stored ? { ...value, ...certain(analysis, element.type) } : value }];
}
