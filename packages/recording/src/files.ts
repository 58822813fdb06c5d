/** Writing files so that a kill or a full disk leaves no half of one. Does not: know what is in them. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';

/** `writeSync` with a position; tests stand a failing disk in here. */
export type Write = (file: number, bytes: Uint8Array, offset: number, length: number, position: number) => number;

/** Writes all of `bytes` at a position, however few of them the file system takes at a time. Throws when it takes none. */
export function writeAll(write: Write, file: number, bytes: Uint8Array, length: number, position: number): void {
  for (let from = 0; from < length; ) {
    const written = write(file, bytes, from, length - from, position + from);
    if (written === 0) throw new Error('the file system accepts no more bytes');
    from += written;
  }
}

const COPY_BYTES = 1024 * 1024;

/** Copies the first `length` bytes of an open file to the start of another. */
export function copyBytes(from: number, to: number, length: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, length));
  for (let at = 0; at < length; ) {
    const read = readSync(from, buffer, 0, Math.min(buffer.length, length - at), at);
    if (read === 0) throw new Error('the file is shorter than it was');
    writeAll(writeSync, to, buffer, read, at);
    at += read;
  }
}

/** Makes a file with all its content at once, or not at all: a kill leaves no half of it. False: it is there already. */
export function createWhole(file: string, content: string | Buffer, mode = 0o600): boolean {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
  try {
    writeFileSync(draft, content, { mode, flag: 'wx', flush: true });
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Makes sure that the names of new files in a folder outlive a loss of power. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Brings an open file to the disk while others go on. Rejects when the disk has lost something of it.
 *
 * @param isOver whether it was closed meanwhile, by somebody who brought all of it to the disk
 */
export async function syncLater(file: number, isOver: () => boolean): Promise<void> {
  try {
    await promisify(fdatasync)(file);
  } catch (error) {
    if (!(isOver() && codeOf(error) === 'EBADF')) throw error;
  }
}

export const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
