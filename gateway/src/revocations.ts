/**
 * Revocations take effect first and are stored then. Owns: trying again until the store has them, and the note that survives a
 * restart meanwhile. Does not: make a token, an agent or an approval useless, which has happened before it is told.
 */
import type { RevocationNotes } from '@sluice/store';
import type { Logger } from 'pino';

/** After an attempt the store is left alone for so many times as long as that took. */
const PAUSE = 3;

/** What was revoked: `token:ID`, `agent:ID`, `approval:NUMBER`. */
export type Revoked = `${'token' | 'agent' | 'approval'}:${string}`;

export class Revocations {
  readonly #notes: RevocationNotes;
  readonly #operator: Logger;
  readonly #waiting = new Map<Revoked, () => Promise<unknown>>();
  /** Some of those that wait are in no note: a restart would revive them. */
  #unsafe = false;
  #trying = false;
  /** When the store is asked again, in milliseconds since 1970. */
  #next = 0;

  constructor(notes: RevocationNotes, operator: Logger) {
    this.#notes = notes;
    this.#operator = operator;
  }

  /** What was not stored when the gateway ended: it has to be revoked again, and kept. */
  left(): Revoked[] {
    return this.#notes.all().map((note) => note as Revoked);
  }

  /** Stores a revocation that has taken effect. False: not yet; it is tried again with each `retry`. Never rejects. */
  async keep(what: Revoked, save: () => Promise<unknown>): Promise<boolean> {
    const begun = Date.now();
    try {
      await save();
    } catch (error) {
      this.#next = Date.now() + PAUSE * (Date.now() - begun);
      const noted = this.#notes.add(what);
      if (!noted) this.#unsafe = true;
      this.#waiting.set(what, save);
      const message = noted
        ? 'a revocation is in effect and could not be stored yet'
        : 'a revocation is in effect and could not be written anywhere yet: a restart would undo it';
      this.#operator.error({ what, error: (error as Error).message }, message);
      return false;
    }
    this.#waiting.delete(what);
    this.#notes.remove(what);
    return true;
  }

  /** Whether nothing waits to be stored of it. */
  isStored(what: Revoked): boolean {
    return !this.#waiting.has(what);
  }

  /** Why the gateway is not ready; undefined: all is stored. */
  get problem(): string | undefined {
    if (this.#waiting.size === 0) return undefined;
    const count = `${this.#waiting.size} revocations are in effect and could not be stored yet`;
    return this.#unsafe ? `${count}; do not restart before they are` : count;
  }

  /** Called every second. A store that is locked makes everybody wait while it is asked: it is asked seldom then. */
  async retry(): Promise<void> {
    const begun = Date.now();
    if (this.#trying || this.#waiting.size === 0 || begun < this.#next) return;
    this.#trying = true;
    for (const [what, save] of this.#waiting) {
      try {
        await save();
        this.#waiting.delete(what);
        this.#notes.remove(what);
      } catch {
        // Tried again with the rest of them; one failure says enough.
        break;
      }
    }
    this.#trying = false;
    this.#next = Date.now() + PAUSE * (Date.now() - begun);
    if (this.#waiting.size > 0) return;
    this.#unsafe = false;
    this.#operator.info('all revocations are stored');
  }

  close(): void {
    this.#notes.close();
  }
}
