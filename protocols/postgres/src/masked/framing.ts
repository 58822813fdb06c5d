/**
 * How rows of PostgreSQL are framed, for the thread that masks those with much to look at (`RowFraming` of the contract). Does
 * not: mask a value (packages/masking). Pure.
 */
import type { CopyFormat, MaskedRows } from '@sluice/contract';
import type { CellMasks } from './copy-format.js';
import { CopyMask } from './copy.js';
import { type CellTexts, inTheirEncoding } from './encoded.js';
import { ownRoom } from './room.js';
import { RowMask } from './rows.js';

/** The compiled file, also for tests, which run the sources. */
export const FRAMING = new URL('../../dist/masked/framing.js', import.meta.url).href;

/** DataRow messages, or where `copy` says so rows of COPY data. */
export interface RowShape {
  /** The most bytes that masks may look at in one row. */
  readonly limit: number;
  readonly copy?: CopyShape;
  /** Where the texts in them are not in UTF-8. */
  readonly texts?: CellTexts;
}

export interface CopyShape {
  readonly format: CopyFormat;
  /** Of each row, in bytes. */
  readonly sizes: Uint32Array;
  /** The first of them is the first of the stream. */
  readonly first: boolean;
}

export function maskRows(masks: CellMasks, rows: Buffer, shape: unknown): MaskedRows {
  const { limit, copy, texts } = shape as RowShape;
  const cells = inTheirEncoding(masks, texts);
  const room = ownRoom(limit);
  if (copy) {
    const mask = new CopyMask(copy.format, cells, room);
    const made = mask.rewrite({ rows: split(rows, copy.sizes), first: copy.first });
    return { rows: made, masked: mask.masked };
  }
  const mask = new RowMask(cells, { owned: true, room });
  const made = mask.rewrite(rows, 0, rows.length);
  return { rows: made, masked: mask.masked };
}

function split(bytes: Buffer, sizes: Uint32Array): Buffer[] {
  let at = 0;
  return Array.from(sizes, (size) => bytes.subarray(at, (at += size)));
}
