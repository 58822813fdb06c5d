/** Which relation comes with which, from either end. Does not know what the pairs stand for (`guards.ts`). Pure. */

export type Pair = readonly [from: number, to: number];
type Ends = ReadonlyMap<number, readonly number[]>;

const NONE: readonly number[] = [];

/** Pairs of pg_class.oid. Adding some makes another one, which shares what was there. */
export class Edges {
  readonly #all: Half;
  /** What has come since. */
  readonly #recent: Half;

  private constructor(all: Half, recent: Half) {
    this.#all = all;
    this.#recent = recent;
  }

  static of(pairs: readonly Pair[]): Edges {
    return new Edges(halfOf(pairs), NO_PAIRS);
  }

  with(pairs: readonly Pair[]): Edges {
    const added = pairs.filter(([from, to]) => !this.from(from).includes(to));
    return added.length === 0 ? this : new Edges(this.#all, halfOf([...this.#recent.pairs, ...added]));
  }

  get pairs(): readonly Pair[] {
    return [...this.#all.pairs, ...this.#recent.pairs];
  }

  from(oid: number): readonly number[] {
    return both(this.#all.forward.get(oid), this.#recent.forward.get(oid));
  }

  to(oid: number): readonly number[] {
    return both(this.#all.back.get(oid), this.#recent.back.get(oid));
  }
}

interface Half {
  readonly pairs: readonly Pair[];
  readonly forward: Ends;
  readonly back: Ends;
}

function halfOf(pairs: readonly Pair[]): Half {
  const [forward, back] = [new Map<number, number[]>(), new Map<number, number[]>()];
  for (const [from, to] of pairs) {
    add(forward, from, to);
    add(back, to, from);
  }
  return { pairs, forward, back };
}

const NO_PAIRS = halfOf([]);

function add(ends: Map<number, number[]>, oid: number, other: number): void {
  const list = ends.get(oid);
  if (list) list.push(other);
  else ends.set(oid, [other]);
}

const both = (before: readonly number[] = NONE, since: readonly number[] = NONE): readonly number[] =>
  since.length === 0 ? before : [...before, ...since];
