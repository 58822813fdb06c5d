/**
 * Audit before forward: bytes for targets wait until the journal has the commands of their turn. Owns: when the journal is
 * written. Does not: write it (packages/recording).
 */
import type { Duplex } from 'node:stream';
import type { Journal } from '@sluice/recording';
import { HeldStream, type Wait } from './held-stream.js';

/** How long the record of an answer may stay in memory, in milliseconds. Commands never do: see below. */
const MAX_RECORD_DELAY_MS = 10;

/**
 * Audit before forward. Streams to targets hold what is written to them until the end of the event-loop turn; then one
 * write puts the records of all sessions' commands of this turn into the journal, and only then do the held bytes leave.
 * If the journal cannot be written they never do: their streams are destroyed.
 */
export class CommitBarrier {
  readonly #journal: Journal;
  readonly #onFailure: (error: Error) => void;
  #held: Parameters<Wait>[0][] = [];
  #scheduled = false;
  /** Running from the first record of a quiet spell on; whatever it finds committed meanwhile is no work. */
  #lazy: NodeJS.Timeout | undefined;

  /** When the first command of this turn was judged, in milliseconds of `performance.now`; 0: there was none. */
  #began = 0;
  readonly #latency: { observe(seconds: number): void } | undefined;

  /** `latency` is told how long turns with commands take until what they sent has left. */
  constructor(
    journal: Journal,
    latency: { observe(seconds: number): void } | undefined,
    onFailure: (error: Error) => void,
  ) {
    this.#journal = journal;
    this.#latency = latency;
    this.#onFailure = onFailure;
  }

  /** A stream whose writes wait for the journal. It owns `stream`, to which nobody else may write from now on. */
  hold(stream: Duplex): HeldStream {
    return new HeldStream(stream, this.#wait);
  }

  /** A command is about to be judged. */
  began(): void {
    if (this.#began === 0) this.#began = performance.now();
  }

  /** Records were appended that no held bytes wait for. */
  later(): void {
    if (this.#scheduled || this.#lazy) return;
    this.#lazy = setTimeout(() => {
      this.#lazy = undefined;
      if (this.#journal.pending > 0) this.#finish();
    }, MAX_RECORD_DELAY_MS);
  }

  /** Commits now, for what must be on record before it takes effect although it is not sent to a target. */
  now(): void {
    this.#finish();
  }

  readonly #wait: Wait = (release) => {
    this.#held.push(release);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#finish);
  };

  readonly #finish = (): void => {
    this.#scheduled = false;
    const held = this.#held;
    this.#held = [];
    let failure: Error | undefined;
    try {
      this.#journal.commit();
    } catch (error) {
      failure = error as Error;
      this.#onFailure(failure);
    }
    for (const release of held) release(failure);
    // Without anything held the command waits for somebody or something else.
    if (held.length > 0 && this.#began > 0) this.#latency?.observe((performance.now() - this.#began) / 1000);
    this.#began = 0;
  };
}
