import { createHmac } from 'node:crypto';
import { type IncomingHttpHeaders, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@sluice/config';
import type { Principal } from '@sluice/contract';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { Webhooks, operatorLog } from '@sluice/audit';
import { openStand, targetOf } from './stand.js';

/** Machines are busy. */
const WAIT = { timeout: 20_000 };

const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let close: (() => void)[] = [];
afterEach(() => {
  for (const one of close) one();
  close = [];
});

/** A receiver that answers with these statuses in turn, the last one for ever; 0: not at all. */
async function receiver(...statuses: number[]): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      const status = statuses.length > 1 ? statuses.shift() : statuses[0];
      if (status === 302) response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end();
      else if (status !== 0) response.writeHead(status ?? 200).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got };
}

function open(...urls: string[]): Webhooks {
  const hooks = urls.map((url) => ({ url, secret: new Secret(SECRET) }));
  const webhooks = new Webhooks(hooks, operatorLog(true, 'silent'), 5);
  close.push(() => void webhooks.stop());
  return webhooks;
}

test('a text that hides or turns characters is written out for whoever reads it in a chat', async () => {
  const { url, got } = await receiver(200);
  const text = 'delete from t\n\u001b[2K\u202e -- \u200bsafe\u0085';
  open(url).send('approval.requested', { text, parameters: ['\u2066x', 'ünï 🙂'], words: [{ reason: 'a\u0007' }] });
  await vi.waitFor(() => expect(got).toHaveLength(1), WAIT);
  expect((JSON.parse(got[0]?.body ?? '') as { data: unknown }).data).toEqual({
    text: 'delete from t\n\\x1b[2K\\u{202e} -- \\u{200b}safe\\x85',
    parameters: ['\\u{2066}x', 'ünï 🙂'],
    words: [{ reason: 'a\\x07' }],
  });
});

test('a message is signed, and says what happened', async () => {
  const { url, got } = await receiver(200);
  open(url).send('approval.requested', { number: 7 });
  await vi.waitFor(() => expect(got).toHaveLength(1), WAIT);
  const { headers, body } = got[0] as Got;
  expect(JSON.parse(body)).toMatchObject({ type: 'approval.requested', data: { number: 7 } });
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
});

test('what fails is tried again, with the same id', async () => {
  const { url, got } = await receiver(500, 302, 429, 204);
  const webhooks = open(url);
  webhooks.send('approval.approved', {});
  await vi.waitFor(() => expect(webhooks.counted).toEqual({ delivered: 1, failed: 3, givenUp: 0 }), WAIT);
  expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(got).toHaveLength(4);
});

test('a receiver that never takes it is given up, and keeps nobody else from theirs', async () => {
  const bad = await receiver(500);
  const good = await receiver(200);
  const webhooks = open(bad.url, good.url, 'http://127.0.0.1:1/closed');
  webhooks.send('approval.denied', {});
  await vi.waitFor(() => expect(webhooks.counted.givenUp).toBe(2), { timeout: 20_000 });
  expect(bad.got).toHaveLength(10);
  expect(good.got).toHaveLength(1);
  expect(webhooks.pending).toBe(0);
});

test('a receiver that never answers costs a bounded amount of memory, and nobody waits for it', async () => {
  const { url } = await receiver(0);
  const webhooks = open(url);
  for (let n = 0; n < 1_200; n++) webhooks.send('approval.requested', { n });
  expect(webhooks.pending).toBe(1_000);
  expect(webhooks.counted.givenUp).toBe(200);
});

test('whoever asks without end takes the place of nobody else: theirs are given up first', async () => {
  const { url, got } = await receiver(500, 500, 500, 200);
  const silent = await receiver(0);
  const webhooks = open(url, silent.url);
  webhooks.hooks = webhooks.hooks.toReversed();
  for (let n = 0; n < 3; n++) webhooks.send('approval.requested', { of: 'ana', n }, 'ana');
  for (let n = 0; n < 1_500; n++) webhooks.send('approval.requested', { of: 'robot', n }, 'robot');
  expect(webhooks.pending).toBeLessThanOrEqual(1_000);
  const ofAna = (): number => new Set(got.filter(({ body }) => body.includes('"ana"')).map(({ body }) => body)).size;
  await vi.waitFor(() => expect(ofAna()).toBe(3), WAIT);
});

test('large messages that wait are bounded in bytes', async () => {
  const { url } = await receiver(0);
  const webhooks = open(url);
  for (let n = 0; n < 40; n++) webhooks.send('approval.requested', { text: 'x'.repeat(1024 * 1024) });
  expect(webhooks.pending).toBe(15);
  expect(webhooks.counted.givenUp).toBe(25);
});

test.skipIf(missingPostgres(18))(
  'requests for approval and what became of them, without any session waiting',
  async () => {
    const { url, got } = await receiver(200);
    const server = await startPostgres({ major: 18 });
    const stand = await openStand({
      target: targetOf(server),
      sections: `webhooks: [{ url: "${url}", secret: "${SECRET}" }]`,
      rules: `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"] } }`,
    });
    const client = await stand.client();
    await client.query('create table done (id int)');
    const result = client.query('delete from done where id = 0');
    await vi.waitFor(() => expect(got).toHaveLength(1), WAIT);
    const [ada] = [stand.gateway.identity.principal('ada')];
    await stand.gateway.approvals.decide(1, ada as Principal, 'approve', 'fine');
    await result;
    await vi.waitFor(() => expect(got).toHaveLength(3), WAIT);
    expect(
      got.map(({ body }) => JSON.parse(body) as { type: string; data: { number: number; actor?: string } }),
    ).toMatchObject([
      {
        type: 'approval.requested',
        data: { number: 1, principal: 'dev', text: 'delete from done where id = 0' },
      },
      { type: 'approval.answered', data: { number: 1, actor: 'ada', reason: 'fine' } },
      { type: 'approval.approved', data: { number: 1, state: 'approved' } },
    ]);
    await client.end();
    await stand.stop();
    await server.stop();
  },
);
