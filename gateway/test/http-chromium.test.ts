/** A page of a service behind the gateway in Chromium: it fetches, listens to events and talks by WebSocket, direct and through. */
import { existsSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { openHttpStand } from './http-stand.js';

const CHROMIUM = '/usr/bin/chromium';

const PAGE = `<!doctype html><title>waiting</title><script>
const heard = {};
const told = (name, value) => { heard[name] = value; if (Object.keys(heard).length === 3) document.title = JSON.stringify(heard); };
fetch('api?x=1', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":1}' }).then((one) => one.text()).then((text) => told('fetch', text));
const events = new EventSource('events'); const seen = [];
events.onmessage = (one) => { seen.push(one.data); if (seen.length === 3) { events.close(); told('events', seen); } };
const socket = new WebSocket(location.href.replace(/^http/, 'ws') + 'socket');
socket.onopen = () => socket.send('hello');
socket.onmessage = (one) => { told('socket', one.data); socket.close(); };
</script>`;

function serve(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const path = new URL(request.url ?? '/', 'http://x').pathname;
  if (path === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
  else if (path === '/api') response.end(`${request.method} ${request.url} ${body.toString()}`);
  else if (path === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const one of [1, 2, 3]) setTimeout(() => response.write(`data: event ${one}\n\n`), one * 50);
  } else response.writeHead(404).end();
}

test.skipIf(!existsSync(CHROMIUM))('a page with fetch, EventSource and WebSocket', { timeout: 90_000 }, async () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (text: Buffer) => socket.send(`${text.toString()} again`)));
  const stand = await openHttpStand({ server, serve });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const heardAt = async (url: string, credentials?: { username: string; password: string }): Promise<unknown> => {
      const context = await browser.newContext(credentials ? { httpCredentials: credentials } : {});
      const page = await context.newPage();
      await page.goto(url);
      await page.waitForFunction("document.title !== 'waiting'", undefined, { timeout: 20_000 });
      const heard: unknown = JSON.parse(await page.title());
      await context.close();
      return heard;
    };
    const direct = await heardAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(direct).toEqual({
      fetch: 'POST /api?x=1 {"n":1}',
      events: ['event 1', 'event 2', 'event 3'],
      socket: 'hello again',
    });
    expect(await heardAt(`${stand.url}/`, { username: 'any', password: stand.token })).toEqual(direct);
  } finally {
    await browser.close();
    sockets.close();
    await stand.stop();
  }
});
