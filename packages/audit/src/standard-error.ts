/**
 * Standard error as the log writes to it. Owns: that a log which nobody can take ends no process. Does not: the form of lines
 * (operator-log.ts).
 */
import { fstatSync, writeSync } from 'node:fs';

const STANDARD_ERROR = 2;

/**
 * What writes a line to standard error. Lines that cannot be written, because the disk is full that it goes to or the reader of a
 * pipe is gone, are lost, and the next one is tried again.
 */
export function standardError(): (line: string) => void {
  // Without this a failed write, by whoever does it, would be an error that nobody handles: the end of the process.
  if (process.stderr.listenerCount('error', ignore) === 0) process.stderr.on('error', ignore);
  if (!isFile()) return (line) => void process.stderr.write(line);
  // The stream of a file ends for good with the first write that fails.
  return (line) => {
    try {
      writeSync(STANDARD_ERROR, line);
    } catch {
      // The disk is full. There will be room again.
    }
  };
}

const ignore = (): void => undefined;

/** Whether it is a file or a device, not a terminal, a pipe or a socket. False where it is closed. */
function isFile(): boolean {
  if (process.stderr.isTTY) return false;
  try {
    const stat = fstatSync(STANDARD_ERROR);
    return stat.isFile() || stat.isCharacterDevice();
  } catch {
    return false;
  }
}
