/**
 * Masks of documents, arrays and rows by what the statement puts them together from. Owns: which part is masked, and how. Does
 * not own: finding the parts in a value (`packages/masking/src/postgres/parts.ts`), nor which parts there are (lineage).
 */
import type { Catalog } from '../catalog/catalog.js';
import { type BaseColumn, FIRST_USER_OID } from '../catalog/objects.js';
import { MAX_PARTS, type ValueParts, type Value, documentOf, itemsOf, sizeOf } from '../lineage/index.js';
import {
  type ColumnMask,
  type DetectorOptions,
  type WireFormat,
  type PartMask,
  type PgType,
  isMarkable,
  modeOf,
} from '@sluice/masking';
import { type MaskedColumns, isStale, ruleFor } from './columns.js';
import { typeOf } from './types.js';

interface Masks {
  readonly catalog: Catalog;
  readonly masked: MaskedColumns;
  readonly key: Uint8Array;
  readonly detecting: DetectorOptions | undefined;
}

const JSON_TYPE = 114;
const JSONB_TYPE = 3802;
/** box, the one type whose arrays are written with semicolons. */
const BOX = 603;

/**
 * The mask of a value of which some part is masked, and others may not be; undefined where only the whole can be masked.
 *
 * @param type as the target describes it
 */
export function byParts(masks: Masks, value: Value, type: PgType, format: WireFormat): ColumnMask | undefined {
  const isDocument = type.oid === JSON_TYPE || type.oid === JSONB_TYPE;
  if (sizeOf(value) >= MAX_PARTS) return undefined;
  const part = inText(masks, value, isDocument);
  return part && { type: 'parts', of: type, format, parts: part };
}

/** The mask of a value as the server writes it in text; undefined where it has no parts that are known. */
function inText(masks: Masks, value: Value, isDocument: boolean): PartMask | undefined {
  const { parts, row } = value;
  // A document made of one computed value is NULL where that is: its absence tells as much as it does.
  if (parts?.of === 'value' && isComputed(masks, parts.value)) return undefined;
  if (parts && !isWhole(masks, value, parts.frame, itemsOf(parts))) {
    if (parts.isArray) return isDocument ? undefined : inArray(masks, parts);
    return { type: 'document', root: inDocument(masks, parts) };
  }
  if (
    !row ||
    parts ||
    isDocument ||
    isWhole(
      masks,
      value,
      NO_COLUMNS,
      row.map((field) => field.value),
    )
  )
    return undefined;
  return { type: 'row', items: row.map((field) => cell(masks, field.value)) };
}

function isComputed(masks: Masks, value: Value): boolean {
  if (value.parts?.of === 'value') return isComputed(masks, value.parts.value);
  const isTogether = value.parts !== undefined || value.row !== undefined;
  return !isTogether && value.kind !== 'direct' && ruleFor(value, masks.masked) !== undefined;
}

const NO_COLUMNS: ReadonlySet<BaseColumn> = new Set();

/** Whether a masked column has a say in the value other than as one of its parts. */
function isWhole(
  { masked, catalog, detecting }: Masks,
  { sources, parts }: Value,
  frame: ReadonlySet<BaseColumn>,
  items: readonly Value[],
): boolean {
  if (isStale({ sources }, catalog)) return true;
  // Its keys are data, in which detectors may find something.
  if (parts?.of === 'map' && detecting) return true;
  for (const column of masked.keys()) {
    if (frame.has(column)) return true;
    if (sources.has(column) && !items.some((item) => item.sources.has(column))) return true;
  }
  return false;
}

/** An element of an array, or a field of a row. */
function cell(masks: Masks, value: Value): PartMask {
  return leaf(masks, value, () => inText(masks, value, isJson(value)));
}

function isJson({ type }: Value): boolean {
  return type === JSON_TYPE || type === JSONB_TYPE;
}

function inArray(masks: Masks, parts: ValueParts): PartMask | undefined {
  const item = (value: Value): PartMask => elementMask(masks, value);
  if (parts.of === 'list') return { type: 'list', item: item(parts.item) };
  return parts.of === 'tuple' && standBetweenCommas(masks, parts.items)
    ? { type: 'tuple', items: parts.items.map(item) }
    : undefined;
}

/** Base types choose what stands between their elements (pg_type.typdelim): those of users are not known to have a comma. */
function standBetweenCommas({ catalog }: Masks, items: readonly Value[]): boolean {
  const decides = ({ type = 0, row, parts }: Value): boolean => {
    if (row || parts?.isArray || catalog.typeByOid(type)?.kind === 'e') return true;
    return type !== 0 && type < FIRST_USER_OID && type !== BOX;
  };
  // A constant, and what is of some plain type, are made the type of the others.
  return items.some(decides) && items.every((item) => decides(item) || item.type === 0);
}

/** An array in an array is one more dimension, with elements of the same type. */
function elementMask(masks: Masks, value: Value): PartMask {
  if (value.parts?.isArray) {
    const { parts } = value;
    const inner = isWhole(masks, value, parts.frame, itemsOf(parts)) ? undefined : inArray(masks, parts);
    return inner ?? leaf(masks, { ...value, type: elementType(masks, value) }, () => undefined);
  }
  return cell(masks, { ...value, type: elementType(masks, value) });
}

function elementType({ catalog }: Masks, { type = 0 }: Value): number {
  const element = typeOf(catalog, type).element?.oid ?? catalog.typeByOid(type)?.element ?? 0;
  return element === 0 ? type : element;
}

function inDocument(masks: Masks, parts: ValueParts): PartMask {
  const item = (value: Value): PartMask => documentPart(masks, value);
  switch (parts.of) {
    case 'value':
      return item(parts.value);
    case 'object':
      return { type: 'object', fields: parts.fields.map(({ name, value }) => [name, item(value)] as const) };
    case 'tuple':
      return { type: 'tuple', items: parts.items.map(item) };
    default:
      return { type: parts.of, item: item(parts.item) };
  }
}

function documentPart(masks: Masks, value: Value): PartMask {
  const of = typeOfValue(masks.catalog, value);
  return leaf(masks, isLeafwise(of) ? value : { ...value, kind: 'derived' }, () => {
    const parts = documentOf(value);
    if (!parts || parts.of === 'value' || isWhole(masks, value, parts.frame, itemsOf(parts))) {
      const inner = parts?.of === 'value' && parts.value !== value ? parts.value : undefined;
      return inner && !isWhole(masks, value, parts?.frame ?? NO_COLUMNS, [inner])
        ? documentPart(masks, inner)
        : undefined;
    }
    return inDocument(masks, parts);
  });
}

/** Whether a stored value of the type is a leaf of a document, or an array or a document of leaves, each masked as its type says. */
function isLeafwise({ oid, kind, name, element }: PgType): boolean {
  if (element) return isLeafwise(element);
  if (oid < FIRST_USER_OID) return kind === 'base' || kind === 'array';
  return kind === 'enum' || (kind === 'base' && name === 'citext');
}

/** @param within the mask by what the value is put together from in turn; undefined where there is none */
function leaf(masks: Masks, value: Value, within: () => PartMask | undefined): PartMask {
  const { masked, key, detecting, catalog } = masks;
  const rule = ruleFor(value, masked);
  const of = typeOfValue(catalog, value);
  if (!rule) return detecting ? { type: 'detect', of, options: detecting } : { type: 'keep' };
  const options = { mode: modeOf(rule.mask), key, entity: rule.entity };
  return within() ?? { type: value.kind === 'direct' ? 'column' : 'mark', of, options };
}

/** The type of a value, with the limit of the column that it is. */
function typeOfValue(catalog: Catalog, { type = 0, kind, sources }: Value): PgType {
  if (type === 0) return { oid: 0, kind: 'pseudo' };
  for (const base of kind === 'direct' ? sources : []) {
    const attribute = catalog.relationByOid(base.relation)?.columns.find((one) => one.base === base);
    if (attribute?.type === type) return typeOf(catalog, type, attribute.typmod);
  }
  return typeOf(catalog, type);
}

/** Whether some part of a row or an array is NULL because its type has no room for a mark. */
export function hidesPart(mask: PartMask): boolean {
  switch (mask.type) {
    case 'mark':
      return mask.options.mode.type !== 'null' && !isMarkable(mask.of, 'text');
    case 'list':
      return hidesPart(mask.item);
    case 'tuple':
    case 'row':
      return mask.items.some(hidesPart);
    default:
      // A document has room for a mark wherever a value stands.
      return false;
  }
}
