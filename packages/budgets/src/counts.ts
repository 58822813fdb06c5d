/**
 * What is counted by time, of whom and of what: the only owner of these counts in the process. Counts at once, so that no two sessions
 * see the same count; the store follows within a second, and what may not be lost meanwhile is noted first. Does not decide anything.
 */
import type { CountRecord } from '@sluice/store';
import { Counter } from './counter.js';
import type { Moment } from './windows.js';

/** What `Counts` keeps its counts in, over restarts. */
export interface KeptCounts {
  since(hour: number): Promise<readonly CountRecord[]>;
  save(records: readonly CountRecord[]): Promise<void>;
  purge(hour: number): Promise<void>;
}

/** What is written before it is counted; see `CountNotes` of packages/store. */
export interface NotedCounts {
  left(): readonly CountRecord[];
  add(record: CountRecord): boolean;
  saving(): () => void;
  close(): void;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;
/** So many hours are summed where nobody says otherwise. */
const DAY_HOURS = 24;
/** So many hours are kept, and the one that runs: a day has 25 when clocks are set back. */
const HOURS_KEPT = 25;
const SAVE_MS = 1_000;
/** Owners times what is counted, of all and of one: whoever names models that there are not takes no place of anybody else. */
const MAX_COUNTERS = 50_000;
const MAX_COUNTERS_OF_ONE = 1_000;

/** In milliseconds: the time of day, which may be set, and one that only goes on. */
interface Clocks {
  readonly now: () => number;
  readonly steady: () => number;
}

export class Counts {
  readonly #store: KeptCounts;
  readonly #clocks: Clocks;
  readonly #onProblem: (problem: Error) => void;
  readonly #notes: NotedCounts | undefined;
  /** By owner and what is counted. */
  readonly #counters = new Map<string, Counter>();
  /** How many counters each owner has. */
  readonly #owned = new Map<string, number>();
  /** Counts that the store does not have yet: the slots, and those that were dropped meanwhile. */
  #unsaved = new Map<Counter, Set<number>>();
  /** Hours in which something was counted, and when that began by the clock that nobody sets, in hours. */
  readonly #began = new Map<number, number>();
  /** The minute and the hour of the last count, and that of the clock that nobody sets. */
  #minute = Number.NaN;
  #moment: Moment = { minute: Number.NaN, clock: Number.NaN };
  #last: number;
  #lastSteady = Number.NaN;
  /** The hour that the clock was last set back to, and when, in hours of the other one. */
  #setBack: { readonly hour: number; readonly at: number } | undefined;
  /** What to add to the clock that nobody sets so that it shows the time of the start. */
  readonly #anchor: number;
  /** When it was last looked for what is to be forgotten, by both clocks, and when for what had to make room. */
  #looked = '';
  #madeRoom = 0;
  #saving: Promise<void> = Promise.resolve();
  /** Somebody has been told already that it cannot be saved, or noted. */
  #isFailing = false;
  #cannotNote = false;
  #isClosing = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(
    store: KeptCounts,
    onProblem: (problem: Error) => void,
    clocks: Clocks,
    notes: NotedCounts | undefined,
  ) {
    this.#store = store;
    this.#clocks = clocks;
    this.#onProblem = onProblem;
    this.#notes = notes;
    this.#last = this.hour;
    this.#anchor = clocks.now() - clocks.steady();
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /**
   * With all that the store has, and what was noted since. Rejects when it cannot be read. `onProblem` hears of what could not be saved.
   * Without `notes` what happens within a second before a crash is forgotten.
   */
  static async open(
    store: KeptCounts,
    onProblem: (problem: Error) => void,
    now = Date.now,
    steady = () => performance.now(),
    notes?: NotedCounts,
  ): Promise<Counts> {
    const counts = new Counts(store, onProblem, { now, steady }, notes);
    for (const record of await store.since(0)) counts.#restore(record);
    for (const record of notes?.left() ?? []) {
      const restored = counts.#restore(record);
      if (restored) counts.#mark(restored.counter, restored.slot);
    }
    return counts;
  }

  /** Of two records of one count the larger is true. */
  #restore({ owner, what: kept, hour, amount }: CountRecord): { counter: Counter; slot: number } | undefined {
    if (amount === 0) return undefined;
    const { what, minute } = inSlot(kept);
    const counter = this.#counterOf(owner, what);
    if (!counter) return undefined;
    const slot = hour * HOUR_MINUTES + minute;
    counter.set(slot, Math.max(amount, counter.get(slot)));
    this.#began.set(hour, this.#steadyHour);
    this.#last = Math.max(this.#last, hour);
    return { counter, slot };
  }

  /** Hours since 1970. */
  get hour(): number {
    return Math.floor(this.#clocks.now() / HOUR_MS);
  }

  /** Minutes since 1970, by the time of the start and the clock that nobody sets. */
  steadyMinute(): number {
    return Math.floor((this.#anchor + this.#clocks.steady()) / MINUTE_MS);
  }

  /** Minutes since 1970. */
  minute(): number {
    const minute = Math.floor(this.#clocks.now() / MINUTE_MS);
    if (minute !== this.#minute) this.#followClock();
    this.#minute = minute;
    return minute;
  }

  /** By both clocks: as long as the minute is the same, the same object, by which others know what they have made of it. */
  moment(): Moment {
    const clock = this.minute();
    const minute = this.steadyMinute();
    if (clock !== this.#moment.clock || minute !== this.#moment.minute) this.#moment = { minute, clock };
    return this.#moment;
  }

  get #steadyHour(): number {
    return Math.floor(this.#clocks.steady() / HOUR_MS);
  }

  /**
   * Counts a whole number, which may be less than none. `hour`: of this or an earlier hour. False: there is no place for another counter, and
   * nothing is counted.
   */
  add(owner: string, what: string, amount: number, hour = this.hour): boolean {
    this.#followClock();
    const counter = this.#counterOf(owner, what);
    if (!counter) return false;
    this.#count(counter, Math.min(hour, this.hour) * HOUR_MINUTES, amount);
    return true;
  }

  /** The sum of an hour and later ones. */
  sum(owner: string, what: string, since = this.hour - DAY_HOURS): number {
    this.#followClock();
    return this.#counters.get(keyOf(owner, what))?.sum(since * HOUR_MINUTES) ?? 0;
  }

  /** For what is counted often: see `addTo`. Undefined: there is no place for it. Ask again once `isGone` is true of it. */
  counter(owner: string, what: string, { width, isSteady }: Pick<Counter, 'width' | 'isSteady'>): Counter | undefined {
    const counter = this.#counterOf(owner, what);
    if (counter) Object.assign(counter, { width, isSteady });
    return counter;
  }

  /** Those that there are, for lists. */
  counters(): Iterable<Counter> {
    return this.#counters.values();
  }

  /**
   * Counts in the slot that begins with a minute, which is one of `minute()` or `steadyMinute()`, or before. What is counted up is on disk before this returns,
   * with `ahead` more, so that not each has to be written. False: it cannot be, and nothing is counted.
   */
  addTo(counter: Counter, amount: number, slot: number, ahead: number): boolean {
    const sum = counter.get(slot) + amount;
    if (this.#notes && amount > 0 && sum > counter.noted(slot) && !this.#note(counter, slot, sum + ahead)) return false;
    this.#count(counter, slot, amount);
    return true;
  }

  /** Whether something could be counted now. Where the last could not, it is tried. */
  canCount(counter: Counter): boolean {
    if (!this.#notes || !this.#cannotNote) return true;
    const { width } = counter;
    const minute = counter.isSteady ? this.steadyMinute() : this.minute();
    const slot = minute - (minute % width);
    this.#mark(counter, slot);
    return this.#note(counter, slot, Math.max(counter.get(slot), counter.noted(slot)));
  }

  #note(counter: Counter, slot: number, amount: number): boolean {
    if (this.#notes?.add(recordOf(counter, slot, amount)) !== true) {
      if (!this.#cannotNote) this.#onProblem(new Error('what is about to be counted cannot be written'));
      this.#cannotNote = true;
      return false;
    }
    this.#cannotNote = false;
    counter.note(slot, amount);
    return true;
  }

  /** Nothing of it has been used up. */
  reset(counter: Counter): void {
    for (const slot of counter.slots.keys()) {
      counter.note(slot, 0);
      this.#set(counter, slot, 0);
    }
  }

  #count(counter: Counter, slot: number, amount: number): void {
    const hour = Math.floor(slot / HOUR_MINUTES);
    if (!this.#began.has(hour)) this.#began.set(hour, this.#steadyHour);
    this.#set(counter, slot, Math.max(0, counter.get(slot) + amount));
  }

  #set(counter: Counter, slot: number, amount: number): void {
    counter.set(slot, amount);
    this.#mark(counter, slot);
  }

  #mark(counter: Counter, slot: number): void {
    let unsaved = this.#unsaved.get(counter);
    if (!unsaved) this.#unsaved.set(counter, (unsaved = new Set()));
    unsaved.add(slot);
  }

  #counterOf(owner: string, what: string): Counter | undefined {
    const key = keyOf(owner, what);
    const known = this.#counters.get(key);
    if (known) return known;
    const owned = this.#owned.get(owner) ?? 0;
    const isFull = this.#counters.size >= MAX_COUNTERS || owned >= MAX_COUNTERS_OF_ONE;
    if (isFull) return this.#makeRoom() ? this.#counterOf(owner, what) : undefined;
    this.#owned.set(owner, owned + 1);
    const counter = new Counter(owner, what);
    this.#counters.set(key, counter);
    return counter;
  }

  #followClock(): void {
    const { hour } = this;
    const steady = this.#steadyHour;
    if (hour < this.#last) {
      this.#move(Math.floor(this.#clocks.now() / MINUTE_MS) + 1, Infinity);
      this.#setBack = { hour, at: steady };
    } else if (this.#setBack && steady - this.#setBack.at > DAY_HOURS) this.#setBack = undefined;
    else if (this.#setBack && hour - this.#last > steady - this.#lastSteady + 1) {
      this.#move(this.#setBack.hour * HOUR_MINUTES, hour * HOUR_MINUTES);
    }
    this.#last = hour;
    this.#lastSteady = steady;
    this.#forget(hour - HOURS_KEPT);
  }

  /**
   * What was counted in slots from one on and before another was counted just now, whatever the clock says: it was ahead, so that they are
   * still to come; or it was behind for a while, so that they seem to be long ago.
   */
  #move(first: number, before: number): void {
    const minute = Math.floor(this.#clocks.now() / MINUTE_MS);
    for (const counter of this.#counters.values()) {
      if (counter.isSteady) continue;
      for (const [slot, amount] of counter.slots) {
        if (slot < first || slot >= before || amount === 0) continue;
        const now = minute - (minute % counter.width);
        this.#set(counter, slot, 0);
        this.#set(counter, now, counter.get(now) + amount);
        counter.note(now, 0);
      }
    }
    this.#began.set(Math.floor(minute / HOUR_MINUTES), this.#steadyHour);
  }

  /**
   * What is older than a day by both clocks. One that was set ahead for a while, and back again, has nobody's count begin anew.
   */
  #forget(oldest: number): void {
    const steady = this.#steadyHour;
    const looked = `${oldest} ${steady}`;
    if (looked === this.#looked) return;
    this.#looked = looked;
    const gone = new Set(
      [...this.#began].flatMap(([hour, began]) =>
        (hour < oldest || hour > this.#last) && began <= steady - DAY_HOURS ? [hour] : [],
      ),
    );
    if (gone.size === 0) return;
    for (const hour of gone) this.#began.delete(hour);
    for (const counter of this.#counters.values()) {
      counter.forget((slot) => gone.has(Math.floor(slot / HOUR_MINUTES)));
      if (counter.slots.size === 0) this.#drop(counter);
    }
    const first = Math.min(oldest, ...this.#began.keys());
    this.#saving = this.#saving.then(() => this.#store.purge(first)).catch(this.#onProblem);
  }

  /** What only a clock that is wrong could still need goes when others have no place for it, once an hour. True: there may be some now. */
  #makeRoom(): boolean {
    if (this.#madeRoom === this.hour) return false;
    this.#madeRoom = this.hour;
    const oldest = (this.hour - HOURS_KEPT) * HOUR_MINUTES;
    for (const counter of this.#counters.values())
      if ([...counter.slots.keys()].every((slot) => slot < oldest)) this.#drop(counter);
    return true;
  }

  #drop(counter: Counter): void {
    const { owner, what } = counter;
    counter.isGone = true;
    this.#counters.delete(keyOf(owner, what));
    const left = (this.#owned.get(owner) ?? 0) - 1;
    if (left > 0) this.#owned.set(owner, left);
    else this.#owned.delete(owner);
  }

  /** Has the store follow. What it does not take now it is given again. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    if (this.#unsaved.size === 0) return;
    const unsaved = this.#unsaved;
    this.#unsaved = new Map();
    const saved = this.#notes?.saving();
    const records = [...unsaved].flatMap(([counter, slots]) =>
      [...slots].map((slot) => recordOf(counter, slot, this.#kept(counter, slot))),
    );
    try {
      await this.#store.save(records);
      saved?.();
      this.#isFailing = false;
    } catch (error) {
      for (const [counter, slots] of unsaved)
        this.#unsaved.set(counter, new Set([...slots, ...(this.#unsaved.get(counter) ?? [])]));
      if (!this.#isFailing) this.#onProblem(error as Error);
      this.#isFailing = true;
    }
  }

  /** While the process may be killed, what is noted ahead: its note goes when the store has it. */
  #kept(counter: Counter, slot: number): number {
    return this.#isClosing ? counter.get(slot) : Math.max(counter.get(slot), counter.noted(slot));
  }

  /** Saves what is left, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isClosing = true;
    for (const counter of this.#counters.values())
      for (const [slot, amount] of counter.slots) if (counter.noted(slot) > amount) this.#mark(counter, slot);
    await this.save();
    // What the store has not taken stays noted.
    this.#notes?.close();
  }
}

/** Names have no zero bytes. */
const keyOf = (owner: string, what: string): string => `${owner}\0${what}`;

/** The store counts by the hour: behind what is counted stands the minute of a slot that begins within one. */
const recordOf = ({ owner, what }: Counter, slot: number, amount: number): CountRecord => {
  const minute = slot % HOUR_MINUTES;
  const named = minute === 0 ? what : `${what}\u0001${minute}`;
  return { owner, what: named, hour: (slot - minute) / HOUR_MINUTES, amount };
};

const WITH_MINUTE = /^((?:budget|trip) [^\u0001]*)\u0001(\d{1,2})$/;

function inSlot(kept: string): { readonly what: string; readonly minute: number } {
  const [, what, minute] = WITH_MINUTE.exec(kept) ?? [];
  return what === undefined ? { what: kept, minute: 0 } : { what, minute: Number(minute) };
}
