/** What is served below /docs, of a site in a folder: `gateway/test/documentation.test.ts` has the real one. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counters } from '@sluice/audit';
import { type LightMyRequestResponse, fastify } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Controlled } from '../src/controlled.js';
import type { App } from '../src/routes.js';
import { addRoutes } from '../src/server.js';

const DIGEST = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
const FILES = [
  { path: 'index', file: 'index.html', type: 'text/html; charset=utf-8', etag: '"one"' },
  { path: 'start', file: 'start.html', type: 'text/html; charset=utf-8', etag: '"two"' },
  { path: '404.html', file: '404.html', type: 'text/html; charset=utf-8', etag: '"none"' },
  { path: 'assets/app.js', file: 'assets/app.js', type: 'text/javascript; charset=utf-8', etag: '"three"' },
  { path: 'gone', file: 'gone.html', type: 'text/html; charset=utf-8', etag: '"four"' },
];

let folder: string;
let app: App;

function list(content: unknown, seconds = 1): void {
  writeFileSync(join(folder, 'site.json'), typeof content === 'string' ? content : JSON.stringify(content));
  utimesSync(join(folder, 'site.json'), seconds, seconds);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'site-'));
  mkdirSync(join(folder, 'built', 'assets'), { recursive: true });
  for (const { file } of FILES.slice(0, -1)) writeFileSync(join(folder, 'built', file), `content of ${file}`);
  writeFileSync(join(folder, 'built', 'secret'), 'in the folder, and not in the list');
  app = fastify();
  const control = { address: '127.0.0.1', port: 0, names: [] };
  await addRoutes(app, {
    counters: new Counters(),
    documentation: folder,
    config: { control },
  } as unknown as Controlled);
});
afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = async (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
  app.inject({ url, headers });

test('pages, with what browsers are told of them', async () => {
  list({ folder: 'built', scripts: [DIGEST], files: FILES });
  const page = await get('/docs/start');
  expect([page.statusCode, page.body]).toEqual([200, 'content of start.html']);
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    etag: '"two"',
  });
  expect(page.headers['content-security-policy']).toBe(
    `default-src 'none'; script-src 'self' '${DIGEST}'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  expect((await get('/docs/')).body).toBe('content of index.html');
  expect((await get('/docs')).headers['location']).toBe('/docs/');
  const script = await get('/docs/assets/app.js');
  expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
  expect(script.headers['cache-control']).toContain('immutable');
  expect((await app.inject({ method: 'HEAD', url: '/docs/start' })).headers['etag']).toBe('"two"');
});

test('one that a browser has is not sent again', async () => {
  list({ folder: 'built', scripts: [], files: FILES });
  for (const known of ['"two"', 'W/"two"', '"other", "two"'])
    expect([known, (await get('/docs/start', { 'if-none-match': known })).statusCode]).toEqual([known, 304]);
  expect((await get('/docs/start', { 'if-none-match': '"one"' })).statusCode).toBe(200);
});

test.each([
  '/docs/../site.json',
  '/docs/..%2fsite.json',
  '/docs/%2e%2e/site.json',
  '/docs/%2e%2e%2fsite.json',
  '/docs/..%5csite.json',
  '/docs//etc/passwd',
  '/docs/%2fetc%2fpasswd',
  '/docs/secret',
  '/docs/start.html',
  '/docs/start%00',
  '/docs/constructor',
  '/docs/__proto__',
  '/docs/assets/',
  `/docs/${'a/'.repeat(4_000)}`,
])('%s is nothing that the list has', async (url) => {
  list({ folder: 'built', scripts: [], files: FILES });
  const { statusCode, body } = await get(url);
  expect([404, 414]).toContain(statusCode);
  expect(body).not.toMatch(/in the folder|root:|"files"/);
});

test('one that is not built, is half built, or has a list that cannot be believed is said to be not there', async () => {
  const said = async (): Promise<(number | boolean)[]> => {
    const { statusCode, body } = await get('/docs/');
    return [statusCode, body.includes('npm run setup')];
  };
  expect(await said()).toEqual([503, true]);
  list('{ "folder": ');
  expect(await said()).toEqual([503, true]);
  list({ folder: '../..', scripts: [], files: FILES }, 2);
  expect(await said()).toEqual([503, true]);
  list({ folder: 'built', scripts: [], files: [{ ...FILES[0], file: '../site.json' }] }, 3);
  expect(await said()).toEqual([503, true]);
  list({ folder: 'built', scripts: ["'; script-src *"], files: FILES }, 4);
  expect(await said()).toEqual([503, true]);
  // Built meanwhile: the gateway need not be started again.
  list({ folder: 'built', scripts: [], files: FILES }, 5);
  expect(await said()).toEqual([200, false]);
  expect((await get('/docs/gone')).statusCode).toBe(503);
});
