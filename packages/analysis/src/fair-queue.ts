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

  /** The oldest entry of the owner whose turn it is. */
  shift(): T | undefined {
    const [next] = this.#waiting;
    if (!next) return undefined;
    const [owner, own] = next;
    const entry = own.shift();
    this.#waiting.delete(owner);
    if (own.length > 0) this.#waiting.set(owner, own);
    this.#size--;
    return entry;
  }
}
