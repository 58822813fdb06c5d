/**
 * The file of a segment that is being written: is it still ours, cut back, put back. Does not: know what is in it (journal.ts).
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, renameSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { copyBytes, syncFolder } from './files.js';

/** The file that is being written, held against what is at its path. Lives here: what others may have done to it. */

/** Throws where the file was taken away, or changed by somebody else: what is recorded would be lost although it is written. */
export function checkFile(path: string, file: number, bytes: number): void {
  const name = basename(path);
  if (!isAt(path, file)) throw new Error(`somebody took ${name} away`);
  if (fstatSync(file).size !== bytes) throw new Error(`somebody else changed the size of ${name}`);
}

/** Cuts a file back. One that is too short is not made longer: what was in it is gone. */
export function cutBack(file: number, bytes: number): void {
  if (fstatSync(file).size > bytes) ftruncateSync(file, bytes);
}

/**
 * Puts a file back that was taken away, of which the content is still here.
 *
 * @returns the file to go on with; undefined: it was cut, so that its content is not here any more
 */
export function putBack(path: string, file: number, bytes: number): number | undefined {
  if (fstatSync(file).size < bytes) return undefined;
  if (isAt(path, file)) return file;
  if (statSync(path, { throwIfNoEntry: false })) renameSync(path, `${path}.replaced-${Date.now()}`);
  const copy = openSync(path, 'wx+', 0o600);
  copyBytes(file, copy, bytes);
  fdatasyncSync(copy);
  syncFolder(dirname(path));
  closeSync(file);
  return copy;
}

function isAt(path: string, file: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const mine = fstatSync(file);
  return there?.ino === mine.ino && there.dev === mine.dev;
}
