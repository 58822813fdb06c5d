/**
 * What is written as the call of a function and may be something else: `f(x)` is the field f of x, or a cast of x to the type f
 * (ParseFuncOrColumn and func_get_detail in parse_func.c). Does not own: functions (`calls.ts`), casts (`casts.ts`). Pure.
 */
import type { Routine, Type } from '../catalog/objects.js';
import { type LineageAnalysis, BEHIND_DEFINITION } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { cast } from './casts.js';
import { mayFail } from './failing.js';
import { mayBeCast, typesOf } from './overloads.js';
import { fieldsOf } from './types.js';
import { type Value, computed, unknown } from './value.js';

/** The value where no function is meant; undefined where it is none of these either. */
export function asField(analysis: LineageAnalysis, one: FunctionCall): Value | undefined {
  const [plain = '', schema] = one.name.toReversed();
  const [argument, ...rest] = one.args;
  if (!argument || rest.length > 0) return undefined;
  const field = schema === undefined ? fieldsOf(analysis, argument)?.find(({ name }) => name === plain) : undefined;
  if (field) return field.value;
  if (SYSTEM.has(plain) && argument.row) return computed([]);
  const type = analysis.session.overlay.defined.has(plain) ? undefined : mayBeCast(analysis, one);
  return type && castTo(analysis, argument, type);
}

const SYSTEM: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** What it returns as a cast, which it may be beside these functions where none of them takes just what is given. */
export function asCast(analysis: LineageAnalysis, one: FunctionCall, found: readonly Routine[]): { value: Value }[] {
  const [argument, ...rest] = one.args;
  const [only, ...others] = found;
  const isExact = others.length === 0 && only?.inputs[0] === typesOf(one.args, one.nodes)[0];
  const name = one.name.at(-1) ?? '';
  const { defined, relations } = analysis.session.overlay;
  if (isExact || !argument || rest.length > 0) return [];
  if (defined.has(name)) return [{ value: unknown(BEHIND_DEFINITION, argument.sources) }];
  // The row of a table of the session.
  if (relations.has(name)) return [{ value: computed([argument]) }];
  const type = mayBeCast(analysis, one);
  // A type of the server's own adds nothing to what its function of this name computes of the argument.
  const isBuiltIn = type?.schema === 'pg_catalog' && found.some(({ schema }) => schema === 'pg_catalog');
  return type && !isBuiltIn ? [{ value: castTo(analysis, argument, type) }] : [];
}

function castTo(analysis: LineageAnalysis, argument: Value, { schema, name }: Type): Value {
  mayFail(analysis, argument);
  return cast(analysis, argument, { names: [{ String: { sval: schema } }, { String: { sval: name } }] });
}
