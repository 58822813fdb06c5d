import type { Clock } from '../src/clock.js';

interface Timer {
  at: number;
  readonly every: number | undefined;
  readonly act: () => void;
}

/** Time that passes when a test says so. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: Timer[] = [];
  #turn: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, act: () => void): () => void {
    return this.#add({ at: this.#now + milliseconds, every: undefined, act });
  }

  every(milliseconds: number, act: () => void): () => void {
    return this.#add({ at: this.#now + milliseconds, every: milliseconds, act });
  }

  endOfTurn(act: () => void): void {
    this.#turn.push(act);
  }

  /** Timers that wait, but for those that come again and again. */
  get pending(): number {
    return this.#timers.filter(({ every }) => every === undefined).length;
  }

  /** The turn of the event loop is over. */
  endTurn(): void {
    for (const act of this.#turn.splice(0)) act();
  }

  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const [due] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!due) break;
      this.#now = due.at;
      if (due.every === undefined) this.#timers = this.#timers.filter((one) => one !== due);
      else due.at += due.every;
      due.act();
    }
    this.#now = end;
  }

  #add(timer: Timer): () => void {
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }
}
