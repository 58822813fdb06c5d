import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Journal, JournalError, verify } from '../src/index.js';
import { emptyFolder, numbers, record } from './folder.js';

/** Mounting a file system takes root; elsewhere the injected failures of journal.test.ts stand alone. */
function smallDisk(): string | undefined {
  const folder = emptyFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', [folder]));
  return folder;
}

test('a disk that is really full: refused, cut back, and on again when there is room', ({ skip }) => {
  const disk = smallDisk() ?? skip('a small file system cannot be mounted here');
  const folder = join(disk, 'journal');
  const journal = new Journal({ folder, segmentBytes: 100_000 });
  let committed = 0;
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(200_000));
  const writeUntilFull = (): void => {
    for (;;) {
      journal.append(record(committed), [Buffer.alloc(3000 + committed)]);
      journal.commit();
      committed++;
    }
  };
  expect(writeUntilFull).toThrow(JournalError);
  expect(journal.failed?.message).toContain('ENOSPC');
  const { bfree, bsize } = statfsSync(disk);
  expect(bfree * bsize).toBeLessThan(10_000);
  rmSync(ballast);
  expect(journal.retry()).toBe(true);
  expect(writeUntilFull).toThrow(JournalError);
  const report = verify(folder);
  expect(report.problems).toEqual([]);
  // A record that was written when only its segment could not be sealed may be there although its commit failed.
  const found = numbers(folder);
  expect(new Set(found).size).toBe(committed);
  expect(found.length).toBeLessThanOrEqual(committed + 2);
  journal.close();
});

test('heads that cannot be written, or that a kill left half written, leave no files', async ({ skip }) => {
  const folder = smallDisk() ?? skip('a small file system cannot be mounted here');
  writeFileSync(join(folder, 'gateway.head.7-0123abcd.new'), '{"process":');
  writeFileSync(join(folder, 'gateway.head.mine.new'), 'of somebody else');
  const journal = new Journal({ folder, headAge: 0 });
  journal.append('{"k":"t","n":1}');
  journal.commit();
  const before = readdirSync(folder).sort();
  expect(before.filter((name) => name.endsWith('.new'))).toEqual(['gateway.head.mine.new']);
  const ballast = openSync(join(folder, 'ballast'), 'w');
  const fill = (): void => {
    for (const size of [64 * 1024, 1]) {
      try {
        for (;;) if (writeSync(ballast, Buffer.alloc(size)) === 0) break;
      } catch {
        // It is full for this size.
      }
    }
  };
  fill();
  await journal.tend();
  expect(journal.failed?.message).toContain('no space');
  for (let n = 0; n < 5; n++) expect(journal.retry()).toBe(false);
  expect(readdirSync(folder).sort()).toEqual(['ballast', ...before].sort());
  closeSync(ballast);
  rmSync(join(folder, 'ballast'));
  expect(journal.retry()).toBe(true);
  journal.close();
  expect(verify(folder).problems).toEqual([]);
});
