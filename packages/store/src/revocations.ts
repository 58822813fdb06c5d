/**
 * What was revoked while the store could not be written, so that a restart does not revive it. Owns: a file of fixed size that
 * is filled while there is room; what is noted later overwrites bytes that the file has already, which a full disk does not
 * refuse. Does not: carry a revocation out, or try the store again.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';

/** Bytes of one note, padded with zeros, and how many there is room for. */
const SLOT_BYTES = 128;
const MAX_NOTES = 1024;

export class RevocationNotes {
  /** Negative once it is closed: a number that is in use again must never be written to. */
  #file: number;
  readonly #slots = new Map<string, number>();

  private constructor(file: number) {
    this.#file = file;
    const slot = Buffer.alloc(SLOT_BYTES);
    for (let at = 0; at < MAX_NOTES; at++) {
      readSync(file, slot, 0, SLOT_BYTES, at * SLOT_BYTES);
      const note = slot.toString('utf8').replace(/\0+$/, '');
      if (note !== '') this.#slots.set(note, at);
    }
  }

  /** Opens, or makes, the file. Throws when there is no room for it: later there would be none for a revocation. */
  static open(path: string): RevocationNotes {
    const size = SLOT_BYTES * MAX_NOTES;
    const file = openSync(path, existsSync(path) ? 'r+' : 'wx+', 0o600);
    try {
      // Written, not only made longer: a hole in a file takes its room when it is filled.
      const missing = size - statSync(path).size;
      if (missing > 0) writeSync(file, Buffer.alloc(missing), 0, missing, size - missing);
      fsyncSync(file);
      return new RevocationNotes(file);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  all(): string[] {
    return [...this.#slots.keys()];
  }

  /** Notes it on disk before it returns. False: there is no room, or the disk fails. */
  add(note: string): boolean {
    if (this.#slots.has(note)) return true;
    const taken = new Set(this.#slots.values());
    let at = 0;
    while (taken.has(at)) at++;
    if (at >= MAX_NOTES || Buffer.byteLength(note) > SLOT_BYTES || !this.#write(at, note)) return false;
    this.#slots.set(note, at);
    return true;
  }

  remove(note: string): void {
    const at = this.#slots.get(note);
    if (at !== undefined && this.#write(at, '')) this.#slots.delete(note);
  }

  close(): void {
    closeSync(this.#file);
    this.#file = -1;
  }

  #write(at: number, note: string): boolean {
    const slot = Buffer.alloc(SLOT_BYTES);
    slot.write(note, 'utf8');
    try {
      writeSync(this.#file, slot, 0, SLOT_BYTES, at * SLOT_BYTES);
      fsyncSync(this.#file);
      return true;
    } catch {
      return false;
    }
  }
}
