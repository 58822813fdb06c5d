/** What type a built-in function returns, as far as it matters: whether it is composite, or an array of composites. Pure. */
import type { Routine } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { certain } from './overloads.js';
import { arrayOf, elementOf, isScalar, typeTag } from './types.js';
import { type Column, NOTHING, type Value, computed } from './value.js';

/** Polymorphic types of pg_type, by whether they stand for the element or for the array of it. */
const ELEMENTS: ReadonlySet<number> = new Set([2283, 2776, 3500, 5077, 5079]);
const ARRAYS: ReadonlySet<number> = new Set([2277, 5078]);

type Typed = Pick<Value, 'type' | 'row' | 'element'>;

/** The overloads that take so many arguments. */
export const fitting = (routines: readonly Routine[], count: number): Routine[] =>
  routines.filter(
    ({ inputs, defaults, variadic }) =>
      (count <= inputs.length && count >= inputs.length - defaults) || (variadic && count >= inputs.length - 1),
  );

/** Type, fields and elements of a result: the same for all overloads that are possible, else nothing is said. */
export function typeOfResult(analysis: LineageAnalysis, call: FunctionCall, routines: readonly Routine[]): Typed {
  const results = fitting(routines, call.args.length)
    .filter((routine) => takes(analysis, routine, call))
    .map((routine) => typeBy(analysis, call, routine));
  const [first] = results;
  if (!first) return {};
  if (
    results.every(({ type, row, element }) => row === first.row && element === first.element && type === first.type)
  ) {
    return first;
  }
  const plain = results.every(
    (one) => !one.row && !one.element && one.type !== undefined && isPlain(analysis, one.type),
  );
  return plain ? { type: 0 } : {};
}

const RANGES: ReadonlySet<number> = new Set([3831, 4537, 5080, 5081]);

/** Whether an overload can be meant: one for arrays or ranges takes nothing else. */
function takes({ catalog }: LineageAnalysis, { inputs }: Routine, { args }: FunctionCall): boolean {
  return inputs.every((declared, index) => {
    const argument = args[index];
    if (!argument || (!ARRAYS.has(declared) && !RANGES.has(declared))) return true;
    if (argument.row) return false;
    if (argument.type === undefined) return true;
    const type = catalog.typeByOid(argument.type);
    if (ARRAYS.has(declared)) return !type || type.element !== 0 || type.kind === 'd';
    return type !== undefined && 'rmd'.includes(type.kind);
  });
}

function typeBy(analysis: LineageAnalysis, { args, others }: FunctionCall, routine: Routine): Typed {
  const { returns, inputs, outputs } = routine;
  if (outputs.length > 1) return { row: outputs.map(({ name, type }, at) => fieldOf(analysis, args, name, type, at)) };
  // Ordered-set aggregates take their arguments from WITHIN GROUP.
  const given = args.length < inputs.length ? [...args, ...others] : args;
  const index = inputs.findIndex((type) => ELEMENTS.has(type) || ARRAYS.has(type));
  const argument = given[index];
  if (!ELEMENTS.has(returns) && !ARRAYS.has(returns)) {
    const type = typeTag(analysis, returns);
    return type === undefined ? {} : { type };
  }
  if (!argument) return {};
  const isElement = ELEMENTS.has(inputs[index] ?? 0);
  if (ARRAYS.has(returns)) return structure(isElement ? arrayOf(analysis, argument) : argument);
  return structure(isElement ? argument : elementOf(analysis, argument));
}

/** A field of what a function with several OUT arguments returns: from all that it is given. */
function fieldOf(analysis: LineageAnalysis, args: readonly Value[], name: string, oid: number, at: number): Column {
  const value = computed(args, 'derived', typeTag(analysis, oid));
  return { name: name || `column${at + 1}`, value: { ...value, ...certain(analysis, oid) } };
}

function structure({ type, row, element }: Value): Typed {
  return { ...(type !== undefined && { type }), ...(row && { row }), ...(element && { element }) };
}

function isPlain(analysis: LineageAnalysis, type: number): boolean {
  if (!isScalar(analysis, { ...NOTHING, type })) return false;
  const element = type === 0 ? 0 : (analysis.catalog.typeByOid(type)?.element ?? 0);
  return element === 0 || isScalar(analysis, { ...NOTHING, type: element });
}
