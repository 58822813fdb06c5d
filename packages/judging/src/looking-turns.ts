/**
 * Whose long body is looked through next: one thread does that, and who has many waiting delays oneself. Does not: look (packages/http-bodies).
 */
import { Turns } from '@sluice/analysis';

const turns = new Turns(1, 1);
/** What is looked through comes to an end: nobody gives up. The longest that a timer knows, in milliseconds. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Runs `look` when it is the turn of `owner`. Rejects as `look` does. */
export async function inTurn<T>(owner: string, look: () => Promise<T>): Promise<T> {
  const over = await turns.take(owner, MAX_WAIT_MS);
  try {
    return await look();
  } finally {
    over?.();
  }
}
