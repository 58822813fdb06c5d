/** So many things at a time, and so many of one owner: whoever comes later waits, and owners take turns. Does not know what is done in a turn. */
import { FairQueue } from './fair-queue.js';

export class Turns {
  readonly #atOnce: number;
  readonly #ofOne: number;
  readonly #waiting = new FairQueue<Waiting>();
  /** Turns of each owner that are not over. */
  readonly #running = new Map<string, number>();
  #all = 0;

  constructor(atOnce: number, ofOne: number) {
    this.#atOnce = atOnce;
    this.#ofOne = ofOne;
  }

  /** Waits so long, in milliseconds. Resolves to what has to be called when the turn is over; undefined: it has not come. */
  take(owner: string, mostMs: number): Promise<(() => void) | undefined> {
    const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>();
    const waiting = {
      owner,
      begin: () => {
        clearTimeout(timer);
        resolve(() => this.#over(waiting));
      },
      isOver: false,
    };
    const timer = setTimeout(() => {
      if (this.#waiting.remove(owner, waiting)) resolve(undefined);
    }, mostMs);
    this.#waiting.push(owner, waiting);
    this.#next();
    return promise;
  }

  #next(): void {
    while (this.#all < this.#atOnce) {
      const next = this.#waiting.shift((owner) => this.#ofOwner(owner) < this.#ofOne);
      if (!next) return;
      this.#all++;
      this.#running.set(next.owner, this.#ofOwner(next.owner) + 1);
      next.begin();
    }
  }

  #ofOwner(owner: string): number {
    return this.#running.get(owner) ?? 0;
  }

  #over(turn: Waiting): void {
    if (turn.isOver) return;
    turn.isOver = true;
    this.#all--;
    const left = this.#ofOwner(turn.owner) - 1;
    if (left > 0) this.#running.set(turn.owner, left);
    else this.#running.delete(turn.owner);
    // Others have waited while this one had a turn.
    this.#waiting.last(turn.owner);
    this.#next();
  }
}

interface Waiting {
  readonly owner: string;
  begin(): void;
  isOver: boolean;
}
