/**
 * What was recorded of an answer, readable. Every part of an HTTP answer is a stream of its own, so nothing is left for this.
 * Pure.
 */
import type { Replayed } from '@sluice/contract';

export const replay = (data: Uint8Array): Replayed => ({
  columns: [],
  rows: [],
  messages: data.length === 0 ? [] : [Buffer.from(data).toString('latin1')],
  copied: [],
});
