/** What the `sluice agent` command says when there is no tunnel. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLOSED_PORT, makeCertificates } from '@sluice/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAIN, hour } from './agents.js';
import { type Stand, openStand } from './stand.js';

let stand: Stand;
let agents: string;

beforeAll(async () => {
  stand = await openStand({ target: { port: 1, user: 'nobody' }, agents: '{ port: 0, tls: self-signed }', via: 'dc1' });
  agents = new URL(stand.gateway.addresses.get('agents') ?? '').host;
  writeFileSync(join(stand.folder, 'allow'), 'db.internal:5432\n');
}, 60_000);
afterAll(() => stand.stop());

/** What it has written by the time that it says this, or ends. */
async function says(
  look: RegExp,
  gateway: string,
  ...words: string[]
): Promise<{ text: string; status: number | null }> {
  const token = await stand.gateway.agents.token('dc1', hour());
  const args = ['agent', '--gateway', gateway, '--key', join(stand.folder, 'agent.key'), ...words];
  if (!words.includes('--allow')) args.push('--allow', join(stand.folder, 'allow'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, SLUICE_LOG: 'info', SLUICE_AGENT_TOKEN: token },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  const { promise, resolve } = Promise.withResolvers<{ text: string; status: number | null }>();
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (look.test(text)) child.kill('SIGKILL');
  });
  child.once('close', (status) => resolve({ text, status }));
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const said = await promise;
  clearTimeout(late);
  return said;
}

test('a certificate that nobody public signed: the option is named, and the address', async () => {
  const { text } = await says(/--ca/, `wss://${agents}`);
  expect(text).toContain(`the certificate of ${agents} is signed by no public authority`);
  expect(text).toContain('with --ca');
});

test('the authority of another gateway', async () => {
  const other = makeCertificates();
  const { text } = await says(/--ca/, `wss://${agents}`, '--ca', other.caFile);
  other.remove();
  expect(text).toContain(`the certificate of ${agents} is none of the authority in --ca`);
});

test('a file that is no PEM is refused before anything is sent', async () => {
  const file = join(stand.folder, 'allow');
  const { text, status } = await says(/never/, `wss://${agents}`, '--ca', file);
  expect(status).toBe(1);
  expect(text).toContain(`${file} (--ca) has no certificate in it`);
});

test.each([
  [
    'the port for PostgreSQL',
    () => stand.gateway.addresses.get('postgres') ?? '',
    /is no gateway for agents|speaks no TLS/,
  ],
  ['the control API', () => new URL(stand.gateway.url).host, /speaks no TLS/],
])('%s is not what an agent dials', async (_, address, words) => {
  const { text } = await says(words, `wss://${address()}`, '--ca', join(stand.folder, 'data', 'gateway.crt'));
  expect(text).toMatch(words);
  expect(text).toContain(address());
  expect(text).toContain('listeners.agents');
});

test('a port where nothing listens', async () => {
  const { text } = await says(/nothing listens/, `wss://127.0.0.1:${CLOSED_PORT}`);
  expect(text).toContain(`nothing listens at 127.0.0.1:${CLOSED_PORT}`);
});

test('an empty allow-list is refused, and the token stays good', async () => {
  const empty = join(stand.folder, 'empty');
  writeFileSync(empty, '# nothing yet\n');
  const ca = join(stand.folder, 'data', 'gateway.crt');
  expect(readFileSync(ca, 'utf8')).toContain('BEGIN CERTIFICATE');
  const { text, status } = await says(/never/, `wss://${agents}`, '--ca', ca, '--allow', empty);
  expect(status).toBe(1);
  expect(text).toContain('names no target');
  expect(stand.gateway.agents.all()).toEqual([]);
  const { text: enrolled } = await says(/enrolled as/, `wss://${agents}`, '--ca', ca);
  expect(enrolled).toContain('enrolled as');
});
