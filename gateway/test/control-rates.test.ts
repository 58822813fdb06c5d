/** Who asks the control API all the time is told to wait, and keeps nobody else out. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { MAX_REQUESTS_AT_ONCE, MAX_REQUESTS_PER_SECOND, RequestRates } from '@sluice/control';
import { type Stand, openStand } from './stand.js';

describe('requests of one caller', () => {
  const open = () => {
    const clock = { now: 0 };
    const rates = new RequestRates(() => clock.now);
    const answered = (caller: string, times: number): number =>
      Array.from({ length: times }, () => rates.take(caller)).filter((wait) => wait === 0).length;
    return { clock, rates, answered };
  };

  test('are so many at once, and so many in a second after that', () => {
    const { clock, answered } = open();
    expect(answered('a', 10_000)).toBe(MAX_REQUESTS_AT_ONCE);
    for (let second = 1; second <= 5; second++) {
      clock.now = second * 1_000;
      expect(answered('a', 10_000)).toBe(MAX_REQUESTS_PER_SECOND);
    }
    clock.now += 60_000;
    expect(answered('a', 10_000)).toBe(MAX_REQUESTS_AT_ONCE);
  });

  test('are answered by whoever waits as long as they are told, however often they asked meanwhile', () => {
    const { clock, rates, answered } = open();
    answered('a', 10_000);
    clock.now += rates.take('a');
    expect(rates.take('a')).toBe(0);
  });

  test('of others are counted apart, and those of very many take bounded memory', () => {
    const { rates, answered } = open();
    answered('a', 10_000);
    expect(rates.take('b')).toBe(0);
    for (let n = 0; n < 50_000; n++) rates.take(`address ${n}`);
    expect(rates.size).toBeLessThanOrEqual(10_000);
  });

  test('that are given back do not count', () => {
    const { rates, answered } = open();
    for (let n = 0; n < 1_000; n++) {
      expect(rates.take('a')).toBe(0);
      rates.giveBack('a');
    }
    expect(answered('a', 10_000)).toBe(MAX_REQUESTS_AT_ONCE);
  });
});

describe('the control API', () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await openStand({ target: { port: 1, user: 'nobody' } });
  });
  afterAll(() => stand.stop());

  /** Who has nothing left, by the name that is counted. */
  let spent = '';
  beforeEach(() => {
    vi.spyOn(RequestRates.prototype, 'take').mockImplementation((caller) => (caller === spent ? 1_200 : 0));
  });
  afterEach(() => void vi.restoreAllMocks());
  const ask = (token?: string, path = '/v1/whoami'): Promise<Response> =>
    fetch(new URL(path, stand.gateway.url), { headers: { ...(token && { authorization: `Bearer ${token}` }) } });
  const tokenOf = async (principal: string): Promise<string> =>
    (await stand.gateway.identity.createToken({ principal, name: 'test' })).token;

  test('says to who has asked too often when to try again, and closes the connection', async () => {
    spent = 'dev';
    const answer = await ask(stand.token);
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('connection')]).toEqual([
      429,
      '2',
      'close',
    ]);
    expect(await answer.json()).toMatchObject({
      message: 'You ask the control API more often than 100 times a second.',
    });
    // All tokens of one principal, and an address that does not exist.
    expect((await ask(await tokenOf('dev'), '/nowhere')).status).toBe(429);
    expect((await ask(await tokenOf('ada'))).status).toBe(200);
  });

  test('answers right tokens at an address where somebody without one asks all the time', async () => {
    spent = 'address 127.0.0.1';
    for (const path of ['/v1/whoami', '/v1/issuers', '/nowhere'])
      for (const token of [undefined, 'wrong', `${stand.token}x`]) expect((await ask(token, path)).status).toBe(429);
    expect((await ask(stand.token)).status).toBe(200);
  });

  test('answers who watches it however often', async () => {
    spent = 'address 127.0.0.1';
    expect((await ask(undefined, '/healthz')).status).toBe(200);
    expect([200, 503]).toContain((await ask(undefined, '/readyz')).status);
  });
});
