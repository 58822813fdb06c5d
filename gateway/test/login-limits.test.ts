import { type PostgresServer, collectGarbage, missingPostgres, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LoginLimits } from '@sluice/strangers';
import { type Stand, openStand, targetOf } from './stand.js';

test('the first failures are free, then the wait doubles up to five minutes, and quiet is forgiven', () => {
  let now = 0;
  const limits = new LoginLimits(() => now);
  const waits: number[] = [];
  for (let n = 0; n < 25; n++) {
    limits.failed('192.0.2.1', 'eve');
    waits.push(limits.wait('192.0.2.1', 'eve'));
  }
  expect(waits.slice(0, 14)).toEqual([...Array.from({ length: 10 }, () => 0), 1000, 2000, 4000, 8000]);
  expect(waits.at(-1)).toBe(300_000);
  now += 300_000;
  expect(limits.wait('192.0.2.1', 'eve')).toBe(0);
  now += 15 * 60_000;
  limits.failed('192.0.2.1', 'eve');
  expect(limits.wait('192.0.2.1', 'eve')).toBe(0);
});

test('nobody else waits: not another user there, nor the same user elsewhere; a success clears', () => {
  const limits = new LoginLimits(() => 0);
  for (let n = 0; n < 20; n++) limits.failed('192.0.2.1', 'eve');
  expect(limits.wait('192.0.2.1', 'ada')).toBe(0);
  expect(limits.wait('192.0.2.2', 'eve')).toBe(0);
  limits.succeeded('192.0.2.1', 'eve');
  expect(limits.wait('192.0.2.1', 'eve')).toBe(0);
});

test('memory is bounded, whatever names are tried', () => {
  const limits = new LoginLimits(() => 0);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  // As they come off the wire.
  for (let n = 0; n < 50_000; n++) limits.failed('192.0.2.1', Buffer.from(`user ${n}`.padEnd(8_500)).toString());
  collectGarbage();
  expect(limits.size).toBe(20_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});

describe.skipIf(missingPostgres(18))('at the gateway', () => {
  if (missingPostgres(18)) return;
  let server: PostgresServer;
  let stand: Stand;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    stand = await openStand({ target: targetOf(server) });
  });
  afterAll(async () => {
    await stand.stop();
    await server.stop();
  });

  test('wrong proofs wait and are told so; the right token of the same user from the same address does not', async () => {
    const message = async (user: string, password: string): Promise<string> => {
      try {
        const client = await stand.client({ user, password });
        await client.end();
        return 'in';
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (let n = 0; n < 11; n++) expect(await message('dev', 'wrong')).toMatch(/^password authentication failed/);
    const before = performance.now();
    expect(await message('dev', 'wrong')).toBe(
      'too many failed logins of "dev" from your address, and this one was wrong too',
    );
    expect(performance.now() - before).toBeGreaterThan(900);
    // Naming a token is no way around it.
    expect(await message('dev+aaaaaaaaaa', 'wrong')).toMatch(/^too many failed logins of "dev"/);
    expect(await message('dev', stand.token)).toBe('in');
    expect(await message('dev', 'wrong')).toMatch(/^password authentication failed/);
    const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 'test' });
    expect(await message('ada', token)).not.toContain('too many');
    const answer = await fetch(`${stand.gateway.url}/metrics`);
    expect(await answer.text()).toMatch(/sluice_login_failures_total\{reason="credentials"\} 12\n/);
  });

  test('of more than eight tokens each logs in by its id, by SCRAM and in the clear', async () => {
    const made = [];
    for (let n = 0; n < 9; n++) made.push(await stand.gateway.identity.createToken({ principal: 'dev', name: 'many' }));
    const last = made.at(-1) as (typeof made)[number];
    const user = stand.gateway.identity.loginName(last.stored);
    expect(user).toBe(`dev+${last.stored.id}`);
    for (const options of ['-c sluice.login=scram', '-c sluice.login=password']) {
      const client = await stand.client({ user, password: last.token, options });
      await client.end();
    }
    expect([...stand.gateway.sessions.values()].every(({ principal }) => principal?.name === 'dev')).toBe(true);
    await expect(stand.client({ user: 'dev', password: last.token })).rejects.toThrow(/password authentication failed/);
  });
});
