/**
 * With how many values each person has compared each masked column within a day: the only owner of these counts in the process.
 * Counts at once, so that no two sessions see the same count; the store follows within a second. Does not decide anything.
 */
import type { Person } from '@sluice/identity';
import type { GuessRecord } from '@sluice/store';
import type { ConnectionConfig as Connection } from '@sluice/config';

/** What `Guesses` keeps its counts in, over restarts. */
export interface KeptGuesses {
  since(hour: number): Promise<readonly GuessRecord[]>;
  save(records: readonly GuessRecord[]): Promise<void>;
  purge(hour: number): Promise<void>;
}

/** What one person compares the columns of one target with. Columns are `schema.table.column`. */
export interface GuessCounter {
  /** Counts values, and tells how many there have been within a day, these included. */
  count(column: string, values: number): number;
  /** How many there have been within a day. */
  known(column: string): number;
}

const HOUR_MS = 3_600_000;
/** A day is counted by the hour, so up to one hour more. */
const HOURS_PER_DAY = 24;
const SAVE_MS = 1_000;
/** Persons times columns. One that has no place is taken to have guessed as often as can be. */
const MAX_COUNTERS = 50_000;
/** One statement counts no more than this, also where nobody can tell how many values it compares with. */
const MAX_VALUES = 1_000_000;

export class Guesses {
  readonly #store: KeptGuesses;
  readonly #now: () => number;
  readonly #onProblem: (problem: Error) => void;
  /** By person and column, and by hour. */
  readonly #counters = new Map<string, Map<number, number>>();
  /** Counts that the store does not have yet, by person and column: the hours. */
  #unsaved = new Map<string, Set<number>>();
  #oldest: number;
  #saving: Promise<void> = Promise.resolve();
  /** Somebody has been told already that it cannot be saved. */
  #isFailing = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(store: KeptGuesses, onProblem: (problem: Error) => void, now: () => number) {
    this.#store = store;
    this.#now = now;
    this.#onProblem = onProblem;
    this.#oldest = this.#hour - HOURS_PER_DAY;
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /** With what the store remembers of the last day. Rejects when it cannot be read. `onProblem` hears of what could not be saved. */
  static async open(store: KeptGuesses, onProblem: (problem: Error) => void, now = Date.now): Promise<Guesses> {
    const guesses = new Guesses(store, onProblem, now);
    for (const { person, column, hour, count } of await store.since(guesses.#oldest)) {
      guesses.#hoursOf(keyOf(person, column))?.set(hour, count);
    }
    return guesses;
  }

  /** Of one person at one target, which may have several connections. */
  counter(person: Person, target: string): GuessCounter {
    const name = personOf(person);
    const key = (column: string): string => keyOf(name, `${target} ${column}`);
    return {
      count: (column, values) => this.#count(key(column), Math.min(values, MAX_VALUES)),
      known: (column) => this.#sum(this.#counters.get(key(column))),
    };
  }

  #count(key: string, values: number): number {
    this.#forget();
    const hours = this.#hoursOf(key);
    if (!hours) return Number.MAX_SAFE_INTEGER;
    const hour = this.#hour;
    hours.set(hour, (hours.get(hour) ?? 0) + values);
    let unsaved = this.#unsaved.get(key);
    if (!unsaved) this.#unsaved.set(key, (unsaved = new Set()));
    unsaved.add(hour);
    return this.#sum(hours);
  }

  #hoursOf(key: string): Map<number, number> | undefined {
    const known = this.#counters.get(key);
    if (known || this.#counters.size >= MAX_COUNTERS) return known;
    const hours = new Map<number, number>();
    this.#counters.set(key, hours);
    return hours;
  }

  #sum(hours: ReadonlyMap<number, number> | undefined): number {
    const oldest = this.#hour - HOURS_PER_DAY;
    let sum = 0;
    for (const [hour, count] of hours ?? []) if (hour >= oldest) sum += count;
    return sum;
  }

  /** Once an hour: what is older than a day. */
  #forget(): void {
    const oldest = this.#hour - HOURS_PER_DAY;
    if (oldest <= this.#oldest) return;
    this.#oldest = oldest;
    for (const [key, hours] of this.#counters) {
      for (const hour of hours.keys()) if (hour < oldest) hours.delete(hour);
      if (hours.size === 0) this.#counters.delete(key);
    }
    this.#saving = this.#saving.then(() => this.#store.purge(oldest)).catch(this.#onProblem);
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

  #record(key: string, hour: number): GuessRecord {
    const [person = '', column = ''] = key.split('\0');
    return { person, column, hour, count: this.#counters.get(key)?.get(hour) ?? 0 };
  }

  /** Saves what is left, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.save();
  }

  get #hour(): number {
    return Math.floor(this.#now() / HOUR_MS);
  }
}

/** Names have no zero bytes. */
const keyOf = (person: string, column: string): string => `${person}\0${column}`;

/** Whom an identity provider knows is who it says, whatever they are called; others are their name. */
export const personOf = ({ name, issuer, subject }: Person): string =>
  JSON.stringify(issuer === undefined || subject === undefined ? [name] : [issuer, subject]);

/** Where a connection leads: another one to the same place gives nobody another budget. */
export const targetName = ({ target, via }: Connection): string =>
  `${via ?? ''} ${target.host}:${target.port}/${target.database ?? ''}`;
