import { PROTOCOLS } from '@sluice/config';
import { expect, test } from 'vitest';
import { CLIENTS, clientFor } from '../src/clients/index.js';

const row = { name: 'cache', policies: [], listener: '127.0.0.1:6379' };

test('each protocol of the product has a client', () => {
  expect(CLIENTS.map(({ protocol }) => protocol)).toEqual(PROTOCOLS.map(({ name }) => name));
  for (const client of CLIENTS) expect(clientFor({ ...row, protocol: client.protocol })).toBe(client);
});

test('of another protocol somebody is told where to connect to, and nothing of it reaches the terminal as it is', () => {
  expect(() => clientFor({ ...row, protocol: '@acme/\u001b[31mredis' })).toThrow(
    /^There is no client here for "cache", which speaks @acme\/[^\u001b]*redis\.$/,
  );
  try {
    clientFor({ ...row, protocol: '@acme/redis' });
  } catch (error) {
    expect(error).toMatchObject({
      hint: 'Use one of your own: host 127.0.0.1, port 6379. The password is a token: sluice token create',
    });
  }
});
