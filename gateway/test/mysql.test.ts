/** MySQL through the whole gateway, at a real MariaDB: logins, rules, holds, and the record. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { timeline } from '@sluice/recording';
import { CLOSED_PORT, type MySqlServer, findTool, missingMySql, random, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestIssuer } from './issuer.js';
import { type MySqlStand, openMySqlStand, queryBy } from './mysql-stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
const missing = missingMySql('mariadb');
const mariadb = findTool('mariadb');

const failed = (attempt: Promise<unknown>): Promise<{ errno?: number | undefined; message: string }> =>
  attempt.then(
    () => ({ message: 'no error' }),
    (error: QueryError) => ({ errno: error.errno, message: error.message }),
  );

describe.skipIf(missing !== undefined)(
  `MySQL through the gateway${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let server: MySqlServer;
    let stand: MySqlStand;
    let issuer: TestIssuer;

    beforeAll(async () => {
      issuer = await TestIssuer.open();
      server = await startMySql({ flavour: 'mariadb', tls: true, settings: ['local-infile=1'] });
      const { host, port, user, password, database } = server;
      const admin = await createConnection({ host, port, user, password, database });
      await admin.query('CREATE TABLE people (id INT PRIMARY KEY, nick VARCHAR(40))');
      await admin.query("INSERT INTO people VALUES (1, 'ana'), (2, 'bea'), (3, 'cleo')");
      await admin.query('CREATE DATABASE other');
      await admin.end();
      stand = await openMySqlStand({
        server,
        sections: `issuers: { corp: { issuer: "${issuer.url}", audience: sluice, groups: realm.roles } }`,
      });
    }, 90_000);
    afterAll(async () => {
      await stand?.stop();
      await server?.stop();
      issuer?.close();
    });

    const cli = (
      words: readonly string[],
      password = stand.token,
      spawned: (child: ChildProcess) => void = () => undefined,
    ): Promise<{ stdout: string; stderr: string; status: number | null }> => {
      const { promise, resolve } = Promise.withResolvers<{ stdout: string; stderr: string; status: number | null }>();
      const place = ['--no-defaults', '--protocol=tcp', '-h127.0.0.1', `-P${stand.port}`];
      const child = spawn(mariadb as string, [...place, ...words], {
        env: { ...process.env, MYSQL_PWD: password },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      spawned(child);
      const said = { stdout: '', stderr: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
      child.once('close', (status) => resolve({ ...said, status }));
      return promise;
    };

    test('statements run, and those that a rule names do not', async () => {
      const client = await stand.client();
      expect((await client.query('SELECT nick FROM people WHERE id = 1'))[0]).toEqual([{ nick: 'ana' }]);
      expect((await client.execute('SELECT nick FROM people WHERE id = ?', [2]))[0]).toEqual([{ nick: 'bea' }]);
      for (const how of ['query', 'execute'] as const) {
        expect(await failed(queryBy(client, how, { sql: 'DROP TABLE people' }))).toMatchObject({
          errno: 1142,
          message: 'Refused by rule "no-destruction": Nothing is dropped through the gateway.',
        });
        expect(
          (await failed(queryBy(client, how, { sql: '/*!40000 UPDATE*/ people SET nick = 1' }))).message,
        ).toContain('Name the rows.');
      }
      expect(await failed(client.query('SELEC 1'))).toMatchObject({ errno: 1064 });
      expect((await client.query('SELECT COUNT(*) AS n FROM people'))[0]).toEqual([{ n: 3 }]);
      await client.end();
    });

    test('a mistake in a text is told in the words of the server, and nothing of it is left there', async () => {
      const client = await stand.client({ multipleStatements: true });
      const { host, port, user, password, database } = server;
      const direct = await createConnection({ host, port, user, password, database });
      const left = async (): Promise<unknown> =>
        (await direct.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'"))[0];
      // To close a statement, or a session with its statements, has no answer: the server does it when it gets to it.
      const nothing = [{ Variable_name: 'Prepared_stmt_count', Value: '0' }];
      await expect.poll(left).toEqual(nothing);
      for (const how of ['query', 'execute'] as const)
        for (const text of ['SELEC 1', 'SELECT 1 FROM', "SELECT nick AS 'é' FROM people WHERE id == 1"])
          expect(await failed(queryBy(client, how, { sql: text }))).toMatchObject({
            errno: 1064,
            message: (await failed(queryBy(direct, how, { sql: text }))).message,
          });
      expect((await failed(client.query('SELECT 1; SELEC 2'))).message).toMatch(/syntax to use near 'SELEC 2' at line/);
      await expect.poll(left).toEqual(nothing);
      await client.end();
      await direct.end();
    });

    test('the mode of the session decides what a text says', async () => {
      const client = await stand.client({ multipleStatements: true });
      await client.query("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'");
      const trick = "SELECT '\\'; DROP TABLE people; -- '";
      expect((await failed(client.query(trick))).message).toContain('Nothing is dropped');
      await client.query("SET SESSION sql_mode = ''");
      expect(await failed(client.query(trick))).toMatchObject({ message: 'no error' });
      expect((await failed(client.query('SET NAMES sjis; SELECT 1'))).errno).not.toBeUndefined();
      await client.end();
    });

    test('a held statement waits in silence, and runs once somebody agreed', async () => {
      const client = await stand.client();
      await client.query('BEGIN');
      const held = client.execute('DELETE FROM people WHERE id = ?', [3]);
      await expect
        .poll(async () => (await stand.gateway.approvals.recent(10)).find(({ state }) => state === 'pending'))
        .toBeDefined();
      const [request] = await stand.gateway.approvals.recent(1);
      expect(request).toMatchObject({ principal: 'dev', connection: 'shop', parameters: ['3'], transaction: true });
      const ada = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] } as const;
      await stand.gateway.approvals.decide(request?.number ?? 0, ada, 'approve', '');
      expect(await held).toMatchObject([{ affectedRows: 1 }, undefined]);
      await client.query('ROLLBACK');
      expect((await client.query('SELECT COUNT(*) AS n FROM people'))[0]).toEqual([{ n: 3 }]);
      await client.end();
    });

    test('by number: an error at once, and the same statement passes when it comes again', async () => {
      const client = await stand.client();
      const insert = "INSERT INTO people VALUES (9, 'nine')";
      const first = await failed(client.query(insert));
      const [, number] = /request (\d+)/.exec(first.message) ?? [];
      expect(first.errno).toBe(1142);
      const ada = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] } as const;
      await stand.gateway.approvals.decide(Number(number), ada, 'approve', '');
      expect(await failed(client.query(insert))).toMatchObject({ message: 'no error' });
      expect((await failed(client.query("INSERT INTO people VALUES (9, 'nine')"))).message).toMatch(/request \d+/);
      await client.end();
    });

    test('Ctrl+C withdraws what waits, and nobody else can', async () => {
      const client = await stand.client();
      const held = failed(client.query('DELETE FROM people WHERE id = 1'));
      await expect.poll(async () => (await stand.gateway.approvals.recent(1))[0]?.state).toBe('pending');
      const { threadId } = client;
      const eve = await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' });
      const stranger = await stand.client({ user: 'eve%shop', password: eve.token });
      expect((await failed(stranger.query(`KILL QUERY ${threadId}`))).message).not.toBe('no error');
      expect((await stand.gateway.approvals.recent(1))[0]?.state).toBe('pending');
      const second = await stand.client();
      await second.query(`KILL QUERY ${threadId}`);
      expect(await held).toMatchObject({ errno: 1317 });
      await expect.poll(async () => (await stand.gateway.approvals.recent(1))[0]?.state).toBe('withdrawn');
    });

    test.skipIf(!mariadb)(
      'the command line client, by TLS and without, with a token of an issuer over TLS alone',
      async () => {
        const select = ['-N', '-e', 'SELECT nick FROM people WHERE id = 1'];
        const tls = ['--ssl', '--skip-ssl-verify-server-cert'];
        for (const words of [['--skip-ssl'], tls]) {
          const { stdout, stderr } = await cli(['-udev%shop', ...words, ...select]);
          expect([stdout, stderr]).toEqual(['ana\n', '']);
        }
        const jwt = await issuer.token({ realm: { roles: ['engineers'] }, sub: 'ana', padding: 'x'.repeat(900) });
        expect(jwt.length).toBeGreaterThan(1300);
        // The keys of the issuer may still be on their way, and are asked for again after half a minute.
        await expect
          .poll(async () => (await cli(['-uana%shop', ...tls, ...select], jwt)).stdout, { timeout: 60_000 })
          .toBe('ana\n');
        const wrong = await cli(['-udev%shop', ...tls, ...select], 'wrong');
        expect(wrong.stderr).toContain('ERROR 1045 (28000)');
      },
    );

    test.skipIf(!mariadb)('the command line client: a dump is sourced, and Ctrl+C ends what runs', async () => {
      const { host, port, user, password } = server;
      const admin = await createConnection({ host, port, user, password, multipleStatements: true });
      await admin.query(`CREATE DATABASE dumped; USE dumped; CREATE TABLE t (id INT PRIMARY KEY, words VARCHAR(40));
        INSERT INTO t VALUES (1, 'a; b'), (2, 'it''s')`);
      const place = ['--no-defaults', '--protocol=tcp', `-h${host}`, `-P${port}`, `-u${user}`, `-p${password}`];
      const dump = async (database: string): Promise<string> =>
        (
          await promisify(execFile)('mariadb-dump', [
            ...place,
            '--skip-dump-date',
            '--skip-comments',
            '--skip-add-drop-table',
            '--replace',
            database,
          ])
        ).stdout;
      const [file, whole] = [join(stand.folder, 'dump.sql'), await dump('dumped')];
      writeFileSync(file, whole);
      expect(
        await cli(['-udev%shop', '--skip-ssl', '-e', `create database copied; use copied;\nsource ${file}`]),
      ).toEqual({ stdout: '', stderr: '', status: 0 });
      expect(await dump('copied')).toBe(whole);

      const sleeping = async (): Promise<unknown> => {
        const text = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(55)%'";
        return ((await admin.query(text))[0] as [{ n: number }])[0].n;
      };
      const text = 'SELECT SLEEP(55); SELECT nick FROM people WHERE id = 1';
      const through = ['-udev%shop', '--skip-ssl'];
      const direct = [`-h${host}`, `-P${port}`, `-u${user}`, `-p${password}`, 'test'];
      const [first, second] = [through, direct].map((words) => async (): Promise<unknown> => {
        let child: ChildProcess | undefined;
        const ended = cli([...words, '-f', '-N', '-e', text], stand.token, (one) => (child = one));
        await expect.poll(sleeping).toBe(1);
        child?.kill('SIGINT');
        const said = await ended;
        expect(await sleeping()).toBe(0);
        return said;
      });
      const said = await first?.();
      expect(said).toMatchObject({ stdout: expect.stringContaining('query killed') as string });
      expect(said).toEqual(await second?.());
      await admin.end();
    });

    test('a connection is the suffix of the user, or the database, and a database of the target is judged', async () => {
      const database = async (own: object): Promise<unknown> => {
        const client = await stand.client(own);
        const [rows] = await client.query('SELECT DATABASE() AS d');
        await client.end();
        return (rows as [{ d: string }])[0].d;
      };
      expect(await database({ user: 'dev', database: 'shop' })).toBe('test');
      expect(await database({ user: 'dev%shop', database: 'other' })).toBe('other');
      expect(await failed(stand.client({ user: 'dev', database: 'nowhere' }))).toMatchObject({ errno: 1049 });
      expect(await failed(stand.client({ user: 'dev%nowhere' }))).toMatchObject({ errno: 1049 });
    });

    test('a pool hands a connection on by another login of the same user, and nobody else gets it', async () => {
      const client = await stand.client();
      await client.query("SET @mine = 1, SESSION sql_mode = 'ANSI_QUOTES'");
      await client.query('CREATE TEMPORARY TABLE mine (id INT)');
      for (const database of ['other', 'test', undefined]) {
        await client.changeUser({ user: 'dev%shop', password: stand.token, ...(database && { database }) });
        const [rows] = await client.query('SELECT @mine AS mine, @@sql_mode LIKE "%ANSI%" AS ansi, DATABASE() AS d');
        expect(rows).toEqual([{ mine: null, ansi: 0, d: database ?? 'test' }]);
        expect(await failed(client.query('SELECT * FROM mine'))).toMatchObject({ errno: 1146 });
        expect((await failed(client.query('DROP TABLE people'))).message).toContain('Nothing is dropped');
        await client.query('SET @mine = 2');
      }
      expect((await client.execute('SELECT ? AS a', ['é']))[0]).toEqual([{ a: 'é' }]);
      const eve = await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' });
      const another = await stand.gateway.identity.createToken({ principal: 'dev', name: 'another' });
      for (const [user, password, words] of [
        ['eve%shop', eve.token, 'This session is of "dev"'],
        ['dev%shop', another.token, 'of the token that it was opened with'],
        ['dev%nowhere', stand.token, '"nowhere"'],
        ['dev%shop', 'wrong', 'Access denied'],
      ] as const) {
        const one = await stand.client();
        expect((await failed(one.changeUser({ user, password }))).message).toContain(words);
        expect((await failed(one.query('SELECT 1'))).message).not.toBe('no error');
      }
      await client.end();
    });

    test('strangers learn nothing: an unknown name has the packets of a known one', async () => {
      const packets = async (user: string): Promise<string[]> => {
        const client = createConnection({
          host: '127.0.0.1',
          port: stand.port,
          user,
          password: 'wrong',
          ssl: { rejectUnauthorized: false },
        });
        const { message } = await failed(client);
        return [message.replace(user.split('%')[0] ?? '', 'NAME')];
      };
      expect(await packets('dev%shop')).toEqual(await packets('nobody%shop'));
      const greeting = (): Promise<Buffer> =>
        new Promise((resolve) => {
          const socket = connect(stand.port, '127.0.0.1');
          socket.once('data', (bytes: Buffer) => {
            socket.destroy();
            resolve(bytes);
          });
        });
      expect((await greeting()).length).toBe((await greeting()).length);
    });

    test('what is revoked does not log in', async () => {
      const { token, stored } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'brief' });
      await (await stand.client({ password: token })).end();
      stand.gateway.identity.revokeToken(stored.id);
      expect(await failed(stand.client({ password: token }))).toMatchObject({ errno: 1045 });
    });

    test('the record has commands, answers and refusals, and a replay reads them', async () => {
      const client = await stand.client();
      await client.execute('SELECT id, nick FROM people WHERE id = ?', [2]);
      await failed(client.query('DROP TABLE people'));
      const [session] = [...stand.gateway.sessions.values()]
        .filter(({ principal }) => principal?.name === 'dev')
        .slice(-1);
      await client.end();
      stand.gateway.log.flush();
      const lines = timeline(join(stand.folder, 'data', 'journal'), session?.id ?? '');
      const text = JSON.stringify(lines);
      expect(text).toContain('SELECT id, nick FROM people WHERE id = ?');
      expect(text).toContain('no-destruction');
    });

    test('TLS with the target is verified, and a target that is somebody else is said', async () => {
      const ca = join(stand.folder, 'ca.pem');
      writeFileSync(ca, server.ca ?? '');
      const verified = await openMySqlStand({ server, target: `tls: verify-full, ca: "${ca}"` });
      try {
        const client = await verified.client();
        const [rows] = await client.query("SHOW STATUS LIKE 'Ssl_cipher'");
        expect((rows as [{ Value: string }])[0].Value).not.toBe('');
        await client.end();
      } finally {
        await verified.stop();
      }
      const unverified = await openMySqlStand({ server, target: 'tls: verify-full' });
      try {
        expect((await failed(unverified.client())).message).toMatch(/certificate|verif/i);
      } finally {
        await unverified.stop();
      }
    });

    test('a target that is not there, or full of secrets, is said in words without any', async () => {
      const gone = await openMySqlStand({ server: { ...server, port: CLOSED_PORT } });
      try {
        expect((await failed(gone.client())).message).toContain('cannot be reached');
      } finally {
        await gone.stop();
      }
      const wrong = await openMySqlStand({ server: { ...server, password: 'not-this-one' } });
      try {
        const { errno, message } = await failed(wrong.client());
        expect(errno).toBe(1045);
        expect(message).toContain('tell its administrator');
        expect(message).not.toContain('not-this-one');
      } finally {
        await wrong.stop();
      }
    });

    test('TLS that is required is asked for in words', async () => {
      const strict = await openMySqlStand({ server, listener: 'require_tls: true' });
      try {
        expect((await failed(strict.client())).message).toContain('over TLS only');
        const client = await strict.client({ ssl: { rejectUnauthorized: false } });
        expect((await client.query('SELECT 1 AS a'))[0]).toEqual([{ a: 1 }]);
        await client.end();
      } finally {
        await strict.stop();
      }
    });

    test('the first bytes of strangers, damaged and left half-way, hurt nobody', async () => {
      const pick = random(7);
      const response = Buffer.alloc(60, 1);
      response.writeUIntLE(56, 0, 3);
      response.writeUInt32LE(0x1ffa205, 4);
      const tls = Buffer.concat([
        Buffer.from('20000001', 'hex'),
        Buffer.from('05aeff01', 'hex'),
        Buffer.alloc(28),
        Buffer.from('16030100c8010000c40303', 'hex'),
      ]);
      const flights = [
        response,
        tls,
        Buffer.alloc(5_000, 0xff),
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.alloc(0),
      ];
      const sockets = Array.from({ length: 60 }, () => {
        const socket = connect(stand.port, '127.0.0.1').on('error', () => undefined);
        const bytes = Buffer.from(flights[pick(flights.length)] as Buffer);
        if (bytes.length > 0) bytes[pick(bytes.length)] = pick(256);
        socket.write(bytes.subarray(0, pick(bytes.length + 1)));
        if (pick(2)) socket.end();
        return socket;
      });
      const client = await stand.client();
      expect((await client.query('SELECT 1 AS a'))[0]).toEqual([{ a: 1 }]);
      await client.end();
      for (const socket of sockets) socket.destroy();
      await expect
        .poll(() => [...stand.gateway.sessions.values()].filter(({ state }) => state === 'login').length)
        .toBe(0);
    });

    test.skipIf(!mariadb)(
      'the command line: connect, what clients are told, and a replay',
      async () => {
        const operator = await stand.gateway.identity.createToken({ principal: 'dev', name: 'cli' });
        const { SLUICE_URL: _, ...environment } = process.env;
        const sluice = async (...words: string[]): Promise<string> => {
          const all = [MAIN, '--url', stand.gateway.url, '--data', join(stand.folder, 'none'), ...words];
          const env = { ...environment, SLUICE_TOKEN: operator.token, XDG_CONFIG_HOME: stand.folder, NO_COLOR: '1' };
          return (await promisify(execFile)(process.execPath, all, { env })).stdout;
        };
        expect(await sluice('connect', 'shop', '-c', 'SELECT nick FROM people WHERE id = 2')).toContain('bea');
        const file = join(stand.folder, 'my.cnf');
        writeFileSync(file, await sluice('client-config', 'my_cnf', 'shop'), { mode: 0o600 });
        const words = [`--defaults-file=${file}`, '--defaults-group-suffix=-shop', '--skip-ssl-verify-server-cert'];
        const { stdout } = await promisify(execFile)(
          mariadb as string,
          [...words, `--password=${operator.token}`, '-N', '-e', 'SELECT nick FROM people WHERE id = 1'],
          { env: environment },
        );
        expect(stdout).toBe('ana\n');
        expect(await sluice('client-config', 'mysql_jdbc', 'shop')).toMatch(/^jdbc:mariadb:\/\/.*user=dev%25shop/);
        expect(await sluice('client-config', 'mysql_env', 'shop')).toContain("MYSQL_USER='dev%shop'");
        const sessions = await sluice('sessions', 'ls');
        const [id] = /^\S+/m.exec(sessions.split('\n').find((line) => line.includes('shop')) ?? '') ?? [];
        expect(await sluice('sessions', 'replay', id ?? '')).toMatch(/SELECT nick FROM people/);
      },
      240_000,
    );
  },
);
