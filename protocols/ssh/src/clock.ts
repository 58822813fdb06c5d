/** Time as this package sees it: handed in, so that a test decides when it passes. Does not: tell dates. */

export interface Clock {
  /** Milliseconds since a moment that never changes. */
  now(): number;
  /** Calls `act` once, after so many milliseconds. What it returns cancels that. */
  after(milliseconds: number, act: () => void): () => void;
  /** Calls `act` again and again, with so many milliseconds between. What it returns ends that. */
  every(milliseconds: number, act: () => void): () => void;
  /** Calls `act` once, when all that has arrived in this turn of the event loop has been dealt with. */
  endOfTurn(act: () => void): void;
}

/** The time of this machine. Nothing that waits here keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds).unref();
    return () => clearTimeout(timer);
  },
  every: (milliseconds, act) => {
    const timer = setInterval(act, milliseconds).unref();
    return () => clearInterval(timer);
  },
  endOfTurn: (act) => void setImmediate(act),
};
