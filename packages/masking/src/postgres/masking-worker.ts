import { parentPort } from 'node:worker_threads';
import { cellMaskOf } from './column-mask.js';
import { LargeRows } from './large-rows.js';
import { unreadableValues } from './mask.js';
import { type MaskingJob, type MaskingResult, owned } from './masking-thread.js';
import { RowMask } from './rows.js';
import { Unmaskable } from './unmaskable.js';

/** What rows take was admitted where they were put together. */
const ADMITTED = new LargeRows({ row: Infinity, together: Infinity });

/** The thread of `masking-thread.ts`: whole rows in, the same masked out. */
parentPort?.on('message', (job: MaskingJob) => {
  const result = masked(job);
  const memory = result.type === 'masked' && owned(result.rows) ? [result.rows.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(result, memory);
});

function masked({ id, columns, limit, rows }: MaskingJob): MaskingResult {
  try {
    const before = unreadableValues();
    const mask = new RowMask(columns.map(cellMaskOf), { limit, owned: true, large: ADMITTED });
    const made = mask.rewrite(Buffer.from(rows.buffer, rows.byteOffset, rows.length), 0, rows.length);
    return { id, type: 'masked', rows: made, cells: mask.masked, unreadable: unreadableValues() > before };
  } catch (error) {
    if (!(error instanceof Unmaskable)) throw error;
    return { id, type: 'refused', code: error.code, message: error.message };
  }
}
