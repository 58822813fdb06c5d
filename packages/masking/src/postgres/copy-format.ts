/** The formats of COPY, and what cuts and masks rows of one of them. Types only. */
import type { CellMask } from './types.js';

/** The options of COPY TO that shape its output. Single-byte characters; the defaults are those of the format. */
export interface CopyFormat {
  readonly format: 'text' | 'csv' | 'binary';
  readonly delimiter?: string;
  readonly null?: string;
  readonly header?: boolean;
  readonly quote?: string;
  readonly escape?: string;
  /** One for each column: its values are quoted whether they need it or not. */
  readonly forceQuote?: readonly boolean[];
}

/** Cuts a stream of COPY data into rows, and masks rows that are whole. Keeps the start of a row until its rest comes. */
export interface CopyRows {
  /** The rows that are whole now, each with what ends it: parts of `data`, or memory of their own. */
  cut(data: Buffer): Buffer[];
  /** @throws Unmaskable when the stream ends inside a row */
  end(): void;
  /** How many bytes of the first row of a stream are a header, which is not masked. */
  headerOf(first: Buffer): number;
  /** The row as it may pass, in pieces: parts of it, and what stands in place of others. */
  mask(row: Buffer, header?: number): readonly Buffer[];
}

export type CopyMasks = readonly (CellMask | undefined)[];
