import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { type AgentProof, proven, prove, publicKeyOf } from '@sluice/tunnel';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AllowList, Secrets, backOff, checkUrl, ownKey } from '../src/index.js';

const LIST = new AllowList(`# what this agent may reach
db.internal:5432
*.shop.internal:5432 in 10.1.0.0/16,fd00::/8
10.2.0.0/16:*       # by address, any port
[fd00::5]:22
localhost:6000
`);

describe('the allow-list', () => {
  const asked: string[] = [];
  const check = async (host: string, port: number, ...addresses: string[]): Promise<string> => {
    const resolve = (name: string) => {
      asked.push(name);
      return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    };
    const permission = await LIST.check(host, port, resolve);
    return permission.allowed ? permission.addresses.map(({ address }) => address).join() : permission.code;
  };

  test.each<[string, number, string[], string]>([
    ['db.internal', 5432, ['10.9.9.9'], '10.9.9.9'],
    ['DB.Internal.', 5432, ['10.9.9.9'], '10.9.9.9'],
    ['db.internal', 5433, ['10.9.9.9'], 'denied'],
    ['xdb.internal', 5432, ['10.9.9.9'], 'denied'],
    ['db.internal.evil.example', 5432, ['10.9.9.9'], 'denied'],
    ['dbxinternal', 5432, ['10.9.9.9'], 'denied'],
    ['a.shop.internal', 5432, ['10.1.2.3'], '10.1.2.3'],
    ['a.b.shop.internal', 5432, ['fd00::1'], 'fd00::1'],
    ['shop.internal', 5432, ['10.1.2.3'], 'denied'],
    ['10.2.255.1', 1, [], '10.2.255.1'],
    ['10.3.0.1', 1, [], 'denied'],
    ['::ffff:10.2.0.1', 1, [], '::ffff:10.2.0.1'],
    ['fd00::5', 22, [], 'fd00::5'],
    ['fd00::5', 23, [], 'denied'],
    ['localhost', 6000, ['127.0.0.1'], '127.0.0.1'],
    ['127.0.0.1', 6000, [], 'denied'],
  ])('%s:%i, which resolves to %j: %s', async (host, port, addresses, outcome) => {
    expect(await check(host, port, ...addresses)).toBe(outcome);
  });

  test('has Unix sockets by their very paths', () => {
    const list = new AllowList('unix:/run/docker.sock\nunix:/run/two.sock # and this one');
    expect(
      ['/run/docker.sock', '/run/two.sock', '/run/../run/docker.sock', '/run', '/run/docker.sock/'].map((one) =>
        list.hasSocket(one),
      ),
    ).toEqual([true, true, false, false, false]);
    expect(list.lines).toEqual(['the Unix socket /run/docker.sock', 'the Unix socket /run/two.sock']);
    for (const path of ['run/x', '/run/../x', '/run//x', '/run/', '/', ''])
      expect(() => new AllowList(`unix:${path}`)).toThrow('no path of a Unix socket');
    expect(LIST.hasSocket('/run/docker.sock')).toBe(false);
  });

  test.each([['127.0.0.1'], ['169.254.169.254'], ['::1'], ['::ffff:127.0.0.1'], ['0.0.0.0'], ['fe80::1']])(
    'a name on it may not lead to %s',
    async (address) => {
      expect(await check('db.internal', 5432, address)).toBe('denied');
      expect(await check('db.internal', 5432, address, '10.9.9.9')).toBe('10.9.9.9');
    },
  );

  test.each([
    ['10.2.0.0/:5432', 'write the number of bits'],
    ['[fd00::/]:5432', 'write the number of bits'],
    ['x:5432 in 10.0.0.0/', 'write the number of bits'],
    ['x:5432 in 10.0.0.0/8,', 'no IP address'],
    ['10.0.0.0/8/8:1', 'write the number of bits'],
    ['10.2.3.4/8:1', 'bits set behind'],
    ['[fd00::5%1]:22', 'no IP address'],
    ['10.0.0:22', 'no complete IP address'],
    ['0x7f000001:22', 'no complete IP address'],
    ['10.0.0.1:22 in 10.0.0.0/8', 'for names'],
  ])('a slip opens nothing: "%s" refuses the start', (line, words) => {
    expect(() => new AllowList(`db:1\n${line}`)).toThrow(`line 2 of the allow-list: `);
    expect(() => new AllowList(line)).toThrow(words);
  });

  test.each([
    '::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '169.254.169.254',
    '127.0.0.1',
  ])('%s is reached only where it is written out', async (address) => {
    const wide = new AllowList('db:1\nwide:1 in 0.0.0.0/0,::/0\n0.0.0.0/0:1\n[::/0]:1');
    const host = address.includes(':') ? `[${address}]` : address;
    const exact = new AllowList(`${host}:1\ndb:1 in ${address}`);
    const resolve = () => Promise.resolve([{ address, family: address.includes(':') ? 6 : 4 }]);
    for (const name of ['db', 'wide', address]) {
      expect(await wide.check(name, 1, resolve)).toMatchObject({ allowed: false, code: 'denied' });
    }
    for (const name of ['db', address]) expect(await exact.check(name, 1, resolve)).toMatchObject({ allowed: true });
  });

  test('/0 lets in every ordinary address of its family, when it is written', async () => {
    const list = new AllowList('0.0.0.0/0:1');
    expect(await list.check('8.8.8.8', 1)).toMatchObject({ allowed: true });
    expect(await list.check('2600::1', 1)).toMatchObject({ allowed: false });
  });

  test('an address with a zone is no other way to write one', async () => {
    expect(await check('fd00::5%1', 22)).toBe('denied');
  });

  test('it says what it understood', () => {
    expect(LIST.lines).toEqual([
      'db.internal, port 5432',
      '*.shop.internal, port 5432, where it resolves into 10.1.0.0/16 or fd00:0:0:0:0:0:0:0/8',
      '10.2.0.0/16, any port',
      'fd00:0:0:0:0:0:0:5/128, port 22',
      'localhost, port 6000',
    ]);
  });

  test('a name that is not on it is not even looked up', async () => {
    asked.length = 0;
    expect(await check('secret.example', 5432, '10.9.9.9')).toBe('denied');
    expect(asked).toEqual([]);
  });

  test('a name that cannot be resolved is not taken for one that is denied', async () => {
    const fail = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    expect(await LIST.check('db.internal', 5432, fail)).toEqual({
      allowed: false,
      code: 'dns',
      message: 'the agent cannot resolve db.internal: ENOTFOUND',
    });
  });

  test.each([
    'db.internal',
    'db:99999',
    '10.0.0.0/99:1',
    'a*b:1',
    'fd00::5:22x',
    '10.0.0.0/8:1 in 10.0.0.0/9',
    '*:5432',
  ])('the line %j is a mistake', (line) =>
    expect(() => new AllowList(`# first\n${line}`)).toThrow(/^line 2 of the allow-list/),
  );
});

test('a secret is for one target', () => {
  const { path, remove } = temporaryFolder('secrets');
  onTestFinished(remove);
  writeFileSync(join(path, 'password'), 'open sesame\n');
  const secrets = new Secrets(`shop DB.internal:5432 file:${join(path, 'password')} # of the shop`);
  expect(secrets.find('shop', 'db.internal', 5432)).toBe('open sesame');
  expect(secrets.find('shop', 'db.internal', 5433)).toBeUndefined();
  expect(secrets.find('shop', 'evil.internal', 5432)).toBeUndefined();
  expect(secrets.find('other', 'db.internal', 5432)).toBeUndefined();
  expect(() => new Secrets('shop db.internal:5432 hunter2')).toThrow(/line 1/);
});

describe('the proof', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const proof = (host: string, certificate: string, nonce = 'nonce'): AgentProof => ({
    type: 'proof',
    key: publicKeyOf(privateKey),
    host,
    signature: prove(privateKey, nonce, host, certificate),
    version: '1',
    allow: [],
  });

  test('holds for the nonce, the host and the certificate that it was made for', () => {
    expect(proven(proof('gw', 'aa'), 'nonce', 'aa')).toBe(true);
    expect(proven(proof('gw', 'aa'), 'another', 'aa')).toBe(false);
    expect(proven(proof('gw', 'aa'), 'nonce', 'bb')).toBe(false);
    expect(proven({ ...proof('gw', 'aa'), host: 'other' }, 'nonce', 'aa')).toBe(false);
    expect(
      proven({ ...proof('gw', 'aa'), key: publicKeyOf(generateKeyPairSync('ed25519').privateKey) }, 'nonce', 'aa'),
    ).toBe(false);
  });
});

test('the key is made once, for nobody else to read, and is not used when others can', () => {
  const { path, remove } = temporaryFolder('key');
  onTestFinished(remove);
  const file = join(path, 'deeper', 'agent.key');
  const made = publicKeyOf(ownKey(file));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(publicKeyOf(ownKey(file))).toBe(made);
  chmodSync(file, 0o640);
  expect(() => ownKey(file)).toThrow(/may be read by others/);
});

test('a gateway is reached by TLS; without it on loopback only', () => {
  expect(checkUrl('wss://gw.example:7443').href).toBe('wss://gw.example:7443/v1/tunnel');
  expect(checkUrl('ws://127.0.0.1:7443').protocol).toBe('ws:');
  expect(() => checkUrl('ws://gw.example:7443')).toThrow(/TLS/);
  expect(() => checkUrl('https://gw.example')).toThrow(/no address/);
});

test('waits grow to 5 s and are spread', () => {
  expect([0, 1, 2, 20].map((attempt) => backOff(attempt, 0))).toEqual([100, 200, 400, 5000]);
  expect(backOff(20, 1)).toBe(2500);
});
