/**
 * Parts of documents whose parts are known: reading one (`->`, `#>`, subscripts) and changing them (jsonb_set, `||`, `-`). Owns:
 * which parts are left, where keys and paths are written in the statement. Does not own: putting documents together (`parts.ts`).
 */
import { isFields, nodeOf, nodesOf } from '../ast.js';
import type { BaseColumn } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import {
  DOCUMENTS,
  JSONB_TYPE,
  JSON_TYPE,
  type PartsShape,
  TEXT_TYPE,
  documentOf,
  integerOf,
  itemsOf,
  keyOf,
  literal,
  partsOf,
} from './parts.js';
import { type Column, NOTHING, type ValueParts, type Value, computed, reasonOf, withUnknown } from './value.js';

/** A change or a part of a document whose parts are known, by a built-in function; undefined where it is not known which. */
export function changedByCall(analysis: LineageAnalysis, call: FunctionCall): Value | undefined {
  const { name, args, nodes, variadic } = call;
  const [target] = args;
  if (variadic || !target || documentOf(target) === undefined) return undefined;
  switch (name.at(-1)) {
    case 'jsonb_set':
      return set(analysis, call);
    case 'json_extract_path':
    case 'jsonb_extract_path': {
      const path = nodes.slice(1).map((node) => keyOf(analysis, node));
      return path.every((key) => key !== undefined) ? within(target, path, target.type ?? JSON_TYPE) : undefined;
    }
    default:
      return undefined;
  }
}

/** jsonb_set along keys of objects; where anything is NULL, so is the result. */
function set(
  analysis: LineageAnalysis,
  { args: [target, path, given, ...others], nodes }: FunctionCall,
): Value | undefined {
  const keys = pathOf(analysis, nodes[1]);
  if (!target || !path || !given || !keys || others.length > (isTrue(nodes[3]) ? 1 : 0)) return undefined;
  const changed = withField(target, keys, given);
  return (
    changed && madeOf({ ...changed, frame: new Set([...changed.frame, ...given.sources]) }, [target, given], JSONB_TYPE)
  );
}

/** @param from values whose unknown parts count, whether they are still there or not */
function madeOf(parts: ValueParts, from: readonly Value[], type: number): Value {
  const frame: readonly Value[] = parts.frame.size === 0 ? [] : [{ ...NOTHING, sources: parts.frame }];
  const whole = computed([...itemsOf(parts), ...frame], 'derived', type);
  return withUnknown({ ...whole, parts }, reasonOf(from));
}

function withField(target: Value, [key, ...rest]: readonly string[], given: Value): ValueParts | undefined {
  const parts = documentOf(target);
  if (parts?.of !== 'object' || key === undefined) return undefined;
  const at = parts.fields.findIndex(({ name }) => name === key);
  if (rest.length === 0) return framed({ of: 'object', fields: withOne(parts.fields, at, key, given) }, parts.frame);
  const field = parts.fields[at]?.value;
  const inner = field && withField(field, rest, given);
  if (!inner) return undefined;
  const value: Value = { ...computed([field, given], 'derived', JSONB_TYPE), parts: inner };
  return framed({ of: 'object', fields: withOne(parts.fields, at, key, value) }, parts.frame);
}

const withOne = (fields: readonly Column[], at: number, name: string, value: Value): Column[] =>
  at < 0 ? [...fields, { name, value }] : fields.map((field, n) => (n === at ? { name, value } : field));

const framed = (shape: PartsShape, frame: ReadonlySet<BaseColumn>): ValueParts | undefined =>
  partsOf(shape, [{ ...NOTHING, sources: frame }]);

/**
 * `document -> key` and its kin, `||` and `-`, where it is known which part that is; undefined where it is not.
 *
 * @param left a document
 */
export function operated(
  analysis: LineageAnalysis,
  name: string,
  [left, right]: readonly Value[],
  rexpr: unknown,
): Value | undefined {
  const type = left?.type ?? 0;
  if (!left?.parts || !right || !DOCUMENTS.has(type)) return undefined;
  switch (name) {
    case '->':
    case '->>': {
      const key = stepOf(analysis, rexpr);
      return key && within(left, [key], name === '->' ? type : TEXT_TYPE);
    }
    case '#>':
    case '#>>': {
      const path = pathOf(analysis, rexpr);
      return path && within(left, path, name === '#>' ? type : TEXT_TYPE);
    }
    case '||':
      return type === JSONB_TYPE ? joined(left, right) : undefined;
    case '-':
      return type === JSONB_TYPE ? without(left, keyOf(analysis, rexpr)) : undefined;
    default:
      return undefined;
  }
}

/** A subscript of a jsonb: `document['key']`. */
export function subscripted(analysis: LineageAnalysis, value: Value, node: unknown): Value | undefined {
  const key = value.type === JSONB_TYPE && value.parts ? stepOf(analysis, node) : undefined;
  return key && within(value, [key], JSONB_TYPE);
}

/** A step of a path: a number is a place in an array alone, a text may be both where it stands in a path. */
interface Step {
  readonly key?: string;
  readonly place?: number | undefined;
}

function within(value: Value, path: readonly (string | Step | undefined)[], type: number): Value | undefined {
  const steps = path.map((step) => (typeof step === 'string' ? { key: step, place: placeOf(step) } : (step ?? {})));
  let parts = documentOf(value);
  let frame: ReadonlySet<BaseColumn> = parts?.frame ?? new Set();
  let found: Value | undefined = value;
  for (const step of steps) {
    if (!parts) return undefined;
    found = partAt(parts, step);
    if (!found) return undefined;
    const inner = documentOf(found);
    parts = inner;
    frame = inner ? new Set([...frame, ...inner.frame]) : frame;
  }
  if (!found) return undefined;
  const deciding = frame.size === 0 ? [] : [{ ...NOTHING, sources: frame }];
  const whole = computed([found, ...deciding], 'derived', type);
  if (!parts || (type === TEXT_TYPE && parts.of === 'value')) return whole;
  return { ...whole, parts: { ...parts, frame, isArray: false, mayBeNull: true } };
}

/** The part at a step; undefined where it is not known, or there is none: that is NULL, but for a mistake of ours. */
function partAt(parts: ValueParts, { key, place }: Step): Value | undefined {
  switch (parts.of) {
    case 'object':
      return key === undefined ? undefined : parts.fields.find(({ name }) => name === key)?.value;
    case 'map':
      return key === undefined ? undefined : parts.item;
    case 'list':
      return place === undefined ? undefined : parts.item;
    case 'tuple':
      return place === undefined ? undefined : parts.items.at(place);
    default:
      return undefined;
  }
}

/** `||`: the fields of both objects, those of the second where both have one. With a null that is JSON both go into an array. */
function joined(left: Value, right: Value): Value | undefined {
  const [one, other] = [documentOf(left), documentOf(right)];
  if (one?.of !== 'object' || other?.of !== 'object' || !DOCUMENTS.has(right.type ?? 0)) return undefined;
  if (one.mayBeNull || other.mayBeNull) return undefined;
  const fields = other.fields.reduce<readonly Column[]>(
    (all, { name, value }) =>
      withOne(
        all,
        all.findIndex((field) => field.name === name),
        name,
        value,
      ),
    one.fields,
  );
  const parts = framed({ of: 'object', fields }, new Set([...one.frame, ...other.frame]));
  return parts && madeOf(parts, [left, right], JSONB_TYPE);
}

function without(value: Value, key: string | undefined): Value | undefined {
  const parts = documentOf(value);
  if (parts?.of !== 'object' || key === undefined) return undefined;
  const fields = parts.fields.filter(({ name }) => name !== key);
  const rest = framed({ of: 'object', fields }, parts.frame);
  return rest && madeOf(rest, [value], JSONB_TYPE);
}

/** What stands behind `->`: a number is a place, a text a key. */
function stepOf(analysis: LineageAnalysis, node: unknown): Step | undefined {
  const place = integerOf(node);
  if (place !== undefined) return { place };
  const key = literal(analysis, node);
  return key === undefined ? undefined : { key };
}

/** A path as `{a,b}`, or as an array of constants. */
function pathOf(analysis: LineageAnalysis, value: unknown): string[] | undefined {
  const node = nodeOf(value);
  if (node?.kind === 'A_ArrayExpr') {
    const keys = nodesOf(node.fields['elements']).map(({ kind, fields }) => keyOf(analysis, { [kind]: fields }));
    return keys.every((key) => key !== undefined) ? keys : undefined;
  }
  const inner = /^\{([\w-]+(?:,[\w-]+)*)\}$/.exec(literal(analysis, value) ?? '')?.[1];
  return inner?.split(',');
}

const placeOf = (step: string): number | undefined => (/^-?\d{1,9}$/.test(step) ? Number(step) : undefined);

const isTrue = (value: unknown): boolean => {
  const node = nodeOf(value);
  const written = node?.kind === 'A_Const' ? node.fields['boolval'] : undefined;
  return isFields(written) && written['boolval'] === true;
};
