/**
 * The first process of a PostgreSQL server, as `postmaster.pid` in its data folder tells of it: line 1 is its process id,
 * line 8 is `ready` once it takes connections. That is how pg_ctl knows, too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether the server with this process id takes connections. */
export function isReady(data: string, pid: number | undefined): boolean {
  const lines = readPidFile(data);
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/**
 * Clears what an earlier start has left. A server whose starter was killed goes on without it: it is stopped. One whose
 * starter lives is in use: this rejects.
 */
export async function clearFormer(data: string, starter: number): Promise<void> {
  const pid = Number(readPidFile(data)[0]);
  if (!(pid > 0)) return;
  const running = look(pid);
  if (!running) return; // PostgreSQL itself sees that the file is stale, and checks for sessions that outlived it.
  if (!running.command.includes(data)) return rmSync(join(data, 'postmaster.pid')); // the number went to another program
  if (running.parent === starter)
    throw new Error(`PostgreSQL is already running in ${data}, started by process ${starter}.`);
  await end(pid);
}

/** SIGINT is PostgreSQL's fast shutdown: sessions are cut, data is kept. SIGQUIT leaves the rest to recovery. */
export async function end(pid: number): Promise<void> {
  signal(pid, 'SIGINT');
  for (let waited = 0; look(pid); waited += PAUSE) {
    if (waited === START_TIMEOUT_MS) signal(pid, 'SIGQUIT');
    await sleep(PAUSE);
  }
}

const PAUSE = 20;
const START_TIMEOUT_MS = 10_000;

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone already.
  }
}

function readPidFile(data: string): string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** A living process: its command line and its parent. */
function look(pid: number): { command: string; parent: number } | undefined {
  if (process.platform !== 'linux') {
    const said = spawnSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
    return said === '' ? undefined : { command: said, parent: Number.parseInt(said, 10) };
  }
  try {
    // proc(5): `pid (name) state parent ...`; the name may hold anything, parentheses too.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z'
      ? undefined
      : { command: readFileSync(`/proc/${pid}/cmdline`, 'utf8'), parent: Number(parent) };
  } catch {
    return undefined;
  }
}
