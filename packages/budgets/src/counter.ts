/** One counter of `Counts`: amounts by the slot of time in which they were counted, and their sum. Does not: keep, or know what time it is. */
export class Counter {
  readonly owner: string;
  readonly what: string;
  /** By the minute since 1970 that a slot begins with. Changed by `Counts` alone. */
  readonly slots = new Map<number, number>();
  /** What is on disk already of each slot, which may be more. */
  readonly #noted = new Map<number, number>();
  /** Minutes of a slot. */
  width = 60;
  /** Its slots are of the time that nobody sets. */
  isSteady = false;
  /** It is not counted any more: there is another one, or will be. */
  isGone = false;
  /** The sum that was last asked for, and from when on. */
  #since = Number.NaN;
  #sum = 0;

  constructor(owner: string, what: string) {
    this.owner = owner;
    this.what = what;
  }

  get(slot: number): number {
    return this.slots.get(slot) ?? 0;
  }

  set(slot: number, amount: number): void {
    if (slot >= this.#since) this.#sum += amount - this.get(slot);
    this.slots.set(slot, amount);
  }

  noted(slot: number): number {
    return this.#noted.get(slot) ?? 0;
  }

  note(slot: number, amount: number): void {
    this.#noted.set(slot, amount);
  }

  /** Of the slots that begin with this minute or later. */
  sum(since: number): number {
    if (since === this.#since) return this.#sum;
    let sum = 0;
    for (const [slot, amount] of this.slots) if (slot >= since) sum += amount;
    this.#since = since;
    this.#sum = sum;
    return sum;
  }

  forget(isOld: (slot: number) => boolean): void {
    for (const slot of this.slots.keys()) {
      if (!isOld(slot)) continue;
      this.slots.delete(slot);
      this.#noted.delete(slot);
    }
    this.#since = Number.NaN;
  }
}
