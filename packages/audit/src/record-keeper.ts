/**
 * Looks after the journal while others write to it. Owns: when it is signed, what is removed, and how much room there is. Does
 * not: how (packages/recording, packages/reading).
 */
import { statfs } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Config, ConnectionConfig } from '@sluice/config';
import { type Head, type Journal, listSegments, parseHead } from '@sluice/recording';
import type { Store } from '@sluice/store';
import type { Logger } from 'pino';
import type { Expired, Readings } from '@sluice/reading';
import { Witness } from './witness.js';

/** Where the store keeps the last head of the journal. */
export const HEAD_SETTING = 'journal.head';

/** How often the journal is looked through for segments whose time is over, and how long after the start, in milliseconds. */
const REMOVAL_MS = 60 * 60_000;
const FIRST_REMOVAL_MS = 5_000;
/** The reserve is at most this part of a disk, or of record.max_size. */
const RESERVE_PART = 20;
/** A journal that has more than this part of record.max_size is said to be nearly full. */
const NEARLY_FULL = 0.9;

/**
 * How much can still be recorded. `low`: nothing of strangers any more; `scarce`: no new session either, what is left is for those
 * that are open; `none`: nothing.
 */
export type Room = 'enough' | 'low' | 'scarce' | 'none';

interface RecordServices {
  readonly config: Pick<Config, 'record' | 'connections'>;
  readonly journal: Journal;
  readonly readings: Readings;
  readonly store: Store;
  readonly operator: Logger;
}

/**
 * Looks after the journal while others write to it: has it signed and gives the heads to the store and the witness, removes what
 * is to be kept no longer, and knows how much room there is. Lives here: when. Does not: how any of it is done.
 */
export class RecordKeeper {
  /** Of the configuration in force. */
  connections: ReadonlyMap<string, Pick<ConnectionConfig, 'name' | 'keep'>>;
  readonly #services: RecordServices;
  readonly #witness: Witness;
  #room: Room = 'enough';
  #warned = '';
  #failed = false;
  #looking = false;
  #removeAt = Date.now() + FIRST_REMOVAL_MS;
  /** Segments whose time is over, once they are known: finding them may take long, and nothing else waits for it. */
  #expired: readonly Expired[] = [];
  /** What was found missing at the start. */
  readonly #missing: string | undefined;

  /** Compares the journal with the head that the store kept of it. */
  static async open(parts: RecordServices): Promise<RecordKeeper> {
    const kept = parseHead((await parts.store.setting(HEAD_SETTING)) ?? '');
    return new RecordKeeper(parts, kept);
  }

  private constructor(parts: RecordServices, kept: Head | undefined) {
    this.#services = parts;
    this.connections = parts.config.connections;
    const { journal, operator, store } = parts;
    this.#witness = new Witness(parts.config.record.witness, operator);
    this.#missing = (kept && journal.compare(kept)) ?? journal.missing;
    if (this.#missing !== undefined)
      operator.error(
        { missing: this.#missing },
        'the journal is not what it was when the gateway ended: "sluice audit verify" says more',
      );
    journal.onHead = (head, line) => {
      this.#witness.see(head, line);
      // Nobody waits for it: a store that is locked keeps an older one meanwhile.
      store.setSetting(HEAD_SETTING, JSON.stringify(head)).catch((error: Error) => {
        operator.warn({ error: error.message }, 'the head of the journal cannot be put into the store');
      });
    };
  }

  get room(): Room {
    return this.#services.journal.failed ? 'none' : this.#room;
  }

  /** What an operator should know about the record; undefined: nothing. */
  get warning(): string | undefined {
    const { journal, config } = this.#services;
    const { maxSize } = config.record;
    if (this.#missing !== undefined)
      return `When the gateway started, the journal was not what it had been: ${this.#missing} is missing.`;
    if (this.#room === 'scarce') return 'The room for the record is nearly used up: there are no new sessions.';
    if (this.#room === 'low')
      return 'The room for the record is getting short: failed logins are not recorded any more.';
    if (journal.size > maxSize * NEARLY_FULL)
      return `The journal has ${journal.size} of ${maxSize} bytes (record.max_size): nothing is run once it is full.`;
    return undefined;
  }

  /** Every second or so. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { journal, operator } = this.#services;
    try {
      await journal.tend();
      if (journal.failed && !this.#failed)
        operator.error({ error: journal.failed.message }, 'the journal cannot be written: commands stop');
      this.#failed = journal.failed !== undefined;
      this.#room = await this.#measure();
      await this.#removeExpired();
      if (Date.now() >= this.#removeAt) void this.#findLater();
    } catch (error) {
      operator.error({ error: (error as Error).message }, 'the journal could not be looked after');
    } finally {
      this.#looking = false;
    }
    const { warning = '' } = this;
    if (warning !== '' && warning.replaceAll(/\d+/g, '') !== this.#warned.replaceAll(/\d+/g, ''))
      operator.warn(warning);
    this.#warned = warning;
  }

  /** Removes the segments whose time is over. Returns how many those were. */
  async remove(): Promise<number> {
    this.#expired = await this.#find();
    return this.#removeExpired();
  }

  async #find(): Promise<readonly Expired[]> {
    this.#removeAt = Date.now() + REMOVAL_MS;
    const { readings, config } = this.#services;
    const { keep: others } = config.record;
    const { connections } = this;
    const times = new Map([...connections.values()].map(({ name, keep }) => [name, keep ?? others]));
    if (Math.min(others, ...times.values()) === Infinity) return [];
    const expired = await readings.expired({ connections: times, others });
    if (connections === this.connections) return expired;
    // Another configuration, which may have more kept, is in force since.
    this.#removeAt = Date.now();
    return [];
  }

  /** The next look removes what is found. */
  async #findLater(): Promise<void> {
    try {
      this.#expired = await this.#find();
    } catch (error) {
      this.#services.operator.error(
        { error: (error as Error).message },
        'what the journal need not keep cannot be found',
      );
    }
  }

  async #removeExpired(): Promise<number> {
    const { journal, readings, operator } = this.#services;
    const expired = this.#expired;
    this.#expired = [];
    for (const { segment, first } of expired) {
      // Each of them waits for the disk; what others do comes in between.
      await nextTurn();
      journal.remove(segment, first);
      operator.info({ segment }, 'a segment of the journal was removed: its time was over');
    }
    const [oldest] = listSegments(journal.folder, journal.process);
    if (oldest && expired.length > 0) readings.forget(oldest.number);
    return expired.length;
  }

  /** After the journal was closed. */
  async stop(): Promise<void> {
    await this.#witness.stop();
  }

  async #measure(): Promise<Room> {
    const { journal, config } = this.#services;
    const { reserve, maxSize } = config.record;
    const { bavail, bsize, blocks } = await statfs(journal.folder);
    const disk = roomOf(bavail * bsize, Math.min(reserve, (blocks * bsize) / RESERVE_PART));
    if (disk === 'scarce') return disk;
    const own = roomOf(maxSize - journal.size, Math.min(reserve, maxSize / RESERVE_PART));
    return own === 'enough' ? disk : own;
  }
}

function roomOf(left: number, reserve: number): Room {
  if (left < reserve) return 'scarce';
  return left < 2 * reserve ? 'low' : 'enough';
}
