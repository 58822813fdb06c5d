import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import type { Principal } from '@sluice/contract';
import { type PostgresServer, findTool, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { type Frame, openLine, textOf } from './mask-corpus/line.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** Changes that people look at before COMMIT: what they see, and every way round it that we know of. */
const RULES = `
    - { rule: code, when: 'action.verb in ["do", "call", "create function", "create procedure"]', allow: true }
    - { rule: looked-at, hold_commit: { approvers: ["group:engineers"], timeout: 1m, open: 20s, lock_wait: 1s } }
`;
const person = (name: string): Principal => ({ name, kind: 'person', groups: ['engineers'], roles: ['approver'] });
const ada = person('ada');
const missing = missingPostgres(18);
const psql = findTool('psql');
const PYTHON = '/usr/bin/python3';
const PACKAGES = '/usr/lib/python3/dist-packages';
const JDBC = '/usr/share/java/postgresql.jar';
const NEEDS_TRANSACTION =
  'People look at what this statement changes before it is committed, so it runs in a transaction only.';

describe.skipIf(missing)('changes that people look at before COMMIT', () => {
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18, auth: 'scram-sha-256', settings: { max_prepared_transactions: '5' } });
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      connection: 'functions: { trusted: [public.later, dblink_exec] }',
    });
    const { host, port, user, password } = server;
    direct = new pg.Client({ host, port, user, password, database: 'postgres' });
    await direct.connect();
    await direct.query("set lock_timeout = '5s'");
    await direct.query(`create table t (id int primary key, name text);
      create table parent (id int primary key);
      create table child (id int references parent deferrable initially deferred);
      insert into t select n, 'name ' || n from generate_series(1, 100) n;
      analyze t;
      create procedure later() language plpgsql as $$ begin update t set name = 'later' where id = 50; commit; end $$;
      create extension dblink`);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.end();
  });
  afterAll(async () => {
    await direct?.end();
    await stand?.stop();
    await server?.stop();
  });

  const open = async (): Promise<pg.Client> => {
    const client = await stand.client();
    clients.push(client);
    return client;
  };
  const nameOf = async (id: number): Promise<string | undefined> =>
    (await direct.query<{ name: string }>('select name from t where id = $1', [id])).rows[0]?.name;
  const requests = (): Promise<ApprovalRequest[]> => stand.gateway.approvals.recent(1000);
  const pending = async (): Promise<ApprovalRequest> => {
    for (;;) {
      const found = (await requests()).find(({ state }) => state === 'pending');
      if (found) return (await stand.gateway.approvals.find(found.number)) as ApprovalRequest;
      await sleep(5);
    }
  };
  const decide = async (decision: 'approve' | 'deny', reason = ''): Promise<ApprovalRequest> => {
    const request = await pending();
    await stand.gateway.approvals.decide(request.number, ada, decision, reason);
    return request;
  };
  const rolledBack = async (id: number): Promise<void> => {
    // The lock is free again, and the row is what it was. The target tells the client of an error before it gives back its locks.
    await direct.query('select 1 from t where id = $1 for update', [id]);
    expect(await nameOf(id)).toBe(`name ${id}`);
  };

  const run = (file: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> =>
    new Promise((resolve) => {
      const from = { PGHOST: '127.0.0.1', PGPORT: String(stand.port), PGUSER: 'dev', PGPASSWORD: stand.token };
      const settings = { env: { ...process.env, ...from, PGDATABASE: 'db', ...env }, timeout: 60_000 };
      execFile(file, args, settings, (_, said, errors_) => resolve(said + errors_));
    });

  test('people see what was run, how many rows it changed, and what it locks', async () => {
    const client = await open();
    await client.query('begin');
    expect((await client.query('update t set name = $1 where id < 4', ['seen'])).rowCount).toBe(3);
    await client.query('savepoint a');
    await client.query('delete from t where id = 4');
    await client.query('rollback to a');
    await client.query('select count(*) from t');
    const commit = client.query('commit');
    const request = await pending();
    expect(await nameOf(1)).toBe('name 1');
    expect(request).toMatchObject({ principal: 'dev', connection: 'db', transaction: true });
    expect(request.text.split('\n')).toEqual([
      'commit',
      '-- What it commits, 2 statements:',
      '-- 1. UPDATE 3',
      '  update t set name = $1 where id < 4',
      '-- $1 = seen',
      '-- 2. DELETE 1, taken back by ROLLBACK TO SAVEPOINT',
      '  delete from t where id = 4',
    ]);
    expect(request.impact).toMatchObject({
      tables: [{ verb: 'update', table: 't', rows: 3, totalRows: 100 }],
      locks: ['row exclusive on t'],
    });
    await decide('approve');
    expect((await commit).command).toBe('COMMIT');
    expect([await nameOf(1), await nameOf(4)]).toEqual(['seen', 'name 4']);
  });

  test('a denial fails the transaction, in the words of the approver', async () => {
    const client = await open();
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 10");
    const commit = client.query('commit').catch((error: unknown) => error);
    await decide('deny', 'not today');
    const { message, detail, code } = (await commit) as pg.DatabaseError;
    expect(message).toMatch(/^Request \d+ was denied by ada: not today$/);
    expect([code, detail]).toEqual(['42501', 'Refused by rule "looked-at".']);
    await rolledBack(10);
    expect((await client.query('commit')).command).toBe('ROLLBACK');
    expect((await client.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
  });

  test('a client that hangs up, and one that cancels, roll back', async () => {
    const gone = await stand.client();
    await gone.query('begin');
    await gone.query("update t set name = 'x' where id = 11");
    void gone.query('commit').catch(() => undefined);
    const { number } = await pending();
    (gone as pg.Client & { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    while ((await stand.gateway.approvals.find(number))?.state === 'pending') await sleep(5);
    for (;;) if ((await failure(rolledBack(11))) === 'no error') break;

    const client = await open();
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 12");
    const commit = failure(client.query('commit'));
    const { number: second } = await pending();
    const { processID, secretKey } = client as pg.Client & { processID: number; secretKey: number };
    const other = new pg.Client({ host: '127.0.0.1', port: stand.port }) as pg.Client & {
      connection: {
        cancel(process: number, secret: number): void;
        stream: NodeJS.EventEmitter & { connect(port: number, host: string): void };
      };
    };
    other.connection.stream.once('connect', () => other.connection.cancel(processID, secretKey));
    other.connection.stream.on('error', () => undefined);
    other.connection.stream.connect(stand.port, '127.0.0.1');
    expect(await commit).toBe('57014');
    expect((await stand.gateway.approvals.find(second))?.state).toBe('withdrawn');
    await rolledBack(12);
  });

  test('a deferred constraint fails the COMMIT that was released, and nothing of it counts for the next one', async () => {
    const client = await open();
    await client.query('begin');
    await client.query('insert into child values (1)');
    const commit = failure(client.query('commit'));
    await decide('approve');
    expect(await commit).toBe('23503');
    await client.query('begin');
    await client.query("update t set name = 'second' where id = 13");
    const next = client.query('commit');
    const { text } = await decide('approve');
    expect(text).not.toContain('child');
    await next;
    expect(await nameOf(13)).toBe('second');
  });

  test('who waits for its locks is told, and for too long is too long', async () => {
    const client = await open();
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 14");
    const commit = client.query('commit').catch((error: unknown) => error);
    await pending();
    const waiter = new pg.Client({ ...server, database: 'postgres' });
    await waiter.connect();
    await waiter.query("update t set name = 'of others' where id = 14");
    expect(((await commit) as Error).message).toMatch(/withdrawn: others have waited for its locks for \d+ s\.$/);
    await waiter.end();
    expect(await nameOf(14)).toBe('of others');
  });

  test('what is committed by itself does not run, in whatever way it is sent', async () => {
    const client = await open();
    for (const text of [
      "update t set name = 'x' where id = 20",
      "insert into t values (1000, 'x')",
      'create table made (id int)',
      "update t set name = 'x' where id = 20; update t set name = 'y' where id = 21",
      'vacuum t',
      'create index concurrently on t (name)',
      'call public.later()',
      "explain analyze update t set name = 'x' where id = 20",
      "with w as (update t set name = 'x' where id = 20 returning id) select * from w",
      'truncate t',
      'copy t from stdin',
      'create database another',
    ]) {
      const { message, code } = (await client.query(text).catch((error: unknown) => error)) as pg.DatabaseError;
      expect([text, code, message]).toEqual([text, '42501', NEEDS_TRANSACTION]);
    }
    expect(await failure(client.query("update t set name = 'x' where id = $1", [20]))).toBe('42501');
    await client.query("prepare later as update t set name = 'x' where id = 20").catch(() => undefined);
    expect(await failure(client.query('execute later'))).toBe('42501');
    await rolledBack(20);
  });

  test('what a ROLLBACK would not take back does not run', async () => {
    const client = await open();
    const said = async (text: string): Promise<string> => {
      await client.query('begin');
      const { message } = (await client.query(text).catch((error: unknown) => error)) as Error;
      await client.query('rollback');
      return message;
    };
    const conninfo = `host=127.0.0.1 port=${server.port} dbname=postgres user=${server.user} password=${server.password}`;
    expect(await said(`select dblink_exec('${conninfo}', 'update t set name = ''x'' where id = 22')`)).toMatch(
      /something outside the database/,
    );
    expect(await said("do $$ begin update t set name = 'x' where id = 22; end $$")).toMatch(/is not known, nor what a/);
    expect(await said("copy t to program 'cat'")).toMatch(/something outside the database/);
    expect(await said("copy t from '/dev/null'")).toMatch(/something outside the database/);
    await rolledBack(22);
  });

  test('a procedure that would commit cannot within the transaction', async () => {
    const client = await open();
    await client.query('begin');
    expect(await failure(client.query('call public.later()'))).toBe('2D000');
    await client.query('rollback');
    await rolledBack(50);
  });

  test('no ending of a transaction passes beside it', async () => {
    for (const [end, more] of [
      ['end', ''],
      ['commit work and chain', 'rollback'],
      ["prepare transaction 'two'", ''],
      ['select 1; commit', ''],
      ['commit; begin', 'rollback'],
    ] as const) {
      const client = await stand.client();
      await client.query('begin');
      await client.query("update t set name = 'x' where id = 30");
      const ended = failure(client.query(end));
      const { text } = await decide('deny', 'no');
      expect(text.startsWith(`${end}\n-- What it commits`)).toBe(true);
      expect([end, await ended]).toEqual([end, '42501']);
      if (more !== '') await client.query(more);
      await client.end();
      for (;;) if ((await failure(rolledBack(30))) === 'no error') break;
    }
    expect((await direct.query('select * from pg_prepared_xacts')).rowCount).toBe(0);
  });

  test('COMMIT PREPARED commits what people have looked at, at PREPARE TRANSACTION', async () => {
    const client = await open();
    await client.query('begin');
    await client.query("update t set name = 'prepared' where id = 31");
    const prepared = client.query("prepare transaction 'one'");
    await decide('approve');
    await prepared;
    await client.query("commit prepared 'one'");
    expect(await nameOf(31)).toBe('prepared');
  });

  test('a text that changes something ends no transaction', async () => {
    const client = await open();
    for (const text of [
      "begin; update t set name = 'x' where id = 32; commit",
      "update t set name = 'x' where id = 32; commit",
      "begin; update t set name = 'x' where id = 32; end; begin",
      "rollback; update t set name = 'x' where id = 32",
      "begin; update t set name = 'x' where id = 32; prepare transaction 'three'",
    ]) {
      const { message } = (await client.query(text).catch((error: unknown) => error)) as Error;
      expect([text, message]).toEqual([
        text,
        'People look at what this statement changes before it is committed, and the same text ends a transaction.',
      ]);
      await client.query('rollback');
    }
    await client.query("begin; update t set name = 'x' where id = 32");
    const commit = failure(client.query('commit'));
    await decide('deny', 'no');
    expect(await commit).toBe('42501');
    await rolledBack(32);
  });

  test('what fails, or is rolled back, asks nobody', async () => {
    const before = (await requests()).length;
    const client = await open();
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 33");
    await client.query('rollback');
    await client.query('begin');
    await client.query('commit');
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 33");
    await failure(client.query('select 1 / 0'));
    expect((await client.query('commit')).command).toBe('ROLLBACK');
    await client.query('begin; select 1; commit');
    expect((await requests()).length).toBe(before);
    await rolledBack(33);
  });

  test('what has failed and goes back to a savepoint is asked about in the text that commits it', async () => {
    for (const end of [
      'rollback to s; commit',
      'rollback to s; select 1; end',
      "rollback to s; prepare transaction 'four'",
      'rollback to s; commit and chain',
    ]) {
      const client = await open();
      await client.query('begin');
      await client.query("update t set name = 'x' where id = 34");
      await client.query('savepoint s');
      await failure(client.query('select 1 / 0'));
      const ended = failure(client.query(end));
      const { text } = await decide('deny', 'no');
      expect(text).toContain(`${end}\n-- What it commits`);
      expect([end, await ended]).toEqual([end, '42501']);
      await client.query('rollback');
    }
    await rolledBack(34);
    expect((await direct.query('select * from pg_prepared_xacts')).rowCount).toBe(0);
  });

  const errors = (frames: readonly Frame[]): string =>
    textOf(frames.filter(({ tag }) => tag === 'E')).replaceAll('\0', ' ');
  const UPDATE = (id: number): (readonly (string | number)[])[] => [
    ['P', '', `update t set name = 'x' where id = ${id}`],
    ['B', '', ''],
    ['E', ''],
  ];
  const plain = (text: string): (readonly (string | number)[])[] => [
    ['P', '', text],
    ['B', '', ''],
    ['E', ''],
  ];

  test('a pipeline of messages waits at its COMMIT', async () => {
    const line = await openLine(() => stand.client());
    const frames = line.extended([...plain('begin'), ...UPDATE(34), ...plain('commit')]);
    expect((await decide('deny', 'no')).text).toContain('-- 1. UPDATE 1');
    expect(errors(await frames)).toContain('was denied by ada: no');
    line.close();
    for (;;) if ((await failure(rolledBack(34))) === 'no error') break;
  });

  test('without BEGIN a pipeline commits at its Sync, and does not run', async () => {
    const line = await openLine(() => stand.client());
    expect(errors(await line.extended(UPDATE(35)))).toContain(NEEDS_TRANSACTION);
    // What ran before opens no transaction that lasts.
    expect(errors(await line.extended([...plain('select 1'), ...UPDATE(35)]))).toContain(NEEDS_TRANSACTION);
    const ended = [...plain('begin'), ...plain('rollback'), ...UPDATE(35)];
    expect(errors(await line.extended(ended))).toContain(NEEDS_TRANSACTION);
    line.close();
    await rolledBack(35);
  });

  test('a COMMIT that was bound before the change is not executed behind it', async () => {
    const line = await openLine(() => stand.client());
    await line.simple('begin');
    const early = await line.extended([['P', 'c', 'commit'], ['B', 'early', 'c'], ...UPDATE(36), ['E', 'early']]);
    expect(errors(early)).toContain('This COMMIT was bound before something that people have to look at first');
    await line.simple('rollback');
    // Bound while nothing is open, and executed in the transaction that begins behind it.
    const outside = await line.extended([['B', 'early', 'c'], ...plain('begin'), ...UPDATE(36), ['E', 'early']]);
    expect(errors(outside)).toContain('This COMMIT was bound before');
    await line.simple('rollback');
    // Bound twice: what runs between the word of people and the COMMIT was not looked at.
    await line.simple('begin');
    const twice = line.extended([
      ['P', 'u', "update t set name = 'x' where id = 36 returning id"],
      ['B', 'one', 'u'],
      ['E', 'one', 1],
      ['B', 'late', 'u'],
      ['B', 'commit', 'c'],
      ['E', 'late'],
      ['E', 'commit'],
    ]);
    await decide('approve');
    expect(errors(await twice)).toContain('This COMMIT was bound before');
    line.close();
    for (;;) if ((await failure(rolledBack(36))) === 'no error') break;
  });

  test('savepoints and chains in one pipeline are followed', async () => {
    const line = await openLine(() => stand.client());
    const frames = line.extended([
      ...plain('begin'),
      ...plain('savepoint a'),
      ...UPDATE(37),
      ...plain('rollback to a'),
      ...UPDATE(38),
      ...plain('commit and chain'),
      ...UPDATE(39),
      ...plain('commit'),
    ]);
    const first = await decide('approve');
    expect(first.text).toMatch(/1\. UPDATE 1, taken back[^]*id = 37[^]*2\. UPDATE 1\n[^]*id = 38/);
    while ((await stand.gateway.approvals.find(first.number))?.used === undefined) await sleep(5);
    expect((await decide('deny', 'no')).text).toMatch(/, 1 statements:[^]*id = 39/);
    expect(errors(await frames)).toContain('was denied');
    line.close();
    expect(await nameOf(38)).toBe('x');
    for (;;) if ((await failure(rolledBack(39))) === 'no error') break;
    await rolledBack(37);
  });

  test('nothing is shown as taken back that is committed', async () => {
    const shown = async (...texts: string[]): Promise<string> => {
      const client = await open();
      await client.query('begin');
      for (const text of texts) await client.query(text).catch(() => undefined);
      const commit = failure(client.query('commit'));
      const { text } = await decide('deny', 'no');
      expect(await commit).toBe('42501');
      await client.query('rollback');
      return text;
    };
    const change = "update t set name = 'x' where id = 80";
    // Made by a text of which the rest fails.
    expect(await shown(change, 'savepoint s; select 1 / 0', 'rollback to s')).toContain(`-- 1. UPDATE 1\n  ${change}`);
    // Gone back to by the very text that changes something behind it.
    const behind = await shown('savepoint s', "update t set name = 'y' where id = 81", `rollback to s; ${change}`);
    expect(behind).toMatch(/1\. UPDATE 1, taken back[^]*2\. ROLLBACK; UPDATE 1\n/);
    await rolledBack(80);
    // Bound before there was anything to look at, and executed behind it.
    const line = await openLine(() => stand.client());
    const frames = line.extended([
      ...plain('begin'),
      ['P', 's', 'savepoint s'],
      ['B', 'late', 's'],
      ...UPDATE(80),
      ['E', 'late'],
      ...plain('rollback to s'),
      ...plain('commit'),
    ]);
    expect((await decide('deny', 'no')).text).toContain('-- 1. UPDATE 1\n');
    expect(errors(await frames)).toContain('was denied by ada: no');
    line.close();
    for (;;) if ((await failure(rolledBack(80))) === 'no error') break;
  });

  test('a COMMIT that people have released commits no part of what they saw', async () => {
    const line = await openLine(() => stand.client());
    const frames = line.extended([
      ...plain('begin'),
      ...UPDATE(82),
      ...plain('savepoint s'),
      ...UPDATE(83),
      ['P', 'c', 'commit'],
      ['B', 'commit', 'c'],
      ...plain('rollback to s'),
      ['E', 'commit'],
    ]);
    await decide('approve');
    expect(errors(await frames)).toContain('This COMMIT was bound before');
    line.close();
    for (const id of [82, 83]) for (;;) if ((await failure(rolledBack(id))) === 'no error') break;
  });

  test('people see what EXECUTE runs, and a release is for that alone', async () => {
    const client = await open();
    const attempt = async (text: string): Promise<string> => {
      await client.query('deallocate all');
      // No ROLLBACK takes a prepared statement back.
      await client.query('begin');
      await client.query(`prepare p as ${text}`);
      await client.query('rollback');
      await client.query("set sluice.hold = 'fail'");
      await client.query('begin');
      await client.query('execute p');
      const code = await failure(client.query('commit'));
      await client.query('rollback');
      return code;
    };
    const seen = "update t set name = 'seen' where id = 84";
    expect(await attempt(seen)).toBe('42501');
    const { text } = await decide('approve');
    expect(text).toMatch(/1\. UPDATE 1\n  execute p\n  -- p: [^]*update t set name = 'seen' where id = 84/);
    expect(await attempt("update t set name = 'other' where id = 84")).toBe('42501');
    await decide('deny', 'cleared');
    expect(await nameOf(84)).toBe('name 84');
  });

  test('the function call protocol is held to it too', async () => {
    const line = await openLine(() => stand.client());
    const [{ oid }] = (await direct.query<{ oid: number }>("select 'lo_create'::regproc::oid::int as oid")).rows as [
      { oid: number },
    ];
    const call = ['F', oid, 't', '4242'];
    expect(errors(await line.extended([call]))).toContain(NEEDS_TRANSACTION);
    await line.simple('begin');
    expect(errors(await line.extended([call]))).toBe('');
    const commit = line.simple('commit');
    await decide('deny', 'no');
    expect(errors(await commit)).toContain('was denied');
    line.close();
    expect((await direct.query('select from pg_largeobject_metadata where oid = 4242')).rowCount).toBe(0);
  });

  test.skipIf(!psql)('a COPY into a table is one of the changes', async () => {
    const file = join(stand.folder, 'rows.csv');
    writeFileSync(file, '2001,copied\n2002,copied\n');
    const copy = ['-X', '-c', 'begin', '-c', `\\copy t from '${file}' csv`, '-c', 'commit'];
    const said = run(psql as string, copy);
    expect((await decide('deny', 'no')).text).toContain('-- 1. COPY 2');
    expect(await said).toContain('was denied by ada: no');
    expect(await nameOf(2001)).toBeUndefined();
  });

  test('a transaction that stays open is ended', async () => {
    const other = await openStand({
      target: targetOf(server),
      rules: `
    - { rule: looked-at, hold_commit: { approvers: ["group:engineers"], open: 1s } }`,
    });
    const client = await other.client();
    const ended = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 60");
    expect((await ended).message).toMatch(/no COMMIT came in time, so it was rolled back/);
    for (;;) if ((await failure(rolledBack(60))) === 'no error') break;
    await other.stop();
  });

  test('a rule that is not there any more still has what it let run looked at', async () => {
    const other = await openStand({ target: targetOf(server), rules: RULES });
    const client = await other.client();
    await client.query('begin');
    await client.query("update t set name = 'x' where id = 61");
    const file = join(other.folder, 'sluice.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\n.*looked-at[^]*/, '\n'));
    await other.gateway.reload(readConfiguration(file).config, 'test');
    const commit = failure(client.query('commit'));
    while ((await other.gateway.approvals.recent(1)).length === 0) await sleep(5);
    await other.gateway.approvals.decide(1, ada, 'deny', 'no');
    expect(await commit).toBe('42501');
    await client.query('rollback');
    // And what it lets run from now on is looked at by nobody.
    await client.query("update t set name = 'free' where id = 61");
    await client.end();
    await other.stop();
  });

  test('an agent that does not wait repeats the same transaction once it is released', async () => {
    const client = await open();
    const attempt = async (name: string): Promise<string> => {
      await client.query("set sluice.hold = 'fail'");
      await client.query('begin');
      await client.query('update t set name = $1 where id = 62', [name]);
      const code = await failure(client.query('commit'));
      await client.query('rollback');
      return code;
    };
    expect(await attempt('again')).toBe('42501');
    await decide('approve');
    // Other values are another transaction.
    expect(await attempt('other')).toBe('42501');
    expect(await attempt('again')).toBe('no error');
    expect(await nameOf(62)).toBe('again');
    await decide('deny', 'cleared');
  });

  test.skipIf(!psql)('psql', async () => {
    const script = ['begin', "update t set name = 'psql' where id = 70", 'commit', 'select name from t where id = 70'];
    const said = run(psql as string, ['-X', ...script.flatMap((text) => ['-c', text])]);
    expect((await decide('approve')).text).toContain('-- 1. UPDATE 1');
    expect(await said).toMatch(
      /BEGIN\nUPDATE 1\n[^]*NOTICE: +This statement waits for an approval[^]*COMMIT|COMMIT[^]*psql/,
    );
    expect(await nameOf(70)).toBe('psql');
    expect(await run(psql as string, ['-X', '-c', "update t set name = 'x' where id = 70"])).toContain(
      NEEDS_TRANSACTION,
    );
  });

  const PROGRAMS = [
    ['psycopg 3', 71, PYTHON, ['psycopg3.py'], existsSync(join(PACKAGES, 'psycopg'))],
    ["SQLAlchemy's unit of work", 72, PYTHON, ['with-sqlalchemy.py'], existsSync(join(PACKAGES, 'sqlalchemy'))],
    ['alembic, which migrates', 73, PYTHON, ['with-alembic.py'], existsSync(join(PACKAGES, 'alembic'))],
    [
      'pgjdbc',
      74,
      '/usr/bin/java',
      ['-XX:TieredStopAtLevel=1', '-cp', JDBC, 'Jdbc.java'],
      existsSync(JDBC) && existsSync('/usr/bin/javac'),
    ],
  ] as const;
  describe.each(PROGRAMS)('%s', (_, id, command, args, isThere) => {
    const program = (): Promise<string> => {
      const file = args.at(-1) ?? '';
      const whole = [...args.slice(0, -1), join(import.meta.dirname, 'hold-commit', file)];
      return run(command, whole, { ROW: String(id) });
    };

    test.skipIf(!isThere)('commits what people have released', async () => {
      const said = program();
      const { text } = await decide('approve');
      expect(text).toMatch(/What it commits, \d+ statements:[^]*(UPDATE 1|CREATE TABLE|ALTER TABLE)/);
      expect(await said).toContain('committed');
    });

    test.skipIf(!isThere)('is told of a denial, and nothing stays', async () => {
      const said = program();
      const before = await nameOf(id);
      await decide('deny', 'not this');
      expect(await said).toMatch(/refused: [^]*was denied by ada: not this/);
      expect(await nameOf(id)).toBe(before);
    });
  });
});
