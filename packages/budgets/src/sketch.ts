/**
 * How many different values there were, by their marks, which tell none of them: a sorted list of up to 1,024 of them, which is exact and knows
 * what it has; beyond that HyperLogLog (Flajolet et al. 2007) in 4 KiB with the estimator of Ertl (2017, arXiv 1702.01284, algorithm 6), which
 * needs no tables. Its standard error is 1.04 / sqrt(4096) = 1.6 %, and it does not know what it has. Pure. Does not: make marks (`markOf` of
 * packages/contract, packages/masking), or keep anything.
 */
import { MARK_BITS, isMark } from '@sluice/contract';

/** A register for each value of so many bits of a mark. */
const INDEX_BITS = 12;
const REGISTERS = 1 << INDEX_BITS;
/** What is left of a mark: so many zeros at the most. */
const RANK_BITS = MARK_BITS - INDEX_BITS;
const MAX_RANK = RANK_BITS + 1;
/** More of them are estimated. */
const MAX_EXACT = 1_024;
const FIRST_CAPACITY = 16;

/** 1 / (2 ln 2) */
const ALPHA = 0.5 / Math.LN2;

type Kept =
  | { readonly type: 'list'; marks: Float64Array; count: number }
  | ({ readonly type: 'registers' } & Registers);

interface Registers {
  readonly registers: Uint8Array;
  /** How many registers have each rank. */
  readonly ranks: Uint32Array;
}

export class Sketch {
  #kept: Kept = { type: 'list', marks: new Float64Array(0), count: 0 };

  /** One that was kept as `bytes`. @throws RangeError */
  static from(bytes: Uint8Array): Sketch {
    const sketch = new Sketch();
    const rest = bytes.subarray(1);
    if (bytes[0] === REGISTERS_FOLLOW && rest.length === REGISTERS && rest.every((rank) => rank <= MAX_RANK)) {
      const ranks = new Uint32Array(MAX_RANK + 1);
      for (const rank of rest) (ranks[rank] as number)++;
      sketch.#kept = { type: 'registers', registers: Uint8Array.from(rest), ranks };
      return sketch;
    }
    const marks = rest.length % 8 === 0 ? [...new Float64Array(Uint8Array.from(rest).buffer)] : [];
    if (bytes[0] !== MARKS_FOLLOW || marks.length * 8 !== rest.length || !marks.every(isMark))
      throw new RangeError('this is no sketch');
    for (const mark of marks) sketch.add(mark);
    return sketch;
  }

  /** As it is kept: a byte that says which of the two it is, and marks of 8 bytes each or registers of one. */
  get bytes(): Uint8Array {
    const kept = this.#kept;
    const rest =
      kept.type === 'registers'
        ? kept.registers
        : new Uint8Array(kept.marks.buffer, kept.marks.byteOffset, kept.count * 8);
    const bytes = new Uint8Array(1 + rest.length);
    bytes[0] = kept.type === 'registers' ? REGISTERS_FOLLOW : MARKS_FOLLOW;
    bytes.set(rest, 1);
    return bytes;
  }

  /** It knows which it has, and how many exactly. */
  get isExact(): boolean {
    return this.#kept.type === 'list';
  }

  get size(): number {
    const kept = this.#kept;
    return kept.type === 'list' ? kept.count : estimated(kept.ranks);
  }

  /** Where it is exact. */
  has(mark: number): boolean {
    const kept = this.#kept;
    return kept.type === 'list' && kept.marks[placeOf(kept.marks, kept.count, mark)] === mark;
  }

  /** Of those beyond the list most change nothing, once there are many. */
  isChangedBy(mark: number): boolean {
    const kept = this.#kept;
    if (kept.type === 'list') return !this.has(mark);
    const { index, rank } = placedBy(mark);
    return rank > (kept.registers[index] as number);
  }

  add(mark: number): void {
    const kept = this.#kept;
    if (kept.type === 'registers') return raise(kept, mark);
    const at = placeOf(kept.marks, kept.count, mark);
    if (at < kept.count && kept.marks[at] === mark) return;
    if (kept.count === MAX_EXACT) {
      const coarse = coarseOf(kept);
      raise(coarse, mark);
      this.#kept = { type: 'registers', ...coarse };
      return;
    }
    if (kept.count === kept.marks.length) {
      const larger = new Float64Array(Math.max(FIRST_CAPACITY, kept.count * 2));
      larger.set(kept.marks);
      kept.marks = larger;
    }
    kept.marks.copyWithin(at + 1, at, kept.count);
    kept.marks[at] = mark;
    kept.count++;
  }

  /** All that the other one has as well. */
  merge(other: Sketch): void {
    const from = other.#kept;
    if (from.type === 'list') {
      for (let at = 0; at < from.count; at++) this.add(from.marks[at] as number);
      return;
    }
    const { registers } = from;
    const own = this.#kept.type === 'list' ? { type: 'registers' as const, ...coarseOf(this.#kept) } : this.#kept;
    this.#kept = own;
    for (let index = 0; index < REGISTERS; index++) raiseTo(own, index, registers[index] as number);
  }

  /** What `size` would be with these. */
  sizeWith(marks: Iterable<number>): number {
    const kept = this.#kept;
    const added = new Set([...marks].filter((mark) => !this.has(mark)));
    if (kept.type === 'list' && kept.count + added.size <= MAX_EXACT) return kept.count + added.size;
    const copy = kept.type === 'list' ? coarseOf(kept) : copyOf(kept);
    for (const mark of added) raise(copy, mark);
    return estimated(copy.ranks);
  }
}

const MARKS_FOLLOW = 0;
const REGISTERS_FOLLOW = 1;

/** Where it is in a sorted list, or would be. */
function placeOf(marks: Float64Array, count: number, mark: number): number {
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((marks[middle] as number) < mark) from = middle + 1;
    else to = middle;
  }
  return from;
}

function coarseOf({ marks, count }: Extract<Kept, { type: 'list' }>): Registers {
  const ranks = new Uint32Array(MAX_RANK + 1);
  ranks[0] = REGISTERS;
  const made = { registers: new Uint8Array(REGISTERS), ranks };
  for (let at = 0; at < count; at++) raise(made, marks[at] as number);
  return made;
}

const copyOf = ({ registers, ranks }: Registers): Registers => ({
  registers: Uint8Array.from(registers),
  ranks: Uint32Array.from(ranks),
});

/** The first bits of a mark choose the register; its rank is one more than the zeros that the rest begins with. */
function placedBy(mark: number): { readonly index: number; readonly rank: number } {
  const index = Math.floor(mark / 2 ** RANK_BITS);
  const rest = mark - index * 2 ** RANK_BITS;
  return { index, rank: rest === 0 ? MAX_RANK : RANK_BITS - Math.floor(Math.log2(rest)) };
}

function raise(of: Registers, mark: number): void {
  const { index, rank } = placedBy(mark);
  raiseTo(of, index, rank);
}

function raiseTo({ registers, ranks }: Registers, index: number, rank: number): void {
  const before = registers[index] as number;
  if (rank <= before) return;
  registers[index] = rank;
  (ranks[before] as number)--;
  (ranks[rank] as number)++;
}

function estimated(ranks: Uint32Array): number {
  let z = REGISTERS * tau(1 - (ranks[MAX_RANK] as number) / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + (ranks[rank] as number));
  z += REGISTERS * sigma((ranks[0] as number) / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function sigma(of: number): number {
  if (of === 1) return Infinity;
  let x = of;
  let y = 1;
  let z = x;
  for (let before = Number.NaN; z !== before; y += y) {
    x *= x;
    before = z;
    z += x * y;
  }
  return z;
}

function tau(of: number): number {
  if (of === 0 || of === 1) return 0;
  let x = of;
  let y = 1;
  let z = 1 - x;
  for (let before = Number.NaN; z !== before; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
