/** What is brought to the disk while others go on, and what becomes of a disk that fails at it. The disk's failure is a double. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Journal, verify } from '../src/index.js';
import { emptyFolder, numbers, record } from './folder.js';

type Sync = typeof fs.fdatasync;

/** Stands `instead` in for the sync that waits for nobody. */
function stand(instead: (file: number, done: fs.NoParamCallback) => void): void {
  const original = fs.fdatasync;
  fs.fdatasync = instead as Sync;
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.fdatasync = original;
    syncBuiltinESMExports();
  });
}

const MEBIBYTE = Buffer.alloc(1024 * 1024, 'x');

function write(journal: Journal, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    journal.append(record(n), [MEBIBYTE]);
    journal.commit();
  }
}

const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: it failed`), { code });

test('a seal has only the last few megabytes to wait for: the rest is brought to the disk before, one after the other', () => {
  const running: fs.NoParamCallback[] = [];
  let begun = 0;
  stand((_, done) => {
    begun++;
    running.push(done);
  });
  const journal = new Journal({ folder: emptyFolder() });
  write(journal, 0, 3);
  expect(begun).toBe(0);
  write(journal, 3, 9);
  // It is not asked for again while it is under way.
  expect(begun).toBe(1);
  running.shift()?.(null);
  return vi.waitFor(() => {
    write(journal, 9, 10);
    expect(begun).toBe(2);
    running.shift()?.(null);
    journal.close();
  });
});

test.each([
  ['while it is written', false],
  ['when it is sealed by then', true],
])('a disk that has lost part of a segment stops all, %s', async (_, isSealed) => {
  let done: fs.NoParamCallback = () => undefined;
  stand((__, callback) => (done = callback));
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  write(journal, 0, 5);
  if (isSealed) journal.seal();
  done(failure('EIO'));
  await vi.waitFor(() => expect(journal.failed).toBeDefined());
  expect(() => journal.append(record(5))).toThrow('EIO');
  expect(() => journal.commit()).toThrow('EIO');
  expect(journal.retry()).toBe(true);
  write(journal, 6, 7);
  journal.close();
  expect(numbers(folder)).toEqual([0, 1, 2, 3, 4, 6]);
  expect(verify(folder).problems).toEqual([]);
});

test('a file that was sealed and closed meanwhile is on the disk: that its number is none any more is no failure', async () => {
  let done: fs.NoParamCallback = () => undefined;
  stand((_, callback) => (done = callback));
  const journal = new Journal({ folder: emptyFolder() });
  write(journal, 0, 5);
  journal.seal();
  done(failure('EBADF'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(journal.failed).toBeUndefined();
  write(journal, 5, 10);
  done(failure('EBADF'));
  await vi.waitFor(() => expect(journal.failed?.message).toContain('EBADF'));
  journal.close();
});
