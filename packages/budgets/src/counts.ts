/**
 * What is counted by the hour, of whom and of what: the only owner of these counts in the process. Counts at once, so that no two sessions
 * see the same count; the store follows within a second. Does not decide anything.
 */
import type { CountRecord } from '@sluice/store';

/** What `Counts` keeps its counts in, over restarts. */
export interface KeptCounts {
  since(hour: number): Promise<readonly CountRecord[]>;
  save(records: readonly CountRecord[]): Promise<void>;
  purge(hour: number): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** So many hours are kept, and the one that runs. */
const HOURS_KEPT = 24;
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
  /** By owner and what is counted, and by hour. */
  readonly #counters = new Map<string, Map<number, number>>();
  /** How many counters each owner has. */
  readonly #owned = new Map<string, number>();
  /** Counts that the store does not have yet, by owner and what is counted: the hours. */
  #unsaved = new Map<string, Set<number>>();
  /** Hours in which something was counted, and when that began by the clock that nobody sets, in hours. */
  readonly #began = new Map<number, number>();
  /** The hour of the last count. */
  #last: number;
  /** When it was last looked for what is to be forgotten, by both clocks, and when for what had to make room. */
  #looked = '';
  #madeRoom = 0;
  #saving: Promise<void> = Promise.resolve();
  /** Somebody has been told already that it cannot be saved. */
  #isFailing = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(store: KeptCounts, onProblem: (problem: Error) => void, clocks: Clocks) {
    this.#store = store;
    this.#clocks = clocks;
    this.#onProblem = onProblem;
    this.#last = this.hour;
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /** With all that the store has. Rejects when it cannot be read. `onProblem` hears of what could not be saved. */
  static async open(
    store: KeptCounts,
    onProblem: (problem: Error) => void,
    now = Date.now,
    steady = () => performance.now(),
  ): Promise<Counts> {
    const counts = new Counts(store, onProblem, { now, steady });
    for (const { owner, what, hour, amount } of await store.since(0)) {
      if (amount === 0) continue;
      counts.#hoursOf(owner, what)?.set(hour, amount);
      counts.#began.set(hour, counts.#steadyHour);
      counts.#last = Math.max(counts.#last, hour);
    }
    return counts;
  }

  /** Hours since 1970. */
  get hour(): number {
    return Math.floor(this.#clocks.now() / HOUR_MS);
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
    const counted = Math.min(hour, this.hour);
    const hours = this.#hoursOf(owner, what);
    if (!hours) return false;
    if (!this.#began.has(counted)) this.#began.set(counted, this.#steadyHour);
    this.#set(keyOf(owner, what), hours, counted, Math.max(0, (hours.get(counted) ?? 0) + amount));
    return true;
  }

  #set(key: string, hours: Map<number, number>, hour: number, amount: number): void {
    hours.set(hour, amount);
    let unsaved = this.#unsaved.get(key);
    if (!unsaved) this.#unsaved.set(key, (unsaved = new Set()));
    unsaved.add(hour);
  }

  /** The sum of an hour and later ones. */
  sum(owner: string, what: string, since = this.hour - HOURS_KEPT): number {
    this.#followClock();
    let sum = 0;
    for (const [hour, amount] of this.#counters.get(keyOf(owner, what)) ?? []) if (hour >= since) sum += amount;
    return sum;
  }

  #hoursOf(owner: string, what: string): Map<number, number> | undefined {
    const key = keyOf(owner, what);
    const known = this.#counters.get(key);
    const owned = this.#owned.get(owner) ?? 0;
    if (known) return known;
    const isFull = this.#counters.size >= MAX_COUNTERS || owned >= MAX_COUNTERS_OF_ONE;
    if (isFull) return this.#makeRoom() ? this.#hoursOf(owner, what) : undefined;
    this.#owned.set(owner, owned + 1);
    const hours = new Map<number, number>();
    this.#counters.set(key, hours);
    return hours;
  }

  #followClock(): void {
    const { hour } = this;
    if (hour < this.#last) this.#moveTo(hour);
    this.#last = hour;
    this.#forget(hour - HOURS_KEPT);
  }

  /** The clock was ahead: what was counted then has been used up by now, and not at a time that is still to come. */
  #moveTo(hour: number): void {
    for (const [key, hours] of this.#counters)
      for (const [later, amount] of hours) {
        if (later <= hour || amount === 0) continue;
        this.#set(key, hours, later, 0);
        this.#set(key, hours, hour, (hours.get(hour) ?? 0) + amount);
      }
    this.#began.set(hour, this.#steadyHour);
  }

  /**
   * What is older than a day by both clocks. One that was set ahead for a while, and back again, has nobody's count begin anew.
   */
  #forget(oldest: number): void {
    const steady = this.#steadyHour;
    const looked = `${oldest} ${steady}`;
    if (looked === this.#looked) return;
    this.#looked = looked;
    const gone = [...this.#began].flatMap(([hour, began]) =>
      (hour < oldest || hour > this.#last) && began <= steady - HOURS_KEPT ? [hour] : [],
    );
    if (gone.length === 0) return;
    for (const hour of gone) this.#began.delete(hour);
    for (const [key, hours] of this.#counters) {
      for (const hour of gone) hours.delete(hour);
      if (hours.size === 0) this.#drop(key);
    }
    const first = Math.min(oldest, ...this.#began.keys());
    this.#saving = this.#saving.then(() => this.#store.purge(first)).catch(this.#onProblem);
  }

  /** What only a clock that is wrong could still need goes when others have no place for it, once an hour. True: there may be some now. */
  #makeRoom(): boolean {
    if (this.#madeRoom === this.hour) return false;
    this.#madeRoom = this.hour;
    const oldest = this.hour - HOURS_KEPT;
    for (const [key, hours] of this.#counters) if ([...hours.keys()].every((hour) => hour < oldest)) this.#drop(key);
    return true;
  }

  #drop(key: string): void {
    const [owner = ''] = key.split('\0');
    this.#counters.delete(key);
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
    const records = [...unsaved].flatMap(([key, hours]) => [...hours].map((hour) => this.#record(key, hour)));
    try {
      await this.#store.save(records);
      this.#isFailing = false;
    } catch (error) {
      for (const [key, hours] of unsaved)
        this.#unsaved.set(key, new Set([...hours, ...(this.#unsaved.get(key) ?? [])]));
      if (!this.#isFailing) this.#onProblem(error as Error);
      this.#isFailing = true;
    }
  }

  #record(key: string, hour: number): CountRecord {
    const [owner = '', what = ''] = key.split('\0');
    return { owner, what, hour, amount: this.#counters.get(key)?.get(hour) ?? 0 };
  }

  /** Saves what is left, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.save();
  }
}

/** Names have no zero bytes. */
const keyOf = (owner: string, what: string): string => `${owner}\0${what}`;
