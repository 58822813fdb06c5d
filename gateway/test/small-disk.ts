/** A small file system for a journal that fills up. Owns: mounting it, and that it is gone behind the test. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { onTestFinished } from 'vitest';

/** A folder with a file system of 6 MB where the journal will be; undefined where mounting is not permitted. */
export function smallDisk(): string | undefined {
  const { path, remove } = temporaryFolder('disk');
  const journal = join(path, 'data', 'journal');
  mkdirSync(journal, { recursive: true });
  chmodSync(join(path, 'data'), 0o700);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', journal], { stdio: 'ignore' });
  } catch {
    remove();
    return undefined;
  }
  onTestFinished(() => {
    execFileSync('umount', [journal]);
    remove();
  });
  return path;
}
