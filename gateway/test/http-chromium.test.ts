/** A page of a service behind the gateway in Chromium: it fetches, listens to events and talks by WebSocket, direct and through. */
import { existsSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { chromium } from 'playwright-core';
import { expect, test, vi } from 'vitest';
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

test.skipIf(!existsSync(CHROMIUM))(
  'a cache keeps nothing of a masked answer, and is told of nothing that it could ask by',
  { timeout: 90_000 },
  async () => {
    const asked: string[] = [];
    const keep: typeof serve = (request, response) => {
      const { url = '', headers } = request;
      if (url !== '/') asked.push(`${url} ${headers['if-none-match'] ?? 'anew'}`);
      const fresh = { etag: '"1"', 'last-modified': 'Sun, 29 Nov 2026 10:00:00 GMT', 'cache-control': 'max-age=3600' };
      response.writeHead(200, {
        'content-type': url === '/' ? 'text/html' : 'application/json',
        ...(url !== '/' && fresh),
      });
      response.end(url === '/' ? '<!doctype html><title>a page</title>' : `{"mail":"ada@example.com"}`);
    };
    const rules = `
    - { rule: masked, when: 'request.path == "/masked"', mask: { detect: [email] } }
    - { rule: all, when: 'true', allow: true }
`;
    const stand = await openHttpStand({ serve: keep, rules });
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      // With credentials of its own playwright turns the cache off.
      const context = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${stand.token}` } });
      const page = await context.newPage();
      await page.goto(`${stand.url}/`);
      const get = (path: string, cache: string): Promise<string> =>
        page.evaluate(
          `fetch(${JSON.stringify(path)}, { cache: ${JSON.stringify(cache)}, mode: 'same-origin' }).then((one) => one.text(), () => 'it has none')`,
        );
      const masked = '{"mail":"[masked:EMAIL]"}';
      const plain = '{"mail":"ada@example.com"}';
      // What is not masked is kept, which shows that there is a cache.
      expect([await get('plain', 'default'), await get('plain', 'default')]).toEqual([plain, plain]);
      expect(await get('plain', 'only-if-cached')).toBe(plain);
      expect([await get('masked', 'default'), await get('masked', 'default')]).toEqual([masked, masked]);
      expect(await get('masked', 'no-cache')).toBe(masked);
      expect(await get('masked', 'only-if-cached')).toBe('it has none');
      expect(asked).toEqual(['/plain anew', '/masked anew', '/masked anew', '/masked anew']);
    } finally {
      await browser.close();
      await stand.stop();
    }
  },
);

/** What a browser sent to a name, and what it was told. */
interface Attacker {
  asked: string;
  answered: string;
  close(): void;
}

/** A server at another address with the gateway's port: it gives a page, and after that is the gateway, as a name is that is pointed elsewhere then. */
async function startAttacker(port: number, page: string): Promise<Attacker> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      if (first.toString('latin1').startsWith('GET / ')) {
        socket.end(
          `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(page)}\r\n\r\n${page}`,
        );
        return;
      }
      attacker.asked += first.toString('latin1');
      socket.on('data', (more: Buffer) => (attacker.asked += more.toString('latin1')));
      const gateway = connect(port, '127.0.0.1');
      gateway.on('error', () => socket.destroy());
      gateway.on('data', (told: Buffer) => (attacker.answered += told.toString('latin1')));
      gateway.write(first);
      socket.pipe(gateway).pipe(socket);
    });
  });
  const attacker: Attacker = { asked: '', answered: '', close: () => void server.close() };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.2', resolve));
  return attacker;
}

/** Asks the gateway, at whatever name it came from, as the user of the browser: by fetch, by a form, and by WebSocket. */
const ATTACK = `<!doctype html><title>waiting</title><script>
const heard = [];
const told = (value) => { heard.push(value); if (heard.length === 3) document.title = JSON.stringify(heard.sort()); };
fetch('/svc/steal?by=fetch', { credentials: 'include' }).then((one) => told('fetch ' + one.status), () => told('fetch failed'));
fetch('/svc/steal?by=post', { method: 'POST', credentials: 'include', body: 'a=b' }).then((one) => told('post ' + one.status), () => told('post failed'));
const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/svc/socket');
socket.onopen = () => told('socket open');
socket.onerror = () => told('socket failed');
</script>`;

test.skipIf(!existsSync(CHROMIUM))(
  'a page whose name was pointed at the gateway (DNS rebinding) gets nothing',
  { timeout: 90_000 },
  async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    let opened = 0;
    sockets.on('connection', () => void opened++);
    const stand = await openHttpStand({ server, serve });
    // Of what a page of elsewhere may reach on this machine the browser would have a word too, and not all have.
    const resolved = [
      '--host-resolver-rules=MAP evil.example 127.0.0.2',
      '--disable-features=LocalNetworkAccessChecks',
    ];
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', ...resolved],
    });
    const attacker = await startAttacker(stand.port, ATTACK);
    try {
      const page = await browser.newPage();
      // The browser has the password of its user, for the name by which they know the gateway.
      await page.goto(`http://any:${stand.token}@127.0.0.1:${stand.port}/svc/api`);
      expect(await page.content()).toContain('GET /api');
      stand.reached.length = 0;
      const evil = `http://evil.example:${stand.port}`;
      await page.goto(`${evil}/`);
      // A browser asks its user for a password then, and the page waits for that.
      await vi.waitFor(
        () => {
          for (const path of ['GET /svc/steal?by=fetch', 'POST /svc/steal?by=post', 'GET /svc/socket'])
            expect(attacker.asked).toContain(path);
          expect((attacker.answered.match(/^HTTP\/1\.1 401 /gm) ?? []).length).toBeGreaterThanOrEqual(3);
        },
        { timeout: 30_000 },
      );
      expect(attacker.asked).not.toMatch(/^authorization:/im);
      expect(attacker.answered).not.toMatch(/^HTTP\/1\.1 (?!401)/m);
      expect([stand.reached, opened]).toEqual([[], 0]);
    } finally {
      await browser.close();
      attacker.close();
      sockets.close();
      await stand.stop();
    }
  },
);
