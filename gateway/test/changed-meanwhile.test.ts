import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: customer-data, mask: { columns: ["customers.email", "computed.email"], with: redact } }
    - { rule: nothing-moves, when: 'size(masked.moved) > 0', deny: Masked values stay where they are. }
`;
const SCHEMA = `
drop schema public cascade; create schema public;
create table customers (id int primary key, name text, email text);
insert into customers values (1, 'Ada', 'ada@example.com');
create view pub as select name as shown from customers;
create table computed (name text, email text, shown text);
insert into computed values ('Ada', 'ada@example.com', 'Ada');
create table kept (shown text);
create table plain (a int);
insert into plain values (7);
create function secret() returns text language sql stable security definer as 'select name from customers';
`;
const SECRET = 'ada@example.com';
const EXPOSED = 'create or replace view pub as select email as shown from customers';
const HIDDEN = 'create or replace view pub as select name as shown from customers';

/** The bytes of messages of a client. */
const message = (tag: string, ...parts: (string | Buffer)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part)));
  const head = Buffer.alloc(5);
  head.write(tag, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const query = (text: string): Buffer => message('Q', text);
const prepare = (text: string, name = ''): Buffer => message('P', name, text, Buffer.alloc(2));
const bind = (name = ''): Buffer => message('B', '', name, Buffer.alloc(6));
const describePortal = message('D', Buffer.from('P'), '');
const execute = message('E', '', Buffer.alloc(4));
const SYNC = message('S');
const extended = (text: string): Buffer => Buffer.concat([prepare(text), bind(), execute]);

/** A client whose bytes are the test's own: what it is sent, as text, up to so many ReadyForQuery. */
async function rawClient(stand: Stand): Promise<{
  send(bytes: Buffer, turns?: number): Promise<string>;
  end(): void;
}> {
  const client = await stand.client();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  let got = Buffer.alloc(0);
  let wanted = 0;
  let done: (text: string) => void = () => undefined;
  const look = (isOver: boolean): void => {
    let turns = 0;
    let at = 0;
    for (; at + 5 <= got.length; at += 1 + got.readInt32BE(at + 1)) if (got[at] === 0x5a) turns++;
    if (!isOver && (turns < wanted || at !== got.length)) return;
    done(got.toString('latin1'));
    got = Buffer.alloc(0);
  };
  stream.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    look(false);
  });
  stream.on('close', () => look(true));
  return {
    send: (bytes, turns = 1) =>
      new Promise((resolve) => {
        done = resolve;
        wanted = turns;
        stream.write(bytes);
      }),
    end: () => stream.destroy(),
  };
}

describe.skipIf(missingPostgres(15)).each([15, 18] as const)(
  'definitions that change meanwhile, PostgreSQL %i',
  (major) => {
    if (missingPostgres(major)) return;
    let server: PostgresServer;
    let stand: Stand;
    let direct: pg.Client;
    let definer: pg.Client;
    let reader: Awaited<ReturnType<typeof rawClient>>;

    beforeAll(async () => {
      server = await startPostgres({ major });
      direct = new pg.Client({ ...server, database: 'postgres' });
      await direct.connect();
      stand = await openStand({ target: targetOf(server), rules: RULES });
      definer = await stand.client();
    });
    afterAll(async () => {
      await definer.end();
      await direct.end();
      await stand.stop();
      await server.stop();
    });
    beforeEach(async () => {
      await definer.query('rollback');
      await direct.query('rollback; select pg_advisory_unlock_all()');
      await direct.query(SCHEMA);
      await definer.query('create type seen as range (subtype = int)');
      reader = await rawClient(stand);
      return () => reader.end();
    });

    const waiters = async (): Promise<number> => {
      const { rows } = await direct.query(
        "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and query not like '%pg_stat_activity%'",
      );
      return rows[0].n as number;
    };
    const waits = (): Promise<void> =>
      vi.waitFor(async () => expect(await waiters()).toBe(1), { timeout: 10_000, interval: 20 });

    /** What the reader is sent, where others define something while it stands at a lock at the target. */
    const meanwhile = async (bytes: Buffer, define: () => Promise<unknown>, turns = 1): Promise<string> => {
      await direct.query('select pg_advisory_lock(7)');
      const answer = reader.send(bytes, turns);
      await waits();
      await define();
      await direct.query('select pg_advisory_unlock(7)');
      return answer;
    };
    const expose = async (): Promise<void> => {
      await definer.query('begin');
      await definer.query(EXPOSED);
      await definer.query('commit');
    };
    const exposeFunction = (): Promise<unknown> =>
      definer.query(
        "create or replace function secret() returns text language sql stable security definer as 'select email from customers'",
      );
    const LOCK = 'select pg_advisory_xact_lock(7)';

    test.each([
      ['a later statement of a text', query(`${LOCK}; select shown from pub`)],
      ['one call before another', query(`select case when pg_advisory_xact_lock(7) is null then '' else secret() end`)],
      ['a pipeline', Buffer.concat([extended(LOCK), extended('select shown from pub'), SYNC])],
      [
        'a pipeline that describes',
        Buffer.concat([extended(LOCK), prepare('select shown from pub'), bind(), describePortal, execute, SYNC]),
      ],
      ['COPY', query(`${LOCK}; copy (select shown from pub) to stdout`)],
      ['a text in an error', query(`${LOCK}; select shown::int from pub`)],
      ['a condition', query(`${LOCK}; delete from plain where exists (select from pub where shown like 'ada@%')`)],
      ['RETURNING', query(`${LOCK}; insert into plain select 1 from pub returning (select shown from pub)`)],
    ])('%s', async (_, bytes) => {
      const answer = await meanwhile(bytes, bytes.includes('secret') ? exposeFunction : expose);
      expect(answer).not.toContain(SECRET);
      expect(answer).toMatch(/40001|invalid input syntax/);
      const again = await reader.send(query(bytes.includes('secret') ? 'select secret()' : 'select shown from pub'));
      // Of a function that runs as its owner nothing is known.
      expect(again).toMatch(/\[masked:EMAIL\]|C01M01/);
      expect(again).not.toContain(SECRET);
    });

    const openDefinition = async (): Promise<void> => {
      await definer.query(`begin; ${EXPOSED}`);
    };
    /** What is sent while a definition is not committed waits for it, and is not at the target meanwhile. */
    const behindDefinition = async (bytes: Buffer): Promise<string> => {
      await openDefinition();
      const answer = reader.send(bytes);
      await sleep(100);
      // A Parse shows nothing, and waits at the target.
      expect(await waiters()).toBe(bytes[0] === 0x50 ? 1 : 0);
      await definer.query('commit');
      return answer;
    };

    test.each([
      ['a query', query('select shown from pub')],
      ['an extended query', Buffer.concat([extended('select shown from pub'), SYNC])],
      ['COPY', query('copy (select shown from pub) to stdout')],
      ['a cursor', query('begin; declare c cursor for select shown from pub; fetch all from c; commit')],
      ['a temporary table', query('create temporary table mine as select shown from pub; select * from mine')],
      ['SELECT INTO', query('select shown into temporary mine from pub; select shown from mine')],
    ])('%s waits for an open definition, and is masked by it', async (_, bytes) => {
      const answer = await behindDefinition(bytes);
      expect(answer).not.toContain(SECRET);
      expect(answer).toMatch(/\[masked:EMAIL\]|\\N/);
    });

    test('a prepared statement as well', async () => {
      await reader.send(Buffer.concat([prepare('select shown from pub', 'p'), bind('p'), execute, SYNC]));
      const answer = await behindDefinition(Buffer.concat([bind('p'), execute, SYNC]));
      expect(answer).not.toContain(SECRET);
      expect(answer).toContain('[masked:EMAIL]');
    });

    test('what would move values waits, and is judged by what is then', async () => {
      const answer = await behindDefinition(query('insert into kept select shown from pub'));
      expect(answer).toContain('42501');
      expect((await direct.query('select * from kept')).rows).toEqual([]);
    });

    test('so does what means it by a name with a dot, behind a view', async () => {
      await direct.query(
        'create schema if not exists "s.s"; create or replace view "s.s"."p.q" as select name as shown from customers',
      );
      await direct.query('create or replace view over as select shown from "s.s"."p.q"');
      await definer.query('create type seen_again as range (subtype = int)');
      await definer.query('begin; create or replace view "s.s"."p.q" as select email as shown from customers');
      const answer = reader.send(query('insert into kept select shown from over'));
      await sleep(100);
      expect(await waiters()).toBe(0);
      await definer.query('commit');
      expect(await answer).toContain('42501');
      expect((await direct.query('select * from kept')).rows).toEqual([]);
      await definer.query('drop view "s.s"."p.q" cascade');
    });

    const MINE = 'create temporary view mine as select shown from pub';
    test.each([
      [MINE, 'insert into kept select shown from mine'],
      ['select 1', `${MINE}; insert into kept select shown from mine`],
    ])('so does what would move them by a temporary view: %s, then %s', async (before, text) => {
      await reader.send(query(before));
      const answer = await behindDefinition(query(text));
      expect(answer).not.toContain('INSERT');
      expect((await direct.query('select * from kept')).rows).toEqual([]);
    });

    test('a rollback lets it through as it was', async () => {
      await openDefinition();
      const answer = reader.send(query('select shown from pub'));
      await sleep(100);
      await definer.query('rollback');
      expect(await answer).toMatch(/Ada/);
    });

    test('a generated column that takes the place of another', async () => {
      const answer = await meanwhile(query(`${LOCK}; select shown from computed`), async () => {
        await definer.query('begin; alter table computed drop column shown');
        await definer.query('alter table computed add column shown text generated always as (email) stored; commit');
      });
      expect(answer).not.toContain(SECRET);
      expect(answer).toContain('40001');
    });

    test('a definition in one text with the beginning of its transaction', async () => {
      const answer = await meanwhile(query(`${LOCK}; select shown from pub`), async () => {
        await definer.query(`begin; ${EXPOSED}`);
        await definer.query('commit');
      });
      expect(answer).not.toContain(SECRET);
      expect(answer).toContain('40001');
    });

    test('definitions that are as they were by the time that it is answered', async () => {
      const other = await stand.client();
      const answer = await meanwhile(query(`${LOCK}; select shown from pub`), async () => {
        await expose();
        void other.query(`${HIDDEN}; select pg_sleep(0)`).catch(() => undefined);
        await sleep(50);
      });
      expect(answer).not.toContain(SECRET);
      const again = await meanwhile(query(`${LOCK}; select shown from pub`), async () => {
        await definer.query(`do $$ begin execute '${EXPOSED}'; end $$`);
        await definer.query(`do $$ begin execute '${HIDDEN}'; end $$`);
      });
      expect(again).not.toContain(SECRET);
      expect(again).toContain('40001');
      await other.end();
    });

    test('a text that moves values is stopped before others commit what it would move', async () => {
      const answer = await meanwhile(query(`${LOCK}; insert into kept select shown from pub`), expose);
      expect(answer).toContain('40001');
      expect((await direct.query('select * from kept')).rows).toEqual([]);
    });

    test('somebody who defines by itself waits for it', async () => {
      await direct.query('select pg_advisory_lock(7)');
      const answer = reader.send(query(`${LOCK}; insert into kept select shown from pub`));
      await waits();
      let isDefined = false;
      const defined = definer.query(EXPOSED).then(() => (isDefined = true));
      await sleep(200);
      expect(isDefined).toBe(false);
      await direct.query('select pg_advisory_unlock(7)');
      expect(await answer).toContain('INSERT');
      await defined;
      expect((await direct.query('select * from kept')).rows).toEqual([{ shown: 'Ada' }]);
    });

    test('what a transaction has moved ends with it', async () => {
      await reader.send(query('begin'));
      const answer = await meanwhile(
        Buffer.concat([query(`${LOCK}; insert into kept select shown from pub`), query('commit')]),
        expose,
        2,
      );
      expect(answer).toMatch(/FATAL[^]*40001/);
      await vi.waitFor(async () =>
        expect(
          (
            await direct.query(
              'select count(*)::int as n from pg_locks l join pg_class c on c.oid = l.relation where c.relname = $1',
              ['kept'],
            )
          ).rows,
        ).toEqual([{ n: 0 }]),
      );
      expect((await direct.query('select * from kept')).rows).toEqual([]);
    });

    const WAITS = 'select shown from pub';
    test.each([
      ['lock_timeout', '55P03', 'select 1', WAITS],
      ['statement_timeout', '57014', 'select 1', WAITS],
      ['lock_timeout', '55P03', 'select 1', 'insert into kept select shown from pub'],
      ['lock_timeout', '55P03', 'begin', WAITS],
    ])('a session has its %s while it waits in the gateway: %s, %s, %s', async (setting, code, before, text) => {
      await openDefinition();
      const client = await stand.client({ options: `-c ${setting}=250ms` });
      const codeOf = (sent: string): Promise<string> =>
        client.query(sent).then(
          () => 'passed',
          (error: { code: string }) => error.code,
        );
      await client.query(before);
      expect(await codeOf(text)).toBe(code);
      await client.query('rollback');
      // What it sets itself counts as much.
      await client.query(`set ${setting} = 0; begin; set local ${setting} to '0.2s'`);
      expect(await codeOf(text)).toBe(code);
      await client.query('rollback');
      const passes = codeOf(text);
      await definer.query('rollback');
      expect(await passes).toBe('passed');
      await client.end();
    });

    test.each([
      ['idle_session_timeout', ''],
      ['idle_in_transaction_session_timeout', 'begin'],
    ])('a session that waits in the gateway is not ended for being idle: %s', async (setting, before) => {
      await openDefinition();
      const client = await stand.client({ options: `-c ${setting}=600ms` });
      if (before !== '') await client.query(before);
      const passes = client.query(WAITS);
      await waits();
      await sleep(700);
      await definer.query('rollback');
      expect((await passes).rows).toEqual([{ shown: 'Ada' }]);
      await client.end();
    });

    test('a cancel ends the wait', async () => {
      await openDefinition();
      const client = await stand.client();
      const waiting = client.query('select shown from pub').then(
        () => 'passed',
        (error: { code: string }) => error.code,
      );
      await sleep(100);
      const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
      const cancel = new pg.Client({ host: '127.0.0.1', port: stand.port, user: 'dev', database: 'db' });
      const { connection } = cancel as unknown as {
        connection: {
          connect(port: number, host: string): void;
          cancel(id: number, key: number): void;
          once(event: string, then: () => void): void;
        };
      };
      connection.once('connect', () => connection.cancel(processID, secretKey));
      connection.connect(stand.port, '127.0.0.1');
      expect(await waiting).toBe('57014');
      await definer.query('rollback');
      await client.end();
    });

    test.runIf(major === 18)('two that wait for each other go on', async () => {
      const other = await stand.client();
      await definer.query('begin');
      await definer.query(EXPOSED);
      await other.query('begin');
      await other.query('alter table computed add column more int');
      const answers = await Promise.allSettled([
        definer.query('select shown from computed'),
        other.query('select shown from pub'),
      ]);
      const codes = answers.map((one) =>
        one.status === 'rejected' ? (one.reason as { code: string }).code : 'passed',
      );
      // The target itself finds out, and ends one of them.
      expect(codes).toContain('40P01');
      await definer.query('rollback');
      await other.query('rollback');
      await other.end();
    });

    test.runIf(major === 18)(
      'nobody waits who names something else, however many do',
      async () => {
        await openDefinition();
        const clients = await Promise.all(Array.from({ length: 10 }, () => stand.client()));
        const waiting = clients.map((client) =>
          client.query('select shown from pub').then(({ rows }) => rows[0].shown as string),
        );
        await sleep(100);
        expect(
          await reader.send(query('select a from plain; insert into plain values (8); select email from customers')),
        ).toContain('[masked:EMAIL]');
        await definer.query('commit');
        expect(new Set(await Promise.all(waiting))).toEqual(new Set(['[masked:EMAIL]']));
        await Promise.all(clients.map((client) => client.end()));
      },
      30_000,
    );

    test('nobody waits who names a table of another schema that is called the same', async () => {
      await definer.query('create schema if not exists tenant; create table if not exists tenant.plain (a int)');
      await definer.query('begin; alter table tenant.plain add column b int');
      expect(await reader.send(query('select a from plain'))).toContain('D');
      expect(await reader.send(query('select a from public.plain'))).toContain('D');
      await definer.query('rollback');
      await definer.query('begin; alter table public.plain add column b int');
      expect(await reader.send(query('select a from tenant.plain'))).toContain('SELECT 0');
      await definer.query('rollback; drop schema tenant cascade');
    }, 30_000);

    test('what means the same as before passes, and so does what no mask is for', async () => {
      const answer = await meanwhile(query(`${LOCK}; select name from customers`), async () => {
        await definer.query('alter table customers add column more int');
        await definer.query('alter table customers add column second int');
        await definer.query('create type unrelated as (b int)');
      });
      expect(answer).toContain('Ada');
      expect(answer).not.toContain('40001');
      const whole = await meanwhile(query(`${LOCK}; select * from plain`), () =>
        definer.query('alter table plain add column more int'),
      );
      expect(whole).toContain('more');
      expect(whole).not.toContain('40001');
    });

    test('a temporary view over what others change afterwards', async () => {
      await reader.send(
        query(
          'create temporary view mine as select shown from pub; create temporary view alike as select name from customers',
        ),
      );
      await definer.query(EXPOSED);
      expect(await reader.send(query('select * from mine'))).not.toContain(SECRET);
      expect(await reader.send(query('select * from alike'))).toContain('Ada');
      await definer.query(HIDDEN);
      expect(await reader.send(query('select * from mine'))).toContain('Ada');
    });

    test('a function that is replaced between DECLARE and FETCH', async () => {
      await direct.query("create function named() returns text language sql stable as 'select name from customers'");
      await reader.send(
        query(
          'begin; declare c cursor for select named() as n from plain; declare d cursor for select name, email from customers',
        ),
      );
      await definer.query(
        "create or replace function named() returns text language sql stable as 'select email from customers'",
      );
      expect(await reader.send(query('fetch all from c'))).not.toContain(SECRET);
      const other = await reader.send(query('fetch all from d; commit'));
      expect(other).toContain('Ada');
      expect(other).toContain('[masked:EMAIL]');
    });

    test('definitions that do not pass the gateway, behind which it has waited', async () => {
      expect(await reader.send(query('select shown from pub'))).toContain('Ada');
      await direct.query('begin');
      await direct.query(EXPOSED);
      const answer = reader.send(query('select shown from pub'));
      await sleep(700);
      await direct.query('commit');
      expect(await answer).toContain('40001');
      expect(await reader.send(query('select shown from pub'))).toContain('[masked:EMAIL]');
    });
  },
);
