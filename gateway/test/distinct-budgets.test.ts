/** Budgets of different values at a real PostgreSQL: by whichever way values are asked for, no more of them are shown than allowed. */
import type { EventEmitter } from 'node:events';
import { cpSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

interface Failure {
  readonly code?: string | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
}

const failed = (attempt: Promise<unknown>): Promise<Failure> =>
  attempt.then(
    () => ({ message: 'no error' }),
    (error: Failure) => error,
  );

const missing = missingPostgres(18);

describe.skipIf(missing !== undefined)(`different values${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: PostgresServer;
  const stops: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`
      CREATE TABLE people (id int PRIMARY KEY, email text, born date, tags text[], note text, line text);
      INSERT INTO people SELECT n, 'p' || n || '@example.com', date '1980-01-01' + n % 7, ARRAY['a' || n],
        'call p' || n || '@example.com or m' || n || '@example.org', 'room ' || n || ', p' || n || '@example.com' FROM generate_series(1, 400) n;
      CREATE VIEW shown AS SELECT id, email AS mail FROM people;
      CREATE TABLE copies (email text);
      CREATE FUNCTION unread() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT min(email) FROM people); END $$;`);
    await direct.end();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function open(rules: string, folder?: string): Promise<Stand> {
    const stand = await openStand({
      target: targetOf(server),
      rules,
      connection: 'functions: { trusted: [unread] }',
      ...(folder !== undefined && { folder }),
    });
    stops.push(stand.stop);
    return stand;
  }
  async function connected(stand: Stand): Promise<pg.Client> {
    const client = await stand.client();
    stops.push(() => client.end().catch(() => undefined));
    return client;
  }

  const TEN = `
    - { rule: ten, budget: { distinct: 10, columns: [people.email], within: 1h, ask: "Ask the data team." } }`;

  test('ends at so many, says which and how much, and shows again what was shown', async () => {
    const client = await connected(await open(TEN));
    const first = await client.query('SELECT email, born FROM people WHERE id <= 6');
    expect(first.rows).toHaveLength(6);
    expect(first.rows[0].email).toBe('p1@example.com');
    for (let n = 0; n < 5; n++) await client.query('SELECT mail FROM shown WHERE id = $1', [1 + n]);
    await client.query('SELECT lower(mail) FROM (SELECT id::text AS mail FROM shown) s');
    await client.query('SELECT email FROM people WHERE id BETWEEN 7 AND 10');
    const failure = await failed(client.query('SELECT email FROM people WHERE id = 11'));
    expect(failure.code).toBe('53400');
    expect(failure.message).toBe('Budget "ten" is used up: 10 of 10 different values within 1 h.');
    expect(failure.hint).toMatch(/^There is room again at .* UTC\. Ask the data team\.$/);
    // The session goes on, and what was refused counts nothing.
    expect((await client.query('SELECT email FROM people WHERE id <= 10')).rows).toHaveLength(10);
    expect((await client.query('SELECT count(email), count(DISTINCT email) FROM people')).rows[0].count).toBe('400');
    expect((await client.query('SELECT id, born, note FROM people')).rows).toHaveLength(400);
    expect((await client.query(`SELECT id FROM people WHERE email = 'p300@example.com'`)).rows).toEqual([{ id: 300 }]);
  });

  test('by whichever way they are asked for', async () => {
    const ways: Record<string, (client: pg.Client, at: number) => Promise<string[]>> = {
      text: async (client, at) => values(await client.query(`SELECT email FROM people WHERE id = ${at}`)),
      binary: async (client, at) =>
        values(
          await (client.query({
            text: 'SELECT email FROM people WHERE id = $1',
            values: [at],
            binary: true,
          } as pg.QueryConfig) as Promise<pg.QueryResult>),
        ),
      prepared: async (client, at) =>
        values(await client.query({ name: 'p', text: 'SELECT email FROM people WHERE id = $1', values: [at] })),
      cursor: async (client, at) => {
        await client.query(`BEGIN; DECLARE c CURSOR FOR SELECT email FROM people WHERE id = ${at}`);
        return rolledBack(client, 'FETCH ALL FROM c');
      },
      returning: async (client, at) => {
        await client.query('BEGIN');
        return rolledBack(client, `UPDATE people SET born = born WHERE id = ${at} RETURNING email`);
      },
      copy: async (client, at) => {
        const { connection } = client as unknown as { connection: EventEmitter };
        const pieces: Buffer[] = [];
        const hear = ({ chunk }: { chunk: Buffer }): unknown => pieces.push(Buffer.from(chunk));
        connection.on('copyData', hear);
        await client.query(`COPY (SELECT email FROM people WHERE id = ${at}) TO STDOUT`).catch(() => undefined);
        connection.off('copyData', hear);
        return Buffer.concat(pieces)
          .toString()
          .split('\n')
          .filter((line) => line !== '');
      },
      union: async (client, at) =>
        values(await client.query(`SELECT email FROM people WHERE id = ${at} UNION ALL SELECT 'x' WHERE false`)),
    };
    for (const [name, way] of Object.entries(ways)) {
      const stand = await open(TEN);
      const clients = [await connected(stand), await connected(stand)];
      const seen = new Set<string>();
      for (let at = 1; at <= 30; at++) {
        const client = clients[at % 2] as pg.Client;
        for (const value of await way(client, at).catch(() => [])) seen.add(value);
      }
      expect([name, seen.size]).toEqual([name, 10]);
      await stand.stop();
      stops.splice(0);
    }
  }, 60_000);

  test('what is computed from them, moved or not followed is not shown uncounted', async () => {
    const client = await connected(await open(TEN));
    for (const text of [
      'SELECT string_agg(email, $$,$$) FROM people',
      'SELECT array_agg(email) FROM people',
      'SELECT to_jsonb(people) FROM people',
      'SELECT people FROM people',
      'SELECT upper(email) FROM people',
      'SELECT max(mail) FROM shown',
    ]) {
      const { code, message } = await failed(client.query(text));
      expect([text, code]).toEqual([text, '53400']);
      expect(message).toMatch(/^Budget "ten" counts the different values of a column, and this statement shows/);
    }
    const moved = await failed(client.query('INSERT INTO copies SELECT email FROM people'));
    expect(moved.message).toMatch(/puts values of .* columns where/);
    expect((await client.query('SELECT unread()')).rows).toEqual([{ unread: null }]);
    // In words of an error as well.
    const told = await failed(client.query('SELECT email::int FROM people WHERE id = 1'));
    expect(told.message).not.toContain('p1@');
    expect((await client.query('EXPLAIN SELECT email FROM people')).rows.length).toBeGreaterThan(0);
  });

  test('kinds are counted wherever they stand, and what a mask hides is not', async () => {
    const stand = await open(`
    - { rule: mails, budget: { distinct: 12, detect: [email] } }`);
    const client = await connected(stand);
    // Two in each note.
    expect((await client.query('SELECT note FROM people WHERE id <= 5')).rows[0].note).toContain(
      'p1@example.com or m1@',
    );
    await client.query('SELECT upper(email) FROM people WHERE id <= 5');
    await client.query(`SELECT json_build_object('a', email) FROM people WHERE id <= 6`);
    await client.query('SELECT ARRAY[email, note] FROM people WHERE id = 6');
    const { code, message } = await failed(client.query('SELECT note FROM people WHERE id = 7'));
    expect([code, message]).toEqual(['53400', 'Budget "mails" is used up: 12 of 12 different values today.']);
    await client.query('SELECT id, born FROM people');
  });

  test('where a mask hides a column it is not counted, and a rule that observes changes nothing', async () => {
    const stand = await open(`
    - { rule: ten, budget: { distinct: 3, columns: [people.email] } }
    - { rule: hidden, when: 'principal.name == "dev"', mask: { columns: [people.email] } }`);
    const client = await connected(stand);
    expect((await client.query('SELECT email FROM people')).rows).toHaveLength(400);
    const observed = await open(`
    - { rule: ten, mode: observe, budget: { distinct: 3, columns: [people.email] } }`);
    const other = await connected(observed);
    expect((await other.query('SELECT email, upper(email) AS up FROM people')).rows[399].up).toBe('P400@EXAMPLE.COM');
    expect((await other.query('SELECT unread()')).rows).toEqual([{ unread: 'p100@example.com' }]);
    await other.query('INSERT INTO copies SELECT email FROM people');
    const [use] = observed.gateway.admissions.budgets();
    expect(use).toMatchObject({ rule: 'ten', unit: 'distinct', limit: 3, observed: true });
    expect(Math.abs((use?.used ?? 0) - 400)).toBeLessThanOrEqual(20);
  });

  test('what a mask hides beside it makes no value pass uncounted', async () => {
    const stand = await open(`
    - { rule: ten, budget: { distinct: 10, columns: [people.email] } }
    - { rule: notes, mask: { columns: [people.note], detect: [credit_card] } }`);
    const client = await connected(stand);
    for (const text of [
      // Masked by its parts, of which only one has a mask.
      'SELECT ROW(note, email) FROM people',
      'SELECT people FROM people',
      `SELECT json_build_object('n', note, 'e', email) FROM people`,
      'SELECT jsonb_agg(jsonb_build_array(note, email)) FROM people',
      'SELECT ARRAY[note, email] FROM people',
      // A detector finds something in each, which whoever asks has put there.
      `SELECT string_agg(email, ',') || ' 4111 1111 1111 1111' FROM people`,
      `SELECT email || ' 4111 1111 1111 1111' FROM people`,
      `COPY (SELECT email || ' 4111 1111 1111 1111' FROM people) TO STDOUT`,
    ])
      expect([text, (await failed(client.query(text))).code]).toEqual([text, '53400']);
    expect(stand.gateway.admissions.budgets()).toEqual([]);
    expect((await client.query('SELECT ROW(note, id) AS r FROM people WHERE id = 1')).rows[0].r).toMatch(/masked/);
    // What a detector leaves of a column is shown, and counts.
    const rest = await connected(
      await open(`
    - { rule: ten, budget: { distinct: 10, columns: [people.line] } }
    - { rule: mails, mask: { detect: [email] } }`),
    );
    expect((await rest.query('SELECT line FROM people WHERE id <= 10')).rows[9].line).toBe('room 10, [masked:EMAIL]');
    expect((await failed(rest.query('SELECT line FROM people WHERE id = 11'))).code).toBe('53400');
  });

  test('long rows, which another thread looks at, are counted as well', async () => {
    const stand = await open(`
    - { rule: mails, budget: { distinct: 50, detect: [email] } }`);
    const client = await connected(stand);
    await client.query(`SELECT repeat(note || ' ', 10000) FROM people WHERE id <= 3`);
    expect(stand.gateway.admissions.budgets()[0]?.used).toBe(6);
    const all = failed(client.query(`SELECT string_agg(note, repeat(' ', 2000)) FROM people`));
    expect((await all).code).toBe('53400');
    expect(stand.gateway.admissions.budgets()[0]?.used).toBe(6);
  });

  test('a kill -9 forgets nothing of it, and an administrator resets it', async () => {
    const { path: folder, remove } = temporaryFolder('distinct');
    stops.push(() => remove());
    const stand = await open(TEN, folder);
    const client = await connected(stand);
    await client.query('SELECT email FROM people WHERE id <= 10');
    const { path: copy, remove: removeCopy } = temporaryFolder('distinct');
    stops.push(() => removeCopy());
    cpSync(folder, copy, { recursive: true });
    for (const lock of globSync('**/*.lock', { cwd: copy })) rmSync(join(copy, lock));
    // No value can be read from it.
    const again = await open(TEN, copy);
    const other = await connected(again);
    expect((await failed(other.query('SELECT email FROM people WHERE id = 11'))).code).toBe('53400');
    expect((await other.query('SELECT email FROM people WHERE id = 10')).rows).toHaveLength(1);
    expect(again.gateway.admissions.resetBudget('ten', () => true)).toBe(1);
    expect((await other.query('SELECT email FROM people WHERE id = 11')).rows).toHaveLength(1);
  });
});

const values = (result: pg.QueryResult): string[] => result.rows.map((row) => row.email as string);

async function rolledBack(client: pg.Client, sql: string): Promise<string[]> {
  try {
    return values(await client.query(sql));
  } finally {
    await client.query('ROLLBACK');
  }
}
