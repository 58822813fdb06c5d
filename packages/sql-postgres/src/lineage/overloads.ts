/**
 * Which of several functions or operators of one name is meant: by the rules of the server (func_get_detail and
 * func_select_candidate in parse_func.c, oper in parse_oper.c) where the types of the arguments are certain, else all that can be.
 * Owns: choosing. Does not own: which functions have the name (`calls.ts`), what converts to what (`coercion.ts`), nor what each of
 * them does.
 */
import { isFields, nodeOf, text } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Operator, Routine, Type } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { type ArgumentType, baseOf, canTake, mayTake } from './coercion.js';
import { DOCUMENTS, TEXT_TYPE } from './parts.js';
import { firstOf } from './types.js';
import type { Column, Value } from './value.js';

const INT4 = 23;
const BOOL = 16;
const NUMERIC = 1700;

/** What can be called with arguments of these types. */
interface Candidate {
  readonly inputs: readonly number[];
}

/** The types of arguments, as far as they are certain. */
export type ArgumentTypes = readonly (ArgumentType | undefined)[];

/**
 * The functions of which the server calls one: the one that it chooses, or all that it may choose.
 *
 * @param candidates of the name, those of the first schema of the path first
 */
export function meantRoutines(
  analysis: LineageAnalysis,
  call: FunctionCall,
  candidates: readonly Routine[],
): readonly Routine[] {
  if (analysis.session.overlay.uncertain !== undefined) return candidates;
  const { args, nodes, variadic, argNames, withinGroup } = call;
  const isPlain = !variadic && argNames.every((name) => name === undefined);
  const types = typesOf(args, nodes);
  const only =
    isPlain && !withinGroup && isCertain(analysis) && areKnown(types)
      ? chosen(analysis, call, candidates, types)
      : undefined;
  if (only) return [only];
  const possible = candidates.filter(
    (routine) =>
      withinGroup || (takesSoMany(routine, call) && (!isPlain || mayTake(analysis.catalog, written(routine), types))),
  );
  // A single argument may have a field of this name, or be cast to a type.
  return possible.length > 0 || args.length === 1 ? possible : candidates;
}

const takesSoMany = ({ inputs, defaults, variadic: takesMore }: Routine, { args, variadic }: FunctionCall): boolean =>
  takesMore && !variadic
    ? args.length >= inputs.length - 1 - defaults
    : args.length <= inputs.length && args.length >= inputs.length - defaults;

/** The inputs that are given one by one. */
const written = ({ inputs, variadic }: Routine): readonly number[] => (variadic ? inputs.slice(0, -1) : inputs);

/** `f(x)` may be a cast to the type f, where no function takes just what is given. */
export function mayBeCast(analysis: LineageAnalysis, { name, args }: FunctionCall): Type | undefined {
  const [plain = '', schema] = name.toReversed();
  const schemas = schema === undefined ? analysis.path : [schema];
  return args.length !== 1 ? undefined : firstOf(schemas, (one) => analysis.catalog.type(one, plain));
}

/** The function that is called; undefined where that is open. */
function chosen(
  analysis: LineageAnalysis,
  call: FunctionCall,
  candidates: readonly Routine[],
  types: readonly ArgumentType[],
): Routine | undefined {
  const fitting = withoutHidden(candidates.filter((routine) => routine.variadic || takesSoMany(routine, call)));
  // One that takes any number of arguments, or that is a procedure, competes in ways of its own.
  if (fitting.some(({ variadic, kind }) => variadic || kind === 'p')) return undefined;
  // Of two that take just these types, one may come first in the path although its last arguments are left to their defaults.
  const [exact, ...alike] = fitting.filter(({ inputs }) => types.every((type, at) => type === inputs[at]));
  if (exact) return alike.length === 0 ? exact : undefined;
  const { defined, relations } = analysis.session.overlay;
  const plain = call.name.at(-1) ?? '';
  if (defined.has(plain) || relations.has(plain) || mayBeCast(analysis, call)) return undefined;
  if (fitting.some(({ inputs }) => inputs.length > types.length)) return undefined;
  return best(analysis.catalog, fitting, types);
}

/** By the path of an analysis, which has its own: a text may have thousands of operators, between few types. */
const meant = new WeakMap<readonly string[], Map<string, readonly Operator[]>>();

/**
 * The operators of which the server takes one: the one that it chooses, or all that it may choose.
 *
 * @param types without the left one of a prefix operator
 */
export function meantOperators(
  analysis: LineageAnalysis,
  name: readonly string[],
  types: ArgumentTypes,
): readonly Operator[] {
  let known = meant.get(analysis.path);
  if (!known) meant.set(analysis.path, (known = new Map()));
  const key = JSON.stringify([name, types]);
  let operators = known.get(key);
  if (!operators) known.set(key, (operators = findOperators(analysis, name, types)));
  return operators;
}

function findOperators(analysis: LineageAnalysis, name: readonly string[], types: ArgumentTypes): readonly Operator[] {
  const { catalog, path, session } = analysis;
  const [plain = '', schema] = name.toReversed();
  const schemas = schema === undefined ? path : [schema];
  const named = catalog.everyOperator(plain).filter(({ inputs }) => inputs.length === types.length);
  const found = schemas.flatMap((one) => named.filter((operator) => operator.schema === one));
  if (session.overlay.uncertain !== undefined) return found;
  const seen = isCertain(analysis) ? withoutHidden(found) : found;
  const only = isCertain(analysis) && areKnown(types) ? chosenOperator(catalog, seen, types) : undefined;
  if (only) return [only];
  const possible = seen.filter(({ inputs }) => mayTake(catalog, inputs, types));
  return possible.length > 0 ? possible : seen;
}

function chosenOperator(
  catalog: Catalog,
  found: readonly Operator[],
  types: readonly ArgumentType[],
): Operator | undefined {
  // What is unknown is tried as the same type as the other one first, and then both as what is under a domain.
  const known = types.find((type) => type !== 'unknown');
  const ofTypes = (tried: ArgumentTypes): Operator | undefined =>
    found.find(({ inputs }) => tried.every((type, at) => type === inputs[at]));
  const isAlike = known !== undefined && types.includes('unknown');
  const alike = isAlike ? [known, baseOf(catalog, known)?.oid ?? known] : [];
  const exact = isAlike ? undefined : ofTypes(types);
  return exact ?? firstOf(alike, (type) => ofTypes(types.map(() => type))) ?? best(catalog, found, types);
}

/**
 * The type of what is one of several values, as CASE and COALESCE are (select_common_type in parse_coerce.c); undefined where that is
 * open.
 */
export function commonType({ catalog }: LineageAnalysis, types: ArgumentTypes): number | undefined {
  const [first, ...others] = types;
  if (first !== 'unknown' && others.every((type) => type === first)) return first;
  const known: Type[] = [];
  for (const type of types) {
    const base = type === undefined || type === 'unknown' ? undefined : baseOf(catalog, type);
    if (base && base.kind !== 'c' && base.kind !== 'p') known.push(base);
    else if (type !== 'unknown') return undefined;
  }
  const converts = (from: number, to: number): boolean => canTake(catalog, [to], [from]) === true;
  if (known.length === 0) return types.length === 0 ? undefined : TEXT_TYPE;
  return known.reduce<number | undefined>((before, { oid, category }) => {
    const common = before === undefined ? undefined : catalog.typeByOid(before);
    if (common === undefined || common.oid === oid || common.category !== category) return before ?? oid;
    return !common.preferred && converts(common.oid, oid) && !converts(oid, common.oid) ? oid : before;
  }, undefined);
}

/** A type that was made out, for a value whose structure is of no interest. */
export function certain(
  { catalog }: Pick<LineageAnalysis, 'catalog'>,
  type: number | undefined,
): Pick<Value, 'type' | 'stored'> {
  return type !== undefined && catalog.typeByOid(type)?.kind === 'b' ? { type, stored: true } : {};
}

/** Names mean what the catalog says. */
export const isCertain = ({ session: { anyPath, overlay } }: LineageAnalysis): boolean =>
  anyPath === undefined && overlay.uncertain === undefined;

const areKnown = (types: ArgumentTypes): types is readonly ArgumentType[] => types.every((type) => type !== undefined);

/** Of two with the same arguments, the one whose schema comes first. */
function withoutHidden<T extends Candidate>(candidates: readonly T[]): T[] {
  const seen = new Set<string>();
  return candidates.filter(({ inputs }) => {
    const key = inputs.join();
    return !seen.has(key) && seen.add(key);
  });
}

/** A constant that becomes the column of a query has a type there; what is written as a text gets one from what it is combined with. */
export function typedConstant(analysis: LineageAnalysis, value: Value, node: unknown): Value {
  const type = nodeOf(node)?.kind === 'A_Const' ? typeOf(value, node) : undefined;
  return typeof type === 'number' ? { ...value, ...certain(analysis, type) } : value;
}

/** What is left of texts as they are written is text (resolveTargetListUnknowns in parse_target.c). */
export const resolved = (columns: readonly Column[]): readonly Column[] =>
  columns.map((column) => {
    const { literal, ...value } = column.value;
    return literal ? { name: column.name, value: { ...value, type: TEXT_TYPE, stored: true } } : column;
  });

/** @param nodes the expressions whose values they are; none for columns of a query */
export const typesOf = (values: readonly Value[], nodes: readonly unknown[] = []): ArgumentTypes =>
  values.map((value, at) => typeOf(value, nodes[at]));

/** Only types that are certain: of stored columns, of casts and constants, of what is called for sure, of documents with parts. */
function typeOf({ stored, literal, parts, type = 0 }: Value, argument: unknown): ArgumentType | undefined {
  if (literal) return 'unknown';
  const node = nodeOf(argument);
  if (node?.kind === 'A_Const') {
    const { ival, boolval, fval } = node.fields;
    if (ival !== undefined) return INT4;
    if (boolval !== undefined) return BOOL;
    // Without a point or an exponent it is a number that int4 has no room for, and may be an int8.
    return isFields(fval) && /[.e]/i.test(text(fval, 'fval')) ? NUMERIC : undefined;
  }
  return (stored || (parts && DOCUMENTS.has(type))) && type !== 0 ? type : undefined;
}

function best<T extends Candidate>(
  catalog: Catalog,
  candidates: readonly T[],
  types: readonly ArgumentType[],
): T | undefined {
  const fitting = candidates.map((one) => ({ one, fits: canTake(catalog, one.inputs, types) }));
  if (fitting.some(({ fits }) => fits === 'open')) return undefined;
  const left = fitting.flatMap(({ one, fits }) => (fits === true ? [one] : []));
  return left.length < 2 ? left[0] : selected(catalog, left, types);
}

/**
 * The one with the most arguments of exactly its types, then the most that are its types or preferred ones of their category; then
 * by what may become of unknown ones.
 */
function selected<T extends Candidate>(
  catalog: Catalog,
  candidates: readonly T[],
  types: readonly ArgumentType[],
): T | undefined {
  const known = types.flatMap((type, at) => {
    const base = type === 'unknown' ? undefined : baseOf(catalog, type);
    return base ? [{ at, oid: base.oid, category: base.category }] : [];
  });
  const exact = most(candidates, ({ inputs }) => known.filter(({ at, oid }) => inputs[at] === oid).length);
  if (exact.length < 2) return exact[0];
  const left = most(
    exact,
    ({ inputs }) =>
      known.filter(({ at, oid, category }) => {
        const input = catalog.typeByOid(inputs[at] ?? 0);
        return input?.oid === oid || (input?.preferred === true && input.category === category);
      }).length,
  );
  if (left.length < 2) return left[0];
  const unknown = types.flatMap((type, at) => (type === 'unknown' ? [at] : []));
  if (unknown.length === 0) return undefined;
  const sorted = byCategory(catalog, left, unknown);
  if (sorted.length < 2) return sorted[0];
  const [only, ...others] = new Set(known.map(({ oid }) => oid));
  if (only === undefined || others.length > 0) return undefined;
  const alike = sorted.filter(
    ({ inputs }) =>
      canTake(
        catalog,
        inputs,
        types.map(() => only),
      ) === true,
  );
  return alike.length === 1 ? alike[0] : undefined;
}

/** Those that take for each unknown argument a type of its category: strings where any does, else the one of them all. */
function byCategory<T extends Candidate>(
  catalog: Catalog,
  candidates: readonly T[],
  unknown: readonly number[],
): readonly T[] {
  const typeAt = ({ inputs }: T, at: number): ReturnType<Catalog['typeByOid']> => catalog.typeByOid(inputs[at] ?? 0);
  const slots = unknown.map((at) => {
    const found = candidates.map((one) => typeAt(one, at));
    const categories = new Set(found.map((type) => type?.category));
    const category = categories.has(STRING) ? STRING : categories.size === 1 ? found[0]?.category : undefined;
    return { at, category, preferred: found.some((type) => type?.category === category && type?.preferred) };
  });
  if (slots.some(({ category }) => category === undefined)) return candidates;
  const kept = candidates.filter((one) =>
    slots.every(({ at, category, preferred }) => {
      const type = typeAt(one, at);
      return type?.category === category && (!preferred || type?.preferred === true);
    }),
  );
  return kept.length > 0 ? kept : candidates;
}

/** pg_type.typcategory */
const STRING = 'S';

function most<T>(list: readonly T[], rank: (one: T) => number): readonly T[] {
  const highest = Math.max(...list.map(rank));
  return list.filter((one) => rank(one) === highest);
}
