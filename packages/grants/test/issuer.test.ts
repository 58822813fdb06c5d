/** What the secret of one issuer is never sent to. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { finish } from '../src/issuer.js';

test('a grant that was begun at another issuer than the connection has by now is not finished there', async () => {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.writeHead(404).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const before = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = {
    clientId: 'gateway',
    clientSecret: { reveal: () => 'a secret of the new one' },
    issuer: 'https://new.example',
    scope: undefined,
    resource: 'https://target.example/mcp',
  };
  const attempt = {
    connection: 'tickets',
    owner: '["ana"]',
    issuer: before,
    state: 's',
    nonce: undefined,
    verifier: 'v'.repeat(43),
    redirect: 'https://console.example/grants/back',
  };
  await expect(finish(settings, attempt, '?code=c&state=s')).rejects.toThrow(
    'The connection has another issuer by now.',
  );
  expect(heard).toEqual([]);
  server.close();
});
