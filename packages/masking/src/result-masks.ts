/**
 * The masks of the columns of one result, as a protocol applies them. Owns how much of it is done without a pause, and what is
 * counted. Does not own how rows are framed, which is the protocol's, nor what a mask is made of, which is the dialect's.
 */
import {
  type AnswerMeter,
  type CellMask,
  type Disclosed,
  type ResultMasks,
  type RowRoom,
  Unmasked,
} from '@sluice/contract';
import { takeDisclosed } from './disclosed.js';
import { maskInThread } from './masking-thread.js';
import { unreadableValues } from './unreadable.js';

/** Bytes that masks look at without a pause: no more than come in one read of a socket. Detectors take some 10 ms for them. */
export const MAX_INLINE_BYTES = 256 * 1024;
/** Masked cells that are looked at without a pause: a hash for each of so many takes some 20 ms. */
export const MAX_INLINE_CELLS = 16 * 1024;
/** As many bytes, where each of them may be a part of a value that gets a hash of its own. */
const MAX_INLINE_BYTES_OF_HASHED_PARTS = MAX_INLINE_CELLS;

/** How masks are made of `Column`, which is data that another thread gets a clone of. */
export interface MaskFactory<Column> {
  /** Address of the compiled module that is a `MaskMaker`, also for tests, which run the sources. */
  readonly module: string;
  cellMaskOf(column: Column): CellMask | undefined;
  /** Parts of one value may get a hash each. */
  hashesParts(column: Column): boolean;
}

export interface ResultMasksOptions<Column> {
  readonly maker: MaskFactory<Column>;
  readonly room: RowRoom;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the answer, where budgets count what is shown. */
  readonly meter?: Pick<AnswerMeter, 'disclose' | 'ended'> | undefined;
}

/** @template Column what the mask of one column is made of */
export class ColumnMasks<Column> implements ResultMasks {
  readonly cells: readonly (CellMask | undefined)[];
  readonly inline: ResultMasks['inline'];
  readonly room: RowRoom;
  readonly #columns: readonly (Column | undefined)[];
  readonly #module: string;
  readonly #count: (cells: number) => void;
  readonly #meter: ResultMasksOptions<Column>['meter'];
  /** Some values were of no form that their mask reads, and became NULL. */
  unreadable = false;

  /** `columns`: one for each, undefined where values pass as they are. */
  constructor(columns: readonly (Column | undefined)[], { maker, room, count, meter }: ResultMasksOptions<Column>) {
    this.#meter = meter;
    this.#columns = columns;
    this.#module = maker.module;
    this.#count = count;
    this.room = room;
    this.cells = columns.map((column) => column && maker.cellMaskOf(column));
    const hashed = columns.some((column) => column && maker.hashesParts(column));
    this.inline = { bytes: hashed ? MAX_INLINE_BYTES_OF_HASHED_PARTS : MAX_INLINE_BYTES, cells: MAX_INLINE_CELLS };
  }

  here(rewrite: () => number): void {
    // Of rows that did not come to their end.
    takeDisclosed();
    const before = unreadableValues();
    this.#count(rewrite());
    disclosed(takeDisclosed(), this.#meter);
    this.unreadable ||= unreadableValues() > before;
  }

  async elsewhere(framing: string, rows: Buffer, shape: unknown): Promise<Buffer> {
    const made = await maskInThread({ columns: this.#columns, maker: this.#module, framing, shape }, rows);
    disclosed(made.disclosed, this.#meter);
    this.#count(made.masked);
    this.unreadable ||= made.unreadable;
    return made.rows;
  }
}

/**
 * Tells the budgets what is about to be shown.
 *
 * @throws Unmasked when it may not be: `meter.ended` says why
 */
export function disclosed(values: Disclosed | undefined, meter: ResultMasksOptions<unknown>['meter']): void {
  if (!values || meter?.disclose(values) === true) return;
  throw new Unmasked(meter?.ended?.message ?? 'A budget counts what this shows, and cannot be told of it here.');
}
