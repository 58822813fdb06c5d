import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openStand } from './stand.js';

/** Sends bytes to the control API and gives all that it answers until it closes. */
async function answerTo(url: string, bytes: string): Promise<{ status: number; body: unknown }> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
  let got = '';
  socket.on('data', (part) => (got += part.toString()));
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', body = ''] = got.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body: JSON.parse(body) };
}

test.each<[string, string, number, RegExp]>([
  [
    'an address that cannot be decoded',
    'GET /%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    400,
    /cannot be decoded/,
  ],
  ['bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n', 400, /no request of HTTP/],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    400,
    /no request of HTTP/,
  ],
  ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`, 431, /too long/],
])('%s: answered in the shape and the words of all other problems', async (_, bytes, status, message) => {
  const stand = await openStand({ target: { port: 1, user: 'nobody' } });
  onTestFinished(() => stand.stop());
  const answer = await answerTo(stand.gateway.url, bytes);
  expect(answer).toEqual({ status, body: { message: expect.stringMatching(message) } });
});
