/** HTTP through a whole gateway: logins, rules, holds and the record, by real clients. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { caller } from './control.js';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { run } from './ssh-stand.js';

let stand: HttpStand;

beforeEach(async () => {
  stand = await openHttpStand();
});

afterEach(async () => {
  await stand.stop();
});

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const control = () => caller(stand as never, stand.ada);

test("a request arrives, and its answer is the target's", async () => {
  const answer = await fetch(`${stand.url}/a?b=c`, { headers: bearer(stand.token) });
  expect(answer.status).toBe(200);
  const { url, rawHeaders } = (await answer.json()) as { url: string; rawHeaders: string[] };
  expect(url).toBe('/a?b=c');
  expect(rawHeaders.join('\n')).not.toMatch(/authorization|sluice_/i);
});

describe('curl', () => {
  const curl = findTool('curl') as string;
  const ask = async (...words: string[]): Promise<{ status: number | null; text: string }> => {
    const { status, stdout } = await run(curl, ['-sSk', '--max-time', '20', ...words]);
    return { status, text: stdout.toString() };
  };

  test('by HTTP/2 over TLS, with every kind of login', async () => {
    const url = stand.url.replace('http:', 'https:');
    const kinds = [
      ['-H', `Authorization: Bearer ${stand.token}`],
      ['-u', `any:${stand.token}`],
      ['-H', `Sluice-Token: ${stand.token}`],
      ['-H', `x-api-key: ${stand.token}`],
    ];
    for (const words of kinds) {
      const { text } = await ask('-w', '%{http_version} %{http_code}', '-o', '/dev/null', ...words, `${url}/x`);
      expect(text, words.join(' ')).toBe('2 200');
    }
    const old = await ask(
      '--http1.1',
      '-w',
      '%{http_version} %{http_code}',
      '-o',
      '/dev/null',
      ...(kinds[0] as string[]),
      `${url}/x`,
    );
    expect(old.text).toBe('1.1 200');
    const [visit, ...others] = await caller(stand as never, stand.token).get<{ principal: string; commands: number }[]>(
      '/v1/sessions',
    );
    expect(visit).toMatchObject({ principal: 'dev', commands: 5 });
    expect(others).toEqual([]);
  });

  test('an upload with Expect, and a refused one that sends nothing', async () => {
    const words = ['-u', `any:${stand.token}`, '--http1.1', '-H', 'Expect: 100-continue', '--data-binary', 'hello'];
    expect(JSON.parse((await ask(...words, `${stand.url}/up`)).text)).toMatchObject({ method: 'POST', body: 'hello' });
    const { text } = await ask(...words, '-X', 'DELETE', '-w', ' %{size_upload}', `${stand.url}/prod/x`);
    expect(text).toMatch(/Nothing is deleted in prod\.[^]* 0$/);
  });
});

test('a rule refuses, in words, and nothing reaches the target', async () => {
  const answer = await fetch(`${stand.url}/prod/x`, { method: 'DELETE', headers: bearer(stand.token) });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ detail: 'Nothing is deleted in prod.', rule: 'no-destruction' });
  expect(stand.reached).toEqual([]);
});

test('who has no access is told what there is, and who proves nothing is told nothing', async () => {
  const stranger = await fetch(`${stand.url}/x`, { headers: bearer(stand.stranger) });
  expect([403, 404]).toContain(stranger.status);
  const none = await fetch(`${stand.url}/x`);
  const nowhere = await fetch(`http://127.0.0.1:${stand.port}/nowhere`, { headers: bearer('sluice_wrong') });
  expect([none.status, nowhere.status]).toEqual([401, 401]);
  expect(await none.text()).toBe(await nowhere.text());
  expect(stand.reached).toEqual([]);
});

test('a held request waits, and passes when it is approved', async () => {
  const answer = fetch(`${stand.url}/users/7`, { method: 'DELETE', headers: bearer(stand.token) });
  const request = await pending();
  expect(stand.reached).toEqual([]);
  await control().post(`/v1/approvals/${request}/approve`);
  expect((await answer).status).toBe(200);
  expect(stand.reached).toEqual(['DELETE /users/7']);
});

test('told later, the identical request passes once', async () => {
  const ask = (path: string): Promise<Response> =>
    fetch(`${stand.url}${path}`, { method: 'DELETE', headers: { ...bearer(stand.token), prefer: 'wait=0' } });
  const later = await ask('/users/7');
  expect(later.status).toBe(403);
  const { request } = (await later.json()) as { request: number };
  await control().post(`/v1/approvals/${request}/approve`);
  expect((await ask('/users/8')).status).toBe(403);
  expect((await ask('/users/7')).status).toBe(200);
  expect((await ask('/users/7')).status).toBe(403);
  expect(stand.reached).toEqual(['DELETE /users/7']);
});

test('people who release a body see all of it, however much stands before what matters', async () => {
  const body = JSON.stringify({ note: 'x'.repeat(200_000), token: 's3cr\\et'.repeat(20_000), grant: 'owner' });
  const ask = (sent: string): Promise<Response> =>
    fetch(`${stand.url}/users/9`, {
      method: 'DELETE',
      headers: { ...bearer(stand.token), prefer: 'wait=0' },
      body: sent,
    });
  const shown = async (sent: string): Promise<{ number: number; text: string; since?: { lines: string[] } }> => {
    const { request } = (await (await ask(sent)).json()) as { request: number };
    return control().get(`/v1/approvals/${request}`);
  };
  const first = await shown(body);
  expect(first.text).toMatch(/x{200000}","token":"\[secret [0-9a-f]+\]","grant":"owner"\}$/);
  expect(first.text).not.toContain('s3cr');
  await control().post(`/v1/approvals/${first.number}/approve`);
  // Of the same length, and other behind what a glance has.
  const other = await shown(body.replace('owner', 'admin'));
  expect(other.text).toMatch(/"grant":"admin"\}$/);
  expect(other.since?.lines).toEqual(['- /grant: "owner"', '+ /grant: "admin"']);
  await control().post(`/v1/approvals/${other.number}/deny`, { reason: 'no' });
});

async function pending(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const [first] = await control().get<{ number: number }[]>('/v1/approvals?state=pending');
    if (first) return first.number;
    await sleep(20);
  }
  throw new Error('no request for approval');
}

test('the record has what was asked and answered, and no proof', async () => {
  const basic = `Basic ${Buffer.from(`any:${stand.token}`).toString('base64')}`;
  const kinds: Record<string, string>[] = [bearer(stand.token), { authorization: basic }, { 'x-api-key': stand.token }];
  for (const headers of kinds) {
    const answer = await fetch(`${stand.url}/mark-path`, { method: 'POST', headers, body: 'mark-body' });
    expect((await answer.text()).includes('mark-body')).toBe(true);
  }
  await fetch(`${stand.url}/x?access_token=${stand.token}`, { headers: bearer(stand.token) });
  await fetch(`${stand.url}/${stand.token}`, { headers: bearer(stand.token) });
  await stand.gateway.stop();
  const files = globSync('**/*', { cwd: join(stand.folder, 'data'), withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  const all = files.map((one) => readFileSync(join(one.parentPath, one.name), 'latin1')).join('\n');
  expect(all).toContain('mark-path');
  expect(all).toMatch(/mark-body|bWFyay1ib2R5/);
  for (const secret of [stand.token, basic.slice('Basic '.length)]) {
    expect(all).not.toContain(secret);
    expect(all).not.toContain(Buffer.from(secret).toString('base64').slice(0, -4));
  }
});
