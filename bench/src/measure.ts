import { readFileSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';

/** CPU time that a process and all its threads have used, in microseconds, as the kernel accounts it. */
export function cpuOf(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return nanoseconds / 1000;
}

/** Resident memory of a process in bytes. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

export const median = (values: readonly number[]): number => at(values, 0.5);

/** The middle half of the values. */
export const spread = (values: readonly number[]): readonly [number, number] => [at(values, 0.25), at(values, 0.75)];

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** The same things in another order each time, so that no variant always runs on a warm, or a tired, machine. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

export const machine = (): string =>
  `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}, Node ${process.version}`;
