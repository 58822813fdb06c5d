/** The end of the gateway's parts. Owns: that none of them keeps the others, and whoever stopped the gateway, waiting for ever. */
import { setTimeout as sleep } from 'node:timers/promises';

/** How long one part may take to end, in milliseconds. */
const MAX_ENDING_MS = 10_000;

/**
 * Waits for a part to end, and says so where it does not: the others end all the same.
 *
 * @param tell given what went wrong, in words
 * @param most milliseconds
 */
export async function ended(
  work: Promise<unknown> | undefined,
  tell: (problem: string) => void,
  most = MAX_ENDING_MS,
): Promise<void> {
  const over = Promise.resolve(work).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const late = sleep(most, `it has not ended within ${most / 1000} s`, { ref: false });
  const problem = await Promise.race([over, late]);
  if (problem !== undefined) tell(problem);
}
