import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { MAIN } from './agents.js';
import { openStand } from './stand.js';

/** No target is reached here. */
const TARGET = { port: 1, user: 'nobody' };

interface Ended {
  readonly status: number | null;
  readonly said: string;
}

/** What a health check runs, without a token. */
async function ready(data: string): Promise<Ended> {
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [MAIN, '--data', data, 'ready'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, said };
}

/** A data folder whose beacon leads to something else. */
async function folderOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { path, remove } = temporaryFolder('ready');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    remove();
  });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    join(path, 'gateway.json'),
    JSON.stringify({ url, pid: 1, tokenFile: join(path, 'x'), listeners: {} }),
    {
      mode: 0o600,
    },
  );
  return path;
}

test('a running gateway is ready, a draining and a stopped one are not, and each says why', async () => {
  const stand = await openStand({ target: TARGET });
  const data = join(stand.folder, 'data');
  expect(await ready(data)).toEqual({ status: 0, said: 'The gateway is ready.\n' });
  Object.defineProperty(stand.gateway.journal, 'failed', { get: () => new Error('the disk is full') });
  const full = await ready(data);
  expect(full.status).toBe(1);
  expect(full.said).toContain('is not ready: the disk is full.');
  await stand.stop();
  const stopped = await ready(data);
  expect(stopped.status).toBe(1);
  expect(stopped.said).toContain('No running gateway was found');
});

test('nobody reads half of what a gateway leaves for commands: it takes the place of the old in one step', async () => {
  const { path, remove } = temporaryFolder('ready');
  onTestFinished(remove);
  const data = join(path, 'data');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  writeFileSync(join(data, 'gateway.json'), 'left by a kill', { mode: 0o600 });
  linkSync(join(data, 'gateway.json'), join(data, 'old'));
  const stand = await openStand({ target: TARGET, folder: path });
  onTestFinished(() => stand.stop());
  expect(readFileSync(join(data, 'old'), 'utf8')).toBe('left by a kill');
  expect(JSON.parse(readFileSync(join(data, 'gateway.json'), 'utf8'))).toMatchObject({ url: stand.gateway.url });
});

test.each<[string, RequestListener, string]>([
  ['says ok with a failure', (_, reply) => void reply.writeHead(503).end('{"ok":true}'), 'is not ready'],
  ['answers a page', (_, reply) => void reply.writeHead(200).end('<html>'), 'No gateway answers'],
  ['answers something else', (_, reply) => void reply.writeHead(200).end('[]'), 'is no gateway: status 200'],
  ['redirects', (_, reply) => void reply.writeHead(302, { location: '/elsewhere' }).end(), 'No gateway answers'],
  ['is silent', () => undefined, 'No gateway answers'],
])('what %s is not ready', async (_, answer, sentence) => {
  const { status, said } = await ready(await folderOf(answer));
  expect(status).toBe(1);
  expect(said).toContain(sentence);
});
