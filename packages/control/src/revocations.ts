/**
 * Revocations take effect first and are stored then. Owns: trying again until the store has them, and the note that survives a
 * restart meanwhile. Does not: make a token, an agent or an approval useless, which has happened before it is told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationNotes } from '@sluice/store';
import type { Logger } from 'pino';

/** For so long whoever revokes waits for the store, in milliseconds. One that is locked is tried for longer by itself. */
const ANSWER_MS = 2_000;

/** What was revoked: `token:ID`, `agent:ID`, `approval:NUMBER`; or who was frozen: `freeze:SUBJECT`. */
export type Revoked = `${'token' | 'agent' | 'approval' | 'freeze'}:${string}`;

export class Revocations {
  readonly #notes: RevocationNotes;
  readonly #operator: Logger;
  /** What the store did not take in time. Without `save` it is being asked. */
  readonly #waiting = new Map<Revoked, { readonly save?: () => Promise<unknown> }>();
  /** Some of those that wait are in no note: a restart would revive them. */
  #unsafe = false;

  constructor(notes: RevocationNotes, operator: Logger) {
    this.#notes = notes;
    this.#operator = operator;
  }

  /** What was not stored when the gateway ended: it has to be revoked again, and kept. */
  left(): Revoked[] {
    return this.#notes.all().map((note) => note as Revoked);
  }

  /**
   * Stores a revocation that has taken effect. False: not yet; it is tried again with each `retry`. Never rejects. The note is
   * there when this returns, before the store is asked: a crash meanwhile must not undo it.
   */
  async keep(what: Revoked, save: () => Promise<unknown>): Promise<boolean> {
    const noted = this.#notes.add(what);
    const saving = this.#save(what, save);
    const late = new AbortController();
    const failure = await Promise.race([
      saving,
      sleep(ANSWER_MS, 'it is locked', { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    if (failure === undefined) return true;
    if (!noted) this.#unsafe = true;
    // One that is still being asked says itself how that went.
    if (!this.#waiting.has(what)) this.#waiting.set(what, {});
    const message = noted
      ? 'a revocation is in effect and could not be stored yet'
      : 'a revocation is in effect and could not be written anywhere yet: a restart would undo it';
    this.#operator.error({ what, error: failure }, message);
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
    const idle = [...this.#waiting].flatMap(([what, { save }]) => (save ? [{ what, save }] : []));
    for (const { what, save } of idle) {
      this.#waiting.set(what, {});
      // Tried again with the rest of them later; one failure says enough.
      if ((await this.#save(what, save)) !== undefined) break;
    }
  }

  /** Why the store does not have it; undefined: it does. */
  async #save(what: Revoked, save: () => Promise<unknown>): Promise<string | undefined> {
    try {
      await save();
    } catch (error) {
      this.#waiting.set(what, { save });
      // Another one of the same may have been stored meanwhile, and its note removed.
      if (!this.#notes.add(what)) this.#unsafe = true;
      return (error as Error).message;
    }
    this.#notes.remove(what);
    if (this.#waiting.delete(what) && this.#waiting.size === 0) {
      this.#unsafe = false;
      this.#operator.info('all revocations are stored');
    }
    return undefined;
  }

  close(): void {
    this.#notes.close();
  }
}
