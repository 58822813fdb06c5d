import type { Principal } from '@sluice/contract';
import { expect, test } from 'vitest';
import { Directory, type IdentityStore, type StoredToken, mayUse, verifiersOf } from '../src/index.js';

const person: Principal = { name: 'dev', kind: 'person', groups: ['g'], roles: ['user'] };

function memory(): IdentityStore & { readonly kept: StoredToken[] } {
  const settings = new Map<string, string>();
  const kept: StoredToken[] = [];
  return {
    kept,
    tokens: () => Promise.resolve([...kept]),
    addToken: (token) => Promise.resolve(void kept.push(token)),
    revokeToken: () => Promise.resolve(),
    touchToken: () => Promise.resolve(),
    setting: (name) => Promise.resolve(settings.get(name)),
    setSetting: (name, value) => Promise.resolve(void settings.set(name, value)),
  };
}

const open = (store: IdentityStore): Promise<Directory> => Directory.open(new Map([['dev', person]]), store);

test('the keys of RFC 7677 section 3 come out for its password and salt', async () => {
  const { storedKey, serverKey } = await verifiersOf('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
  expect(storedKey).toBe('WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=');
  expect(serverKey).toBe('wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=');
});

test('a token proves its owner and nobody else, and is kept nowhere', async () => {
  const store = memory();
  const directory = await open(store);
  const { token } = await directory.createToken({ principal: 'dev', name: 't' });
  expect(directory.password('dev', token)?.principal).toEqual(person);
  expect(directory.password('other', token)).toBeUndefined();
  expect(JSON.stringify(store.kept)).not.toContain(token.split('_')[2]);
});

test('an expired or revoked token proves nothing, by any of its ways', async () => {
  const directory = await open(memory());
  const old = await directory.createToken({ principal: 'dev', name: 'old', expires: Date.now() - 1 });
  expect(directory.bearer(old.token)).toBeUndefined();
  const { token, stored } = await directory.createToken({ principal: 'dev', name: 't' });
  await directory.revokeToken(stored.id);
  expect(directory.bearer(token)).toBeUndefined();
  expect(directory.proven(stored.id)).toBeUndefined();
  expect(directory.scram('dev').candidates).toEqual([]);
});

test('a name that does not exist has a salt like any other, the same each time', async () => {
  const directory = await open(memory());
  const [a, b, c] = ['ghost', 'ghost', 'spook'].map((name) => directory.scram(name));
  expect(a?.salt).toEqual(b?.salt);
  expect(a?.salt).not.toEqual(c?.salt);
  expect(a?.candidates).toEqual([]);
  expect(a?.salt.length).toBe(directory.scram('dev').salt.length);
});

test.each([
  [['group:g'], true],
  [['user:dev'], true],
  [['agent:dev'], false],
  [['dev'], true],
  [['*'], true],
  [['group:other', 'user:x'], false],
  [['role:user'], false],
  [[], false],
])('access %j', (access, may) => {
  expect(mayUse(person, access)).toBe(may);
});
