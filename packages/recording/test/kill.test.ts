import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Journal, JournalError, readJournal, verify } from '../src/index.js';
import { emptyFolder, numbers } from './folder.js';

const ROUNDS = 25;

/** Lets a writer go on from `from` until it is killed; returns the last number that it said was committed, or the one before. */
async function writeUntilKilled(folder: string, from: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder, String(from)]);
  let said = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-64)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const closed = once(child, 'close');
  // Half of them under load, half at some moment of the start.
  if (Math.random() < 0.5) await Promise.race([once(child.stdout, 'data'), closed]);
  await sleep(Math.random() * 80);
  child.kill('SIGKILL');
  await closed;
  expect(complaint).toBe('');
  const last = said
    .slice(0, Math.max(0, said.lastIndexOf('\n')))
    .split('\n')
    .at(-1);
  return last ? Number(last) : from - 1;
}

test('kill -9 at any moment: what was committed is there, once and in order, and the chain is whole', async () => {
  const folder = emptyFolder();
  // The key is there from the first start on; nothing can be verified before.
  new Journal({ folder }).close();
  let next = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const acknowledged = await writeUntilKilled(folder, next);
    const found = numbers(folder);
    expect(found.length).toBeGreaterThan(acknowledged);
    expect(found.every((n, index) => n === index)).toBe(true);
    expect(verify(folder).problems).toEqual([]);
    next = found.length;
  }
  new Journal({ folder }).close();
  const report = verify(folder);
  expect(report).toMatchObject({ problems: [], unsealed: 0 });
  expect([...readJournal(folder, (header) => header.includes('"damaged":true'))]).toEqual([]);
}, 120_000);

test('a journal has one writer; the lock of a killed one is taken over', async () => {
  const folder = emptyFolder();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder]);
  const closed = once(child, 'close');
  child.stdout.resume();
  await once(child.stdout, 'data');
  expect(() => new Journal({ folder })).toThrow(`is being written by process ${child.pid}`);
  child.kill('SIGKILL');
  await closed;
  const journal = new Journal({ folder });
  expect(() => new Journal({ folder })).toThrow(JournalError);
  journal.close();
  new Journal({ folder }).close();
});
