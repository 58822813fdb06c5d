/**
 * Rows of results with masks on some columns. Owns: where each value of a row stands, in text (Protocol::ResultsetRow) and in binary
 * form (Protocol::BinaryResultsetRow). Does not: the masks (cells.ts), nor how a row came in packets. Written for results of millions
 * of rows: it makes no object for a row or a value.
 */
import {
  type AnswerMeter,
  type MySqlColumn,
  type PacketEditor,
  type RewrittenRow,
  type RowRuns,
  Unmasked,
} from '@sluice/contract';
import { disclosed, takeDisclosed } from '@sluice/masking';
import { type RowMask, Cells } from './cells.js';
import { rowRuns } from './row-runs.js';
import { layoutOf } from './values.js';

const NULL = 0xfb;
/** No length begins with it. */
const BROKEN_LENGTH = 0xff;
const BROKEN = 'The target sent a row that is none.';

export interface RowOptions {
  readonly columns: readonly MySqlColumn[];
  /** One for each column, of its text; undefined where values pass as they are. */
  readonly masks: readonly (RowMask | undefined)[];
  readonly format: 'text' | 'binary';
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the answer, where budgets count what is shown. */
  readonly meter?: AnswerMeter | undefined;
}

/** The editor of rows; undefined where no column has a mask. */
export function rowEditor(options: RowOptions): RowEditor | undefined {
  const { columns, masks, format, count, meter } = options;
  const places = masks.flatMap((mask, at) => (mask ? [at] : []));
  if (places.length === 0) return undefined;
  const cells = new Cells(columns, masks);
  const mask = format === 'text' ? textRow(columns.length, cells) : binaryRow(columns, cells);
  return {
    nullable: new Set(places.filter((at) => masks[at]?.cell.passes !== true)),
    rewrite: (bytes, start, end, into) => {
      // Of rows that did not come to their end.
      takeDisclosed();
      cells.begin();
      const isRewritten = mask(bytes, start, end, into);
      cells.end();
      if (cells.masked > 0) count(cells.masked);
      disclosed(takeDisclosed(), meter);
      return isRewritten;
    },
    runs: format === 'text' ? runsOf(masks, cells, count) : undefined,
    get unreadable() {
      return cells.unreadable;
    },
  };
}

export interface RowEditor extends Pick<PacketEditor, 'nullable' | 'rewrite' | 'runs'> {
  /** Some values were of no form that their mask reads, or it has none for their type, and became NULL. */
  readonly unreadable: boolean;
}

type RewriteRow = PacketEditor['rewrite'];

/** Undefined where a mask has to be asked for its values, or has something in place of NULL. */
function runsOf(
  masks: readonly (RowMask | undefined)[],
  cells: Cells,
  count: RowOptions['count'],
): RowRuns | undefined {
  const always = masks.map((_, index) => cells.always(index));
  if (masks.some((mask, index) => mask && (!always[index] || mask.cell.replacesNull))) return undefined;
  const rewrite = rowRuns(always.map((value) => value && counted(value)));
  return (...where) => {
    const run = rewrite(...where);
    if (run.masked > 0) count(run.masked);
    return run;
  };
}

function textRow(columns: number, cells: Cells): RewriteRow {
  return (bytes, start, end, into) => {
    let at = start;
    let kept = start;
    for (let index = 0; index < columns; index++) {
      const first = at < end ? (bytes[at] as number) : BROKEN_LENGTH;
      const to = first < NULL ? at + 1 + first : longEnd(bytes, at, end);
      if (to > end) throw new Unmasked(BROKEN);
      if (cells.has(index)) {
        const made =
          first === NULL ? cells.inPlaceOfNull(index) : cells.text(index, bytes, startOf(bytes, at, end), to);
        if (made !== undefined) {
          into.keep(bytes, kept, at);
          if (made === null) into.putByte(NULL);
          else putCounted(into, made);
          kept = to;
        }
      }
      at = to;
    }
    if (at !== end) throw new Unmasked(BROKEN);
    if (kept === start) return false;
    into.keep(bytes, kept, end);
    return true;
  };
}

/** Where a value of a text row ends that is NULL, or has its length in more than one byte. */
function longEnd(bytes: Buffer, at: number, end: number): number {
  return bytes[at] === NULL && at < end ? at + 1 : endOf(bytes, at, startOf(bytes, at, end), end);
}

/** A header of one byte, a bitmap of NULLs that begins with two bits that are not used, and the values of the others. */
function binaryRow(columns: readonly MySqlColumn[], cells: Cells): RewriteRow {
  const size = 1 + Math.floor((columns.length + 9) / 8);
  const layouts = columns.map(layoutOf);
  return (bytes, start, end, into) => {
    const bitmap = start + size;
    if (bitmap > end || bytes[start] !== 0) throw new Unmasked(BROKEN);
    let isRewritten = false;
    let at = bitmap;
    let kept = start;
    for (let index = 0; index < columns.length; index++) {
      const bit = index + 2;
      const place = 1 + (bit >> 3);
      const flag = 1 << (bit & 7);
      const layout = layouts[index];
      const isCounted = typeof layout !== 'number';
      if (((bytes[start + place] as number) & flag) !== 0) {
        const value = cells.has(index) ? cells.binaryInPlaceOfNull(index) : undefined;
        if (!value) continue;
        into.keep(bytes, kept, at);
        isRewritten = true;
        bytes[start + place] = (bytes[start + place] as number) & ~flag;
        into.patch(place, bytes[start + place] as number);
        if (isCounted) putCounted(into, value);
        else into.put(value);
        kept = at;
        continue;
      }
      const from = valueStart(bytes, at, layout, end);
      const to = isCounted ? endOf(bytes, at, from, end) : from + layout;
      if (to > end) throw new Unmasked(BROKEN);
      const made = cells.has(index) ? cells.binary(index, bytes, from, to) : undefined;
      if (made !== undefined) {
        into.keep(bytes, kept, at);
        isRewritten = true;
        if (made === null) {
          bytes[start + place] = (bytes[start + place] as number) | flag;
          into.patch(place, bytes[start + place] as number);
        } else if (isCounted) putCounted(into, made);
        else into.put(made);
        kept = to;
      }
      at = to;
    }
    if (at !== end) throw new Unmasked(BROKEN);
    if (isRewritten) into.keep(bytes, kept, end);
    return isRewritten;
  };
}

const valueStart = (
  bytes: Buffer,
  at: number,
  layout: ReturnType<typeof layoutOf> | undefined,
  end: number,
): number => {
  if (typeof layout === 'number') return at;
  return layout === 'short' ? at + 1 : startOf(bytes, at, end);
};

/** Where a value begins whose length stands at `at`, in a row that ends at `end`. */
function startOf(bytes: Buffer, at: number, end: number): number {
  const first = at < end ? (bytes[at] as number) : BROKEN_LENGTH;
  if (first < NULL) return at + 1;
  if (first === NULL || first === BROKEN_LENGTH) throw new Unmasked(BROKEN);
  return at + 1 + (SIZES[first - 0xfc] as number);
}

/** Bytes of a length behind 0xfc, 0xfd and 0xfe. */
const SIZES = [2, 3, 8];

function endOf(bytes: Buffer, at: number, start: number, end: number): number {
  if (start > end) throw new Unmasked(BROKEN);
  const to = start + (start === at + 1 ? (bytes[at] as number) : lengthAt(bytes, at, start - at - 1));
  if (to > end) throw new Unmasked(BROKEN);
  return to;
}

const lengthAt = (bytes: Buffer, at: number, size: number): number =>
  size === 8 ? Number(bytes.readBigUInt64LE(at + 1)) : bytes.readUIntLE(at + 1, size);

/** A value with its length in front. */
function putCounted(into: RewrittenRow, value: Buffer): void {
  if (value.length < NULL) into.putByte(value.length);
  else into.put(lengthOf(value.length));
  into.put(value);
}

function lengthOf(length: number): Buffer {
  const size = SIZES.find((bytes) => length < 2 ** (8 * bytes)) as number;
  const head = Buffer.alloc(1 + size);
  head[0] = 0xfc + SIZES.indexOf(size);
  if (size === 8) head.writeBigUInt64LE(BigInt(length), 1);
  else head.writeUIntLE(length, 1, size);
  return head;
}

/** A value with its length in front, in memory of its own. */
export const counted = (value: Buffer): Buffer =>
  Buffer.concat([value.length < NULL ? Buffer.from([value.length]) : lengthOf(value.length), value]);
