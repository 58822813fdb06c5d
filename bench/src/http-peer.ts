/** A WebSocket server that sends back what it gets, and a relay of it by `ws` on both sides. Says its ports on one line. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const OPTIONS = { host: '127.0.0.1', port: 0, perMessageDeflate: false };

const target = new WebSocketServer(OPTIONS);
target.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data as Buffer, { binary })));

const relay = new WebSocketServer(OPTIONS);
await Promise.all([once(target, 'listening'), once(relay, 'listening')]);
const portOf = (server: WebSocketServer): number => (server.address() as AddressInfo).port;

relay.on('connection', (client) => {
  const upstream = new WebSocket(`ws://127.0.0.1:${portOf(target)}`, { perMessageDeflate: false });
  const waiting: { readonly data: Buffer; readonly binary: boolean }[] = [];
  upstream.on('open', () => {
    for (const { data, binary } of waiting.splice(0)) upstream.send(data, { binary });
  });
  client.on('message', (data, binary) => {
    if (upstream.readyState === WebSocket.OPEN) upstream.send(data as Buffer, { binary });
    else waiting.push({ data: data as Buffer, binary });
  });
  upstream.on('message', (data, binary) => client.send(data as Buffer, { binary }));
  client.on('close', () => upstream.close());
  upstream.on('close', () => client.close());
  client.on('error', () => undefined);
  upstream.on('error', () => undefined);
});

process.stdout.write(`${JSON.stringify({ echo: portOf(target), relay: portOf(relay) })}\n`);
