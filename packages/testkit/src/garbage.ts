/** The garbage collector, for tests that measure what is kept. What is measured, they know themselves. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Frees all that nothing holds, the memory behind array buffers too.
 *
 * V8 frees array buffers in another thread after a collection has found them dead, and the next collection waits for
 * that thread. After one alone, `process.memoryUsage().arrayBuffers` may still count what is gone.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
}
