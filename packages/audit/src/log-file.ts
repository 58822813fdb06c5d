/**
 * The log as a file in the data folder, for `sluice logs`: two files at most, the older one with `.1` behind its name. Owns: its size. Does
 * not: fail: where it cannot be written, standard error has the log all the same.
 */
import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const LOG_FILE = 'gateway.log';
const MAX_BYTES = 8 * 1024 * 1024;

export class LogFile {
  readonly #path: string;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(folder: string) {
    this.#path = join(folder, LOG_FILE);
    this.#open();
  }

  /** A line of JSON, with its line feed. */
  write(line: string): void {
    try {
      if (this.#descriptor === undefined) this.#open();
      if (this.#bytes > MAX_BYTES) this.#rotate();
      if (this.#descriptor !== undefined) this.#bytes += writeSync(this.#descriptor, line);
    } catch {
      // A full disk: the journal says so already.
    }
  }

  #open(): void {
    try {
      this.#descriptor = openSync(this.#path, 'a', 0o600);
      fchmodSync(this.#descriptor, 0o600);
      this.#bytes = fstatSync(this.#descriptor).size;
    } catch {
      // Such as one of somebody else's. The next line tries again.
      this.#close();
    }
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    this.#bytes = 0;
    if (descriptor !== undefined) closeSync(descriptor);
  }

  #rotate(): void {
    this.#close();
    try {
      renameSync(this.#path, `${this.#path}.1`);
    } catch {
      // It goes on in the file that it has.
    }
    this.#open();
  }
}
