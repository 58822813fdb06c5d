/**
 * Which sketches there are, by whom they are of, of what, and by slot of time: the only owner of them in the process. What is added is noted
 * before it is shown, and the store follows within a second. Does not: decide (spent.ts), estimate (sketch.ts).
 */
import { isMark } from '@sluice/contract';
import type { CountRecord, SketchKey, SketchRecord } from '@sluice/store';
import { Sketch } from './sketch.js';

/** What `Sketches` keeps its own in, over restarts. */
export interface KeptSketches {
  all(): Promise<readonly SketchRecord[]>;
  save(records: readonly SketchRecord[]): Promise<void>;
  drop(records: readonly SketchKey[]): Promise<void>;
  purge(slot: number): Promise<void>;
}

/** Marks as they are added: `hour` is the minute of the slot and `amount` the mark. See `CountNotes` of packages/store. */
export interface NotedMarks {
  left(): readonly CountRecord[];
  addAll(records: readonly CountRecord[]): boolean;
  saving(): () => void;
  close(): void;
}

const SAVE_MS = 1_000;
/** A day of 25 hours, the slot that is only partly within, and what clocks differ by. Minutes. */
const KEPT_MINUTES = 27 * 60;
/** What clocks differ by: so long a slot is kept that no time counts any more which it is asked about. Minutes. */
const SPARE_MINUTES = 2 * 60;
/** Slots of all, 8 KiB each at the most, and of one: whoever has many takes no place of anybody else. */
const MAX_SLOTS = 16_000;
const MAX_SLOTS_OF_ONE = 1_000;

/** What somebody was shown of something. */
export interface Shown {
  readonly owner: string;
  readonly what: string;
  /** By the minute since 1970 that a slot begins with. Changed by `Sketches` alone. */
  readonly slots: Map<number, Sketch>;
  /** All slots from one on, as it was last asked for. */
  union?: { readonly since: number; readonly sketch: Sketch } | undefined;
}

export class Sketches {
  readonly #store: KeptSketches;
  readonly #notes: NotedMarks;
  readonly #onProblem: (problem: Error) => void;
  readonly #minute: () => number;
  readonly #shown = new Map<string, Shown>();
  readonly #owned = new Map<string, number>();
  #slots = 0;
  /** The store does not have them as they are. */
  #unsaved = new Map<Shown, Set<number>>();
  /** The store still has them. */
  #dropped: SketchKey[] = [];
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false;
  #cannotNote = false;
  /** The hour in which it was last looked for what is to be forgotten. */
  #looked = Number.NaN;
  readonly #timer: NodeJS.Timeout;

  private constructor(
    store: KeptSketches,
    notes: NotedMarks,
    onProblem: (problem: Error) => void,
    minute: () => number,
  ) {
    this.#store = store;
    this.#notes = notes;
    this.#onProblem = onProblem;
    this.#minute = minute;
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /** With all that was kept and noted. `minute`: since 1970, by a clock that nobody sets. Rejects when the store cannot be read. */
  static async open(
    store: KeptSketches,
    notes: NotedMarks,
    onProblem: (problem: Error) => void,
    minute: () => number,
  ): Promise<Sketches> {
    const sketches = new Sketches(store, notes, onProblem, minute);
    // Where there are more than there is room for, the newest count.
    for (const { owner, what, slot, sketch } of (await store.all()).toSorted((a, b) => b.slot - a.slot))
      sketches.#slotOf(sketches.of(owner, what), slot)?.merge(Sketch.from(sketch));
    for (const { owner, what, hour: slot, amount: mark } of notes.left()) {
      if (!isMark(mark)) continue;
      const shown = sketches.of(owner, what);
      sketches.#slotOf(shown, slot)?.add(mark);
      sketches.#mark(shown, slot);
    }
    sketches.#forget();
    return sketches;
  }

  all(): Iterable<Shown> {
    return this.#shown.values();
  }

  of(owner: string, what: string): Shown {
    const key = `${owner}\0${what}`;
    const known = this.#shown.get(key);
    if (known) return known;
    const shown: Shown = { owner, what, slots: new Map() };
    // What has no slot takes no place.
    return shown;
  }

  /** The slots that begin with this minute or later, together. */
  union(shown: Shown, since: number): Sketch {
    const known = this.of(shown.owner, shown.what);
    if (known.union?.since === since) return known.union.sketch;
    const sketch = new Sketch();
    for (const [slot, one] of known.slots) if (slot >= since) sketch.merge(one);
    known.union = { since, sketch };
    return sketch;
  }

  /**
   * Adds what is about to be shown, which is on disk before this returns. False: it cannot be, and nothing is added.
   *
   * @param since the first slot that counts: those long before it are forgotten
   */
  add({ owner, what }: Shown, marks: Iterable<number>, slot: number, since: number): boolean {
    this.#forget();
    const shown = this.of(owner, what);
    const known = shown.slots.get(slot);
    // What changes nothing is not noted: all that is shown of a large table would fill the notes, which everybody shares.
    const added = [...marks].filter((mark) => known?.isChangedBy(mark) ?? true);
    if (added.length === 0) return true;
    if (!known) for (const old of shown.slots.keys()) if (old < since - SPARE_MINUTES) this.#drop(shown, old);
    const sketch = this.#slotOf(shown, slot);
    if (!sketch || !this.#note(added.map((amount) => ({ owner, what, hour: slot, amount })))) return false;
    for (const mark of added) {
      sketch.add(mark);
      if (shown.union && slot >= shown.union.since) shown.union.sketch.add(mark);
    }
    this.#mark(shown, slot);
    return true;
  }

  #note(records: readonly CountRecord[]): boolean {
    const isNoted = this.#notes.addAll(records);
    if (!isNoted && !this.#cannotNote) this.#onProblem(new Error('what is about to be shown cannot be written'));
    this.#cannotNote = !isNoted;
    return isNoted;
  }

  /** Nothing of it has been shown. */
  reset({ owner, what }: Shown): void {
    const shown = this.of(owner, what);
    shown.union = undefined;
    for (const slot of shown.slots.keys()) {
      shown.slots.set(slot, new Sketch());
      this.#mark(shown, slot);
    }
  }

  #mark(shown: Shown, slot: number): void {
    let slots = this.#unsaved.get(shown);
    if (!slots) this.#unsaved.set(shown, (slots = new Set()));
    slots.add(slot);
  }

  #slotOf(shown: Shown, slot: number): Sketch | undefined {
    const known = shown.slots.get(slot);
    if (known) return known;
    const owned = this.#owned.get(shown.owner) ?? 0;
    if (this.#slots >= MAX_SLOTS || owned >= MAX_SLOTS_OF_ONE) return undefined;
    const sketch = new Sketch();
    shown.slots.set(slot, sketch);
    const { owner, what } = shown;
    this.#dropped = this.#dropped.filter((one) => one.owner !== owner || one.what !== what || one.slot !== slot);
    this.#shown.set(`${shown.owner}\0${shown.what}`, shown);
    this.#owned.set(shown.owner, owned + 1);
    this.#slots++;
    return sketch;
  }

  #forget(): void {
    const minute = this.#minute();
    const hour = Math.floor(minute / 60);
    if (hour === this.#looked) return;
    this.#looked = hour;
    const oldest = minute - KEPT_MINUTES;
    for (const [key, shown] of this.#shown) {
      for (const slot of shown.slots.keys()) if (slot < oldest) this.#drop(shown, slot);
      if (shown.slots.size === 0) this.#shown.delete(key);
    }
    this.#saving = this.#saving.then(() => this.#store.purge(oldest)).catch(this.#onProblem);
  }

  #drop(shown: Shown, slot: number): void {
    shown.slots.delete(slot);
    this.#unsaved.get(shown)?.delete(slot);
    this.#dropped.push({ owner: shown.owner, what: shown.what, slot });
    this.#slots--;
    const left = (this.#owned.get(shown.owner) ?? 1) - 1;
    if (left > 0) this.#owned.set(shown.owner, left);
    else this.#owned.delete(shown.owner);
  }

  /** Has the store follow. What it does not take now it is given again. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    if (this.#unsaved.size + this.#dropped.length === 0) return;
    const unsaved = this.#unsaved;
    const dropped = this.#dropped;
    this.#unsaved = new Map();
    this.#dropped = [];
    const saved = this.#notes.saving();
    const records = [...unsaved].flatMap(([{ owner, what, slots }, of]) =>
      [...of].flatMap((slot) => {
        const sketch = slots.get(slot)?.bytes;
        return sketch ? [{ owner, what, slot, sketch }] : [];
      }),
    );
    try {
      await this.#store.save(records);
      await this.#store.drop(dropped);
      saved();
      this.#isFailing = false;
    } catch (error) {
      for (const [shown, of] of unsaved) for (const slot of of) this.#mark(shown, slot);
      this.#dropped.push(...dropped);
      if (!this.#isFailing) this.#onProblem(error as Error);
      this.#isFailing = true;
    }
  }

  /** Saves what is left, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.save();
    this.#notes.close();
  }
}
