/** A store that cannot be written: its sentence, and who is told when that begins and ends. Does not: try again. */
import SQLite from 'better-sqlite3';

/** Nothing can be stored at the moment. What was asked for has not been stored. */
export class StoreError extends Error {}

/** What SQLite says of a disk, of which a user can mend something; undefined: the fault is another. */
export function storeError(error: unknown): StoreError | undefined {
  if (!(error instanceof SQLite.SqliteError)) return undefined;
  const why = WHY.find(([code]) => error.code.startsWith(code))?.[1];
  if (why === undefined) return undefined;
  return new StoreError(`The gateway cannot store anything at the moment: ${why}.`, { cause: error });
}

const WHY = [
  ['SQLITE_FULL', 'the disk with its data is full'],
  ['SQLITE_IOERR', 'the disk with its data fails'],
  ['SQLITE_READONLY', 'its data may only be read'],
] as const;

/** Whether the last write failed. */
export class StoreFaults {
  /** Told of the first write that fails, and of the first that succeeds behind it (undefined). */
  onChange: ((fault: StoreError | undefined) => void) | undefined;
  #failed = false;

  wrote(fault: StoreError | undefined): void {
    const failed = fault !== undefined;
    if (failed === this.#failed) return;
    this.#failed = failed;
    this.onChange?.(fault);
  }
}
