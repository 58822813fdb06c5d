/** Reads the file of the log (packages/audit/src/log-file.ts): its end, and what is added to it. Does not: write it. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_FILE } from '@sluice/audit';

/** How much of the end of a file is looked through for lines, in bytes. */
const MAX_END_BYTES = 4 * 1024 * 1024;
/** How often a file is looked at, in milliseconds. */
const LOOK_MS = 250;

/** The last lines, the oldest first, with those of the file before where the newer one has too few. Undefined: there is no log. */
export function lastLines(folder: string, count: number): string[] | undefined {
  const file = join(folder, LOG_FILE);
  if (!existsSync(file)) return undefined;
  const lines = endOf(file);
  const older = lines.length < count && existsSync(`${file}.1`) ? endOf(`${file}.1`) : [];
  return [...older, ...lines].slice(-count);
}

/** Lines as they are added, until `signal` is aborted. Survives a file that is begun anew. */
export async function* followLog(folder: string, signal: AbortSignal): AsyncGenerator<string> {
  const file = join(folder, LOG_FILE);
  let { size: at, ino } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0, ino: 0 };
  let rest = '';
  while (!signal.aborted) {
    const now = statSync(file, { throwIfNoEntry: false });
    if (now && (now.ino !== ino || now.size < at)) {
      if (now.ino !== ino && existsSync(`${file}.1`)) rest += readFrom(`${file}.1`, at);
      [at, ino] = [0, now.ino];
    }
    if (now && now.size > at) {
      const text = readFrom(file, at);
      at += Buffer.byteLength(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

function endOf(file: string): string[] {
  const { size } = statSync(file);
  const lines = readFrom(file, Math.max(0, size - MAX_END_BYTES)).split('\n');
  // The first may have lost its beginning.
  return lines.slice(size > MAX_END_BYTES ? 1 : 0).filter((line) => line !== '');
}

function readFrom(file: string, from: number): string {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(MAX_END_BYTES, Math.max(0, statSync(file).size - from)));
    const read = readSync(descriptor, bytes, 0, bytes.length, from);
    // Whole lines only, so that no character is cut.
    const end = bytes.subarray(0, read).lastIndexOf(0x0a);
    return bytes.toString('utf8', 0, end + 1);
  } finally {
    closeSync(descriptor);
  }
}
