/**
 * Memory that many take at once, each for somebody. Owns: that nobody takes more of it than is left for others, so that a few together never have all
 * of it, and that all together have no more than there is. Does not: keep bytes.
 */

export interface RoomBounds {
  /** Bytes of one at most, and of all. One has never more than is free besides, so whoever comes later finds some. */
  readonly ofOne: number;
  readonly all: number;
}

export class Room {
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** Whether there is room for so many more. */
  fits(who: string, bytes: number, { ofOne, all }: RoomBounds): boolean {
    const wanted = (this.#taken.get(who) ?? 0) + bytes;
    return wanted <= ofOne && wanted <= all - this.#all - bytes;
  }

  /** Counts them in any case. @returns whether there was room for them */
  take(who: string, bytes: number, bounds: RoomBounds): boolean {
    const fits = this.fits(who, bytes, bounds);
    this.#taken.set(who, (this.#taken.get(who) ?? 0) + bytes);
    this.#all += bytes;
    return fits;
  }

  give(who: string, bytes: number): void {
    this.#all -= bytes;
    const left = (this.#taken.get(who) ?? 0) - bytes;
    if (left > 0) this.#taken.set(who, left);
    else this.#taken.delete(who);
  }
}
