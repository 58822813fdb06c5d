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

export class Counts {
  readonly #store: KeptCounts;
  readonly #now: () => number;
  readonly #onProblem: (problem: Error) => void;
  /** By owner and what is counted, and by hour. */
  readonly #counters = new Map<string, Map<number, number>>();
  /** How many counters each owner has. */
  readonly #owned = new Map<string, number>();
  /** Counts that the store does not have yet, by owner and what is counted: the hours. */
  #unsaved = new Map<string, Set<number>>();
  #oldest: number;
  #saving: Promise<void> = Promise.resolve();
  /** Somebody has been told already that it cannot be saved. */
  #isFailing = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(store: KeptCounts, onProblem: (problem: Error) => void, now: () => number) {
    this.#store = store;
    this.#now = now;
    this.#onProblem = onProblem;
    this.#oldest = this.hour - HOURS_KEPT;
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /** With what the store remembers. Rejects when it cannot be read. `onProblem` hears of what could not be saved. */
  static async open(store: KeptCounts, onProblem: (problem: Error) => void, now = Date.now): Promise<Counts> {
    const counts = new Counts(store, onProblem, now);
    for (const { owner, what, hour, amount } of await store.since(counts.#oldest))
      counts.#hoursOf(owner, what)?.set(hour, amount);
    return counts;
  }

  /** Hours since 1970. */
  get hour(): number {
    return Math.floor(this.#now() / HOUR_MS);
  }

  /**
   * Counts a whole number, which may be less than none. `hour`: of this or an earlier hour. False: there is no place for another counter, and
   * nothing is counted.
   */
  add(owner: string, what: string, amount: number, hour = this.hour): boolean {
    this.#forget();
    const key = keyOf(owner, what);
    const hours = this.#hoursOf(owner, what);
    if (!hours) return false;
    hours.set(hour, Math.max(0, (hours.get(hour) ?? 0) + amount));
    let unsaved = this.#unsaved.get(key);
    if (!unsaved) this.#unsaved.set(key, (unsaved = new Set()));
    unsaved.add(hour);
    return true;
  }

  /** The sum of an hour and later ones. */
  sum(owner: string, what: string, since = this.hour - HOURS_KEPT): number {
    let sum = 0;
    for (const [hour, amount] of this.#counters.get(keyOf(owner, what)) ?? []) if (hour >= since) sum += amount;
    return sum;
  }

  #hoursOf(owner: string, what: string): Map<number, number> | undefined {
    const key = keyOf(owner, what);
    const known = this.#counters.get(key);
    const owned = this.#owned.get(owner) ?? 0;
    if (known || this.#counters.size >= MAX_COUNTERS || owned >= MAX_COUNTERS_OF_ONE) return known;
    this.#owned.set(owner, owned + 1);
    const hours = new Map<number, number>();
    this.#counters.set(key, hours);
    return hours;
  }

  /** Once an hour: what is older than a day. */
  #forget(): void {
    const oldest = this.hour - HOURS_KEPT;
    if (oldest <= this.#oldest) return;
    this.#oldest = oldest;
    for (const [key, hours] of this.#counters) {
      for (const hour of hours.keys()) if (hour < oldest) hours.delete(hour);
      if (hours.size === 0) this.#drop(key);
    }
    this.#saving = this.#saving.then(() => this.#store.purge(oldest)).catch(this.#onProblem);
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
