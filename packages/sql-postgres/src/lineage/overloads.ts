/**
 * Which of several functions or operators of one name is meant, where the types of the arguments are certain: by the rules of the
 * server (func_get_detail and func_select_candidate in parse_func.c, oper in parse_oper.c). Owns: choosing. Does not own: which
 * functions have the name (`calls.ts`), what converts to what (`coercion.ts`), nor what is done where the choice is open, which is
 * to take all of them.
 */
import { isFields, nodeOf, text } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Operator, Routine, Type } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { type ArgumentType, baseOf, canTake } from './coercion.js';
import { firstOf } from './types.js';
import type { Value } from './value.js';

const INT4 = 23;
const BOOL = 16;
const NUMERIC = 1700;

/** What can be called with arguments of these types. */
interface Candidate {
  readonly inputs: readonly number[];
}

/**
 * The function that is called; undefined where that is open.
 *
 * @param candidates of the name, those of the first schema of the path first
 */
export function chosen(
  analysis: LineageAnalysis,
  call: FunctionCall,
  candidates: readonly Routine[],
): Routine | undefined {
  const { args, nodes, variadic, argNames, unfiltered } = call;
  const isPlain = !variadic && unfiltered && argNames.every((name) => name === undefined);
  if (!isPlain || candidates.length === 0 || !isCertain(analysis)) return undefined;
  const types = args.map((value, at) => typeOfArgument(value, nodes[at]));
  if (!areKnown(types)) return undefined;
  const fitting = withoutHidden(
    candidates.filter(
      ({ inputs, defaults, variadic: takesMore }) =>
        takesMore || (args.length <= inputs.length && args.length >= inputs.length - defaults),
    ),
  );
  // One that takes any number of arguments, or that is a procedure, competes in ways of its own.
  if (fitting.some(({ variadic: takesMore, kind }) => takesMore || kind === 'p')) return undefined;
  // Of two that take just these types, one may come first in the path although its last arguments are left to their defaults.
  const [exact, ...alike] = fitting.filter(({ inputs }) => types.every((type, at) => type === inputs[at]));
  if (exact) return alike.length === 0 ? exact : undefined;
  // `f(x)` may be a cast to the type f.
  const [plain = '', schema] = call.name.toReversed();
  const schemas = schema === undefined ? analysis.path : [schema];
  const { defined, relations } = analysis.session.overlay;
  if (defined.has(plain) || relations.has(plain)) return undefined;
  if (args.length === 1 && firstOf(schemas, (one) => analysis.catalog.type(one, plain))) return undefined;
  if (fitting.some(({ inputs }) => inputs.length > args.length)) return undefined;
  return best(analysis.catalog, fitting, types);
}

/**
 * The operator that is meant; undefined where that is open.
 *
 * @param operands without the left one of a prefix operator
 */
export function chosenOperator(
  analysis: LineageAnalysis,
  name: readonly string[],
  operands: readonly Value[],
  nodes: readonly unknown[],
): Operator | undefined {
  const [plain = '', schema] = name.toReversed();
  if (!isCertain(analysis)) return undefined;
  const types = operands.map((value, at) => typeOfArgument(value, nodes[at]));
  if (!areKnown(types)) return undefined;
  const schemas = schema === undefined ? analysis.path : [schema];
  const named = analysis.catalog.everyOperator(plain).filter(({ inputs }) => inputs.length === types.length);
  const found = withoutHidden(schemas.flatMap((one) => named.filter((operator) => operator.schema === one)));
  // What is unknown is tried as the same type as the other one first, and then both as what is under a domain.
  const known = types.find((type) => type !== 'unknown');
  const ofTypes = (tried: readonly (ArgumentType | undefined)[]): Operator | undefined =>
    found.find(({ inputs }) => tried.every((type, at) => type === inputs[at]));
  const isAlike = known !== undefined && types.includes('unknown');
  const alike = isAlike ? [known, baseOf(analysis.catalog, known)?.oid ?? known] : [];
  const exact = isAlike ? undefined : ofTypes(types);
  return exact ?? firstOf(alike, (type) => ofTypes(types.map(() => type))) ?? best(analysis.catalog, found, types);
}

/**
 * The type of what is one of several values, as CASE and COALESCE are (select_common_type in parse_coerce.c); undefined where that is
 * open.
 *
 * @param nodes undefined for a CASE that has no ELSE
 */
export function commonType(
  analysis: LineageAnalysis,
  values: readonly Value[],
  nodes: readonly unknown[],
): number | undefined {
  const { catalog } = analysis;
  const types = values.map((value, at) => (nodes[at] === undefined ? 'unknown' : typeOfArgument(value, nodes[at])));
  const [first, ...others] = types;
  if (first !== 'unknown' && others.every((type) => type === first)) return first;
  const known: Type[] = [];
  for (const type of types) {
    const base = type === undefined || type === 'unknown' ? undefined : baseOf(catalog, type);
    if (base && base.kind !== 'c' && base.kind !== 'p') known.push(base);
    else if (type !== 'unknown') return undefined;
  }
  const converts = (from: number, to: number): boolean => canTake(catalog, [to], [from]) === true;
  return known.reduce<number | undefined>((before, { oid, category }) => {
    const common = before === undefined ? undefined : catalog.typeByOid(before);
    if (common === undefined || common.oid === oid || common.category !== category) return before ?? oid;
    return !common.preferred && converts(common.oid, oid) && !converts(oid, common.oid) ? oid : before;
  }, undefined);
}

/** A type that was made out, for a value whose structure is of no interest. */
export function certain({ catalog }: LineageAnalysis, type: number | undefined): Pick<Value, 'type' | 'stored'> {
  return type !== undefined && catalog.typeByOid(type)?.kind === 'b' ? { type, stored: true } : {};
}

/** Names mean what the catalog says. */
const isCertain = ({ session: { anyPath, overlay } }: LineageAnalysis): boolean =>
  anyPath === undefined && overlay.uncertain === undefined;

const areKnown = (types: readonly (ArgumentType | undefined)[]): types is readonly ArgumentType[] =>
  types.every((type) => type !== undefined);

/** Of two with the same arguments, the one whose schema comes first. */
function withoutHidden<T extends Candidate>(candidates: readonly T[]): T[] {
  const seen = new Set<string>();
  return candidates.filter(({ inputs }) => {
    const key = inputs.join();
    return !seen.has(key) && seen.add(key);
  });
}

/** Only types that are certain: those of stored columns, of casts, of constants, and of what is called for sure. */
function typeOfArgument({ stored, type = 0 }: Value, argument: unknown): ArgumentType | undefined {
  const node = nodeOf(argument);
  if (node?.kind === 'A_Const') {
    const { ival, boolval, fval, sval, isnull } = node.fields;
    if (ival !== undefined) return INT4;
    if (boolval !== undefined) return BOOL;
    // Without a point or an exponent it is a number that int4 has no room for, and may be an int8.
    if (isFields(fval)) return /[.e]/i.test(text(fval, 'fval')) ? NUMERIC : undefined;
    return isnull === true || sval !== undefined ? 'unknown' : undefined;
  }
  return (stored || node?.kind === 'TypeCast') && type !== 0 ? type : undefined;
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
