/** What cuts and masks rows of one of the formats of COPY. Types only. */
import type { CellMask } from '@sluice/contract';

/** Cuts a stream of COPY data into rows, and masks rows that are whole. Keeps the start of a row until its rest comes. */
export interface CopyRows {
  /** The rows that are whole now, each with what ends it: parts of `data`, or memory of their own. */
  cut(data: Buffer): Buffer[];
  /** @throws Unmasked when the stream ends inside a row */
  end(): void;
  /** How many bytes of the first row of a stream are a header, which is not masked. */
  headerOf(first: Buffer): number;
  /** The row as it may pass, in pieces: parts of it, and what stands in place of others. */
  mask(row: Buffer, header?: number): readonly Buffer[];
}

export type CellMasks = readonly (CellMask | undefined)[];
