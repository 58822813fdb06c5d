import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: ["files.email"], with: redact } }
`;
const MIB = 1024 * 1024;
/** Of a bytea: its text has twice as many bytes. */
const SIZE = 9 * MIB;

describe.skipIf(missingPostgres(18))('rows of more than 16 MiB with a masked column', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`create table files (id int, data bytea, email text);
      insert into files select id, convert_to(repeat(id::text, ${SIZE}), 'UTF8'), 'ada@example.com'
        from generate_series(1, 2) id;
      insert into files values (4, convert_to(repeat('4', ${65 * MIB}), 'UTF8'), 'ada@example.com'),
        (5, null, repeat('e', ${17 * MIB}))`);
    await direct.end();
    stand = await openStand({ target: targetOf(server), rules: RULES });
    client = await stand.client();
  });
  afterAll(async () => {
    await client.end();
    await stand.stop();
    await server.stop();
  });

  test('pass as rows', async () => {
    const { rows } = await client.query('select id, data, email from files where id <= $1 order by id', [2]);
    expect(rows.map(({ id, email }) => [id, email])).toEqual([1, 2].map((id) => [id, '[masked:EMAIL]']));
    for (const { id, data } of rows as { id: number; data: Buffer }[])
      expect(data.equals(Buffer.alloc(SIZE, String(id)))).toBe(true);
  });

  test.skipIf(missingTool('psql'))('pass as COPY', async () => {
    const psql = spawn(
      findTool('psql') as string,
      ['-Xqc', 'copy (select * from files where id <= 2 order by id) to stdout'],
      {
        env: {
          ...process.env,
          PGHOST: '127.0.0.1',
          PGPORT: `${stand.port}`,
          PGUSER: 'dev',
          PGDATABASE: 'db',
          PGPASSWORD: stand.token,
        },
      },
    );
    const hash = createHash('md5');
    for await (const chunk of psql.stdout) hash.update(chunk as Buffer);
    const wanted = createHash('md5');
    for (const id of [1, 2]) wanted.update(`${id}\t\\\\x${`3${id}`.repeat(SIZE)}\t[masked:EMAIL]\n`);
    expect(hash.digest('hex')).toBe(wanted.digest('hex'));
  });

  test('beyond what can be kept are refused, and so are long values that a mask looks at', async () => {
    await expect(client.query('select * from files where id = 4')).rejects.toThrow(/more than 134217728 bytes/);
    await expect(client.query('select * from files where id = 5')).rejects.toThrow(/a mask looks at have more than/);
    const { rows } = await client.query('select id, length(data) as size from files where id = 4');
    expect(rows).toEqual([{ id: 4, size: 65 * MIB }]);
  });
});
