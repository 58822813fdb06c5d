/** Budgets and bounds of what is answered with bytes: requests by HTTP and commands by SSH. A cut answer is never taken for a whole one. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { type SshdOptions, missingSshd, ordinaryAccount } from '@sluice/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';
import { type SshStand, openSshStand, until } from './ssh-stand.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Got {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly bytes: number;
  readonly text: string;
  readonly isWhole: boolean;
}

function get({ url, token }: HttpStand, path: string): Promise<Got> {
  const { promise, resolve } = Promise.withResolvers<Got>();
  const sent = request(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', () => undefined);
    answer.on('close', () => {
      const body = Buffer.concat(chunks);
      const { statusCode: status, headers, complete: isWhole } = answer;
      resolve({ status, headers, bytes: body.length, text: body.toString(), isWhole });
    });
  });
  sent.on('error', () => resolve({ status: undefined, headers: {}, bytes: 0, text: '', isWhole: false }));
  sent.end();
  return promise;
}

describe('HTTP', () => {
  async function open(rules: string, options: HttpStandOptions = {}): Promise<HttpStand> {
    const stand = await openHttpStand({
      rules,
      serve: ({ url = '' }, response) => {
        const [, kind, size] = url.split('/');
        if (kind === 'never') return;
        if (kind === 'chunked') response.setHeader('Transfer-Encoding', 'chunked');
        else response.setHeader('Content-Length', Number(size));
        if (kind === 'slow') response.write('begin');
        else response.end(Buffer.alloc(Number(size), 'x'));
      },
      ...options,
    });
    stops.push(stand.stop);
    return stand;
  }

  test('statements are requests: 429, which budget, and when to come again', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 2, within: 1h } }`);
    for (let n = 0; n < 2; n++) expect((await get(stand, '/fixed/10')).status).toBe(200);
    const refused = await get(stand, '/fixed/10');
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(3_500);
    expect(seconds).toBeLessThanOrEqual(3_720);
    expect(refused.text).toContain('Budget \\"few\\" is used up: 2 of 2 statements within 1 h.');
    expect(stand.reached).toHaveLength(2);
  });

  test.each(['fixed', 'chunked'])('bytes: an answer that is cut is broken off (%s)', async (kind) => {
    const stand = await open(`
    - { rule: most, max_bytes: 100KiB }`);
    expect(await get(stand, `/${kind}/102400`)).toMatchObject({ status: 200, bytes: 102_400, isWhole: true });
    const cut = await get(stand, `/${kind}/300000`);
    expect(cut.isWhole).toBe(false);
    expect(cut.bytes).toBeLessThanOrEqual(102_400);
  });

  test('bytes of many requests are never more than the budget has', async () => {
    const stand = await open(`
    - { rule: bytes, budget: { bytes: 50000 } }`);
    const got = await Promise.all(Array.from({ length: 20 }, () => get(stand, '/chunked/7000')));
    const sum = got.filter(({ status }) => status === 200).reduce((all, { bytes }) => all + bytes, 0);
    expect(sum).toBeLessThanOrEqual(50_000);
    expect(got.filter(({ status, isWhole }) => status === 200 && isWhole)).toHaveLength(7);
  });

  test('a timeout ends a request that is not answered with 504, and one that is with a break', async () => {
    const stand = await open(`
    - { rule: fast, timeout: 300ms }`);
    const late = await get(stand, '/never/0');
    expect([late.status, late.text]).toEqual([504, expect.stringContaining('longer than the 300 ms that rule')]);
    const slow = await get(stand, '/slow/1000');
    expect([slow.status, slow.isWhole]).toEqual([200, false]);
  });
});

const missing = missingSshd();

describe.skipIf(missing !== undefined)(`SSH${missing === undefined ? '' : ` (${missing})`}`, () => {
  async function open(rules: string, sshd: SshdOptions = {}): Promise<SshStand> {
    const stand = await openSshStand({ rules, sshd });
    stops.push(stand.stop);
    return stand;
  }

  test('commands: refused with a line and a status when their budget is used up', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 1, ask: "Ask ada." } }`);
    expect((await stand.ssh(['true'])).status).toBe(0);
    const refused = await stand.ssh(['true']);
    expect(refused.status).toBe(126);
    expect(refused.stderr).toContain('sluice: Budget "few" is used up: 1 of 1 statements today. (rule "few")');
    expect(refused.stderr).toContain('Ask ada.');
  });

  test('at once: what is asked for ahead of a command does not run, and leaves room for it', async () => {
    const stand = await open(`
    - { rule: one, budget: { at_once: 1 } }
    - { rule: all, when: 'true', allow: true }`);
    const ran = await stand.ssh(['-A', '-o', 'SetEnv=COLOUR=red BACK=blue', 'true'], {
      env: { SSH_AUTH_SOCK: '/nonexistent' },
    });
    expect([ran.status, ran.stderr]).toEqual([0, '']);
  });

  test('a timeout ends a forwarded connection', async () => {
    const stand = await open(`
    - { rule: fast, timeout: 500ms }
    - { rule: all, when: 'true', allow: true }`);
    const silent = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      // It would never end by itself.
      const { port } = silent.address() as AddressInfo;
      await Promise.all([once(silent, 'connection'), stand.ssh(['-W', `127.0.0.1:${port}`])]);
    } finally {
      silent.close();
    }
  });

  test('bytes: output ends at the bound with a line and a status that is no success', async () => {
    const stand = await open(`
    - { rule: most, max_bytes: 64KiB }`);
    expect((await stand.ssh(['head -c 65536 /dev/zero'])).stdout.length).toBe(65_536);
    const cut = await stand.ssh(['head -c 10000000 /dev/zero']);
    expect(cut.status).toBe(126);
    expect(cut.stdout.length).toBeLessThanOrEqual(65_536);
    expect(cut.stderr).toContain('The answer has more than the 65,536 bytes that rule "most" allows');
  });

  const account = ordinaryAccount();

  test.skipIf(account === undefined)('a timeout ends a command, at the target as well', async () => {
    const stand = await open(
      `
    - { rule: fast, timeout: 2s }
    - { rule: all, when: 'true', allow: true }`,
      { account: account as string },
    );
    const mark = `41.${process.pid}`;
    // It has begun when its line comes, and it takes no notice of a polite signal.
    const late = await stand.ssh([`trap '' TERM; echo begun; sleep ${mark}; true`]);
    expect([late.status, late.stdout.toString(), late.stderr]).toEqual([
      124,
      'begun\n',
      expect.stringContaining('took longer than the 2,000 ms'),
    ]);
    const isGone = (): boolean => !execFileSync('ps', ['-eo', 'args']).toString().includes(`sleep ${mark}`);
    await until(isGone, 'the command to end at the target');
  });
});
