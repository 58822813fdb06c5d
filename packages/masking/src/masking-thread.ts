/**
 * A thread that masks rows with much to look at, so that the thread of the sessions has time for others meanwhile. Owns the
 * thread and what is asked of it. Does not own how rows are framed, what is small enough to be masked at once, nor who waits
 * for the answer.
 */
import { Worker } from 'node:worker_threads';
import { type CellMask, type Disclosed, type MaskedRows, Unmasked } from '@sluice/contract';

/** Whole rows, and how to mask them. */
export interface MaskingJob {
  readonly id: number;
  /** For each column what `maker`, the address of a module that is a `MaskMaker`, makes its mask of. */
  readonly columns: readonly unknown[];
  readonly maker: string;
  /** Address of the module that frames the rows (`RowFraming`), and what it needs to know. */
  readonly framing: string;
  readonly shape: unknown;
  readonly rows: Uint8Array;
}

/** What a module exports that makes masks of data. */
export interface MaskMaker {
  cellMaskOf(column: unknown): CellMask | undefined;
}

export type MaskingResult = { readonly id: number } & (
  | {
      readonly type: 'masked';
      readonly rows: Uint8Array;
      readonly masked: number;
      readonly unreadable: boolean;
      readonly disclosed: Disclosed | undefined;
    }
  | { readonly type: 'refused'; readonly message: string }
);

export interface MaskedElsewhere extends MaskedRows {
  /** Some values were of no form that their mask reads, and became NULL. */
  readonly unreadable: boolean;
  /** What passes and is counted. */
  readonly disclosed: Disclosed | undefined;
}

interface WaitingRows {
  resolve(made: MaskedElsewhere): void;
  reject(why: Unmasked): void;
}

let thread: Worker | undefined;
const waiting = new Map<number, WaitingRows>();
let serial = 0;

/**
 * Masks whole rows in the other thread, in the order of the calls.
 *
 * @param rows memory that nobody else uses: it is gone afterwards
 * @throws Unmasked as the framing does, and when the thread fails
 */
export function maskInThread(job: Omit<MaskingJob, 'id' | 'rows'>, rows: Buffer): Promise<MaskedElsewhere> {
  const { promise, resolve, reject } = Promise.withResolvers<MaskedElsewhere>();
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
    if (result.type === 'refused') return asked?.reject(new Unmasked(result.message));
    const { rows, masked, unreadable, disclosed } = result;
    const { buffer, byteOffset, length } = rows;
    asked?.resolve({ rows: Buffer.from(buffer, byteOffset, length), masked, unreadable, disclosed });
  });
  // Which of the rows it failed on is not known. The next ones get another thread.
  const failed = (): void => {
    if (thread !== started) return;
    thread = undefined;
    for (const { reject } of waiting.values()) reject(Unmasked.because(FAILED));
    waiting.clear();
  };
  started.on('error', failed);
  started.on('exit', failed);
  return started;
}

const FAILED = 'the thread that masks long rows has failed; try again, with fewer bytes in a row if it fails once more';
