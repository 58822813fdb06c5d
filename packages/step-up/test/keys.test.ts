/** What of a key counts later. Does not: show keys in a browser (gateway/test/console-logins.test.ts). */
import type { SecurityKeyRecord, SecurityKeyStore } from '@sluice/store';
import { expect, test } from 'vitest';
import { SecurityKeys } from '../src/index.js';

const key = (created: number): SecurityKeyRecord => ({
  id: 'chosen-by-its-maker',
  owner: { name: 'ana', issuer: 'corp', subject: 'u1' },
  name: 'laptop',
  publicKey: new Uint8Array(),
  counter: 0,
  transports: [],
  created,
  lastUsed: undefined,
});
const withKeys = (...all: SecurityKeyRecord[]): Promise<SecurityKeys> =>
  SecurityKeys.open({
    all: async () => all,
    remove: async () => undefined,
  } as Partial<SecurityKeyStore> as SecurityKeyStore);

test('a key has signed nothing of before it was registered, whoever had one of its id then', async () => {
  const keys = await withKeys(key(1_000));
  expect(keys.hasSince('chosen-by-its-maker', 1_000)).toBe(true);
  await keys.remove('chosen-by-its-maker');
  expect(keys.hasSince('chosen-by-its-maker', 1_000)).toBe(false);
  const later = await withKeys(key(2_000));
  expect(later.hasSince('chosen-by-its-maker', 1_999)).toBe(false);
  expect(later.hasSince('another', 3_000)).toBe(false);
});
