/** Types, where they decide what columns there are: composites, and arrays and domains of them. Pure. */
import { type NodeFields, constant, isFields, strings } from '../ast.js';
import type { Type } from '../catalog/objects.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { castParts } from './parts.js';
import {
  type Column,
  type Value,
  NOTHING,
  asColumn,
  computed,
  either,
  hasFields,
  typeIn,
  withoutFields,
  withoutParts,
} from './value.js';

/** Pseudo-types of pg_type whose values may be anything. */
const ANYTHING: ReadonlySet<number> = new Set([
  2249, 2276, 2277, 2283, 2287, 2776, 3500, 3831, 4537, 5077, 5078, 5079, 5080,
]);

/** Looks a type up as the server would; undefined for one that is not known. */
export function findType({ catalog, path, session }: LineageAnalysis, fields: NodeFields): Type | undefined {
  const [name = '', schema] = strings(fields['names']).reverse();
  // The row type of a table of the session may come first, and is not in the catalog.
  if (session.overlay.relations.has(name) || session.overlay.defined.has(name)) return undefined;
  const found = schema === undefined ? firstOf(path, (one) => catalog.type(one, name)) : catalog.type(schema, name);
  const isArray = Array.isArray(fields['arrayBounds']);
  return isArray && found ? catalog.typeByOid(found.array) : found;
}

/** The typmod that the name of a type writes, of types that masks keep within it; -1 without one. */
export function typmodOf({ schema }: Type, target: unknown): number {
  const written = listOf(isFields(target) ? target : {}, 'typmods').map((one) => Number(constant(one)));
  const [size, scale = 0] = written;
  if (size === undefined || schema !== 'pg_catalog' || !written.every(Number.isInteger)) return -1;
  // varchartypmodin, numerictypmodin, anybit_typmodin
  switch (strings(isFields(target) ? target['names'] : undefined).at(-1)) {
    case 'varchar':
    case 'bpchar':
      return size + VARHDRSZ;
    case 'numeric':
      return ((size << 16) | (scale & 0x7ff)) + VARHDRSZ;
    case 'bit':
    case 'varbit':
      return size;
    default:
      return -1;
  }
}

const VARHDRSZ = 4;

/** A type as a `Value` has it: 0 for those that have no structure of interest. */
export function typeTag({ catalog }: Pick<LineageAnalysis, 'catalog'>, oid: number): number | undefined {
  return oid === 0 || ANYTHING.has(oid) || !catalog.typeByOid(oid) ? undefined : oid;
}

export function firstOf<T, N>(names: readonly N[], find: (name: N) => T | undefined): T | undefined {
  for (const name of names) {
    const found = find(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The fields of a value, where it is composite: its own, or those of its type, all from where the value is from. */
export function fieldsOf(analysis: LineageAnalysis, value: Value): readonly Column[] | undefined {
  if (value.row) return value.row;
  const { catalog } = analysis;
  let type = value.type ? catalog.typeByOid(value.type) : undefined;
  while (type?.kind === 'd') type = catalog.typeByOid(type.base);
  const relation = analysis.relationOf(type);
  return relation?.columns.map(({ name, type: ofColumn }) => {
    const field = computed([value], 'derived', ofColumn);
    return { name, value: value.stored ? { ...field, stored: true } : field };
  });
}

/** Whether a value is certainly not composite. */
export function isScalar(analysis: LineageAnalysis, value: Value): boolean {
  if (value.row || value.type === undefined) return false;
  return value.type === 0 || fieldsOf(analysis, value) === undefined;
}

/** An element of an array, or of what is subscripted. */
export function elementOf({ catalog }: LineageAnalysis, value: Value): Value {
  const { element } = value;
  if (element)
    return {
      ...asColumn(withoutParts(element)),
      ...computed([value, element]),
      ...(element.row && { row: element.row }),
    };
  const type = value.type === undefined ? undefined : (catalog.typeByOid(value.type)?.element ?? 0);
  return computed([value], 'derived', type);
}

/** An array of such elements. */
export function arrayOf({ catalog }: LineageAnalysis, element: Value): Value {
  const type = element.type === undefined ? undefined : (catalog.typeByOid(element.type)?.array ?? 0);
  const array = computed([element], element.kind === 'aggregate' ? 'aggregate' : 'derived', type);
  return element.row || element.type === undefined ? { ...array, element } : array;
}

/**
 * The value as one of a composite type: the same fields under the type's names. Documents that are made of it have no known
 * keys: nothing keeps the type from getting others while a statement runs, or a cursor is open.
 */
export function asType(analysis: LineageAnalysis, value: Value, type: Type): Value {
  const result = computed([value], value.kind === 'aggregate' ? 'aggregate' : 'derived', type.oid);
  const names = fieldsOf(analysis, { ...NOTHING, type: type.oid });
  const parts = castParts(value, type.oid);
  if (!names) return { ...result, ...(value.element && { element: value.element }), ...(parts && { parts }) };
  if (value.row?.length !== names.length) return result;
  const row = names.map(({ name, value: field }, index) => {
    const source = value.row?.[index]?.value ?? NOTHING;
    return { name, value: computed([source], source.kind === 'direct' ? 'derived' : source.kind, field.type) };
  });
  return { ...result, row };
}

/** The value where a type is declared: a row of another type takes the names of the fields that the declared one has. */
export function inDeclaredType(analysis: LineageAnalysis, value: Value, declared: number): Value {
  const type = hasFields(value) && value.type !== declared ? analysis.catalog.typeByOid(declared) : undefined;
  const isRow = type !== undefined && fieldsOf(analysis, { ...NOTHING, type: type.oid }) !== undefined;
  return isRow ? asType(analysis, value, type) : value;
}

/** The type of what is computed from values of which none has a structure of interest; undefined if one may have. */
export function plainTag(analysis: LineageAnalysis, values: readonly Value[]): 0 | undefined {
  const { catalog } = analysis;
  const plain = values.every((value) => {
    if (value.element || value.row || value.type === undefined || ANYTHING.has(value.type)) return false;
    if (value.type === 0) return true;
    const element = catalog.typeByOid(value.type)?.element ?? 0;
    return isScalar(analysis, value) && (element === 0 || isScalar(analysis, { ...NOTHING, type: element }));
  });
  return plain ? 0 : undefined;
}

/** What one of several functions returns, of which it is not known which one is called. */
export function anyOf(analysis: LineageAnalysis, values: readonly Value[]): Value {
  const [first, ...others] = values;
  if (first && others.length === 0) return first;
  const { type: _, stored: __, limited: ___, ...whole } = either(values.map(withoutFields));
  const isAlike = others.every(({ type }) => type === first?.type);
  const type = isAlike ? first?.type : plainTag(analysis, values);
  return type === undefined ? whole : { ...whole, type };
}

/** The same value with fields and elements that may come from anywhere the whole does. */
export function blurred(value: Value): Value {
  const { row, element, parts: _, keys: __, ...whole } = value;
  const { type: ___, stored: ____, limited: _____, ...untyped } = whole;
  return {
    ...whole,
    ...(row && { row: row.map(({ name, value: field }) => ({ name, value: typed(untyped, field) })) }),
    ...(element && { element: blurred({ ...asColumn(element), ...computed([whole, element], whole.kind) }) }),
  };
}

const typed = (value: Value, field: Value): Value => ({ ...value, ...typeIn(field) });
