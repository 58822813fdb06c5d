/** Bodies that take long to look through: they are judged as short ones are, and meanwhile others are served. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';

let stand: HttpStand;
let got = '';
beforeAll(async () => {
  stand = await openHttpStand({
    serve: (_, response, body) => {
      got = body.toString();
      response.setHeader('Content-Type', 'application/json');
      response.end('"served"');
    },
    rules: `
    - { rule: no-mails, when: 'path("/found") && "email" in request.found', deny: No addresses. }
    - { rule: no-cards, when: 'path("/found") && !("email" in request.found) && "credit_card" in request.found', deny: No cards. }
    - { rule: sent, when: 'path("/sent")', mask: { detect: [email], json: ["/places/*/name"], request: true } }
    - { rule: shown, when: 'path("/shown")', mask: { detect: [email] } }
    - { rule: requests, when: 'true', allow: true }`,
  });
});
afterAll(() => stand.stop());

const send = async (path: string, body: string, type = 'application/json', method = 'POST'): Promise<string> => {
  const headers = { authorization: `Bearer ${stand.token}`, 'content-type': type };
  const answer = await fetch(`${stand.url}${path}`, { method, headers, body });
  const text = await answer.text();
  return answer.ok ? (JSON.parse(text) as string) : (JSON.parse(text) as { detail: string }).detail;
};

const LONG = 'words and more of them, '.repeat(30_000);
const LONG_JSON = (text: string): string => JSON.stringify({ LONG, text, places: [{ name: 'Ada' }] });

test('what is found in one refuses it, and where nothing is it goes on as it is', async () => {
  expect(await send('/found', LONG_JSON('ada@example.com'))).toBe('No addresses.');
  expect(await send('/found', LONG_JSON('4111 1111 1111 1111'))).toBe('No cards.');
  expect(await send('/found', LONG_JSON('nothing'))).toBe('served');
  expect(got).toBe(LONG_JSON('nothing'));
  expect(await send('/found', `${LONG}\0`, 'application/octet-stream')).toMatch(
    /^The rules look for secrets in the body/,
  );
});

test('it is masked on its way, or refused in words', async () => {
  expect(await send('/sent', LONG_JSON('ada@example.com'))).toBe('served');
  expect(got).toBe(LONG_JSON('[masked:EMAIL]').replace('Ada', '[masked]'));
  expect(await send('/sent', `{"a":1,"a":"${LONG}"}`)).toMatch(
    /^What is sent here is masked, and this body has an object with the same name twice\./,
  );
  expect(await send('/sent', LONG, 'application/pdf')).toMatch(/of a type that masks cannot read/);
});

test('it writes no mask over what was masked', async () => {
  expect(await send('/shown', LONG_JSON('[masked:EMAIL]'), 'application/json', 'PUT')).toMatch(/write a masked value/);
  expect(got).not.toContain('[masked:EMAIL]","places":[{"name":"Ada"');
});

test.each(['/found', '/sent'])('one that takes long keeps nobody else waiting: %s', async (path) => {
  const body = JSON.stringify({ text: '1-'.repeat(4 * 1024 * 1024) });
  await send(path, LONG_JSON('nothing'));
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const started = performance.now();
  expect(await send(path, body)).toBe('served');
  const all = performance.now() - started;
  lag.disable();
  expect(lag.max / 1e6 / all).toBeLessThan(0.4);
});
