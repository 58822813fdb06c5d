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
 * Whether arguments of these types can be given for the declared ones, all of them; 'open' where that is not decided here: of
 * several polymorphic arguments the types hang together, and what a composite becomes of is more than a pair of types.
 */
export function canTake(
  catalog: Catalog,
  declared: readonly number[],
  types: readonly ArgumentType[],
): boolean | 'open' {
  const answers = types.map((type, at) => takes(catalog, declared[at] ?? 0, type));
  if (answers.includes(false)) return false;
  const polymorphic = types.filter((_, at) => POLYMORPHIC.has(declared[at] ?? 0));
  return polymorphic.length > 1 || answers.includes('open') ? 'open' : true;
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
