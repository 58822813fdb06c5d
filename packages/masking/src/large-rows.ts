/**
 * Room for rows that are longer than most. A row is masked as a whole, so it has to be kept until its last byte has come, and
 * what all sessions keep of such rows at one time is bounded. A row for which there is no room waits for its turn. Owns whose
 * turn it is, and who has to go because others wait. Does not own the memory itself, which is the protocol's.
 */
import { type RowRoom as Room, Unmasked } from '@sluice/contract';

/** The longest row that is masked without a share of `LargeRows`, in bytes, where nobody says otherwise. */
const MAX_UNSHARED_ROW_BYTES = 16 * 1024 * 1024;

export interface LargeRowLimits {
  /** What long rows may take together, in bytes. No row is longer. */
  readonly bytes: number;
  /** How long a row waits for room, in milliseconds. */
  readonly wait?: number;
  /** How long a session may keep room while nothing of its row moves and others wait, in milliseconds. */
  readonly stall?: number;
  /** How many bytes of its row have to move in a second, on the average, while others wait. */
  readonly rate?: number;
}

const DEFAULT_WAIT_MS = 60_000;
const DEFAULT_STALL_MS = 20_000;
const DEFAULT_BYTES_PER_SECOND = 1024 * 1024;

/** Room of one row. */
interface Lease {
  readonly bytes: number;
  readonly owner: RowRoom;
  /** Undefined: it was there at once. Rejects with `Unmasked` after the longest wait. */
  readonly granted: Promise<void> | undefined;
  state: 'waiting' | 'held' | 'over';
  /** When it was granted (milliseconds of `performance.now`). */
  since: number;
  grant(): void;
}

/**
 * The room that all sessions share. Whoever has least of it comes next, and of the same first come, first served. A row that needs
 * much is not passed by those that need less.
 */
export class LargeRows {
  readonly bytes: number;
  readonly #wait: number;
  readonly #stall: number;
  readonly #rate: number;
  #left: number;
  readonly #queue: Lease[] = [];
  readonly #held = new Set<Lease>();
  /** Runs while somebody waits, and since when somebody does (milliseconds of `performance.now`). */
  #watch: NodeJS.Timeout | undefined;
  #waitedSince = 0;

  constructor({
    bytes,
    wait = DEFAULT_WAIT_MS,
    stall = DEFAULT_STALL_MS,
    rate = DEFAULT_BYTES_PER_SECOND,
  }: LargeRowLimits) {
    this.bytes = bytes;
    this.#left = bytes;
    this.#wait = wait;
    this.#stall = stall;
    this.#rate = rate;
  }

  /** Whether a row of so many bytes would get its room at once. */
  fits(bytes: number): boolean {
    return this.#queue.length === 0 && bytes <= this.#left;
  }

  ask(owner: RowRoom, bytes: number): Lease {
    if (this.fits(bytes)) {
      const lease: Lease = { owner, bytes, granted: undefined, state: 'held', since: 0, grant: () => undefined };
      this.#hold(lease);
      return lease;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever is told of a refusal may have gone.
    promise.catch(() => undefined);
    const deadline = setTimeout(() => {
      const seconds = this.#wait / 1000;
      reject(Unmasked.because(`other long rows took all the room there is for ${seconds} seconds; try again later`));
      this.give(lease);
    }, this.#wait);
    deadline.unref();
    const lease: Lease = {
      owner,
      bytes,
      granted: promise,
      state: 'waiting',
      since: 0,
      grant: () => {
        clearTimeout(deadline);
        resolve();
      },
    };
    if (this.#queue.length === 0) this.#waitedSince = performance.now();
    this.#queue.push(lease);
    this.#watch ??= setInterval(() => this.#endStalled(), this.#stall / 4).unref();
    return lease;
  }

  /** It is needed no more, whether it was held or waited for. */
  give(lease: Lease): void {
    if (lease.state === 'over') return;
    if (lease.state === 'waiting') this.#queue.splice(this.#queue.indexOf(lease), 1);
    else {
      this.#held.delete(lease);
      this.#left += lease.bytes;
    }
    lease.state = 'over';
    // Nobody waits for it any more.
    lease.grant();
    this.#grantNext();
  }

  #grantNext(): void {
    for (let next = this.#next(); next && next.bytes <= this.#left; next = this.#next()) {
      this.#queue.splice(this.#queue.indexOf(next), 1);
      this.#hold(next);
      next.grant();
    }
    if (this.#queue.length > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #next(): Lease | undefined {
    if (this.#queue.length < 2) return this.#queue[0];
    const held = new Map<string, number>();
    for (const { owner, bytes } of this.#held) held.set(owner.person, (held.get(owner.person) ?? 0) + bytes);
    const of = ({ owner }: Lease): number => held.get(owner.person) ?? 0;
    return this.#queue.reduce((first, one) => (of(one) < of(first) ? one : first));
  }

  #hold(lease: Lease): void {
    this.#left -= lease.bytes;
    this.#held.add(lease);
    lease.state = 'held';
    lease.since = performance.now();
    lease.owner.moved();
  }

  #endStalled(): void {
    const before = performance.now() - this.#stall;
    if (this.#waitedSince > before) return;
    const late = [...this.#held].filter(({ owner, since, bytes }) => {
      if (owner.isMasking) return false;
      if (owner.movedAt < before || since + (bytes / this.#rate) * 1000 < before) return true;
      // However large it is, and however steadily it moves: others get the room before they are refused.
      return Math.max(since, this.#waitedSince) + this.#wait / 2 < performance.now();
    });
    for (const owner of new Set(late.map((lease) => lease.owner))) owner.stalled();
  }
}

/**
 * The room of one session, which has one row at a time on its way from the target, and may have others that are whole and on
 * their way to the client. Up to `limit` bytes a row takes no room.
 */
export class RowRoom implements Room {
  readonly limit: number;
  readonly #shared: LargeRows | undefined;
  readonly #onStalled: () => void;
  /** Whose session it is. */
  person = '';
  #coming: Lease | undefined;
  /** Bytes of a row that has begun behind others that are not with the client yet: room is asked for when they are. */
  #due = 0;
  #leaving: Lease[] = [];
  /** When something of its rows moved last (milliseconds of `performance.now`). */
  movedAt = 0;
  /** The gateway itself is at work on them. */
  isMasking = false;

  /** `onStalled`: its rows move too slowly, and others wait for the room. It has to be given back. */
  constructor(
    shared?: LargeRows,
    { limit = MAX_UNSHARED_ROW_BYTES, onStalled = () => undefined }: { limit?: number; onStalled?: () => void } = {},
  ) {
    this.#shared = shared;
    this.#onStalled = onStalled;
    this.limit = limit;
  }

  /** The room that there is for the row that is coming, in bytes. */
  get held(): number {
    return this.#coming?.state === 'held' ? this.#coming.bytes : 0;
  }

  /** Settles when there is room for the row that is coming; undefined where there is. Rejects with `Unmasked`. */
  get wait(): Promise<void> | undefined {
    return this.#coming?.state === 'held' ? undefined : this.#coming?.granted;
  }

  /**
   * A row that is coming has so many bytes, as far as is known. Who has room already does not wait for more: two who did
   * would wait for each other.
   *
   * @throws Unmasked when it is too long, or there is no more room for the rest of it
   */
  admit(bytes: number): void {
    const shared = this.#shared;
    if (bytes <= this.limit || bytes <= (this.#coming?.bytes ?? this.#due)) return;
    if (!shared || bytes > shared.bytes) throw this.#refused(tooLong(shared?.bytes ?? this.limit));
    if (this.#leaving.length > 0) {
      this.#due = bytes;
      return;
    }
    const before = this.#coming;
    if (before) shared.give(before);
    if (before && !shared.fits(bytes)) {
      throw this.#refused(Unmasked.because('other long rows take all the room there is; try again later'));
    }
    this.#coming = shared.ask(this, bytes);
  }

  /** The row that was coming is whole. */
  arrived(): void {
    if (this.#coming) this.#leaving.push(this.#coming);
    this.#coming = undefined;
    this.#due = 0;
  }

  /** Rows that are whole are with the client. */
  left(): void {
    if (this.#leaving.length === 0) return;
    for (const lease of this.#leaving) this.#shared?.give(lease);
    this.#leaving = [];
    if (this.#due > 0) this.#coming = this.#shared?.ask(this, this.#due);
    this.#due = 0;
  }

  moved(): void {
    this.movedAt = performance.now();
  }

  /** Nothing of its rows is kept any more. */
  clear(): void {
    this.arrived();
    this.left();
  }

  stalled(): void {
    this.#onStalled();
  }

  /**
   * The values to be masked in one row have so many bytes.
   *
   * @throws Unmasked when they are more than the limit
   */
  look(bytes: number): void {
    if (bytes <= this.limit) return;
    throw this.#refused(
      Unmasked.because(`the values of a row that a mask looks at have more than ${this.limit} bytes`),
    );
  }

  #refused(why: Unmasked): Unmasked {
    this.clear();
    return why;
  }
}

const tooLong = (limit: number): Unmasked =>
  Unmasked.because(
    `a row has more than ${limit} bytes, and longer ones are not masked; ask for fewer bytes in a row, or an administrator raises limits.rows`,
  );
