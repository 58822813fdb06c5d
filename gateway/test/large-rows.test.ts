import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

// Some seconds each where the machine has nothing else to do.
vi.setConfig({ testTimeout: 180_000 });

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: ["files.email"], with: redact } }
`;
const MIB = 1024 * 1024;
const SIZE = 200 * MIB;
const BINARY_SIZE = 120 * MIB;
/** The masked column behind the long one, and before it. */
const textOf = (size: number): string => `select id, repeat('x', ${size}) as data, email from files where id = 1`;
const BINARY = `select email, convert_to(repeat('y', ${BINARY_SIZE}), 'UTF8') as data, id from files where id = 1`;

describe.skipIf(missingPostgres(18))('rows of more than 16 MiB with a masked column', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`create table files (id int, email text);
      insert into files values (1, 'ada@example.com'), (2, repeat('e', ${17 * MIB}))`);
    await direct.end();
    // Room for one of the rows at a time.
    stand = await openStand({ target: targetOf(server), rules: RULES, limits: '{ rows: 300MiB }' });
    client = await stand.client();
  });
  afterAll(async () => {
    await client.end();
    await stand.stop();
    await server.stop();
  });
  afterEach(() => void vi.useRealTimers());

  async function inText(): Promise<void> {
    const {
      rows: [row],
    } = await client.query(textOf(SIZE));
    expect([row.id, row.email]).toEqual([1, '[masked:EMAIL]']);
    expect(md5(row.data)).toBe(md5(Buffer.alloc(SIZE, 'x')));
  }

  async function inBinary(): Promise<void> {
    const other = await stand.client();
    // One result with two rows, so that one follows another within a chunk.
    const text = `${BINARY} union all ${BINARY}`;
    const query = { text, binary: true, queryMode: 'extended' };
    const { rows } = await other.query(query);
    expect(rows.map(({ id, email }) => [id, email])).toEqual([1, 1].map((id) => [id, '[masked:EMAIL]']));
    for (const { data } of rows) expect(md5(data)).toBe(md5(Buffer.alloc(BINARY_SIZE, 'y')));
    await other.end();
  }

  test('come out right in both formats, of two sessions at once that have room for one', async () => {
    await Promise.all([inText(), inBinary()]);
  });

  test.skipIf(missingTool('psql')).each(['text', 'binary'])('come out right in COPY as %s', async (format) => {
    const psql = spawn(findTool('psql') as string, ['-Xqc', `copy (${textOf(SIZE)}) to stdout (format ${format})`], {
      env: {
        ...process.env,
        PGHOST: '127.0.0.1',
        PGPORT: `${stand.port}`,
        PGUSER: 'dev',
        PGDATABASE: 'db',
        PGPASSWORD: stand.token,
      },
    });
    const hash = createHash('md5');
    for await (const chunk of psql.stdout) hash.update(chunk as Buffer);
    const wanted = createHash('md5');
    const data = Buffer.alloc(SIZE, 'x');
    if (format === 'text') wanted.update('1\t').update(data).update('\t[masked:EMAIL]\n');
    else {
      wanted.update(Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8), Buffer.from([0, 3])]));
      for (const cell of [Buffer.from([0, 0, 0, 1]), data, Buffer.from('[masked:EMAIL]')]) {
        const size = Buffer.alloc(4);
        size.writeInt32BE(cell.length);
        wanted.update(size).update(cell);
      }
      wanted.update(Buffer.from([0xff, 0xff]));
    }
    expect(hash.digest('hex')).toBe(wanted.digest('hex'));
  });

  test('beyond what can be kept are refused, and so are long values that a mask looks at', async () => {
    await expect(client.query(textOf(301 * MIB))).rejects.toThrow(/more than 314572800 bytes/);
    await expect(client.query('select * from files where id = 2')).rejects.toThrow(/a mask looks at have more than/);
    const { rows } = await client.query('select id from files order by id');
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('of a client that reads nothing more do not stop others for ever', async () => {
    const stalled = await stand.client();
    const { stream } = (stalled as unknown as { connection: { stream: NodeJS.ReadStream } }).connection;
    const gone = stalled.query(textOf(SIZE)).then(
      () => 'answered',
      () => 'ended',
    );
    await new Promise((resolve) => stream.once('data', resolve));
    stream.pause();
    vi.useFakeTimers({ toFake: ['performance', 'setInterval'] });
    let answered = false;
    const waiting = inText().then(() => (answered = true));
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1), { timeout: 60_000 });
    vi.advanceTimersByTime(19_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    vi.advanceTimersByTime(10_000);
    await waiting;
    stream.resume();
    expect(await gone).toBe('ended');
  });
});

const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('hex');
