/** Counts values that no mask could read. Owns the number, of this thread. Does not own what stands in place of such a value elsewhere. */

let unreadable = 0;

/**
 * Grows with each value of this thread that is of no form that its mask reads, and becomes NULL; twice where a row is begun
 * twice. Ask before and after a call: masks wait for nothing.
 */
export const unreadableValues = (): number => unreadable;

/** In place of such a value. */
export function unread(): null {
  unreadable++;
  return null;
}
