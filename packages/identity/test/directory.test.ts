import type { Principal } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
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
    removeTokens: (ids) =>
      Promise.resolve(void kept.splice(0, kept.length, ...kept.filter(({ id }) => !ids.includes(id)))),
    setting: (name) => Promise.resolve(settings.get(name)),
    setSetting: (name, value) => Promise.resolve(void settings.set(name, value)),
  };
}

const open = (store: IdentityStore): Promise<Directory> => Directory.open(new Map([['dev', person]]), store);

/** The tokens that a login by this name is tried against; decoys are none. */
const candidatesOf = (directory: Directory, user: string): string[] =>
  directory.scram(user).candidates.flatMap(({ tokenId }) => (tokenId === '' ? [] : [tokenId]));

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
  directory.revokeToken(stored.id);
  expect(directory.bearer(token)).toBeUndefined();
  expect(directory.proven(stored.id)).toBeUndefined();
  expect(candidatesOf(directory, 'dev')).toEqual([]);
});

test('a name that does not exist has a salt like any other, the same each time', async () => {
  const directory = await open(memory());
  const [a, b, c] = ['ghost', 'ghost', 'spook'].map((name) => directory.scram(name));
  expect(a?.salt).toEqual(b?.salt);
  expect(a?.salt).not.toEqual(c?.salt);
  expect(candidatesOf(directory, 'ghost')).toEqual([]);
  expect(a?.salt.length).toBe(directory.scram('dev').salt.length);
});

describe('whoever tries names', () => {
  test('gets eight candidates for each, whether it exists or not, with however many tokens', async () => {
    const directory = await open(memory());
    const counts = [directory.scram('ghost').candidates.length, directory.scram('dev').candidates.length];
    for (let n = 0; n < 12; n++) {
      await directory.createToken({ principal: 'dev', name: `t${n}` });
      counts.push(directory.scram('dev').candidates.length);
    }
    expect(new Set(counts)).toEqual(new Set([8]));
    const { storedKey, serverKey } = directory.scram('ghost').candidates[0] ?? {};
    expect([storedKey?.length, serverKey?.length]).toEqual([32, 32]);
  });

  test('learns nothing from the salt of a name with an id: it is that of the name, whether there is such a token or not', async () => {
    const directory = await open(memory());
    const { stored } = await directory.createToken({ principal: 'dev', name: 't' });
    const salts = [`dev+${stored.id}`, 'dev+aaaaaaaaaa', 'dev'].map((user) =>
      directory.scram(user).salt.toString('hex'),
    );
    expect(new Set(salts).size).toBe(1);
  });
});

describe('of more than eight tokens', () => {
  const many = async (count: number): Promise<{ directory: Directory; ids: string[]; tokens: string[] }> => {
    const directory = await open(memory());
    const made = [];
    for (let n = 0; n < count; n++) made.push(await directory.createToken({ principal: 'dev', name: `t${n}` }));
    return { directory, ids: made.map(({ stored }) => stored.id), tokens: made.map(({ token }) => token) };
  };

  test('the oldest log in by the name alone, each by the name with its id', async () => {
    const { directory, ids, tokens } = await many(11);
    expect(candidatesOf(directory, 'dev')).toEqual(ids.slice(0, 8));
    for (const [at, id] of ids.entries()) {
      expect(candidatesOf(directory, `dev+${id}`)).toEqual([id]);
      expect(directory.loginName({ id, principal: 'dev' })).toBe(at < 8 ? 'dev' : `dev+${id}`);
      expect((await directory.authenticate(tokens[at] ?? '', `dev+${id}`))?.tokenId).toBe(id);
    }
    expect(await directory.authenticate(tokens[0] ?? '', `dev+${ids[1]}`)).toBeUndefined();
  });

  test('revoked and expired ones take no place', async () => {
    const directory = await open(memory());
    for (let n = 0; n < 10; n++)
      await directory.createToken({ principal: 'dev', name: 'old', expires: Date.now() - 1 });
    const ids: string[] = [];
    for (let n = 0; n < 9; n++) ids.push((await directory.createToken({ principal: 'dev', name: 'new' })).stored.id);
    expect(candidatesOf(directory, 'dev')).toEqual(ids.slice(0, 8));
    directory.revokeToken(ids[0] as string);
    expect(candidatesOf(directory, 'dev')).toEqual(ids.slice(1));
  });

  test('another principal who has one by its id is nobody', async () => {
    const { directory, ids } = await many(1);
    expect(candidatesOf(directory, `ghost+${ids[0]}`)).toEqual([]);
  });

  test('a principal whose name looks like a name with an id logs in all the same', async () => {
    const named = { ...person, name: 'dev+production' };
    const directory = await Directory.open(
      new Map([
        ['dev', person],
        [named.name, named],
      ]),
      memory(),
    );
    const { stored } = await directory.createToken({ principal: named.name, name: 't' });
    expect(candidatesOf(directory, named.name)).toEqual([stored.id]);
  });
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

test('a token that is being made while the one it is made with is revoked is not made', async () => {
  const directory = await open(memory());
  const { token, stored } = await directory.createToken({ principal: 'dev', name: 'stolen' });
  const madeWith = directory.bearer(token);
  if (!madeWith) throw new Error('it proves nothing');
  const child = directory.createToken({ principal: 'dev', name: 'child', parent: stored.id, madeWith });
  directory.revokeToken(stored.id);
  await expect(child).rejects.toThrow('not valid any more');
  expect(candidatesOf(directory, 'dev')).toEqual([]);
});

describe('somebody who makes tokens without end', () => {
  test('has fifty, by whichever way and however many at once, and is told what to do', async () => {
    const store = memory();
    const directory = await open(store);
    const made = await Promise.allSettled(
      Array.from({ length: 80 }, () => directory.createToken({ principal: 'dev', name: 't' })),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
    expect(store.kept).toHaveLength(50);
    expect(candidatesOf(directory, 'dev')).toHaveLength(8);
    await expect(directory.createToken({ principal: 'dev', name: 't' })).rejects.toThrow(
      '"dev" has 50 tokens that are good, which is the most there may be: revoke those that nobody needs',
    );
    directory.revokeToken(store.kept[0]?.id ?? '');
    await directory.createToken({ principal: 'dev', name: 't' });
  });

  test('has room when a token for one login was used for it', async () => {
    const directory = await open(memory());
    const brief = (): Promise<{ token: string }> =>
      directory.createToken({ principal: 'dev', name: 'sluice connect', expires: Date.now() + 60_000 });
    const first = await brief();
    for (let n = 1; n < 50; n++) await brief();
    await expect(brief()).rejects.toThrow('50 tokens');
    expect(directory.bearer(first.token)).toBeDefined();
    await brief();
    expect(directory.bearer(first.token)).toBeUndefined();
  });

  test('leaves nothing behind: dead tokens are kept by the newest fifty, and for a month', async () => {
    const store = memory();
    const directory = await open(store);
    for (let n = 0; n < 120; n++) {
      const { stored } = await directory.createToken({ principal: 'dev', name: 't' });
      directory.revokeToken(stored.id);
    }
    expect(directory.tokens().length).toBeLessThanOrEqual(51);
    expect(store.kept.length).toBe(directory.tokens().length);
    const month = Date.now() - 31 * 24 * 3_600_000;
    const old = store.kept.map((token) => ({ ...token, revoked: month }));
    store.kept.splice(0, store.kept.length, ...old);
    expect((await open(store)).tokens()).toEqual([]);
    expect(store.kept).toEqual([]);
  });

  test('a session keeps the roles of its token when that is forgotten', async () => {
    const directory = await open(memory());
    const { token } = await directory.createToken({ principal: 'dev', name: 't', roles: [] });
    const proven = directory.bearer(token);
    if (!proven) throw new Error('it proves nothing');
    const forgotten = await open(memory());
    expect(forgotten.current(proven)?.roles).toEqual([]);
  });
});
