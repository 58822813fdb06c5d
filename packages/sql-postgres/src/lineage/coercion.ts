/**
 * What the server converts by itself where it looks for a function or an operator (can_coerce_type, find_coercion_pathway and
 * check_generic_type_consistency in parse_coerce.c). Owns: that question. Does not own: which candidate wins (`overloads.ts`). Pure.
 */
import type { Catalog } from '../catalog/catalog.js';
import type { Type } from '../catalog/objects.js';

/** The type that the server gives an argument; 'unknown': a text or NULL that may become of any. */
export type ArgumentType = number | 'unknown';

/** The type under a domain, or the type itself. */
export function baseOf(catalog: Catalog, oid: number): Type | undefined {
  let type = catalog.typeByOid(oid);
  while (type?.kind === 'd') type = catalog.typeByOid(type.base);
  return type;
}

/**
 * Whether arguments of these types can be given for the declared ones, all of them; 'open' where that is not decided here: of several
 * polymorphic arguments the types hang together, and what a composite becomes of is more than a pair of types.
 */
export function canTake(
  catalog: Catalog,
  declared: readonly number[],
  types: readonly ArgumentType[],
): boolean | 'open' {
  const polymorphic = types.flatMap((type, at) => {
    const oid = declared[at] ?? 0;
    return POLYMORPHIC.has(oid) ? [{ oid, type }] : [];
  });
  const together = polymorphic.length > 1 ? hangTogether(catalog, polymorphic) : true;
  const answers = types.map((type, at) => {
    // Of several, another says which type it is.
    const isDecided = type === 'unknown' && polymorphic.length > 1 && POLYMORPHIC.has(declared[at] ?? 0);
    return isDecided || takes(catalog, declared[at] ?? 0, type);
  });
  if (together === false || answers.includes(false)) return false;
  return together === 'open' || answers.includes('open') ? 'open' : true;
}

/** Whether several polymorphic arguments can be of types that go together. */
function hangTogether(
  catalog: Catalog,
  given: readonly { readonly oid: number; readonly type: ArgumentType }[],
): boolean | 'open' {
  const isEnum = given.some(({ oid }) => oid === ANYENUM);
  if (given.every(({ type }) => type === 'unknown')) return !isEnum;
  if (given.some(({ oid }) => !ELEMENTS.has(oid) && !ARRAYS.has(oid))) return 'open';
  const known = given.flatMap(({ oid, type }) =>
    type === 'unknown' ? [] : [ARRAYS.has(oid) ? (baseOf(catalog, type)?.element ?? 0) : type],
  );
  if (known.every((type) => type === known[0])) return true;
  // Those of ANYCOMPATIBLE need only have a type in common.
  return given.every(({ oid }) => !COMPATIBLE.has(oid)) ? false : 'open';
}

/** Whether they may be given for the declared ones, by those of them that are known. */
export function mayTake(
  catalog: Catalog,
  declared: readonly number[],
  types: readonly (ArgumentType | undefined)[],
): boolean {
  return declared.every((oid, at) => {
    const type = types[at];
    return type === undefined || type === 'unknown' || takes(catalog, oid, type) !== false;
  });
}

function takes(catalog: Catalog, declared: number, type: ArgumentType): boolean | 'open' {
  const isFitting = POLYMORPHIC.get(declared);
  if (type === 'unknown') return declared !== ANYENUM;
  if (declared === type || declared === ANY) return true;
  const base = baseOf(catalog, type);
  if (!base || base.kind === 'c' || base.kind === 'p' || VECTORS.has(base.oid)) return 'open';
  return isFitting ? isFitting(base) : isConverted(catalog, base, baseOf(catalog, declared));
}

/** Without a word in the statement that asks for it. */
function isConverted(catalog: Catalog, from: Type, to: Type | undefined): boolean {
  if (!to || from.oid === to.oid) return to !== undefined;
  if (catalog.implicitCasts.get(from.oid)?.has(to.oid)) return true;
  if (from.element === 0 || to.element === 0 || VECTORS.has(to.oid)) return false;
  const [one, other] = [baseOf(catalog, from.element), baseOf(catalog, to.element)];
  return one !== undefined && isConverted(catalog, one, other);
}

const ANY = 2276;
const ANYENUM = 3500;
/** int2vector and oidvector are subscripted like arrays, and are none. */
const VECTORS: ReadonlySet<number> = new Set([22, 30]);

/** Polymorphic types that stand for any, and for arrays of it. */
const ELEMENTS: ReadonlySet<number> = new Set([2283, 5077, 2776, 5079, ANYENUM]);
const ARRAYS: ReadonlySet<number> = new Set([2277, 5078]);
const COMPATIBLE: ReadonlySet<number> = new Set([5077, 5078, 5079]);

const isArray = ({ element }: Type): boolean => element !== 0;
const isAny = (): boolean => true;
/** Polymorphic types of pg_type, and which types they stand for. */
const POLYMORPHIC: ReadonlyMap<number, (type: Type) => boolean> = new Map([
  [2283, isAny],
  [5077, isAny],
  [2277, isArray],
  [5078, isArray],
  [2776, (type) => !isArray(type)],
  [5079, (type) => !isArray(type)],
  [ANYENUM, ({ kind }) => kind === 'e'],
  [3831, ({ kind }) => kind === 'r'],
  [5080, ({ kind }) => kind === 'r'],
  [4537, ({ kind }) => kind === 'm'],
  [4538, ({ kind }) => kind === 'm'],
]);
