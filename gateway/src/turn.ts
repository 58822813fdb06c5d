import type { Duplex } from 'node:stream';
import type { Journal } from '@sluice/recording';

/** How long the record of an answer may stay in memory, in milliseconds. Commands never do: see below. */
const LAZY = 10;

/**
 * Audit before forward. Streams to targets hold what is written to them until the end of the event-loop turn; then one
 * write puts the records of all sessions' commands of this turn into the journal, and only then do the held bytes leave.
 * If the journal cannot be written they never do: their streams are destroyed.
 */
export class Turn {
  readonly #journal: Journal;
  readonly #onFailure: (error: Error) => void;
  #held: ((failure: Error | undefined) => void)[] = [];
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

  /** Makes a stream hold its writes. Returns it. */
  hold(stream: Duplex): Duplex {
    const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
    const end = stream.end.bind(stream);
    let held: Uint8Array[] = [];
    let bytes = 0;
    let scheduled = false;
    let refused = false;
    let ending = false;

    const release = (failure: Error | undefined): void => {
      scheduled = false;
      if (failure) return void stream.destroy(failure);
      const chunk = held.length === 1 ? held[0] : Buffer.concat(held);
      const taken = bytes === 0 || write(chunk);
      held = [];
      bytes = 0;
      if (ending) return void end();
      // Somebody was told to wait for 'drain', and the stream, having room, would not say it. Who hears it may write at
      // once, and be told to wait again.
      const waited = refused && taken;
      refused = false;
      if (waited) stream.emit('drain');
    };
    const schedule = (): void => {
      if (scheduled) return;
      scheduled = true;
      this.#held.push(release);
      this.#schedule();
    };

    stream.write = ((chunk: Uint8Array) => {
      held.push(chunk);
      bytes += chunk.length;
      schedule();
      refused = bytes + stream.writableLength >= stream.writableHighWaterMark;
      return !refused;
    }) as Duplex['write'];
    stream.end = ((chunk?: unknown) => {
      if (chunk instanceof Uint8Array) stream.write(chunk);
      ending = true;
      schedule();
      return stream;
    }) as Duplex['end'];
    return stream;
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
    }, LAZY);
  }

  /** Commits now, for what must be on record before it takes effect although it is not sent to a target. */
  now(): void {
    this.#finish();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#finish);
  }

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
