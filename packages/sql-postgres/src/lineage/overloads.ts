/**
 * Which of several functions of one name a call means, where the rules of the server leave no doubt (func_get_detail and
 * func_select_candidate in parse_func.c). Owns: choosing. Does not own: which functions have the name (`calls.ts`), nor what
 * is done where the choice is open, which is to take all of them.
 */
import { nodeOf } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Routine } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { firstOf } from './types.js';
import type { Value } from './value.js';

const TEXT = 25;
const INT4 = 23;
const BOOL = 16;
const FIRST_USER_OID = 16_384;
/** Built-in types of strings that the server makes a text of by itself: name, bpchar, varchar. */
const STRINGS: ReadonlySet<number> = new Set([19, 1042, 1043]);

/** The type that the server gives an argument; 'unknown': a text or NULL that may become of any. */
type ArgumentType = number | 'unknown';

/**
 * The one that is called; undefined where that is open.
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
  if (!isPlain || candidates.length < 2 || analysis.session.anyPath !== undefined) return undefined;
  const types = args.map((value, at) => typeOfArgument(value, nodes[at]));
  if (!types.every((type) => type !== undefined)) return undefined;
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
  return best(analysis.catalog, fitting, types);
}

/** Of two with the same arguments, the one whose schema comes first. */
function withoutHidden(routines: readonly Routine[]): Routine[] {
  const seen = new Set<string>();
  return routines.filter(({ inputs }) => {
    const key = inputs.join();
    return !seen.has(key) && seen.add(key);
  });
}

/** Only types that are certain: those of stored columns, of casts, and of constants. */
function typeOfArgument({ stored, type = 0 }: Value, argument: unknown): ArgumentType | undefined {
  const node = nodeOf(argument);
  if (node?.kind === 'A_Const') {
    if (node.fields['ival'] !== undefined) return INT4;
    if (node.fields['boolval'] !== undefined) return BOOL;
    return node.fields['isnull'] === true || node.fields['sval'] !== undefined ? 'unknown' : undefined;
  }
  return (stored || node?.kind === 'TypeCast') && type !== 0 ? type : undefined;
}

/**
 * The one with the most arguments of exactly its types, then the most that are its types or preferred ones, then text for
 * what is unknown. Undefined where two are as good, or where it is not certain that the best one can be called at all.
 */
function best(catalog: Catalog, routines: readonly Routine[], types: readonly ArgumentType[]): Routine | undefined {
  const plain = types.map((type) => (type === 'unknown' ? type : underlying(catalog, type)));
  if (plain.some((type) => type !== 'unknown' && type >= FIRST_USER_OID)) return undefined;
  const matches = (inputs: readonly number[], fits: (input: number, type: number) => boolean): number =>
    plain.filter((type, at) => type !== 'unknown' && fits(inputs[at] ?? 0, type)).length;
  const exact = ({ inputs }: Routine): number => matches(inputs, isSame);
  const preferred = ({ inputs }: Routine): number => matches(inputs, isSameOrPreferred);
  const texts = ({ inputs }: Routine): number =>
    plain.every((type, at) => type !== 'unknown' || inputs[at] === TEXT) ? 1 : 0;
  const [first, ...others] = [exact, preferred, texts].reduce<readonly Routine[]>((left, rank) => {
    const most = Math.max(...left.map(rank));
    return left.filter((one) => rank(one) === most);
  }, routines);
  if (!first || others.length > 0) return undefined;
  const isCertain = first.inputs.every((input, at) => {
    const type = plain[at];
    return type === undefined || (type === 'unknown' ? input === TEXT : isSameOrPreferred(input, type));
  });
  return isCertain ? first : undefined;
}

const isSame = (input: number, type: number): boolean => input === type;

/** text is the preferred type of strings. Those of other categories are left open. */
const isSameOrPreferred = (input: number, type: number): boolean =>
  input === type || (input === TEXT && STRINGS.has(type));

function underlying(catalog: Catalog, oid: number): number {
  let type = catalog.typeByOid(oid);
  while (type?.kind === 'd') type = catalog.typeByOid(type.base);
  return type?.oid ?? oid;
}
