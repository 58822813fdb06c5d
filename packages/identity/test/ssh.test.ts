import { setTimeout as sleep } from 'node:timers/promises';
import { generateKeyPairSync } from 'node:crypto';
import { blobOf, parsePublicKey } from '@sluice/keys';
import { expect, test } from 'vitest';
import { PendingLogins, type Proven, SshIdentities, isWithin } from '../src/index.js';

const ada = { name: 'ada', kind: 'person', groups: [], roles: ['user'] } as const;

test('a key is that of one principal, and of nobody when the principal is gone', () => {
  const [own, other] = [1, 2].map(() => parsePublicKey(blobOf(generateKeyPairSync('ed25519').publicKey)));
  if (!own || !other) throw new Error('no keys');
  const identities = new SshIdentities(
    new Map([
      ['ada', [own]],
      ['gone', [other]],
    ]),
    [],
    (name) => (name === 'ada' ? ada : undefined),
  );
  expect(identities.proven(own.blob, '127.0.0.1')).toMatchObject({ principal: ada });
  expect(identities.offers(own.blob, '127.0.0.1')).toBe(true);
  expect(identities.offers(other.blob, '127.0.0.1')).toBe(false);
  expect(identities.proven(Buffer.from('nonsense'), '127.0.0.1')).toMatchObject({ fault: 'nobody has this key' });
});

test.each([
  ['192.0.2.7', '192.0.2.0/24', true],
  ['::ffff:192.0.2.7', '192.0.2.0/24', true],
  ['192.0.3.7', '192.0.2.0/24', false],
  ['192.0.3.7', '192.0.2.0/', false],
  ['192.0.3.7', '192.0.2.0/0x0', false],
  ['192.0.2.7', '10.0.0.0/8,192.0.2.7', true],
  ['2001:db8::1', '2001:db8::/32', true],
  ['2001:db9::1', '2001:db8::/32', false],
  ['::1', '::1', true],
  ['127.0.0.1', '::/0', false],
  ['nonsense', '0.0.0.0/0', false],
  ['127.0.0.1', '127.0.0.1/33', false],
  ['127.0.0.1', '', false],
])('%s within "%s": %s', (address, list, expected) => {
  expect(isWithin(address, list)).toBe(expected);
});

const from = (address: string) => ({ address, client: 'SSH-2.0-OpenSSH_9.2', account: 'root', connection: 'vm' });

const who: Proven = {
  by: 'token',
  principal: ada,
  tokenId: 'one',
  makers: [],
  connections: undefined,
  expires: undefined,
  endsSessions: false,
};

test('a code lets one client in, once, as who confirms it', async () => {
  const logins = new PendingLogins();
  const login = from('192.0.2.1');
  const begun = logins.begin(login, new AbortController().signal);
  if (!begun) throw new Error('not begun');
  expect(begun.code).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  expect(logins.confirm('0000-0000', who)).toBe('unknown');
  // Whoever is about to confirm it sees what it is, and it waits on.
  expect(logins.look(begun.code, who)).toEqual({ ...login, expires: expect.any(Number) });
  expect(logins.confirm(begun.code.toLowerCase().replace('-', ' '), who)).toEqual({ address: '192.0.2.1' });
  expect(await begun.confirmed).toBe(who);
  expect(logins.confirm(begun.code, who)).toBe('unknown');
});

test('a client that leaves takes its code along, and nobody fills the list', async () => {
  const logins = new PendingLogins();
  const leaving = new AbortController();
  const all = Array.from({ length: 7 }, () => logins.begin(from('192.0.2.1'), leaving.signal));
  expect(all.filter(Boolean)).toHaveLength(5);
  expect(logins.begin(from('192.0.2.2'), new AbortController().signal)).toBeDefined();
  leaving.abort();
  expect(await all[0]?.confirmed).toBeUndefined();
  await sleep(0);
  expect(logins.begin(from('192.0.2.1'), new AbortController().signal)).toBeDefined();
});

test('guessing ends after a few tries', () => {
  const logins = new PendingLogins();
  const said = Array.from({ length: 12 }, () => logins.confirm('0000-0000', who));
  expect(said.at(-1)).toBe('too many');
  expect(logins.look('0000-0000', who)).toBe('too many');
  expect(logins.confirm('0000-0000', { ...who, principal: { ...ada, name: 'bob' } })).toBe('unknown');
});
