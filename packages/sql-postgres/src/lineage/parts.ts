/**
 * What documents (json, jsonb) and arrays are put together from, so that each part can be masked for itself. Owns: which parts
 * there are, and those that functions build. Does not own: reading and changing parts (`part-access.ts`); SQL/JSON
 * (`constructors.ts`); what a value comes from as a whole (`calls.ts`, `expression.ts`), which holds where nothing is said here.
 */
import { isFields, nodeOf, text } from '../ast.js';
import { FIRST_USER_OID } from '../catalog/objects.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { findType } from './types.js';
import { type Column, NOTHING, type ValueParts, type Value, computed, isNothing } from './value.js';

export const JSON_TYPE = 114;
export const JSONB_TYPE = 3802;
export const TEXT_TYPE = 25;
export const DOCUMENTS: ReadonlySet<number> = new Set([JSON_TYPE, JSONB_TYPE]);
/** text and varchar. */
const PLAIN_TEXTS: ReadonlySet<number> = new Set([TEXT_TYPE, 1043]);
/** Types that a document, or an array, may be cast to without another character. */
const TEXTS_OF_DOCUMENTS: ReadonlySet<number> = new Set([...DOCUMENTS, ...PLAIN_TEXTS]);

/** A value with so many parts, parts of parts included, is not followed by its parts. */
export const MAX_PARTS = 2_000;

export type PartsShape =
  | { readonly of: 'value'; readonly value: Value }
  | { readonly of: 'object'; readonly fields: readonly Column[] }
  | { readonly of: 'tuple'; readonly items: readonly Value[] }
  | { readonly of: 'list' | 'map'; readonly item: Value };

/** @param deciding values that decide which parts there are, how many, or in which order */
export function partsOf(shape: PartsShape, deciding: readonly Value[], isArray = false): ValueParts | undefined {
  const size = 1 + itemsOf(shape).reduce((sum, item) => sum + sizeOf(item), 0);
  if (size >= MAX_PARTS || (shape.of === 'object' && !areDifferent(shape.fields))) return undefined;
  return { ...shape, frame: computed(deciding).sources, size, isArray };
}

/** The values that something is put together from. */
export function itemsOf(shape: PartsShape): readonly Value[] {
  switch (shape.of) {
    case 'value':
      return [shape.value];
    case 'object':
      return shape.fields.map(({ value }) => value);
    case 'tuple':
      return shape.items;
    default:
      return [shape.item];
  }
}

const areDifferent = (fields: readonly Column[]): boolean =>
  new Set(fields.map(({ name }) => name)).size === fields.length;

const sizes = new WeakMap<Value, number>();

/** How many parts a value has, parts of parts included, and MAX_PARTS for more. Values share parts: each is gone through once. */
export function sizeOf(value: Value): number {
  const known = sizes.get(value);
  if (known !== undefined) return known;
  const inRow = (value.row ?? []).reduce((sum, field) => Math.min(MAX_PARTS, sum + sizeOf(field.value)), 0);
  const size = Math.min(MAX_PARTS, 1 + (value.parts?.size ?? 0) + inRow);
  sizes.set(value, size);
  return size;
}

/** The parts of the document that to_json makes of a value; undefined where they cannot be told. */
export function documentOf(value: Value): ValueParts | undefined {
  const { parts, type = 0, row, keys, element } = value;
  if (parts && DOCUMENTS.has(type) !== parts.isArray && !PLAIN_TEXTS.has(type)) return { ...parts, isArray: false };
  if (row) {
    if (!keys || keys.length !== row.length) return undefined;
    const fields = row.map((field, at) => ({ name: keys[at] ?? '', value: field.value }));
    return partsOf({ of: 'object', fields }, []);
  }
  return element ? undefined : partsOf({ of: 'value', value }, []);
}

type Build = (analysis: LineageAnalysis, call: FunctionCall) => ValueParts | undefined;

/** Built-in functions that put something together. */
const BUILDERS: Readonly<Record<string, Build>> = {
  json_build_object: built,
  jsonb_build_object: built,
  json_build_array: (_, { args }) => partsOf({ of: 'tuple', items: args }, []),
  jsonb_build_array: (_, { args }) => partsOf({ of: 'tuple', items: args }, []),
  to_json: converted,
  to_jsonb: converted,
  row_to_json: converted,
  array_to_json: converted,
  json_agg: collected,
  jsonb_agg: collected,
  array_agg: (analysis, call) => {
    const [item] = call.args;
    return item && isElement(analysis, item) ? listed(call, item, true) : undefined;
  },
  json_object_agg: mapped,
  jsonb_object_agg: mapped,
};

/** The parts of what a built-in function returns, where it puts something together. */
export function partsOfCall(analysis: LineageAnalysis, call: FunctionCall): ValueParts | undefined {
  const name = call.name.at(-1) ?? '';
  const build = Object.hasOwn(BUILDERS, name) ? BUILDERS[name] : undefined;
  const isPlain = !call.variadic && call.argNames.every((one) => one === undefined);
  return build && isPlain ? build(analysis, call) : undefined;
}

/** json_build_object: keys and values by turns. */
function built(analysis: LineageAnalysis, { args, nodes }: FunctionCall): ValueParts | undefined {
  const fields: Column[] = [];
  for (let at = 0; at + 1 < args.length; at += 2) {
    const name = keyOf(analysis, nodes[at]);
    if (name === undefined) return undefined;
    fields.push({ name, value: args[at + 1] as Value });
  }
  return args.length % 2 === 0 ? partsOf({ of: 'object', fields }, []) : undefined;
}

function converted(_: LineageAnalysis, { args: [value] }: FunctionCall): ValueParts | undefined {
  return value && documentOf(value);
}

function collected(_: LineageAnalysis, call: FunctionCall): ValueParts | undefined {
  const [item] = call.args;
  return item && listed(call, item, false);
}

/** An aggregate puts in what its FILTER lets through, in its order; DISTINCT by the values themselves. */
function listed({ others, distinct }: FunctionCall, item: Value, isArray: boolean): ValueParts | undefined {
  return partsOf({ of: 'list', item }, distinct ? [...others, item] : others, isArray);
}

function mapped(_: LineageAnalysis, { args: [key, item], others, distinct }: FunctionCall): ValueParts | undefined {
  if (!key || !item) return undefined;
  return partsOf({ of: 'map', item }, distinct ? [...others, key, item] : [...others, key]);
}

/** Arrays of arrays have no elements that are arrays, but one more dimension. */
function isElement({ catalog }: LineageAnalysis, { type = 0, row, parts }: Value): boolean {
  if (row) return true;
  if (parts?.isArray) return false;
  let found = catalog.typeByOid(type);
  while (found?.kind === 'd') found = catalog.typeByOid(found.base);
  return found !== undefined && found.element === 0;
}

/** A document or array under another of the types that write it the same. */
export function castParts(value: Value, type: number): ValueParts | undefined {
  const { parts } = value;
  if (!parts || !TEXTS_OF_DOCUMENTS.has(type)) return undefined;
  // A JSON text in an array is no document, and an array is none either.
  if (parts.isArray) return DOCUMENTS.has(type) ? undefined : parts;
  return TEXTS_OF_DOCUMENTS.has(value.type ?? 0) ? parts : undefined;
}

/** Whether a document of these parts can be read as jsonb, whatever the values are: what a document of a table holds may not be. */
export function isSound(parts: ValueParts): boolean {
  return itemsOf(parts).every((value) => {
    const inner = documentOf(value);
    if (!inner) return false;
    if (inner.of !== 'value') return isSound(inner);
    const { type } = inner.value;
    return type !== undefined && type !== 0 && type < FIRST_USER_OID && !HOLDING_DOCUMENTS.has(type);
  });
}

/** json and jsonb, and arrays of them. */
const HOLDING_DOCUMENTS: ReadonlySet<number> = new Set([114, 199, 3802, 3807]);

/**
 * COALESCE of one value that has parts, and of constants that hold no part: `coalesce(json_agg(...), '[]')`.
 *
 * @param nodes the arguments
 */
export function coalesced(
  analysis: LineageAnalysis,
  values: readonly Value[],
  nodes: readonly unknown[],
): Value | undefined {
  const index = values.findIndex(({ parts }) => parts !== undefined);
  const one = values[index];
  if (!one?.parts) return undefined;
  const { parts } = one;
  const empty = parts.isArray || parts.of === 'object' || parts.of === 'map' ? '{}' : '[]';
  const others = nodes.filter((_, at) => at !== index).map((node) => literal(analysis, node)?.trim() ?? '');
  if (parts.of === 'value' || !others.every((other) => ['null', empty].includes(other))) return undefined;
  return {
    ...computed(values, one.kind, one.type),
    parts: { ...parts, ...(others.includes('null') && { mayBeNull: true as const }) },
  };
}

/** One of several values: the same parts, each from any of them. NULL and the like say nothing. */
export function eitherParts(
  values: readonly Value[],
  either: (values: readonly Value[]) => Value,
): ValueParts | undefined {
  const telling = values.filter((value) => !isNothing(value) || value.parts);
  const all = telling.map(({ parts }) => parts);
  const [first, ...others] = all;
  if (!first || telling.length !== values.length) return undefined;
  const frame = [{ ...NOTHING, sources: new Set(all.flatMap((parts) => [...(parts?.frame ?? [])])) }];
  const fits = (parts: ValueParts | undefined): boolean =>
    parts?.of === first.of &&
    parts.isArray === first.isArray &&
    itemsOf(parts).length === itemsOf(first).length &&
    (parts.of !== 'object' || parts.fields.every(({ name }, at) => name === fieldsIn(first)[at]?.name));
  if (!others.every(fits)) return undefined;
  const merged = itemsOf(first).map((_, at) => either(all.map((parts) => (parts && itemsOf(parts)[at]) ?? NOTHING)));
  const shape = reshaped(first, merged);
  const made = shape && partsOf(shape, frame, first.isArray);
  return made && { ...made, ...(all.some((parts) => parts?.mayBeNull) && { mayBeNull: true as const }) };
}

const fieldsIn = (parts: ValueParts): readonly Column[] => (parts.of === 'object' ? parts.fields : []);

function reshaped(parts: ValueParts, values: readonly Value[]): PartsShape | undefined {
  const [value] = values;
  switch (parts.of) {
    case 'object':
      return {
        of: 'object',
        fields: parts.fields.map(({ name }, at) => ({ name, value: values[at] ?? NOTHING })),
      };
    case 'tuple':
      return { of: 'tuple', items: values };
    case 'value':
      return value && { of: 'value', value };
    default:
      return value && { of: parts.of, item: value };
  }
}

/** The text of a constant, as it stands or cast to a type that does not change it: which type a name means, the path decides. */
export function literal(analysis: LineageAnalysis, value: unknown): string | undefined {
  const node = nodeOf(value);
  if (node?.kind === 'TypeCast') {
    const { anyPath, overlay } = analysis.session;
    const fields = isFields(node.fields['typeName']) ? node.fields['typeName'] : {};
    const type = anyPath === undefined && overlay.uncertain === undefined ? findType(analysis, fields)?.oid : undefined;
    const isUnchanged = UNCHANGING.has(type ?? 0) && listOf(fields, 'typmods').length === 0;
    return isUnchanged ? literal(analysis, node.fields['arg']) : undefined;
  }
  const written = node?.kind === 'A_Const' ? node.fields['sval'] : undefined;
  return isFields(written) ? text(written, 'sval') : undefined;
}

/** TEXTS_OF_DOCUMENTS and text[]. */
const UNCHANGING: ReadonlySet<number> = new Set([...TEXTS_OF_DOCUMENTS, 1009]);

/** A key that is written in the statement: a text or a number. */
export function keyOf(analysis: LineageAnalysis, node: unknown): string | undefined {
  const place = integerOf(node);
  return place === undefined ? literal(analysis, node) : String(place);
}

/** The number that stands there as a constant. */
export function integerOf(value: unknown): number | undefined {
  const node = nodeOf(value);
  const written = node?.kind === 'A_Const' ? node.fields['ival'] : undefined;
  return isFields(written) ? Number(written['ival'] ?? 0) : undefined;
}

/**
 * Why a document of these values may hold something else than they do: a function that somebody wrote makes JSON of a type
 * (json_categorize_type in jsonfuncs.c looks for a cast to json).
 */
export function castReason({ catalog }: LineageAnalysis, values: readonly Value[]): string | undefined {
  if (!catalog.casts.some(({ target }) => target === JSON_TYPE || target === JSONB_TYPE)) return undefined;
  const isBuiltIn = (value: Value): boolean =>
    value.row?.every((field) => isBuiltIn(field.value)) ?? (value.constant !== undefined || isBuiltInType(value.type));
  return values.every((value) => sizeOf(value) < MAX_PARTS && isBuiltIn(value))
    ? undefined
    : 'uses a cast to json that runs code that nobody has read';
}

const isBuiltInType = (type: number | undefined): boolean => type !== undefined && type !== 0 && type < FIRST_USER_OID;
