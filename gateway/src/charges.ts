/** What commands of one session have taken from budgets while they are at work. Does not: count (packages/budgets). */
import type { Taken } from '@sluice/judging';

/** Commands that have taken from budgets and are not over. */
const MAX_CHARGES = 1_000;

export class Charges {
  readonly #taken = new Map<number, Taken>();
  #isClosed = false;

  /** What is bound and never executed has no end: the oldest of many are over. */
  add(command: number, taken: Taken): void {
    // Its client has hung up meanwhile, and nobody would say that it is over.
    if (this.#isClosed) return taken.undo();
    this.#taken.set(command, taken);
    if (this.#taken.size <= MAX_CHARGES) return;
    const [oldest] = this.#taken.keys();
    if (oldest !== undefined) this.settle(oldest);
  }

  /** A command is over: what it took counts. */
  settle(command: number): void {
    if (this.#taken.size === 0) return;
    this.#taken.get(command)?.end();
    this.#taken.delete(command);
  }

  /** The session is over. */
  close(): void {
    this.#isClosed = true;
    for (const taken of this.#taken.values()) taken.end();
  }
}
