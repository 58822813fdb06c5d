/**
 * The thread of `masking-thread.ts`: whole rows in, the same masked out. One job after the other, in the order in which they
 * came. Does not: choose what is masked here (result-masks.ts).
 */
import { parentPort } from 'node:worker_threads';
import { type RowFraming, Unmasked } from '@sluice/contract';
import { type MaskMaker, type MaskingJob, type MaskingResult, owned } from './masking-thread.js';
import { takeDisclosed } from './disclosed.js';
import { unreadableValues } from './unreadable.js';

let last = Promise.resolve();
parentPort?.on('message', (job: MaskingJob) => {
  last = last.then(async () => answer(await masked(job)));
});

function answer(result: MaskingResult): void {
  const memory = result.type === 'masked' && owned(result.rows) ? [result.rows.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(result, memory);
}

/** Rejects, which ends the thread, where something else is wrong than the rows. */
async function masked({ id, columns, maker, framing, shape, rows }: MaskingJob): Promise<MaskingResult> {
  const { cellMaskOf } = (await import(maker)) as MaskMaker;
  const { maskRows } = (await import(framing)) as RowFraming;
  const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.length);
  try {
    takeDisclosed();
    const before = unreadableValues();
    const made = maskRows(
      columns.map((column) => cellMaskOf(column)),
      bytes,
      shape,
    );
    return { id, type: 'masked', ...made, unreadable: unreadableValues() > before, disclosed: takeDisclosed() };
  } catch (error) {
    if (!(error instanceof Unmasked)) throw error;
    return { id, type: 'refused', message: error.message };
  }
}
