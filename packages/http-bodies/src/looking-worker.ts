/** The thread of `looking-thread.ts`: one body after the other, in the order in which they came. Does not: decide anything. */
import { parentPort } from 'node:worker_threads';
import { BodyUnreadable } from '@sluice/http-requests';
import { BodyUnmasked } from './fault.js';
import { foundIn } from './found.js';
import { HttpMasks } from './http-masks.js';
import type { Look, LookingJob, LookingResult } from './looking-thread.js';
import { hasMask } from './marks.js';

parentPort?.on('message', ({ id, look }: LookingJob) => {
  parentPort?.postMessage(resultOf(id, look));
});

function resultOf(id: number, look: Look): LookingResult {
  try {
    return { id, type: 'made', value: made(look) };
  } catch (error) {
    if (error instanceof BodyUnreadable) return { id, type: 'unreadable', why: error.message };
    if (error instanceof BodyUnmasked) return { id, type: 'unmasked', why: error.why };
    return { id, type: 'failed', why: String(error) };
  }
}

function made(look: Look): Extract<LookingResult, { type: 'made' }>['value'] {
  const { media, bytes } = look.body;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (look.type) {
    case 'found':
      return foundIn({ type: 'whole', media, bytes: body }, look.query);
    case 'has-mask':
      return hasMask(body);
    default:
      return HttpMasks.of(look.rules, look.options)?.request(media, body);
  }
}
