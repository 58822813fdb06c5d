/**
 * A thread that masks rows with much to look at, so that the thread of the sessions has time for others meanwhile. Owns the
 * thread and what is asked of it. Does not own what is small enough to be masked at once, nor who waits for the answer.
 */
import { Worker } from 'node:worker_threads';
import type { ColumnMask } from './column-mask.js';
import type { CopyFormat } from './copy-format.js';
import { Unmaskable } from './unmaskable.js';

/** Whole rows, and how to mask them: DataRow messages, or where `copy` says so rows of COPY data. */
export interface MaskingJob {
  readonly id: number;
  readonly columns: readonly (ColumnMask | undefined)[];
  /** The most bytes that masks may look at in one row. */
  readonly limit: number;
  readonly rows: Uint8Array;
  readonly copy?: CopyJob;
}

export interface CopyJob {
  readonly format: CopyFormat;
  /** Of each row, in bytes. */
  readonly sizes: Uint32Array;
  /** The first of them is the first of the stream. */
  readonly first: boolean;
}

export type MaskingResult = { readonly id: number } & (
  | { readonly type: 'masked'; readonly rows: Uint8Array; readonly cells: number; readonly unreadable: boolean }
  | { readonly type: 'refused'; readonly code: Unmaskable['code']; readonly message: string }
);

export interface MaskedRows {
  readonly rows: Buffer;
  /** How many cells were given another value. */
  readonly cells: number;
  /** Some values were of no form that their mask reads, and became NULL. */
  readonly unreadable: boolean;
}

interface Waiting {
  resolve(made: MaskedRows): void;
  reject(why: Unmaskable): void;
}

let thread: Worker | undefined;
const waiting = new Map<number, Waiting>();
let serial = 0;

/**
 * Masks whole rows in the other thread, in the order of the calls.
 *
 * @param rows memory that nobody else uses: it is gone afterwards
 * @throws Unmaskable as `RowMask` and `CopyMask` do, and when the thread fails
 */
export function maskInThread(job: Omit<MaskingJob, 'id' | 'rows'>, rows: Buffer): Promise<MaskedRows> {
  const { promise, resolve, reject } = Promise.withResolvers<MaskedRows>();
  const id = ++serial;
  waiting.set(id, { resolve, reject });
  thread ??= start();
  thread.postMessage({ ...job, id, rows } satisfies MaskingJob, owned(rows) ? [rows.buffer as ArrayBuffer] : []);
  return promise;
}

/** The memory holds nothing but these bytes and what nobody needs, so that it may change hands. */
export const owned = ({ buffer, length }: Uint8Array): boolean =>
  buffer instanceof ArrayBuffer && length * 2 > buffer.byteLength && length > MAX_POOLED_BYTES;

/** Node hands out small buffers as parts of one that they share. */
const MAX_POOLED_BYTES = 64 * 1024;

function start(): Worker {
  const started = new Worker(new URL('./masking-worker.js', import.meta.url));
  started.unref();
  started.on('message', (result: MaskingResult) => {
    const asked = waiting.get(result.id);
    waiting.delete(result.id);
    if (result.type === 'refused') return asked?.reject(new Unmaskable(result.code, result.message));
    const { rows, cells, unreadable } = result;
    const { buffer, byteOffset, length } = rows;
    asked?.resolve({ rows: Buffer.from(buffer, byteOffset, length), cells, unreadable });
  });
  // Which of the rows it failed on is not known. The next ones get another thread.
  const failed = (): void => {
    if (thread !== started) return;
    thread = undefined;
    for (const { reject } of waiting.values()) reject(new Unmaskable('ROW_TOO_LONG', FAILED));
    waiting.clear();
  };
  started.on('error', failed);
  started.on('exit', failed);
  return started;
}

const FAILED = 'the thread that masks long rows has failed; try again, with fewer bytes in a row if it fails once more';
