/** Notes of counts: what a killed process leaves, lines that were cut, and two files that take turns. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CountNotes } from '../src/index.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-notes-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const record = (amount: number, what = 'rows') => ({ owner: 'ana', what, hour: 7, amount });
const path = (): string => join(folder, 'counts');

test('what was noted is there for the next process, whatever the last one came to', () => {
  const notes = CountNotes.open(path());
  expect(notes.add(record(5))).toBe(true);
  expect(notes.add(record(9, 'a "b"\n\0'))).toBe(true);
  // Nobody has closed it.
  expect(CountNotes.open(path()).left()).toEqual([record(5), record(9, 'a "b"\n\0')]);
  notes.close();
});

test('a line that was cut spoils neither those before it nor those behind', () => {
  const notes = CountNotes.open(path());
  notes.add(record(5));
  appendFileSync(`${path()}.0`, '\n["ana","ro');
  notes.add(record(6));
  notes.close();
  expect(CountNotes.open(path()).left()).toEqual([record(5), record(6)]);
});

test('what is noted while the store is being written is kept, and what it has is emptied', () => {
  const notes = CountNotes.open(path());
  notes.add(record(1));
  const saved = notes.saving();
  notes.add(record(2));
  expect(CountNotes.open(path()).left()).toEqual([record(1), record(2)]);
  saved();
  expect(CountNotes.open(path()).left()).toEqual([record(2)]);
  // Of an attempt that fails nothing is lost, and the next one empties in turn.
  notes.saving();
  notes.add(record(3));
  const again = notes.saving();
  notes.add(record(4));
  again();
  expect(
    CountNotes.open(path())
      .left()
      .map(({ amount }) => amount),
  ).toEqual(expect.arrayContaining([3, 4]));
  for (let turn = 0; turn < 2; turn++) notes.saving()();
  expect(CountNotes.open(path()).left()).toEqual([]);
  notes.close();
});

test('it is for this user only, and bounded', () => {
  const notes = CountNotes.open(path());
  notes.add(record(1));
  expect(statSync(`${path()}.0`).mode & 0o777).toBe(0o600);
  const long = record(1, 'x'.repeat(1024 * 1024));
  let taken = 0;
  while (notes.add(long)) taken++;
  expect(taken).toBe(15);
  expect(readFileSync(`${path()}.0`).length).toBeLessThanOrEqual(16 * 1024 * 1024);
  expect(notes.add(record(2))).toBe(true);
  notes.close();
});
