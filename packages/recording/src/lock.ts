import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One writer a journal. The lock is a file with the writer's process id and the time that process started, so that a lock
 * left behind by `kill -9` is told from a live one even when the id is in use again.
 */
export function lock(folder: string, name: string): () => void {
  const file = join(folder, `${name}.lock`);
  const mine = `${process.pid} ${startOf(process.pid) ?? ''}\n`;
  for (let attempt = 0; ; attempt++) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, mine);
      closeSync(descriptor);
      return () => unlinkSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error;
      const [pid = '', start = ''] = readFileSync(file, 'utf8').trim().split(' ');
      if (alive(Number(pid), start)) {
        throw new Error(`The journal in ${folder} is being written by process ${pid}. Is another gateway running?`, {
          cause: error,
        });
      }
      unlinkSync(file);
    }
  }
}

function alive(pid: number, start: string): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return start === '' || startOf(pid) === start;
}

/** Start time of a process in clock ticks since boot (proc(5), field 22); undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
