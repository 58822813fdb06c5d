/** One person begins long statements in many sessions and ends none: their memory has a bound, and others are served. At a real server. */
import { missingPostgres, startPostgres } from '@sluice/testkit';
import type pg from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openStand, targetOf } from './stand.js';

const MIB = 1024 * 1024;
const SESSIONS = 12;

/** What lies below a client. */
const streamOf = (client: pg.Client): NodeJS.ReadWriteStream & { destroy(): void } =>
  (client as unknown as { connection: { stream: NodeJS.ReadWriteStream & { destroy(): void } } }).connection.stream;

test.skipIf(missingPostgres(18))('what is begun and not ended has a bound, and others go on', async () => {
  const server = await startPostgres({ major: 18 });
  onTestFinished(() => server.stop());
  const stand = await openStand({
    target: targetOf(server),
    limits: '{ message: 4MiB }',
    principals: '  ben: { groups: [engineers] }',
  });
  onTestFinished(() => stand.stop());
  const { token } = await stand.gateway.identity.createToken({ principal: 'ben', name: 'test' });
  const ben = await stand.client({ user: 'ben', password: token });
  const held = await Promise.all(Array.from({ length: SESSIONS }, () => stand.client()));
  const texts = held.map(() => '');
  const begun = Buffer.alloc(4 * MIB - 1024, 0x20);
  begun.write('Q');
  begun.writeUInt32BE(4 * MIB - 1, 1);
  held.forEach((client, at) => {
    const stream = streamOf(client);
    stream.removeAllListeners('data');
    stream.on('data', (bytes: Buffer) => (texts[at] += bytes.toString()));
    stream.write(begun);
  });
  const refused = (): number => texts.filter((text) => text.includes('C53400')).length;
  // 16 MiB hold four of them.
  await vi.waitFor(() => expect(refused()).toBeGreaterThanOrEqual(SESSIONS - 4), { timeout: 20_000 });
  expect(refused()).toBeLessThan(SESSIONS);
  expect((await ben.query('select length($1::text) as n', ['x'.repeat(3 * MIB)])).rows).toEqual([{ n: 3 * MIB }]);
  for (const client of held) streamOf(client).destroy();
  // What they had is there again.
  const again = await stand.client();
  await vi.waitFor(
    async () => expect((await again.query('select length($1::text) as n', ['x'.repeat(3 * MIB)])).rows).toHaveLength(1),
    { timeout: 20_000 },
  );
  await Promise.all([ben.end(), again.end()]);
});
