/**
 * The mask of a column by its type and format. Owns: the choice, and NULL where there is none. Does not: read single types,
 * which the files beside it do. Pure.
 */
import { keyed, label, maskText, type Mode } from '../modes.js';
import { unread } from '../unreadable.js';
import { arrayBinary, arrayText, type ElementMask } from './array.js';
import { elementOf, SCALARS, TEXT_NAMES, TEXTS } from './catalog.js';
import { compositeBinary, compositeText, hstoreBinary, hstoreText } from './composite.js';
import { CONSTANTS } from './constants.js';
import { columnLeaf, isVersioned, jsonMask } from './json.js';
import { EMPTY, NO_RANGES, rangeBinary, rangeText } from './range.js';
import { limitOf, paddedMask, textMask } from './text.js';
import type { CellMask, WireFormat, MaskOptions, PgType, Scalar } from './types.js';

/**
 * The mask of a column of this type in this format. What it gives is a value of the type, within its typmod, that the server
 * itself would take; NULL where there is none, for types that are not known, and for anything that is not such a value.
 */
export function maskFor(type: PgType, format: WireFormat, options: MaskOptions): CellMask {
  if (options.mode.type === 'null') return ALWAYS_NULL;
  const mask = chosen(type, format, options);
  return mask === ALWAYS_NULL ? mask : guarded(mask);
}

const ALWAYS_NULL: CellMask = () => null;

/** Whatever goes wrong in a mask, the value does not pass. */
function guarded(mask: CellMask): CellMask {
  const safe = (bytes: Buffer, start: number, end: number): Buffer | null | undefined => {
    try {
      return mask(bytes, start, end);
    } catch {
      return unread();
    }
  };
  if (mask.always) return Object.assign(safe, { always: mask.always });
  return mask.edit ? Object.assign(safe, { edit: mask.edit }) : safe;
}

/** Whether the values of a type have a mask besides NULL, all that they are made of included. */
export function isMaskable(type: PgType, format: WireFormat, depth = 0): boolean {
  if (depth > MAX_TYPE_DEPTH || chosen(type, format, REDACTED) === ALWAYS_NULL) return false;
  const parts = type.kind === 'composite' ? (type.fields ?? []) : elementOf(type) ? [elementOf(type) as PgType] : [];
  const isEmptied = type.kind === 'range' || type.kind === 'multirange';
  return isEmptied || parts.every((part) => isMaskable(part, format, depth + 1));
}

const MAX_TYPE_DEPTH = 20;
const REDACTED: MaskOptions = { mode: { type: 'redact' }, key: new Uint8Array(), entity: '' };

function chosen(type: PgType, format: WireFormat, options: MaskOptions): CellMask {
  switch (type.kind) {
    case 'domain':
      return type.element ? chosen(type.element, format, options) : ALWAYS_NULL;
    case 'array':
      return arrayMask(type, format, options);
    case 'composite':
      return compositeMask(type, format, options);
    case 'range':
      return rangeMask(type, format, options.mode, options);
    case 'multirange':
      return () => NO_RANGES[format];
    case 'enum':
      return enumMask(type);
    case 'base':
      return baseMask(type, format, options);
    default:
      return ALWAYS_NULL;
  }
}

/** The first label, the same for all; in both formats an enum is its label. */
function enumMask({ labels }: PgType): CellMask {
  const first = labels?.[0];
  if (first === undefined) return ALWAYS_NULL;
  const value = Buffer.from(first);
  return () => value;
}

function baseMask(type: PgType, format: WireFormat, options: MaskOptions): CellMask {
  const { oid, typmod = -1, name } = type;
  const scalar = SCALARS.get(oid);
  if (scalar) return scalarMask(scalar, format, typmod, options);
  const constant = CONSTANTS.get(oid)?.[format];
  if (constant) return () => constant;
  if (TEXTS.has(oid)) return textMask(options, limitOf(typmod));
  if (oid === 1042) return paddedMask(options, limitOf(typmod));
  if (oid === 114 || oid === 3802) return nonNull(jsonMask(columnLeaf(options), isVersioned(oid, format)));
  if (oid === 142) return xmlMask(options);
  // name has 63 bytes, "char" one.
  if (oid === 19) return textMask(byteSafe(options), 63);
  if (oid === 18) return () => Buffer.from('*');
  if (name !== undefined && TEXT_NAMES.has(name)) return textMask(options, limitOf(typmod));
  if (name === 'hstore') {
    const value = definite(textMask(options));
    return (bytes, start, end) => (format === 'text' ? hstoreText : hstoreBinary)(bytes, start, end, value);
  }
  return ALWAYS_NULL;
}

/** A mask that keeps characters could keep ones that do not fit when the limit counts bytes. */
const byteSafe = (options: MaskOptions): MaskOptions =>
  options.mode.type === 'partial' ? { ...options, mode: { type: 'redact' } } : options;

/** A document in which no leaf changed is the same document after the mask, and never the reason to let it pass unmasked. */
const nonNull =
  (mask: CellMask): CellMask =>
  (bytes, start, end) => {
    const value = mask(bytes, start, end);
    return value === undefined ? Buffer.from(bytes.subarray(start, end)) : value;
  };

/** Text is a valid content fragment of XML if it has no markup, and pieces of a document may have some. */
function xmlMask(options: MaskOptions): CellMask {
  return (bytes, start, end) => {
    const isKept = options.mode.type === 'hash';
    const text = isKept ? maskText(bytes.toString('utf8', start, end), options) : label(options.entity);
    return text === null ? null : Buffer.from(text);
  };
}

function scalarMask(scalar: Scalar<never>, format: WireFormat, typmod: number, options: MaskOptions): CellMask {
  const digest = (canonical: string | Uint8Array): Buffer => keyed(options, canonical);
  const { mode } = options;
  return (bytes, start, end) => {
    const value = scalar.read(bytes, start, end, format);
    const masked = maskedScalar(scalar, value, typmod, mode, digest);
    return masked === null ? null : scalar.write(masked, format, typmod);
  };
}

function maskedScalar(
  scalar: Scalar<never>,
  value: never,
  typmod: number,
  mode: Mode,
  digest: (canonical: string | Uint8Array) => Buffer,
): never | null {
  if (mode.type === 'hash' && scalar.hashed) return scalar.hashed(value, digest, typmod);
  if (mode.type === 'generalise' && scalar.generalised) return scalar.generalised(value);
  if (mode.type === 'partial' && scalar.partial) return scalar.partial(value, mode.keepLast ?? 4);
  return scalar.redacted(value, typmod);
}

/** What a mask leaves undefined inside a value stays as it is. */
const definite =
  (mask: CellMask): ElementMask =>
  (bytes, start, end) =>
    mask(bytes, start, end);

function arrayMask(type: PgType, format: WireFormat, options: MaskOptions): CellMask {
  const element = elementOf(type);
  if (!element) return ALWAYS_NULL;
  const part = definite(maskFor(element, format, options));
  // box is the one type whose arrays are written with semicolons.
  const delimiter = element.oid === 603 ? 0x3b : 0x2c;
  return (bytes, start, end) =>
    format === 'text'
      ? arrayText(bytes, start, end, delimiter, part)
      : arrayBinary(bytes, start, end, element.oid, part);
}

function compositeMask({ fields }: PgType, format: WireFormat, options: MaskOptions): CellMask {
  if (!fields) return ALWAYS_NULL;
  return rowMask(
    fields,
    fields.map((field) => maskFor(field, format, options)),
    format,
  );
}

/** A row of which some fields are masked: one mask for each field, undefined for those that may pass. */
export function rowMask(
  fields: readonly PgType[],
  masks: readonly (CellMask | undefined)[],
  format: WireFormat,
): CellMask {
  const parts = fields.map((_, n): ElementMask => {
    const mask = masks[n];
    return mask ? definite(mask) : () => undefined;
  });
  const types = fields.map(({ oid }) => oid);
  return guarded((bytes, start, end) =>
    format === 'text' ? compositeText(bytes, start, end, parts) : compositeBinary(bytes, start, end, parts, types),
  );
}

/** Only `generalise` keeps the order of the bounds; every other mask of a range is the empty one. */
function rangeMask(type: PgType, format: WireFormat, mode: Mode, options: MaskOptions): CellMask {
  const bound = elementOf(type);
  const scalar = bound && SCALARS.get(bound.oid);
  if (mode.type !== 'generalise' || !bound || !scalar?.generalised) return () => EMPTY[format];
  const mask = maskFor(bound, format, options);
  let ends: number[] = [];
  const part: ElementMask = (bytes, start, end) => {
    const value = mask(bytes, start, end);
    if (value) ends.push(Number(String(scalar.read(value, 0, value.length, format))));
    return value;
  };
  return (bytes, start, end) => {
    ends = [];
    const value = (format === 'text' ? rangeText : rangeBinary)(bytes, start, end, part);
    return ends.length === 2 && (ends[0] as number) > (ends[1] as number) ? null : value;
  };
}
