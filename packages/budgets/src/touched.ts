/**
 * Which tables each principal has touched at each connection, by hashes of their names: the only owner of that in the process. Owns: what is new to
 * whom, and since when it is looked at. Does not: decide what comes of it (tripwires.ts), or which tables a command touches.
 */
import { hash } from 'node:crypto';
import type { TouchRecord } from '@sluice/store';

/** What `Touched` keeps its own in, over restarts. */
export interface KeptTouches {
  all(): Promise<readonly TouchRecord[]>;
  add(records: readonly TouchRecord[]): Promise<void>;
}

const SAVE_MS = 1_000;
/** Of one principal at one connection, and in all: where there is no place, a table stays a new one. */
const MAX_TABLES_OF_ONE = 10_000;
const MAX_TABLES = 200_000;
/** 96 bits of a hash, in base64. */
const DIGEST_CHARACTERS = 16;

interface Known {
  /** Of the first table, in milliseconds since 1970. */
  since: number;
  readonly tables: Set<string>;
}

export class Touched {
  readonly #store: KeptTouches;
  readonly #onProblem: (problem: Error) => void;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  #size = 0;
  #unsaved: TouchRecord[] = [];
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(store: KeptTouches, onProblem: (problem: Error) => void, now: () => number) {
    this.#store = store;
    this.#onProblem = onProblem;
    this.#now = now;
    this.#timer = setInterval(() => void this.save(), SAVE_MS);
    this.#timer.unref();
  }

  /** With all that was kept. Rejects when it cannot be read. */
  static async open(store: KeptTouches, onProblem: (problem: Error) => void, now = Date.now): Promise<Touched> {
    const touched = new Touched(store, onProblem, now);
    for (const { owner, connection, digest, since } of await store.all())
      touched.#add(keyOf(owner, connection), digest, since);
    return touched;
  }

  /**
   * Which of the tables are new to a principal at a connection, after which they are not, and for how many milliseconds it has touched any.
   * Undefined: none is new.
   */
  touch(
    owner: string,
    connection: string,
    tables: readonly string[],
  ): { readonly count: number; readonly knownMs: number } | undefined {
    const key = keyOf(owner, connection);
    const known = this.#known.get(key);
    const fresh = new Set(tables.map(digestOf).filter((digest) => known?.tables.has(digest) !== true));
    if (fresh.size === 0) return undefined;
    const now = this.#now();
    for (const digest of fresh)
      if (this.#add(key, digest, now)) this.#unsaved.push({ owner, connection, digest, since: now });
    // Whoever has no place is nobody who learns: else others who take all places would have them learn for good.
    const since = this.#known.get(key)?.since ?? -Infinity;
    // A clock that was set back makes nobody a newcomer again.
    return { count: fresh.size, knownMs: now < since ? Infinity : now - since };
  }

  #add(key: string, digest: string, since: number): boolean {
    let known = this.#known.get(key);
    if (this.#size >= MAX_TABLES || (known && known.tables.size >= MAX_TABLES_OF_ONE)) return false;
    if (!known) this.#known.set(key, (known = { since, tables: new Set() }));
    known.since = Math.min(known.since, since);
    known.tables.add(digest);
    this.#size++;
    return true;
  }

  /** Has the store follow. What it does not take now it is given again. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    if (this.#unsaved.length === 0) return;
    const unsaved = this.#unsaved;
    this.#unsaved = [];
    try {
      await this.#store.add(unsaved);
      this.#isFailing = false;
    } catch (error) {
      this.#unsaved = [...unsaved, ...this.#unsaved];
      if (!this.#isFailing) this.#onProblem(error as Error);
      this.#isFailing = true;
    }
  }

  /** Saves what is left, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.save();
  }
}

const keyOf = (owner: string, connection: string): string => `${owner}\0${connection}`;
const digestOf = (table: string): string => hash('sha256', table, 'base64').slice(0, DIGEST_CHARACTERS);
