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
      throwLater(error);
    }
  }
}

/** What waits for whatever has come together to be read, and not for the end of the turn. */
export interface Gathering {
  /** Nothing more of it has come together. */
  gathered(): void;
}

let gathering: Gathering[] = [];
const NOW = Promise.resolve();

/** Calls `one.gathered()` once what is read now has been read. As `atTurnEnd`, but before anything else is. */
export function gathers(one: Gathering): void {
  // Not queueMicrotask, which makes an object of async_hooks for each.
  if (gathering.push(one) === 1) void NOW.then(runGathering);
}

function runGathering(): void {
  const all = gathering;
  gathering = [];
  for (const one of all) {
    try {
      one.gathered();
    } catch (error) {
      throwLater(error);
    }
  }
}

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
