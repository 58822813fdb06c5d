import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { Store, type TokenRecord } from '../src/index.js';

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'control.db');
}

const token = (id: string): TokenRecord => ({
  id,
  principal: 'dev',
  name: 'test',
  storedKey: '',
  serverKey: '',
  sha256: '',
  sha1: '',
  created: 1,
  expires: undefined,
  lastUsed: undefined,
  revoked: undefined,
  connections: undefined,
  roles: undefined,
  owner: undefined,
  parent: undefined,
  makers: [],
});

/** Locks the file as a backup in another process does. SQLite tells its connections apart, not their processes. */
function lockFile(file: string): () => void {
  const other = new SQLite(file);
  other.exec('begin immediate');
  return () => {
    other.exec('rollback');
    other.close();
  };
}

test('while somebody else has the file locked, reads are answered, writes wait, and the event loop goes on', async () => {
  const file = newFile();
  const store = await Store.open(file);
  await store.addToken(token('before'));
  const unlock = lockFile(file);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let [added, enrolled] = [false, false];
  const writes = [
    store.addToken(token('meanwhile')).then(() => (added = true)),
    store.agents.enrol('no such token', { id: 'a', publicKey: '' }, 1).then(() => (enrolled = true)),
    store.touchToken('before', 7),
  ];
  expect((await store.tokens()).map(({ id }) => id)).toEqual(['before']);
  await sleep(600);
  delay.disable();
  expect({ added, enrolled }).toEqual({ added: false, enrolled: false });
  // One write that waits inside SQLite is five seconds.
  expect(delay.max / 1e6).toBeLessThan(2_000);
  unlock();
  await Promise.all(writes);
  expect((await store.tokens()).map(({ id, lastUsed }) => [id, lastUsed])).toEqual([
    ['before', 7],
    ['meanwhile', undefined],
  ]);
  await store.close();
});

test('a store that is closed while its file is locked says that what waited was not written', async () => {
  const file = newFile();
  const store = await Store.open(file);
  const unlock = lockFile(file);
  const write = store.setSetting('a', '1').catch((error: Error) => error);
  await store.close();
  expect(await write).toMatchObject({ message: expect.stringContaining('locked') });
  unlock();
  const again = await Store.open(file);
  expect(await again.setting('a')).toBeUndefined();
  await again.close();
});

test('of two who use the same one-time token up at the same time, one gets it', async () => {
  const store = await Store.open(newFile());
  await store.agents.addToken({ hash: 'h', name: 'dc1', expires: 10 });
  const both = await Promise.all([
    store.agents.enrol('h', { id: 'a1', publicKey: '' }, 1),
    store.agents.enrol('h', { id: 'a2', publicKey: '' }, 1),
  ]);
  expect(both).toEqual(['dc1', undefined]);
  expect((await store.agents.all()).map(({ id }) => id)).toEqual(['a1']);
  await store.close();
});
