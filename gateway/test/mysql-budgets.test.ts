/** Budgets and bounds of answers at a real MariaDB: texts of several statements, prepared ones, cursors, masks, and the session afterwards. */
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type MySqlStand, openMySqlStand } from './mysql-stand.js';

const failed = (attempt: Promise<unknown>): Promise<{ errno?: number | undefined; message: string }> =>
  attempt.then(
    () => ({ message: 'no error' }),
    (error: QueryError) => ({ errno: error.errno, message: error.message }),
  );

const missing = missingMySql('mariadb');

describe.skipIf(missing !== undefined)(`budgets at MariaDB${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: MySqlServer;
  let direct: Connection;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await startMySql({ flavour: 'mariadb' });
    const { host, port, user, password, database } = server;
    direct = await createConnection({ host, port, user, password, database });
    await direct.query('CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(200))');
    await direct.query("INSERT INTO people SELECT seq, REPEAT('n', 100) FROM seq_1_to_500");
  });

  afterAll(async () => {
    await direct.end();
    await server.stop();
  });

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function open(rules: string): Promise<MySqlStand> {
    const stand = await openMySqlStand({ server, rules });
    stops.push(stand.stop);
    return stand;
  }

  async function connected(stand: MySqlStand, options = {}): Promise<Connection> {
    const client = await stand.client(options);
    stops.push(() => client.end());
    return client;
  }

  /** Rows that come before an answer ends or fails, and how it ends. */
  async function streamed(client: Connection, sql: string, values?: unknown[]): Promise<[number, number | undefined]> {
    // What mysql2 promises has no streams.
    const plain = (client as unknown as { connection: { query: Function; execute: Function } }).connection;
    const query = values ? plain.execute(sql, values) : plain.query(sql);
    let rows = 0;
    return new Promise((resolve) => {
      query.on('result', (row: object) => {
        if (!('affectedRows' in row)) rows++;
      });
      query.on('error', ({ errno }: QueryError) => resolve([rows, errno]));
      query.on('end', () => resolve([rows, undefined]));
    });
  }

  test('statements: the error is that of a user limit, and says which budget, how much and when', async () => {
    const stand = await open(`
    - { rule: few, when: 'action.verb == "select"', budget: { statements: 2, within: 1h, ask: "Ask the data team." } }`);
    const client = await connected(stand);
    await client.query('SELECT 1');
    await client.execute('SELECT ?', [1]);
    const failure = await failed(client.query('SELECT 1'));
    expect(failure.errno).toBe(1226);
    expect(failure.message).toMatch(
      /^Budget "few" is used up: 2 of 2 statements within 1 h\. There is room again at \S+ \S+ UTC\. Ask the data team\.$/,
    );
    expect((await failed(client.execute('SELECT ?', [2]))).errno).toBe(1226);
  });

  test('rows: never one more than allowed, by whichever way they are asked for', { timeout: 240_000 }, async () => {
    const ways: readonly [string, (client: Connection) => Promise<number>][] = [
      ['text', async (client) => (await streamed(client, 'SELECT id FROM people LIMIT 7'))[0]],
      ['binary', async (client) => (await streamed(client, 'SELECT id FROM people LIMIT ?', ['7']))[0]],
      ['several', async (client) => (await streamed(client, 'SELECT 1; SELECT id FROM people LIMIT 4; SELECT 2'))[0]],
      ['definitions', async (client) => (await streamed(client, 'SHOW TABLES; DESCRIBE people'))[0]],
    ];
    for (const [name, way] of ways) {
      const stand = await open(`
    - { rule: rows, budget: { rows: 25 } }`);
      const clients = await Promise.all([1, 2, 3].map(() => connected(stand, { multipleStatements: true })));
      let rows = 0;
      for (let round = 0; round < 4; round++) for (const got of await Promise.all(clients.map(way))) rows += got;
      expect([name, rows]).toEqual([name, 25]);
    }
  });

  test('different values: no more are shown than allowed, in text and in binary form, computed ones not at all', async () => {
    await direct.query(
      'CREATE OR REPLACE TABLE mails (id INT PRIMARY KEY, mail VARCHAR(80) NOT NULL, note TEXT, born DATE)',
    );
    await direct.query(
      "INSERT INTO mails SELECT seq, CONCAT('p', seq, '@example.com'), CONCAT('call p', seq, '@example.com'), '2001-01-01' + INTERVAL seq DAY FROM seq_1_to_60",
    );
    const stand = await open(`
    - { rule: ten, budget: { distinct: 10, columns: [mails.mail, mails.born], within: 1h } }`);
    const [client, other] = [await connected(stand), await connected(stand)];
    const seen = new Set<string>();
    for (let at = 1; at <= 20; at++) {
      const sql = at % 2 === 0 ? `SELECT mail FROM mails WHERE id = ${at}` : 'SELECT mail FROM mails WHERE id = ?';
      const query = at % 2 === 0 ? client.query(sql) : other.execute(sql, [at]);
      const [rows] = await query.catch(() => [[]]);
      for (const { mail } of rows as { mail: string }[]) seen.add(mail);
    }
    expect(seen.size).toBe(10);
    const failure = await failed(client.query('SELECT mail FROM mails WHERE id = 30'));
    expect([failure.errno, failure.message.split('. ')[0]]).toEqual([
      1226,
      'Budget "ten" is used up: 10 of 10 different values within 1 h',
    ]);
    // What was shown is shown again, in either form, with its definition as it was.
    const [again, fields] = await client.query('SELECT mail FROM mails WHERE id <= 10');
    expect(again).toHaveLength(10);
    expect((fields[0] as { flags: number }).flags & 1).toBe(1);
    const wide = await open(`
    - { rule: many, budget: { distinct: 1000, columns: [mails.mail, mails.born] } }`);
    const reader = await connected(wide);
    await reader.query('SELECT born FROM mails');
    await reader.execute('SELECT born FROM mails');
    expect(wide.gateway.admissions.budgets()[0]?.used).toBe(60);
    for (const sql of [
      'SELECT GROUP_CONCAT(mail) FROM mails',
      'SELECT UPPER(mail) FROM mails',
      'SELECT MAX(mail) FROM mails',
    ])
      expect([sql, (await failed(reader.query(sql))).message]).toEqual([
        sql,
        expect.stringContaining('shows what it computes from them'),
      ]);
    expect((await failed(reader.query('CREATE TABLE away AS SELECT mail FROM mails'))).errno).toBe(1142);
    expect((await reader.query('SELECT COUNT(mail) AS n FROM mails'))[0]).toEqual([{ n: 60 }]);
    const kinds = await open(`
    - { rule: kinds, budget: { distinct: 5, detect: [email] } }`);
    const finder = await connected(kinds);
    expect((await finder.query('SELECT id, note, UPPER(mail) FROM mails WHERE id <= 5'))[0]).toHaveLength(5);
    expect((await failed(finder.query('SELECT note FROM mails WHERE id = 6'))).errno).toBe(1226);
  });

  test('an answer fails at its bound behind what was sent, and the session goes on', async () => {
    for (const mask of ['', '\n    - { rule: names, mask: { columns: ["people.name"], with: redact } }']) {
      const stand = await open(`
    - { rule: most, max_rows: 5 }${mask}`);
      const client = await connected(stand, { multipleStatements: true });
      expect(await streamed(client, 'SELECT id FROM people LIMIT 5')).toEqual([5, undefined]);
      expect(await streamed(client, 'SELECT id, name FROM people')).toEqual([5, 1226]);
      expect(await streamed(client, 'SELECT id, name FROM people LIMIT ?', ['6'])).toEqual([5, 1226]);
      // Rows enough to keep the target at work for a while.
      expect(await streamed(client, 'SELECT a.id FROM people a, people b, people c')).toEqual([5, 1226]);
      expect(await streamed(client, 'SELECT 1; SELECT id FROM people; SELECT 2')).toEqual([6, 1226]);
      const [rows] = await client.query('SELECT id FROM people LIMIT 3');
      expect(rows).toHaveLength(3);
    }
    const working = await direct.query("SELECT * FROM information_schema.processlist WHERE info LIKE 'SELECT a.id%'");
    expect(working[0]).toEqual([]);
  });

  test('bytes', async () => {
    const stand = await open(`
    - { rule: most, max_bytes: 2KiB }`);
    const client = await connected(stand);
    const [rows, errno] = await streamed(client, 'SELECT name FROM people');
    expect([rows, errno]).toEqual([Math.floor(2048 / 105), 1226]);
  });

  test('a timeout cancels at the target, whatever the session sets', async () => {
    const stand = await open(`
    - { rule: fast, timeout: 900ms }`);
    const client = await connected(stand);
    await client.query('SET SESSION max_statement_time = 0');
    const slow = 'SELECT COUNT(*) FROM people a, people b, people c, people d WHERE a.id + b.id + c.id + d.id > 1';
    const failure = await failed(client.query(slow));
    expect(failure).toEqual({
      errno: 3024,
      message:
        'The statement took longer than the 900 ms that rule "fast" allows, and was cancelled. Ask for less at a time.',
    });
    expect((await failed(client.execute(slow))).errno).toBe(3024);
    const [rows] = await client.query('SELECT 1 AS n');
    expect(rows).toEqual([{ n: 1 }]);
  });
});
