/** Budgets of different values in answers by HTTP: no more of them leave than allowed, and what is cut is never taken for a whole answer. */
import { request } from 'node:http';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { temporaryFolder } from '@sluice/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';
import { openMcpStand } from './mcp-stand.js';

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const TEN = `
    - { rule: ten, budget: { distinct: 10, detect: [email], within: 1h, ask: "Ask the data team." } }
`;
const mail = (n: number): string => `p${n}@example.com`;
const mails = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => mail(from + n));

/** `/KIND/FROM/TO`: a body with these addresses. */
const serve: NonNullable<HttpStandOptions['serve']> = ({ url = '' }, response) => {
  const [, kind, from, to] = url.split('/');
  const some = mails(Number(from), Number(to));
  const types: Readonly<Record<string, string>> = {
    json: 'application/json',
    lines: 'application/x-ndjson',
    events: 'text/event-stream',
    csv: 'text/csv',
    text: 'text/plain',
    png: 'image/png',
    late: 'text/plain',
  };
  response.setHeader('Content-Type', types[kind as string] ?? 'text/plain');
  if (kind === 'json') response.end(JSON.stringify(some.map((one) => ({ mail: one }))));
  else if (kind === 'lines') response.end(some.map((one) => `${JSON.stringify({ mail: one })}\n`).join(''));
  else if (kind === 'events') response.end(some.map((one) => `data: ${JSON.stringify({ mail: one })}\n\n`).join(''));
  else if (kind === 'csv') response.end(`mail\n${some.join('\n')}\n`);
  else if (kind === 'head') response.setHeader('Location', `/?to=${some[0]}`).writeHead(302).end();
  else if (kind === 'late') response.end(some.map((one) => `${one}\n${'-- \n'.repeat(30_000)}`).join(''));
  else response.end(some.join('\n'));
};

async function open(rules: string, more: HttpStandOptions = {}): Promise<HttpStand> {
  const stand = await openHttpStand({ rules, serve, ...more });
  stops.push(stand.stop);
  return stand;
}

interface Got {
  readonly status: number | undefined;
  readonly text: string;
  readonly isWhole: boolean;
  readonly retry: string | undefined;
}

function get({ url, token }: Pick<HttpStand, 'url' | 'token'>, path: string): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const sent = request(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', () => undefined);
    answer.on('close', () =>
      resolve({
        status: answer.statusCode,
        text: Buffer.concat(chunks).toString(),
        isWhole: answer.complete,
        retry: answer.headers['retry-after'],
      }),
    );
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

const seenIn = ({ text }: Got): string[] => text.match(/p\d+@example\.com/g) ?? [];
const usedOf = ({ gateway }: HttpStand): number | undefined => gateway.admissions.budgets()[0]?.used;

describe('values in bodies', () => {
  test('ends at so many, says which and how much, and shows again what was shown', async () => {
    const stand = await open(TEN, { principals: '  eve: { groups: [engineers] }' });
    expect(seenIn(await get(stand, '/json/1/6'))).toEqual(mails(1, 6));
    for (let n = 0; n < 3; n++) expect((await get(stand, '/json/1/6')).status).toBe(200);
    expect(usedOf(stand)).toBe(6);
    expect(seenIn(await get(stand, '/json/5/10'))).toEqual(mails(5, 10));
    const refused = await get(stand, '/json/10/11');
    expect([refused.status, seenIn(refused)]).toEqual([429, []]);
    expect(refused.text).toContain('Budget \\"ten\\" is used up: 10 of 10 different values within 1 h.');
    expect(refused.text).toContain('Ask the data team.');
    expect(Number(refused.retry)).toBeGreaterThan(0);
    expect(seenIn(await get(stand, '/json/1/10'))).toEqual(mails(1, 10));
    expect((await get(stand, '/text/1/0')).status).toBe(200);
    expect(usedOf(stand)).toBe(10);
    // Everybody has their own.
    const { token } = await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' });
    expect(seenIn(await get({ ...stand, token }, '/json/20/29'))).toEqual(mails(20, 29));
  });

  test.each(['json', 'lines', 'events', 'csv', 'text', 'head'])('one too many is not shown: %s', async (kind) => {
    const stand = await open(TEN);
    const seen = new Set<string>();
    for (let n = 1; n <= 14; n++) {
      const got = await get(stand, `/${kind}/${n}/${n}`);
      expect([n, got.status === 429]).toEqual([n, n > 10]);
      for (const value of seenIn(got)) seen.add(value);
    }
    if (kind !== 'head') expect([...seen]).toEqual(mails(1, 10));
    expect(usedOf(stand)).toBe(10);
    const all = await get(stand, `/${kind}/20/40`);
    expect([all.isWhole && all.status !== 429, seenIn(all)]).toEqual([false, []]);
  });

  test('an answer that has begun breaks off before the value that is one too many', async () => {
    const stand = await open(TEN);
    const got = await get(stand, '/late/1/12');
    expect([got.status, got.isWhole]).toEqual([200, false]);
    expect(mails(1, 10)).toEqual(expect.arrayContaining(seenIn(got)));
    expect(seenIn(got).length).toBeGreaterThan(0);
    expect(got.text).not.toContain('p11');
    expect((await get(stand, '/late/1/2')).isWhole).toBe(true);
  });

  test('a hundred at a time are shown ten', async () => {
    const stand = await open(TEN);
    const all = await Promise.all(mails(1, 100).map((_, n) => get(stand, `/json/${n + 1}/${n + 1}`)));
    expect(new Set(all.flatMap(seenIn)).size).toBe(10);
    expect(all.filter(({ status }) => status === 429)).toHaveLength(90);
  });

  test('a body that nobody can read is refused, and passes where the rule only observes', async () => {
    const stand = await open(TEN);
    const refused = await get(stand, '/png/1/1');
    expect([refused.status, seenIn(refused)]).toEqual([502, []]);
    expect(refused.text).toMatch(/budget counts different values in these answers, and this one is of a type/);
    const observed = await open(`
    - { rule: ten, mode: observe, budget: { distinct: 3, detect: [email] } }
`);
    expect((await get(observed, '/png/1/1')).text).toBe(mail(1));
    expect(seenIn(await get(observed, '/json/1/8'))).toHaveLength(8);
    expect(seenIn(await get(observed, '/late/9/11'))).toHaveLength(3);
    expect(observed.gateway.admissions.budgets()[0]).toMatchObject({ used: 11, limit: 3, observed: true });
  });

  test('what another rule masks is not counted', async () => {
    const stand = await open(`${TEN}
    - { rule: hidden, when: 'path("/json/**")', mask: { json: ["/*/mail"], with: partial } }
    - { rule: found, when: 'path("/lines/**")', mask: { detect: [email] } }
`);
    expect((await get(stand, '/json/1/30')).text).toContain('p*@example.com');
    expect((await get(stand, '/lines/1/30')).text).toContain('[masked:EMAIL]');
    expect(usedOf(stand) ?? 0).toBe(0);
  });

  test('answers that rules judge before they go are counted once they go', async () => {
    const stand = await open(`${TEN}
    - { rule: judged, when: '"email" in answer.found && path("/json/13/**")', deny: Not this one. }
    - { rule: later, when: '"email" in answer.found && path("/json/14/**")', mask: { detect: [email] } }
`);
    expect((await get(stand, '/json/13/13')).status).toBe(403);
    expect((await get(stand, '/json/14/30')).text).toContain('[masked:EMAIL]');
    expect(usedOf(stand) ?? 0).toBe(0);
    expect((await get(stand, '/json/1/10')).status).toBe(200);
    expect((await get(stand, '/json/11/11')).status).toBe(429);
    expect(usedOf(stand)).toBe(10);
  });

  test('a gateway that is started again forgets nothing', async () => {
    const { path: folder, remove } = temporaryFolder('http-distinct');
    stops.push(remove);
    const stand = await openHttpStand({ rules: TEN, serve, folder });
    expect((await get(stand, '/json/1/10')).status).toBe(200);
    await stand.stop();
    const again = await open(TEN, { folder });
    expect((await get(again, '/json/11/11')).status).toBe(429);
    expect((await get(again, '/json/1/10')).status).toBe(200);
  });
});

test('results of tools are counted: texts, structured content and files in base64', async () => {
  const stand = await openMcpStand({
    json: true,
    rules: `
    - { rule: ten, budget: { distinct: 4, detect: [email] } }
    - { rule: calls, when: 'true', allow: true }
`,
    build: (server) => {
      server.registerTool('person', { description: 'Knows somebody.', inputSchema: { n: z.number() } }, ({ n }) => ({
        content: [
          { type: 'text', text: `Write to ${mail(n)}.` },
          {
            type: 'resource',
            resource: { uri: 'file:///a', mimeType: 'text/plain', blob: Buffer.from(mail(n + 1)).toString('base64') },
          },
        ],
      }));
    },
  });
  stops.push(stand.stop);
  const client = await stand.client();
  const call = async (n: number): Promise<string> =>
    JSON.stringify(((await client.callTool({ name: 'person', arguments: { n } })) as CallToolResult).content);
  expect(await call(1)).toContain(mail(1));
  expect(await call(3)).toContain(mail(3));
  expect(usedOf(stand)).toBe(4);
  await expect(call(4)).rejects.toThrow('is used up: 4 of 4 different values');
  expect(await call(2)).toContain(mail(2));
  await client.close();
});
