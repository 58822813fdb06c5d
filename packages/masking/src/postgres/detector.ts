/**
 * Detectors over values of PostgreSQL types. Owns: which part of a value is a text to look through. Does not: find anything
 * itself (masking/src/detectors).
 */
import { ENTITIES, type Entity, type Finding } from '../detectors/index.js';
import { byteClass, DIGITS, skip, skipTo } from '../detectors/bytes.js';
import { label, maskText, type Mode } from '../modes.js';
import { arrayBinary, arrayText, type ElementMask } from './array.js';
import { bytea, escapedBytea, isEscapedBytea, isText } from './bytes.js';
import { elementOf, SCALARS, TEXT_NAMES, TEXTS } from './catalog.js';
import { hstoreBinary, hstoreText } from './composite.js';
import { maskedFindings, onlyCounts } from './counted.js';
import { isVersioned, jsonMask } from './json.js';
import { unread } from '../unreadable.js';
import { maskFor, rowMask } from './mask.js';
import { limitOf } from './text.js';
import type { CellMask, WireFormat, MaskOptions, PgType } from './types.js';

export interface DetectorOptions {
  /** What is looked for, and what becomes of it. */
  readonly modes: ReadonlyMap<Entity, Mode>;
  readonly key: Uint8Array;
}

/**
 * Masks what detectors find in a column of this type. In texts only the findings are replaced, also in a bytea that is text from
 * its first byte to its last; any other bytea passes. JSON, arrays and rows are searched leaf by leaf and stay what they are; of
 * any other type a value with a finding gets the mask of its type. Undefined for types that cannot hold a finding, such as dates.
 */
export function detectorFor(type: PgType, format: WireFormat, options: DetectorOptions): CellMask | undefined {
  const mask = chosen(type, format, options);
  if (!mask) return undefined;
  const safe: CellMask = (bytes, start, end) => {
    try {
      return mask(bytes, start, end);
    } catch {
      return unread();
    }
  };
  return onlyCounts(options) ? Object.assign(safe, { passes: true as const }) : safe;
}

function chosen(type: PgType, format: WireFormat, options: DetectorOptions): CellMask | undefined {
  const element = elementOf(type);
  switch (type.kind) {
    case 'domain':
      return element && chosen(element, format, options);
    case 'array':
      return element ? arrayOf(element, format, options) : whole(type, format, options);
    case 'composite': {
      const masks = type.fields?.map((field) => chosen(field, format, options));
      return type.fields && masks ? rowMask(type.fields, masks, format) : whole(type, format, options);
    }
    case 'base':
      return base(type, format, options);
    case 'pseudo':
      return whole(type, format, options);
    default:
      return undefined;
  }
}

function base(type: PgType, format: WireFormat, options: DetectorOptions): CellMask | undefined {
  const { oid, typmod, name } = type;
  const holdsText = TEXTS.has(oid) || oid === 1042 || oid === 142 || (name !== undefined && TEXT_NAMES.has(name));
  if (holdsText) return inText(options, limitOf(typmod), oid === 1042);
  if (oid === 114 || oid === 3802) return jsonMask(documentLeaf(options), isVersioned(oid, format));
  if (name === 'hstore') {
    const value = inText(options);
    return (bytes, start, end) => (format === 'text' ? hstoreText : hstoreBinary)(bytes, start, end, value);
  }
  if (oid === 17) return inBytes(format, options);
  // Integers of 8 bytes and decimals can hold the number of a card.
  if (oid === 20 || oid === 1700) return inNumber(type, format, options);
  return SCALARS.has(oid) || FREE.has(oid) ? undefined : whole(type, format, options);
}

const DIGIT = byteClass(DIGITS);
/** "char", points and other geometry, tid, vectors of numbers, snapshots, lsn. */
const FREE: ReadonlySet<number> = new Set([18, 600, 601, 602, 603, 604, 628, 718, 27, 22, 30, 2970, 5038, 3220]);

const optionsFor = (finding: Finding, { modes, key }: DetectorOptions): MaskOptions => ({
  mode: modes.get(finding.entity) ?? { type: 'redact' },
  key,
  entity: finding.entity,
});

function inText(options: DetectorOptions, limit?: number, padded = false): CellMask {
  return (bytes, start, end) => {
    const findings = maskedFindings(bytes, start, end, options);
    if (findings.length === 0) return undefined;
    const made = replaced(bytes, start, end, findings, options);
    if (made === null || limit === undefined) return made;
    // What grew beyond the limit of its column has no place for its text any more.
    const text = made.toString();
    const plain = padded ? text.trimEnd() : text;
    const size = Array.from(plain).length;
    const fitting = size > limit ? (maskText('', REDACTED, limit) ?? '') : plain;
    return Buffer.from(padded ? fitting + ' '.repeat(Math.max(0, limit - Array.from(fitting).length)) : fitting);
  };
}

const REDACTED: MaskOptions = { mode: { type: 'redact' }, key: Buffer.alloc(0), entity: '' };

/** The value with each finding masked, null if the mode of one is null. */
function replaced(
  bytes: Buffer,
  start: number,
  end: number,
  findings: readonly Finding[],
  options: DetectorOptions,
): Buffer | null {
  const parts: Buffer[] = [];
  let at = start;
  for (const finding of findings) {
    const masked = maskedFinding(bytes, finding, options);
    if (masked === null) return null;
    if (finding.start === start && finding.end === end) return masked;
    parts.push(bytes.subarray(at, finding.start), masked);
    at = finding.end;
  }
  parts.push(bytes.subarray(at, end));
  return Buffer.concat(parts);
}

function maskedFinding(bytes: Buffer, finding: Finding, options: DetectorOptions): Buffer | null {
  const { entity, start, end } = finding;
  if ((options.modes.get(entity)?.type ?? 'redact') === 'redact') return LABELS[entity];
  const text = maskText(bytes.toString('utf8', start, end), optionsFor(finding, options));
  return text === null ? null : Buffer.from(text);
}

const LABELS = Object.fromEntries(ENTITIES.map((entity) => [entity, Buffer.from(label(entity))])) as Readonly<
  Record<Entity, Buffer>
>;

/** The leaves of a document: strings, keys, and numbers that could be one of a card. */
export const documentLeaf =
  (options: DetectorOptions) =>
  (kind: 'string' | 'number' | 'boolean' | 'key', value: string): string | undefined => {
    if (kind === 'boolean') return undefined;
    const bytes = Buffer.from(value);
    const findings = maskedFindings(bytes, 0, bytes.length, options);
    if (findings.length === 0) return undefined;
    if (kind === 'number') return '0';
    const text = replaced(bytes, 0, bytes.length, findings, options);
    // A key cannot be null.
    if (text === null) return kind === 'key' ? JSON.stringify(label('')) : 'null';
    return JSON.stringify(text.toString());
  };

/** A type that is not known, or whose parts are not: a finding in its text, or in a text within its bytes, masks all of it. */
function whole(type: PgType, format: WireFormat, options: DetectorOptions): CellMask {
  const first = format === 'text' ? firstFinding : firstInTexts;
  return (bytes, start, end) => {
    const finding = first(bytes, start, end, options);
    return finding && maskFor(type, format, optionsFor(finding, options))(bytes, start, end);
  };
}

const firstFinding = (bytes: Buffer, start: number, end: number, options: DetectorOptions): Finding | undefined =>
  maskedFindings(bytes, start, end, options)[0];

/** Among other bytes nearly anything looks like an address once in a while, so only runs of plain text are looked at. */
function firstInTexts(bytes: Buffer, start: number, end: number, options: DetectorOptions): Finding | undefined {
  for (let at = skipTo(bytes, start, end, ASCII_TEXT); at < end; ) {
    const stop = skip(bytes, at, end, ASCII_TEXT);
    const finding = stop - at < MIN_FINDING_BYTES ? undefined : firstFinding(bytes, at, stop, options);
    if (finding) return finding;
    at = skipTo(bytes, stop, end, ASCII_TEXT);
  }
  return undefined;
}

const ASCII_TEXT = byteClass(`\t\n\r${Array.from({ length: 0x5f }, (_, n) => String.fromCharCode(0x20 + n)).join('')}`);
/** `a@b.co` */
const MIN_FINDING_BYTES = 6;

/** Images, archives and keys pass as they are: what is not text all through was not written for people to read. */
function inBytes(format: WireFormat, options: DetectorOptions): CellMask {
  return (bytes, start, end) => {
    const value = bytea.read(bytes, start, end, format);
    if (!isText(value)) return undefined;
    const findings = maskedFindings(value, 0, value.length, options);
    if (findings.length === 0) return undefined;
    const made = replaced(value, 0, value.length, findings, options);
    if (made === null) return null;
    return isEscapedBytea(bytes, start, end, format) ? escapedBytea(made) : bytea.write(made, format, -1);
  };
}

function inNumber(type: PgType, format: WireFormat, options: DetectorOptions): CellMask {
  const scalar = SCALARS.get(type.oid);
  return (bytes, start, end) => {
    if (!mayBeCard(type.oid, bytes, start, end, format)) return undefined;
    const text = Buffer.from(String(scalar?.read(bytes, start, end, format)));
    const [finding] = maskedFindings(text, 0, text.length, options);
    return finding && maskFor(type, format, optionsFor(finding, options))(bytes, start, end);
  };
}

/** Whether there are 13 to 19 digits before the point, as cards have: a look is enough for nearly all numbers. */
function mayBeCard(oid: number, bytes: Buffer, start: number, end: number, format: WireFormat): boolean {
  if (format === 'text') {
    const first = bytes[start] === 0x2d ? start + 1 : start;
    const last = skip(bytes, first, end, DIGIT);
    return last - first >= 13 && last - first <= 19;
  }
  if (oid === 20) return end - start !== 8 || bytes.readInt32BE(start) >= 0xe8;
  // Base 10000: a first digit that counts 10^12 or 10^16.
  return end - start < 8 || bytes.readInt16BE(start + 2) === 3 || bytes.readInt16BE(start + 2) === 4;
}

function arrayOf(element: PgType, format: WireFormat, options: DetectorOptions): CellMask | undefined {
  const mask = chosen(element, format, options);
  if (!mask) return undefined;
  let changed = false;
  const part: ElementMask = (bytes, start, end) => {
    const value = mask(bytes, start, end);
    if (value !== undefined) changed = true;
    return value;
  };
  return (bytes, start, end) => {
    changed = false;
    const value =
      format === 'text' ? arrayText(bytes, start, end, 0x2c, part) : arrayBinary(bytes, start, end, element.oid, part);
    return changed ? value : undefined;
  };
}
