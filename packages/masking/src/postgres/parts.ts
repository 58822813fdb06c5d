/**
 * Masks of values that a statement puts together: arrays and rows, of which only some parts are masked. Owns: finding the parts
 * in the text of a value; all that is not masked stays byte for byte. Documents (json, jsonb) are in `document.ts`. Does not
 * own: which parts a value has, which the statement tells.
 */
import { detectorFor } from './detector.js';
import { documentMask } from './document.js';
import { quotedElement } from './array.js';
import { writtenField } from './composite.js';
import { fixedMask } from './fixed.js';
import { unread } from '../unreadable.js';
import { maskFor } from './mask.js';
import type { PartMask } from './part-mask.js';
import { type CellMask, Malformed, type WireFormat } from './types.js';

/**
 * The mask of a value in text format, or of a jsonb in binary, by its parts. What is not put together as the parts say is NULL.
 *
 * @param versioned it is a jsonb in binary: one byte, then its text
 */
export const partsMask = (mask: PartMask, versioned: boolean): CellMask | undefined =>
  partMaskOf(mask, 'text', versioned);

/** @param format of parts that are no documents; rows and arrays are in text here */
export function partMaskOf(mask: PartMask, format: WireFormat, versioned: boolean): CellMask | undefined {
  switch (mask.type) {
    case 'keep':
      return undefined;
    case 'column':
      return maskFor(mask.of, format, mask.options);
    case 'mark':
      return fixedMask(mask.of, format, mask.options);
    case 'detect':
      return detectorFor(mask.of, format, mask.options);
    case 'document':
      return guarded(documentMask(mask.root, versioned));
    case 'row':
      return guarded(rowMask(mask.items.map((item) => partsMask(item, false))));
    case 'list':
    case 'tuple':
      return guarded(arrayMask(mask));
    default:
      return unread;
  }
}

/** What is not put together as the parts say is NULL. */
export const guarded =
  (mask: CellMask): CellMask =>
  (bytes, start, end) => {
    try {
      return mask(bytes, start, end);
    } catch {
      return unread();
    }
  };

/** Pieces of a text, some of them replaced. Bytes are characters here, so that all others stay what they are. */
class Pieces {
  readonly text: string;
  readonly #out: string[] = [];
  #copied = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    this.text = bytes.toString('latin1', start, end);
  }

  replace(from: number, to: number, by: string): void {
    this.#out.push(this.text.slice(this.#copied, from), by);
    this.#copied = to;
  }

  /** undefined where nothing was replaced. */
  end(): Buffer | undefined {
    if (this.#out.length === 0) return undefined;
    return Buffer.from(this.#out.join('') + this.text.slice(this.#copied), 'latin1');
  }
}

/** A row as text (8.16.6): nothing between two commas is NULL; quotes are doubled or escaped. */
function rowMask(fields: readonly (CellMask | undefined)[]): CellMask {
  return (bytes, start, end) => {
    const pieces = new Pieces(bytes, start, end);
    const { text } = pieces;
    if (text[0] !== '(') throw new Malformed('not a row');
    let at = 1;
    for (const [n, field] of fields.entries()) {
      const stop = endOfField(text, at);
      if (text[stop] !== (n === fields.length - 1 ? ')' : ',')) throw new Malformed('not a row');
      if (field) replaceField(pieces, field, at, stop);
      at = stop + 1;
    }
    if (at !== text.length) throw new Malformed('not a row');
    return pieces.end();
  };
}

function replaceField(pieces: Pieces, mask: CellMask, from: number, to: number): void {
  const isNull = from === to;
  if (isNull && mask.replacesNull !== true) return;
  const value = Buffer.from(unescaped(pieces.text.slice(from, to), true), 'latin1');
  const masked = mask(value, 0, value.length);
  if (masked === undefined) return;
  pieces.replace(from, to, masked === null ? '' : writtenField(masked).toString('latin1'));
}

/** Behind a field: its comma, or the bracket that ends the row. */
function endOfField(text: string, from: number): number {
  let inside = false;
  for (let at = from; at < text.length; at++) {
    const one = text[at];
    if (one === '\\') at++;
    else if (one === '"') inside = !inside;
    else if (!inside && (one === ',' || one === ')')) return at;
  }
  throw new Malformed('not a row');
}

/** Without the quotes; a backslash takes the next character with it, and in a row a quote in quotes may be doubled. */
function unescaped(text: string, doubles: boolean): string {
  let value = '';
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    const one = text[at] as string;
    if (one === '\\') value += text[++at] ?? '';
    else if (one !== '"') value += one;
    else if (doubles && inside && text[at + 1] === '"') value += text[++at];
    else inside = !inside;
  }
  return value;
}

type ArrayParts = Extract<PartMask, { type: 'list' } | { type: 'tuple' }>;

/** An array as text (8.15.6), of one or more dimensions. */
function arrayMask(mask: ArrayParts): CellMask {
  const masks = new Map<PartMask, CellMask | undefined>();
  const cellOf = (part: PartMask): CellMask | undefined => {
    if (!masks.has(part)) masks.set(part, partsMask(part, false));
    return masks.get(part);
  };
  return (bytes, start, end) => {
    const pieces = new Pieces(bytes, start, end);
    const from = pieces.text.indexOf('{');
    if (!/^(?:(?:\[-?\d+:-?\d+\])+=)?$/.test(pieces.text.slice(0, Math.max(0, from))))
      throw new Malformed('not an array');
    if (editArray(pieces, from, mask, cellOf) !== pieces.text.length) throw new Malformed('not an array');
    return pieces.end();
  };
}

/** @returns behind the array that starts at `from` */
function editArray(
  pieces: Pieces,
  from: number,
  mask: ArrayParts,
  cellOf: (part: PartMask) => CellMask | undefined,
): number {
  const { text } = pieces;
  if (text[from] !== '{') throw new Malformed('not an array');
  if (text[from + 1] === '}') return from + 2;
  let at = from + 1;
  for (let n = 0; ; n++) {
    const part = mask.type === 'list' ? mask.item : mask.items[n];
    if (!part) throw new Malformed('not an array');
    if (text[at] === '{') {
      if (part.type === 'list' || part.type === 'tuple') at = editArray(pieces, at, part, cellOf);
      else at = editArray(pieces, at, { type: 'list', item: part }, cellOf);
    } else {
      const stop = endOfElement(text, at);
      const cell = cellOf(part);
      if (cell) replaceElement(pieces, cell, at, stop);
      at = stop;
    }
    if (text[at] === '}') break;
    if (text[at] !== ',') throw new Malformed('not an array');
    at++;
  }
  return at + 1;
}

function replaceElement(pieces: Pieces, mask: CellMask, from: number, to: number): void {
  const written = pieces.text.slice(from, to);
  const isNull = written.toUpperCase() === 'NULL';
  if (isNull && mask.replacesNull !== true) return;
  const value = isNull ? Buffer.alloc(0) : Buffer.from(unescaped(written, false), 'latin1');
  const masked = mask(value, 0, value.length);
  if (masked === undefined) return;
  pieces.replace(from, to, masked === null ? 'NULL' : quotedElement(masked).toString('latin1'));
}

function endOfElement(text: string, from: number): number {
  let inside = false;
  for (let at = from; at < text.length; at++) {
    const one = text[at];
    if (one === '\\') at++;
    else if (one === '"') inside = !inside;
    else if (!inside && (one === ',' || one === '}' || one === '{')) return at;
  }
  throw new Malformed('not an array');
}
