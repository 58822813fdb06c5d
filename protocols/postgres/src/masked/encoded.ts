/**
 * Values for masks where the client does not have its texts in UTF-8. Owns: which values are texts. Does not own: the tables
 * (text-encoding.ts), nor how a mask comes to see them as UTF-8 (contract). Pure.
 */
import { type CopyMasks, type PostgresColumn, Unmasked, encodedCell } from '@sluice/contract';
import { TEXT_TYPES, type TextEncoding, UTF8, encodingNamed } from '../text-encoding.js';
import type { CellMasks } from './copy-format.js';

/** Of a result whose texts are not in UTF-8. It can be cloned, for another thread. */
export interface CellTexts {
  /** As the server names it. */
  readonly encoding: string;
  /** Columns whose values are texts, by their places. */
  readonly columns: ReadonlySet<number>;
}

/**
 * @returns undefined where masks can read the values as they are
 * @throws Unmasked where a value would hold texts among other bytes, which nobody here takes apart
 */
export function textCells(
  cells: CellMasks,
  columns: readonly PostgresColumn[],
  { name: encoding }: TextEncoding,
): CellTexts | undefined {
  if (encoding === UTF8.name) return undefined;
  const texts = new Set<number>();
  for (const [at, { format, type, name }] of columns.entries()) {
    if (format === 'text' || TEXT_TYPES.has(type)) texts.add(at);
    else if (cells[at] && !PLAIN_TYPES.has(type)) throw Unmasked.because(inBytes(`column "${name}"`, encoding));
  }
  return { encoding, columns: texts };
}

/** The same for COPY TO STDOUT, which says nothing of types. */
export function copiedTexts({ cells, format }: CopyMasks, { name, isPlain }: TextEncoding): CellTexts | undefined {
  if (name === UTF8.name) return undefined;
  if (format.format === 'binary') throw Unmasked.because(inBytes('COPY', name));
  if (!isPlain || /[^\0-\x7f]/.test(format.null ?? '')) {
    throw Unmasked.because(
      `what COPY writes between values cannot be told from texts in ${name}: use client_encoding = UTF8`,
    );
  }
  return { encoding: name, columns: new Set(cells.keys()) };
}

const inBytes = (what: string, encoding: string): string =>
  `${what} is in binary format, and masks do not read that with texts in ${encoding}: ask for the text format, or use client_encoding = UTF8`;

/** What the masks of a result see is UTF-8, and what they give becomes of the encoding again. */
export function inTheirEncoding(cells: CellMasks, texts: CellTexts | undefined): CellMasks {
  const encoding = texts && encodingNamed(texts.encoding);
  return encoding
    ? cells.map((mask, at) => (mask && texts.columns.has(at) ? encodedCell(mask, encoding) : mask))
    : cells;
}

/** pg_type.oid of types whose binary form has no texts in it: numbers, dates and times, bytes, bits, addresses, identifiers, shapes. */
const PLAIN_TYPES: ReadonlySet<number> = new Set([
  16, 17, 20, 21, 23, 26, 600, 601, 602, 603, 604, 628, 650, 700, 701, 718, 774, 790, 829, 869, 1082, 1083, 1114, 1184,
  1186, 1266, 1560, 1562, 1700, 2950,
]);
