/**
 * What is left for the end of a turn of the event loop. Owns: one place in the turn for all of it. A write that wakes a sleeping peer costs several times
 * as much as one to a peer that is awake: what a turn has to say to many leaves together. Does not: wait for anything else.
 */

let due: (() => void)[] = [];

/** Calls `act` once everything has been read that is here now. What it throws keeps nobody else from their turn. */
export function atTurnEnd(act: () => void): void {
  if (due.push(act) === 1) setImmediate(runDue);
}

function runDue(): void {
  const acts = due;
  due = [];
  for (const act of acts) {
    try {
      act();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
