/**
 * Data folders that are made once and copied for each server of a test. Owns: where they are kept and that only a whole one is
 * used. Does not: make them (postgres.ts, mysql.ts).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = join(tmpdir(), `sluice-templates-${process.getuid?.() ?? 0}`);

/**
 * Makes `data` by a copy of what `make` has made for the same program, with the same `options`, before. `make` gets a folder that does
 * not exist and fills it; whoever owns its files owns those of the copies. Without a place of our own for templates each is made anew.
 */
export function copyOfTemplate(
  [program, ...options]: readonly [string, ...string[]],
  data: string,
  make: (folder: string) => void,
): void {
  if (!isOurs()) return make(data);
  const { mtimeMs, size } = lstatSync(program);
  const name = createHash('sha256')
    .update(JSON.stringify([program, mtimeMs, size, ...options]))
    .digest('hex')
    .slice(0, 16);
  const template = join(FOLDER, name);
  if (!existsSync(template)) {
    make(data);
    keep(data, template);
  } else if (!copy(template, data)) make(data);
}

/** Nobody else may write there, for it is read as the user that tests run as. */
function isOurs(): boolean {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(FOLDER);
  return uid === (process.getuid?.() ?? 0) && (mode & 0o177077) === 0o040000;
}

/** Tests run at the same time: the first that is done is kept. */
function keep(data: string, template: string): void {
  const unfinished = `${template}.${process.pid}`;
  if (!copy(data, unfinished)) return;
  try {
    renameSync(unfinished, template);
  } catch {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** @returns whether all of it was copied; nothing is left otherwise */
function copy(from: string, to: string): boolean {
  if (spawnSync('cp', ['-a', from, to]).status === 0) return true;
  rmSync(to, { recursive: true, force: true });
  return false;
}
