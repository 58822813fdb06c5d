/**
 * Revocations take effect first and are stored then. Owns: trying again until the store has them, and the note that survives a
 * restart meanwhile. Does not: make a token, an agent or an approval useless, which has happened before it is told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationNotes } from '@sluice/store';
import type { Logger } from 'pino';

/** How long whoever revokes waits for the store, in milliseconds. A store that is locked tries by itself for longer. */
const MAX_WAIT_MS = 2_000;

/** What was revoked: `token:ID`, `agent:ID`, `approval:NUMBER`. */
export type Revoked = `${'token' | 'agent' | 'approval'}:${string}`;

export class Revocations {
  readonly #notes: RevocationNotes;
  readonly #operator: Logger;
  readonly #waiting = new Map<Revoked, () => Promise<unknown>>();
  /** Some of those that wait are in no note: a restart would revive them. */
  #unsafe = false;
  #trying = false;

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
    const first = save();
    const failed = first.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const late = sleep(MAX_WAIT_MS, 'the store does not answer', { ref: false });
    const problem = await Promise.race([failed, late]);
    if (problem === undefined) {
      this.#waiting.delete(what);
      this.#notes.remove(what);
      return true;
    }
    const noted = this.#notes.add(what);
    if (!noted) this.#unsafe = true;
    // The first attempt may still be under way, and its end is waited for before there is another.
    let underWay: Promise<unknown> | undefined = first;
    this.#waiting.set(what, () => {
      const attempt = underWay ?? save();
      underWay = undefined;
      return attempt;
    });
    const message = noted
      ? 'a revocation is in effect and could not be stored yet'
      : 'a revocation is in effect and could not be written anywhere yet: a restart would undo it';
    this.#operator.error({ what, error: problem }, message);
    return false;
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

  /** Called every second. */
  async retry(): Promise<void> {
    if (this.#trying || this.#waiting.size === 0) return;
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
    if (this.#waiting.size > 0) return;
    this.#unsafe = false;
    this.#operator.info('all revocations are stored');
  }

  close(): void {
    this.#notes.close();
  }
}
