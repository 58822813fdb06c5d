/** One writer for each journal. Owns: the lock file, and telling a stale one. */
import { createHash } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { JournalError } from './errors.js';
import { codeOf, createWhole } from './files.js';

/** A claim to a stale lock is held for microseconds; one that is older was left by a kill. Milliseconds. */
const STALE_CLAIM_MS = 5000;
const MAX_ATTEMPTS = 5;

/**
 * One writer a journal. The lock is a file with the writer's process id and the time that process started, so that a lock
 * left behind by `kill -9` is told from a live one even when the id is in use again. It guards against a second process on
 * this machine: processes in other containers, or on other machines that share the folder, cannot be seen.
 *
 * @returns what lets go of it
 * @throws JournalError when another process has it
 */
export function lock(folder: string, name: string): () => void {
  const file = join(folder, `${name}.lock`);
  const mine = `${process.pid} ${startOf(process.pid) ?? ''}\n`;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (createWhole(file, mine)) return () => rmSync(file, { force: true });
    const owner = read(file);
    if (owner === undefined) continue;
    const [pid = '', start = ''] = owner.trim().split(' ');
    if (alive(Number(pid), start)) {
      throw new JournalError(
        `The journal in ${folder} is being written by process ${pid}. Is another gateway running?`,
      );
    }
    remove(file, owner);
  }
  throw new JournalError(`The journal in ${folder} is being taken over by another process.`);
}

/**
 * Removes a dead owner's lock. Two processes may find it at the same time, and the slower one must not remove what the
 * faster one has put in its place: so whoever removes it first claims exactly that owner's lock by a link of its own name.
 */
function remove(file: string, owner: string): void {
  const claim = `${file}.${createHash('sha256').update(owner).digest('hex').slice(0, 16)}`;
  try {
    linkSync(file, claim);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    if (codeOf(error) !== 'EEXIST') throw error;
    if (Date.now() - (statSync(claim, { throwIfNoEntry: false })?.ctimeMs ?? Infinity) > STALE_CLAIM_MS) {
      rmSync(claim, { force: true });
    }
    return;
  }
  if (read(claim) === owner) rmSync(file, { force: true });
  rmSync(claim, { force: true });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function alive(pid: number, start: string): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  return (start === '' || startOf(pid) === start) && !isZombie(pid);
}

/** Start time of a process in clock ticks since boot (proc(5), field 22); undefined where there is no /proc. */
const startOf = (pid: number): string | undefined => fieldsOf(pid)[19];

/** A killed process keeps its id until its parent has asked for its status, which some never do (proc(5), field 3). */
const isZombie = (pid: number): boolean => ['Z', 'X'].includes(fieldsOf(pid)[0] ?? '');

/** The fields of /proc/PID/stat from the third on: the second, a name, may have spaces and brackets in it. */
function fieldsOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
