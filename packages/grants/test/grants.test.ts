/** Grants that are replaced, taken back and renewed at the same moment. The issuer is a double that answers when a test says so; the store is real. */
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type GrantStore, Store } from '@sluice/store';
import { temporaryFolder } from '@sluice/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GrantSettings, Grants } from '../src/index.js';

const KEY = Buffer.alloc(32, 7);
const WHO = ['tickets', '["ana"]'] as const;

let folder: string;
let remove: () => void;
let server: Server;
let settings: GrantSettings;
let store: Store;
let grants: Grants;
let given = 0;
/** What the issuer was asked to take back. */
let revoked: string[];
/** Renewals wait for it. */
let renewal: Promise<void>;
/** Each write waits for it. */
let disk: Promise<void>;

const slow = (real: GrantStore): GrantStore =>
  new Proxy(real, {
    get: (target, name: 'all' | 'save' | 'remove') =>
      name === 'all'
        ? () => target.all()
        : async (...args: [never, never]) => {
            await disk;
            await target[name](...args);
          },
  });

const openStore = async (): Promise<void> => {
  store = await Store.open(join(folder, 'control.db'));
  grants = await Grants.open(slow(store.grants), KEY, (error) => {
    throw error;
  });
};

const give = async (life = 3600): Promise<void> => {
  const { attempt } = await grants.begin(settings, {
    connection: WHO[0],
    owner: WHO[1],
    redirect: 'https://console.example/grants/back',
  });
  await grants.finish(settings, attempt, `?code=${life}&state=${attempt.state}`, 'ana');
};

const gate = (): { opened: Promise<void>; open: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
};

beforeEach(async () => {
  ({ path: folder, remove } = temporaryFolder('grants-store'));
  [given, revoked, renewal, disk] = [0, [], Promise.resolve(), Promise.resolve()];
  server = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const origin = `http://${request.headers.host}`;
    response.setHeader('Content-Type', 'application/json');
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const form = new URLSearchParams(Buffer.concat(parts).toString());
    if (request.url?.startsWith('/.well-known/'))
      return response.end(
        JSON.stringify({
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          revocation_endpoint: `${origin}/revoke`,
          code_challenge_methods_supported: ['S256'],
        }),
      );
    if (request.url === '/revoke') {
      revoked.push(form.get('token') ?? '');
      return response.end('{}');
    }
    if (form.get('grant_type') === 'refresh_token') await renewal;
    const number = ++given;
    return response.end(
      JSON.stringify({
        access_token: `access-${number}`,
        refresh_token: `refresh-${number}`,
        token_type: 'Bearer',
        expires_in: Number(form.get('code') ?? 3600),
      }),
    );
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  settings = {
    clientId: 'gateway',
    clientSecret: undefined,
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    scope: undefined,
    resource: 'https://target.example/mcp',
  };
  await openStore();
});
afterEach(async () => {
  await store.close();
  server.closeAllConnections();
  server.close();
  remove();
});

test('tokens stay hidden after they were replaced, and after they were taken back', async () => {
  await give();
  await give();
  expect(grants.secrets(...WHO)).toEqual(['access-2', 'refresh-2', 'access-1', 'refresh-1']);
  expect(await grants.revoke(settings, ...WHO)).toBe(true);
  expect(grants.secrets(...WHO)).toEqual(['access-1', 'refresh-1', 'access-2', 'refresh-2']);
  expect(grants.secrets(WHO[0], '["ben"]')).toEqual([]);
});

test('a grant given while the one of before is renewed stays, also in the store', async () => {
  await give(1);
  const issuer = gate();
  renewal = issuer.opened;
  const late = grants.token(settings, ...WHO);
  await give();
  issuer.open();
  await expect(late).rejects.toThrow('Your grant was given anew at this moment: try again.');
  expect(grants.token(settings, ...WHO)).toBe('access-2');
  // Some issuers end every grant of a person with one of their tokens.
  expect(revoked).toEqual([]);
  await store.close();
  await openStore();
  expect(grants.token(settings, ...WHO)).toBe('access-2');
});

test('a grant given while the renewed one of before is written stays in the store', async () => {
  await give(1);
  const slowly = gate();
  disk = slowly.opened;
  const late = grants.token(settings, ...WHO);
  await expect.poll(() => given).toBe(2);
  const anew = give();
  await expect.poll(() => given).toBe(3);
  slowly.open();
  await Promise.all([late, anew]);
  expect(grants.token(settings, ...WHO)).toBe('access-3');
  await store.close();
  await openStore();
  expect(grants.token(settings, ...WHO)).toBe('access-3');
});

test('a grant that was taken back while it was renewed is gone, at the issuer too', async () => {
  await give(1);
  const issuer = gate();
  renewal = issuer.opened;
  const late = grants.token(settings, ...WHO);
  await grants.revoke(settings, ...WHO);
  issuer.open();
  expect(await late).toBeUndefined();
  await expect.poll(() => revoked).toEqual(['refresh-1', 'refresh-2']);
  expect(await store.grants.all()).toEqual([]);
});

test('a grant that the store cannot keep is not given', async () => {
  await give();
  disk = Promise.reject(new Error('no space left'));
  disk.catch(() => undefined);
  await expect(give()).rejects.toThrow('no space left');
  expect(grants.token(settings, ...WHO)).toBe('access-1');
});
