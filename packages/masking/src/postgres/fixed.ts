/**
 * The mask of what is computed from masked columns: one answer for every value of a type, NULL included. It keeps nothing of
 * the value, so it does not know modes.
 */
import { label } from '../modes.js';
import { quotedElement } from './array.js';
import { elementOf, TEXT_NAMES, TEXTS } from './catalog.js';
import { isVersioned } from './json.js';
import { maskFor } from './mask.js';
import type { CellMask, WireFormat, MaskOptions, PgType } from './types.js';

/** The mark of the mask where a type has room for one, as in a text or a document; NULL everywhere else. */
export function fixedMask(type: PgType, format: WireFormat, options: MaskOptions): CellMask {
  const mark = options.mode.type === 'null' ? null : markOf(type, format, options);
  return Object.assign(() => mark, { replacesNull: true as const });
}

/** Whether a type has room for the mark. */
export const isMarkable = (type: PgType, format: WireFormat): boolean =>
  markOf(type, format, { mode: { type: 'redact' }, key: NO_BYTES, entity: '' }) !== null;

function markOf(type: PgType, format: WireFormat, options: MaskOptions): Buffer | null {
  const { oid, kind, name } = type;
  if (kind === 'domain') return type.element ? markOf(type.element, format, options) : null;
  if (kind === 'array') return arrayOf(type, format, options);
  if (kind !== 'base') return null;
  if (oid === JSON_OID || oid === JSONB_OID) {
    const text = JSON.stringify(label(options.entity));
    return Buffer.from(isVersioned(oid, format) ? `\u0001${text}` : text);
  }
  const isText = TEXTS.has(oid) || MARKED.has(oid) || (name !== undefined && TEXT_NAMES.has(name));
  return isText ? (maskFor(type, format, { ...options, mode: { type: 'redact' } })(NO_BYTES, 0, 0) ?? null) : null;
}

/** An array of one mark, as text (8.15.6) and as `array_send` writes it. */
function arrayOf(type: PgType, format: WireFormat, options: MaskOptions): Buffer | null {
  const element = elementOf(type);
  const mark = element ? markOf(element, format, options) : null;
  if (!element || !mark) return null;
  if (format === 'text') return Buffer.concat([Buffer.from('{'), quotedElement(mark), Buffer.from('}')]);
  const head = Buffer.alloc(24);
  for (const [at, value] of [1, 0, element.oid, 1, 1, mark.length].entries()) head.writeInt32BE(value, at * 4);
  return Buffer.concat([head, mark]);
}

const NO_BYTES = Buffer.alloc(0);
const JSON_OID = 114;
const JSONB_OID = 3802;
/** "char", name, xml and char(n), beside the types that are texts altogether. */
const MARKED: ReadonlySet<number> = new Set([18, 19, 142, 1042]);
