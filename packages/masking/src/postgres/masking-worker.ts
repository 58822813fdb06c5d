import { parentPort } from 'node:worker_threads';
import { CopyMask } from './copy.js';
import { cellMaskOf } from './column-mask.js';
import { RowRoom } from './large-rows.js';
import { unreadableValues } from './mask.js';
import { type MaskingJob, type MaskingResult, owned } from './masking-thread.js';
import { RowMask } from './rows.js';
import { Unmaskable } from './unmaskable.js';

/** The thread of `masking-thread.ts`: whole rows in, the same masked out. */
parentPort?.on('message', (job: MaskingJob) => {
  const result = masked(job);
  const memory = result.type === 'masked' && owned(result.rows) ? [result.rows.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(result, memory);
});

function masked({ id, columns, limit, rows, copy }: MaskingJob): MaskingResult {
  try {
    const before = unreadableValues();
    const masks = columns.map(cellMaskOf);
    // Rows have been put together: what is left to bound is what masks look at.
    const room = new RowRoom(undefined, { limit });
    const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.length);
    if (copy) {
      const mask = new CopyMask(copy.format, masks, room);
      const made = mask.rewrite({ rows: split(bytes, copy.sizes), first: copy.first });
      return { id, type: 'masked', rows: made, cells: mask.masked, unreadable: unreadableValues() > before };
    }
    const mask = new RowMask(masks, { owned: true, room });
    const made = mask.rewrite(bytes, 0, bytes.length);
    return { id, type: 'masked', rows: made, cells: mask.masked, unreadable: unreadableValues() > before };
  } catch (error) {
    if (!(error instanceof Unmaskable)) throw error;
    return { id, type: 'refused', code: error.code, message: error.message };
  }
}

function split(bytes: Buffer, sizes: Uint32Array): Buffer[] {
  let at = 0;
  return Array.from(sizes, (size) => bytes.subarray(at, (at += size)));
}
