/** What a gateway takes of memory when it does nothing. Owns: having its garbage collected until that brings no more. Does not: start it (setting.ts). */
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from './measure.js';

const MAX_COLLECTIONS = 12;
const PAUSE_MS = 1_000;
/** It goes on while one more collection frees so much. */
const STILL_FALLING_BYTES = 512 * 1024;

/** Resident memory in bytes of a gateway that was started with `collects`, once its garbage is gone. */
export async function atRest(pid: number): Promise<number> {
  let before = Infinity;
  for (let n = 0; n < MAX_COLLECTIONS; n++) {
    process.kill(pid, 'SIGUSR2');
    await sleep(PAUSE_MS);
    const now = memoryOf(pid);
    if (n > 1 && now > before - STILL_FALLING_BYTES) return now;
    before = now;
  }
  return before;
}
