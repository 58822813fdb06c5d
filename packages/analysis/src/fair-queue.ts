/** What waits, in turns by owner: who has much waiting delays oneself. Does not know what an entry is, nor run it. */

export class FairQueue<T> {
  /** By owner; who comes first in the map is next. */
  readonly #waiting = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(owner: string): number {
    return this.#waiting.get(owner)?.length ?? 0;
  }

  push(owner: string, entry: T): void {
    const own = this.#waiting.get(owner);
    if (own) own.push(entry);
    else this.#waiting.set(owner, [entry]);
    this.#size++;
  }

  /** The oldest entry of the owner whose turn it is. `may`: whose it may be; whoever may not keeps their place. */
  shift(may: (owner: string) => boolean = () => true): T | undefined {
    for (const [owner, own] of this.#waiting) {
      if (!may(owner)) continue;
      const entry = own.shift();
      this.#waiting.delete(owner);
      if (own.length > 0) this.#waiting.set(owner, own);
      this.#size--;
      return entry;
    }
    return undefined;
  }

  /** Their next turn comes behind that of all others who wait. */
  last(owner: string): void {
    const own = this.#waiting.get(owner);
    if (!own) return;
    this.#waiting.delete(owner);
    this.#waiting.set(owner, own);
  }

  /** It waits no more. False: it did not wait. */
  remove(owner: string, entry: T): boolean {
    const own = this.#waiting.get(owner);
    const at = own?.indexOf(entry) ?? -1;
    if (!own || at < 0) return false;
    own.splice(at, 1);
    if (own.length === 0) this.#waiting.delete(owner);
    this.#size--;
    return true;
  }
}
