/** The catalog of one target, kept and read again when it has changed. Owns: when. Does not: how it is read (catalog/read.ts). */
import { setTimeout as delay } from 'node:timers/promises';
import { type Lookup, QueryError } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { readCatalog } from '../catalog/read.js';
import { type Definition, Definitions, type Moment, NEVER } from './definitions.js';

/** How long a catalog is trusted before it is asked whether it has changed, in milliseconds. */
export const TRUSTED_MS = 2_000;

/** A definition whose client has gone is looked for so often, this long apart, in milliseconds. Servers wait a day for a lock at most. */
const LOOK_AGAIN_MS = 1_000;
const MAX_LOOKS = 86_400;

/** What names mean, and since when that is so. */
export interface Meaning {
  readonly catalog: Catalog;
  /** All that was answered up to here is in it; `NEVER` where something was under way, which may be in it or not. */
  readonly moment: Moment;
  /** Definitions that were answered up to here are in it. */
  readonly from: Moment;
}

interface Reading {
  /** The number of changes when it began: what has changed since need not be in it. */
  readonly changes: number;
  readonly meaning: Promise<Meaning>;
}

/** Read on a connection of the gateway's own: after definitions that went through the gateway at once, after others within two seconds. */
export class TargetCatalog {
  /** Of all sessions. */
  readonly definitions = new Definitions();
  readonly #open: () => Promise<Lookup>;
  #lookup: Lookup | undefined;
  #meaning: Meaning | undefined;
  #checked = 0;
  #reading: Reading | undefined;
  #next: Promise<Meaning> | undefined;
  #changes = 0;
  #closed = false;

  constructor(open: () => Promise<Lookup>) {
    this.#open = open;
  }

  /** At once while what is known is fresh. Rejects when the catalog cannot be read. */
  get(): Meaning | Promise<Meaning> {
    const age = Date.now() - this.#checked;
    // Where the clock was set back nobody can tell.
    if (this.#meaning && age >= 0 && age < TRUSTED_MS) return this.#meaning;
    return this.#reading?.changes === this.#changes ? this.#reading.meaning : this.again();
  }

  /**
   * As it is now or later: what is being read already may be older. Whoever asks waits for two readings at most, however often
   * something is defined meanwhile.
   */
  again(): Promise<Meaning> {
    const { meaning } = this.#reading ?? {};
    if (!meaning) return this.#begin();
    this.#next ??= meaning
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /** The target has said what came of a definition. */
  answered(definition: Definition): void {
    if (this.definitions.end(definition)) this.changed();
  }

  /**
   * Nobody hears what comes of a definition. The target may still do it, as long as it has the connection.
   *
   * @param thread the target's number of the connection
   */
  unheard(definition: Definition, thread: number | undefined): void {
    this.changed();
    if (thread === undefined) return this.answered(definition);
    void this.#isGone(thread).then(() => this.answered(definition));
  }

  async #isGone(thread: number): Promise<void> {
    for (let looks = 0; looks < MAX_LOOKS && !this.#closed; looks++) {
      const found = await this.#lookup
        ?.query(`select 1 from information_schema.processlist where id = ${thread}`)
        .catch(() => undefined);
      if (found?.length === 0) return;
      await delay(LOOK_AGAIN_MS, undefined, { ref: false });
    }
  }

  /** Definitions have changed: what is known does not count any more. */
  changed(): void {
    this.#checked = 0;
    this.#changes++;
  }

  close(): void {
    this.#closed = true;
    this.#disconnect();
  }

  #disconnect(): void {
    this.#lookup?.close();
    this.#lookup = undefined;
  }

  #begin(): Promise<Meaning> {
    const meaning = this.#refresh().finally(() => {
      this.#reading = undefined;
    });
    this.#reading = { changes: this.#changes, meaning };
    return meaning;
  }

  async #refresh(): Promise<Meaning> {
    const [started, changes] = [Date.now(), this.#changes];
    const { now: from, isOpen } = this.definitions;
    const meaning = { catalog: await this.#read(), moment: isOpen ? NEVER : from, from };
    this.#meaning = meaning;
    // What has changed while it was read may not be in it.
    if (changes === this.#changes) this.#checked = started;
    return meaning;
  }

  async #read(): Promise<Catalog> {
    const isReused = this.#lookup !== undefined;
    try {
      const lookup = (this.#lookup ??= await this.#open());
      return await readCatalog((text) => lookup.query(text), this.#meaning?.catalog);
    } catch (error) {
      // The target itself says no, on a connection that goes on.
      if (error instanceof QueryError) throw error;
      this.#disconnect();
      // A connection that has been idle may have been closed meanwhile.
      if (isReused) return this.#read();
      throw error;
    }
  }
}
