/** Real clients, direct and through the gateway, at real servers: they must see the same. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { Waiter, SqlCommand } from '@sluice/contract';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import mysql2 from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { framed } from '../src/packets.js';
import { QUESTION } from '../src/session-state.js';
import { DENIED, type MySqlStand, TOKEN, allow, openStand, sensible } from './stand.js';

const SETUP = `
CREATE TABLE visits (id INT PRIMARY KEY AUTO_INCREMENT, person VARCHAR(40) NOT NULL, place TEXT, day DATE);
INSERT INTO visits (person, place, day) VALUES ('ana', 'Lisbon', '2026-01-02'), ('béa', NULL, '2026-02-03'), ('', 'x', NULL);
CREATE TABLE kinds (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d BIGINT UNSIGNED, e FLOAT, f DOUBLE, g DECIMAL(20,4),
  h DATETIME(6), i TIME(3), j YEAR, k BLOB, l ENUM('x','y'), m BIT(9), n TIMESTAMP NULL, o JSON);
INSERT INTO kinds VALUES (-1, 65535, -8388608, 18446744073709551615, 1.5, 1e300, '12345678901234.5678',
  '2026-11-29 15:04:05.123456', '-25:00:01.5', 2026, x'00ff80', 'y', b'101010101', '2026-01-01 00:00:00', '{"a":1}');
INSERT INTO kinds (a) VALUES (NULL);
CREATE PROCEDURE many() BEGIN SELECT 1 AS one; SELECT 2 AS two, 'b' AS b; INSERT INTO visits (person) VALUES ('many'); SELECT 3 AS three; END;
CREATE PROCEDURE reading() BEGIN DECLARE n INT; DECLARE c CURSOR FOR SELECT id FROM visits ORDER BY id; OPEN c; FETCH c INTO n; SELECT n AS first; FETCH c INTO n; SELECT n AS second, 'x' AS x; CLOSE c; SELECT 3 AS three; END;
CREATE PROCEDURE mode() BEGIN SET sql_mode = 'ANSI_QUOTES'; END;
CREATE PROCEDURE changing() BEGIN UPDATE visits SET place = CONCAT(person, '!') WHERE id IN (1, 2); END;
CREATE FUNCTION warning(n INT) RETURNS INT DETERMINISTIC NO SQL BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '99999' BEGIN END; RETURN n; END`;

/** As one text each: most are run by query() and by execute(). */
const TEXTS = [
  'SELECT 1',
  'SELECT * FROM visits ORDER BY id',
  'SELECT * FROM kinds',
  "SELECT 'a;b' AS \"c\", NULL, ''",
  'SELECT * FROM visits WHERE 1 = 0',
  "INSERT INTO visits (person) VALUES ('new')",
  "UPDATE visits SET place = CONCAT(IFNULL(place, ''), 'y') WHERE person = 'new'",
  "DELETE FROM visits WHERE person = 'new' LIMIT 1",
  'SELECT * FROM nowhere',
  'SELECT 1 +',
  "SELECT REPEAT('x', 100000) AS long_text",
  'SHOW TABLES',
  'SET @a := 7',
  'SELECT @a',
];

/** What promises are made of. */
const callbacks = (client: unknown): mysql2.Connection => (client as { connection: mysql2.Connection }).connection;

/** Asks in a text, or by a prepared statement. */
const queryBy = (
  client: Connection,
  how: 'query' | 'execute',
  text: string,
  values?: (string | number | null)[],
): ReturnType<Connection['query']> => (how === 'query' ? client.query(text, values) : client.execute(text, values));

describe.each(['mariadb', 'mysql'] as const)('clients of %s', (flavour) => {
  const missing = missingMySql(flavour);
  if (missing !== undefined) {
    test.skip(missing);
    return;
  }
  let server: MySqlServer;
  /** Drivers read what they may ask for out of it. */
  let version: string;
  let stand: MySqlStand;
  let direct: Connection;
  let through: Connection;

  beforeAll(async () => {
    server = await startMySql({ flavour, settings: ['local-infile=1', 'max-allowed-packet=64M'] });
    const { host, port, user, password, database } = server;
    const admin = await createConnection({ host, port, user, password, database, multipleStatements: false });
    for (const statement of SETUP.split(/;\n/)) await admin.query(statement);
    version = ((await admin.query('SELECT VERSION() AS v'))[0] as [{ v: string }])[0].v;
    await admin.end();
  }, 90_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    stand = await openStand(server, { protocol: { version }, limits: { message: 32 * 1024 * 1024 } });
    const { host, port, user, password, database } = server;
    direct = await createConnection({ host, port, user, password, database, multipleStatements: true });
    through = await stand.client({ multipleStatements: true });
  });
  afterEach(async () => {
    await direct.end();
    stand.stop();
  });

  const seen = async (
    client: Connection,
    run: 'query' | 'execute',
    text: string,
    values?: (string | number | null)[],
  ): Promise<unknown> => {
    try {
      const [rows, fields] = await queryBy(client, run, text, values);
      const columns = (fields as mysql2.FieldPacket[] | undefined)?.map((one) =>
        one && 'name' in one ? [one.name, one.type, one.flags, one.table, one.orgTable] : one,
      );
      return { rows: plain(rows), columns };
    } catch (error) {
      const { errno, sqlState, sqlMessage } = error as mysql2.QueryError & { sqlMessage?: string };
      return { errno, sqlState, sqlMessage };
    }
  };
  /** Numbers that count up differ from run to run. */
  const plain = (rows: unknown): unknown =>
    JSON.parse(
      JSON.stringify(rows, (key, value: unknown) =>
        key === 'insertId' || key === 'stateChanges' ? undefined : value,
      ) ?? 'null',
    );

  test.each(['query', 'execute'] as const)('%s gives what it gives without the gateway', async (run) => {
    for (const text of TEXTS)
      expect([text, await seen(through, run, text)]).toEqual([text, await seen(direct, run, text)]);
  });

  test('the whole record of an answer can be read again, text and binary', async () => {
    await through.query('SELECT id, person, place FROM visits WHERE id < 3 ORDER BY id');
    expect(stand.replayed('SELECT id, person, place FROM visits WHERE id < 3 ORDER BY id')).toMatchObject({
      columns: ['id', 'person', 'place'],
      rows: [
        ['1', 'ana', 'Lisbon'],
        ['2', 'béa', null],
      ],
    });
    await through.execute('SELECT a, b, d, e, f, h, i, j FROM kinds WHERE a = ?', [-1]);
    expect(stand.replayed('SELECT a, b, d, e, f, h, i, j FROM kinds WHERE a = ?').rows).toEqual([
      [
        '-1',
        '65535',
        '18446744073709551615',
        '1.5',
        '1e+300',
        '2026-11-29 15:04:05.123456',
        '-25:00:01.500000',
        '2026',
      ],
    ]);
    await expect(through.query('SELECT * FROM nowhere')).rejects.toThrow();
    expect(stand.replayed('SELECT * FROM nowhere').messages[0]).toMatch(/^ERROR 1146 \(42S02\)/);
    expect(stand.recorded.filter(({ type }) => type === 'end').at(-1)).toMatchObject({ outcome: 'error' });
  });

  test('values of prepared statements are shown as text', async () => {
    const day = new Date(Date.UTC(2026, 4, 3, 1, 2, 3));
    await through.execute('SELECT ?, ?, ?, ?', ['text', 4.5, null, day]);
    expect(stand.bound.at(-1)?.slice(0, 3)).toEqual(['text', '4.5', null]);
    expect(stand.bound.at(-1)?.[3]).toMatch(/^2026-05-0[234] /);
  });

  test('statements of one text are judged and sent one by one', async () => {
    const text = "SELECT 1 AS a; INSERT INTO visits (person) VALUES ('semi;colon'); SELECT 2 AS b";
    expect(plain((await through.query(text))[0])).toEqual(plain((await direct.query(text))[0]));
    expect(stand.asked.map((one) => one.text.trim())).toEqual(text.split('; ').map((one) => one));
  });

  test('the first refusal of a text ends it; what ran before stays', async () => {
    stand.judge = (command) => (command.text.includes('DROP') ? DENIED : sensible(command));
    const results: unknown[] = [];
    const failure = await new Promise<mysql2.QueryError>((done) => {
      callbacks(through)
        .query(
          "INSERT INTO visits (person) VALUES ('first'); DROP TABLE visits; INSERT INTO visits (person) VALUES ('third')",
        )
        .on('result', (row) => results.push(row))
        .on('error', done);
    });
    expect(failure).toMatchObject({ errno: 1142, sqlState: '42000' });
    expect(failure.message).toContain('Refused by rule "no-drop": Nothing is dropped');
    const [rows] = await through.query("SELECT person FROM visits WHERE person IN ('first', 'third')");
    expect(rows).toEqual([{ person: 'first' }]);
    expect(stand.sent()).not.toContain('DROP TABLE');
  });

  test('a refusal in a transaction leaves it open, and the session goes on', async () => {
    stand.judge = (command) => (command.text.includes('DROP') ? DENIED : sensible(command));
    await through.query('BEGIN');
    await through.query("INSERT INTO visits (person) VALUES ('in it')");
    await expect(through.query('DROP TABLE visits')).rejects.toMatchObject({ errno: 1142 });
    await expect(through.execute('DROP TABLE visits')).rejects.toMatchObject({ errno: 1142 });
    await through.query('ROLLBACK');
    const [rows] = await through.query("SELECT COUNT(*) AS n FROM visits WHERE person = 'in it'");
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('several results of a procedure, each with its own columns', async () => {
    const rows = async (client: Connection, how: 'query' | 'execute'): Promise<unknown> =>
      plain((await queryBy(client, how, 'CALL many()'))[0]);
    for (const how of ['query', 'execute'] as const) expect(await rows(through, how)).toEqual(await rows(direct, how));
  });

  test('the dialect is what the target has confirmed', async () => {
    const now = (): SqlCommand => stand.asked.at(-1) as SqlCommand;
    await through.query('SELECT 1');
    expect(now().dialect).toMatchObject({ name: 'mysql', flavour, database: 'test', charset: 'utf8mb4' });
    await through.query("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')");
    await through.query('SELECT 2');
    expect(now().dialect).toMatchObject({ sqlMode: expect.arrayContaining(['ANSI_QUOTES']) as unknown });
    await through.query('USE information_schema');
    await through.query('SELECT 3');
    expect(now().dialect).toMatchObject({ database: 'information_schema' });
    await through.query('SET NAMES latin1');
    await through.query('SELECT 4');
    expect(now().dialect).toMatchObject({ charset: 'latin1' });
    await through.query('CALL test.mode()');
    await through.query('SELECT 5');
    expect(now().dialect).toMatchObject({ sqlMode: expect.arrayContaining(['ANSI_QUOTES']) as unknown });
    // Whoever switches reports off is seen to; whoever resets the session, too.
    await through.query("SET session_track_system_variables = ''");
    await through.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
    await through.query('SELECT 6');
    expect(now().dialect).toMatchObject({ sqlMode: ['NO_BACKSLASH_ESCAPES'] });
    await new Promise<void>((done) => callbacks(through).reset?.(() => done()));
    await through.query('SELECT 7');
    expect(now().dialect).not.toMatchObject({ sqlMode: ['NO_BACKSLASH_ESCAPES'] });
    await through.query("SET sql_mode = 'PIPES_AS_CONCAT'");
    await through.query('SELECT 8');
    expect(now().dialect).toMatchObject({ sqlMode: ['PIPES_AS_CONCAT'] });
  });

  test('a procedure that answers while it has a cursor open for itself', async () => {
    for (const run of ['query', 'execute'] as const) {
      const [rows] = await queryBy(through, run, 'CALL reading()');
      expect(plain(rows)).toEqual(plain((await queryBy(direct, run, 'CALL reading()'))[0]));
    }
    expect((await through.query('SELECT 1 AS a'))[0]).toEqual([{ a: 1 }]);
  });

  test('the own question of the gateway leaves what a session remembers of its last statement', async () => {
    const remembered: [string, ...string[]][] = [
      ['SELECT SQL_CALC_FOUND_ROWS warning(id) AS w FROM visits LIMIT 1', 'SELECT FOUND_ROWS() AS total'],
      ['CALL changing()', 'SELECT ROW_COUNT()'],
      ['CALL changing()', 'SET @n := ROW_COUNT()', 'SELECT @n AS n'],
      ['CALL changing()', 'SELECT ROW_COUNT(), FOUND_ROWS() AS `f`, @@warning_count', 'SELECT 1'],
      ["SELECT warning('1x') + 0 AS w, CAST('y' AS SIGNED) AS c", 'SHOW WARNINGS'],
      ["SELECT warning('1x') + 0 AS w, CAST('y' AS SIGNED) AS c", 'SELECT @@warning_count', 'SHOW COUNT(*) WARNINGS'],
      [
        "SELECT warning('1x') AS w",
        'GET DIAGNOSTICS @n = NUMBER',
        'GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT',
        'SELECT @n, @m',
      ],
    ];
    stand.judge = (command) => {
      const runs = /warning\(|CALL/.test(command.text);
      const effects = [runs ? 'execute' : 'read'] as const;
      return allow({ actions: [{ statement: 0, depth: 0, verb: 'select', effects, resources: [], reasons: [] }] });
    };
    for (const run of ['query', 'execute'] as const)
      for (const [first, ...texts] of remembered) {
        const [told, expected]: [unknown[], unknown[]] = [[], []];
        for (const text of [first, ...texts]) {
          const how = /^(?:SHOW|SET|GET)/.test(text) ? 'query' : run;
          told.push(await seen(through, how, text));
          expected.push(await seen(direct, how, text));
        }
        expect([first, ...told]).toEqual([first, ...expected]);
      }
    const several = 'CALL changing(); SELECT ROW_COUNT() AS n';
    const [rows] = await through.query(several);
    expect(plain(rows)).toEqual(plain((await direct.query(several))[0]));
    expect(stand.sent()).toContain(QUESTION);
  });

  test('a text is cut by the mode in force where it is', async () => {
    await through.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\\'; SELECT 'b'");
    expect(stand.asked.map(({ text }) => text.trim()).slice(-2)).toEqual(["SELECT '\\'", "SELECT 'b'"]);
  });

  test('a session in a character set that cannot be followed ends with a sentence', async () => {
    await through.query('SET NAMES gbk');
    await expect(through.query('SELECT 1')).rejects.toMatchObject({ errno: 1235 });
  });

  test('parameters and rows of more than one packet', async () => {
    const size = 20 * 1024 * 1024;
    const [rows] = await through.query(`SELECT LENGTH('${'x'.repeat(size)}') AS n`);
    expect(rows).toEqual([{ n: size }]);
    for (const length of [0xffffff - 8, 0xffffff - 7, 0xffffff - 6, 0xffffff - 1, 0xffffff, 0xffffff + 1]) {
      const [long] = await through.query(`SELECT REPEAT('y', ${length}) AS y, 1 AS one`);
      const [{ y, one }] = long as [{ y: string; one: number }];
      expect([y.length, one]).toEqual([length, 1]);
    }
    await expect(through.query(`SELECT '${'x'.repeat(33 * 1024 * 1024)}'`)).rejects.toMatchObject({ errno: 1153 });
    expect((await through.query('SELECT 1 AS a'))[0]).toEqual([{ a: 1 }]);
  });

  test('a local file is sent for the statement that asked, and for no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-infile-'));
    const file = join(folder, 'rows.txt');
    writeFileSync(file, 'file 1\tplace 1\nfile 2\tplace 2\n');
    const load = `LOAD DATA LOCAL INFILE '${file}' INTO TABLE visits (person, place)`;
    const stream = async (): Promise<unknown> => {
      const { createReadStream } = await import('node:fs');
      return through.query({ sql: load, infileStreamFactory: (path) => createReadStream(path) });
    };
    try {
      await expect(stream()).rejects.toMatchObject({ errno: 1148 });
      const reads = { type: 'file', name: file, access: 'read' } as const;
      const action = {
        statement: 0,
        depth: 0,
        verb: 'load data',
        effects: [],
        resources: [reads],
        reasons: [],
      } as const;
      stand.judge = (command) => (command.text.startsWith('LOAD') ? allow({ actions: [action] }) : sensible(command));
      await stream();
      const [rows] = await through.query("SELECT person, place FROM visits WHERE person LIKE 'file%' ORDER BY person");
      expect(rows).toEqual([
        { person: 'file 1', place: 'place 1' },
        { person: 'file 2', place: 'place 2' },
      ]);
      expect(stand.replayed(load).copied.join('')).toContain('file 2\tplace 2');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a command waits in silence, and KILL QUERY of the same person withdraws it', async () => {
    let waiter: Waiter | undefined;
    stand.judge = async (command, one) => {
      if (!command.text.includes('held')) return sensible(command);
      waiter = one;
      expect(await one?.answersDelivered()).toBe('idle');
      return new Promise((done) => {
        one?.signal.addEventListener('abort', () =>
          done({ type: 'deny', rule: 'gateway', message: '', reason: { code: 'cancelled' } }),
        );
      });
    };
    // Listened to from the start: it may fail before KILL has its own answer.
    const withdrawn = expect(through.query("SELECT 'held'")).rejects.toMatchObject({ errno: 1317, sqlState: '70100' });
    await expect.poll(() => waiter).toBeDefined();
    const { threadId } = through;
    const stranger = await stand.client({ user: 'eve%shop' });
    await expect(stranger.query(`KILL QUERY ${threadId}`)).rejects.toMatchObject({ errno: 1094 });
    const other = await stand.client();
    await other.query(`KILL QUERY ${threadId}`);
    await withdrawn;
    expect((await through.query('SELECT 1 AS a'))[0]).toEqual([{ a: 1 }]);
  });

  test('KILL QUERY of the same person ends what runs, KILL the session', async () => {
    await through.query('SELECT 1');
    const other = await stand.client();
    const running = through.query('SELECT SLEEP(20) AS s').then(
      ([rows]) => rows,
      (error: { errno: number }) => error.errno,
    );
    // Judged is not yet at work, and a KILL that comes before the statement is for none.
    await expect
      .poll(
        async () =>
          (await direct.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"))[0],
      )
      .toHaveLength(1);
    await other.query(`KILL QUERY ${through.threadId}`);
    const outcome = await running;
    expect(outcome === 1317 || JSON.stringify(outcome) === '[{"s":1}]').toBe(true);
    await other.query(`KILL ${through.threadId}`);
    await expect(through.query('SELECT 1')).rejects.toThrow();
  });

  /** A logged-in client whose packets a test writes itself. */
  const rawClient = async (): Promise<{ send(...payloads: Buffer[]): void; said(): string; end(): void }> => {
    const client = mysql2.createConnection({ host: '127.0.0.1', port: stand.port, user: 'ada%shop', password: TOKEN });
    client.on('error', () => undefined);
    const { stream } = client as unknown as { stream: Socket };
    await new Promise<void>((done, refused) => client.connect((error) => (error ? refused(error) : done())));
    const answers: Buffer[] = [];
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => answers.push(chunk));
    return {
      send: (...payloads) => void stream.write(Buffer.concat(payloads.map((one) => framed(one, 0)))),
      said: () => Buffer.concat(answers).toString('latin1'),
      end: () => client.destroy(),
    };
  };

  test('commands that are sent before the answer to the last one each get their own', async () => {
    stand.judge = (command) => (command.text.includes('2') ? DENIED : sensible(command));
    const raw = await rawClient();
    raw.send(...['SELECT 1', 'SELECT 2', 'SELECT 3'].map((text) => Buffer.from(`\x03${text}`)));
    await expect.poll(raw.said).toMatch(/1[^]*no-drop[^]*3/);
    raw.end();
  });

  test('a cursor: rows are fetched in parts, and recorded as one answer', async () => {
    const raw = await rawClient();
    const text = 'SELECT id, person FROM visits WHERE id <= 3 ORDER BY id';
    raw.send(Buffer.from(`\x16${text}`));
    await expect.poll(() => raw.said().length).toBeGreaterThan(20);
    const id = Buffer.from(raw.said(), 'latin1').subarray(5, 9);
    const readOnlyCursor = Buffer.from([1, 1, 0, 0, 0]);
    raw.send(Buffer.concat([Buffer.from([0x17]), id, readOnlyCursor]));
    const fetch = Buffer.concat([Buffer.from([0x1c]), id, Buffer.from([2, 0, 0, 0])]);
    await expect.poll(() => stand.recorded.some(({ type }) => type === 'end')).toBe(true);
    expect(raw.said()).not.toContain('ana');
    raw.send(fetch);
    await expect.poll(raw.said).toContain('ana');
    raw.send(fetch);
    await expect.poll(() => stand.recorded.filter(({ type }) => type === 'end').length).toBe(3);
    expect(stand.recorded.filter(({ type }) => type === 'end')).toMatchObject([
      { outcome: 'suspended' },
      { outcome: 'suspended' },
      { outcome: 'ok', rows: 3 },
    ]);
    expect(stand.replayed(text).rows.map(([one]) => one)).toEqual(['1', '2', '3']);
    raw.send(fetch);
    await expect.poll(raw.said).toMatch(/no open cursor|fetch|cursor/i);
    raw.end();
  });

  test('the columns of a table for completion, as the command line clients ask for them', async () => {
    const raw = await rawClient();
    raw.send(Buffer.from('\x04visits\0'));
    await expect.poll(raw.said).toMatch(/person|Unknown command/);
    expect(stand.asked.map(({ text }) => text)).toContain('SHOW COLUMNS FROM `visits`');
    raw.send(Buffer.from('\x0e'));
    await expect.poll(() => Buffer.from(raw.said(), 'latin1').subarray(-11).toString('hex')).toMatch(/^07000001000000/);
    raw.end();
  });

  test('PyMySQL', async () => {
    const python = `
import pymysql, pymysql.cursors, sys
c = pymysql.connect(host='127.0.0.1', port=${stand.port}, user='ada%shop', password='${TOKEN}')
with c.cursor() as k:
    k.execute('SELECT person FROM visits WHERE id = %s', (1,))
    print(k.fetchall())
    k.execute('SELECT 1; ')
    print(k.fetchall())
`;
    if (!existsSync('/usr/lib/python3/dist-packages/pymysql')) return;
    const { stdout, stderr } = await run('/usr/bin/python3', ['-c', python]);
    expect(stderr).toBe('');
    expect(stdout).toContain("(('ana',),)");
  });

  test('the command line client of MariaDB: tables, columns for completion, status', async () => {
    const words = ['--protocol=tcp', '-h127.0.0.1', `-P${stand.port}`, '-uada%shop', '-D', 'test', '--skip-ssl', '-t'];
    const { stdout, stderr, status } = await run('mariadb', [
      ...words,
      '-e',
      'SHOW TABLES; SELECT person FROM visits WHERE id = 1; \\s',
    ]);
    expect([stderr, status]).toEqual(['', 0]);
    expect(stdout).toContain('visits');
    expect(stdout).toContain('ana');
    expect(stdout).toMatch(/Current database:\s+test/);
  });

  test('a dump is byte for byte the same', async () => {
    const dump = async (words: readonly string[]): Promise<string> => {
      const { stdout, stderr, status } = await run('mariadb-dump', [
        '--protocol=tcp',
        '-h127.0.0.1',
        '--skip-ssl',
        '--skip-dump-date',
        '--single-transaction',
        '--routines',
        ...words,
      ]);
      expect([stderr, status]).toEqual(['', 0]);
      return stdout;
    };
    if (flavour === 'mysql') return;
    const whole = ['test', 'visits', 'kinds'];
    const first = await dump([`-P${server.port}`, `-u${server.user}`, `-p${server.password}`, ...whole]);
    expect(first).toContain('INSERT INTO');
    expect(await dump([`-P${stand.port}`, '-uada%shop', ...whole])).toBe(first);
  });
});

/** With the token of tests in the environment. */
function run(
  program: string,
  words: readonly string[],
): Promise<{ stdout: string; stderr: string; status: number | null }> {
  const { promise, resolve } = Promise.withResolvers<{ stdout: string; stderr: string; status: number | null }>();
  const given = words.some((word) => word.startsWith('-p')) ? {} : { MYSQL_PWD: TOKEN };
  const child = spawn(program, words, { env: { ...process.env, ...given }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  child.once('error', (error) => resolve({ ...said, stderr: error.message, status: 1 }));
  child.once('close', (status) => resolve({ ...said, status }));
  return promise;
}
