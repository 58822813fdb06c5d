/** A long value that detectors look at, through the gateway: it is masked in another thread, and others go on meanwhile. */
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: found, mask: { detect: [email], with: redact } }
`;

describe.skipIf(missingPostgres(18))('a value of some MiB that detectors look at', () => {
  let server: PostgresServer;
  let stand: Stand;
  const TIMES = 80_000;
  const LONG = `select repeat('ada@example.com and so on ', ${TIMES}) as a`;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`create table mails as ${LONG} union all select 'bob@example.com'`);
    await direct.end();
    stand = await openStand({ target: targetOf(server), rules: RULES });
  });
  afterAll(async () => {
    await stand.stop();
    await server.stop();
  });

  test('comes masked and in its place', async () => {
    const client = await stand.client();
    const answers = await Promise.all([
      client.query(`${LONG} union all select 'bob@example.com'`),
      client.query('select 2 as a'),
      client.query(`${LONG} where $1`, [true]),
      client.query('select 3 as a'),
    ]);
    const wanted = '[masked:EMAIL] and so on '.repeat(TIMES);
    expect(answers[0].rows.map(({ a }: { a: string }) => (a === wanted ? 'long' : a))).toEqual([
      'long',
      '[masked:EMAIL]',
    ]);
    expect(answers[2].rows[0].a === wanted).toBe(true);
    expect([answers[1].rows[0].a, answers[3].rows[0].a]).toEqual(['2', '3'].map(Number));
    await client.end();
  });

  test.each(['text', 'csv', 'binary'])('comes masked in COPY as %s', async (format) => {
    const client = await stand.client();
    const sent: Buffer[] = [];
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    connection.on('copyData', ({ chunk }: { chunk: Buffer }) => sent.push(Buffer.from(chunk)));
    await client.query(`copy mails to stdout (format ${format})`);
    const data = Buffer.concat(sent).toString('latin1');
    expect(data.split('[masked:EMAIL]')).toHaveLength(TIMES + 2);
    expect(data).not.toContain('example.com');
    expect((await client.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
    await client.end();
  });

  test('does not keep a session from its end', async () => {
    const client = await stand.client();
    client.on('error', () => undefined);
    const gone = client.query(LONG).then(
      () => 'answered',
      () => 'lost',
    );
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect(await gone).toBe('lost');
    const next = await stand.client();
    expect((await next.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
    await next.end();
  });
});
