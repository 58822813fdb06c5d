import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { running } from './running.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: customer-data, mask: { columns: ["customers.email", "twins.email"], with: redact } }
`;
const SCHEMA = `
create table customers (id int primary key, name text, email text);
insert into customers values (1, 'Ada', 'ada@example.com');
create table twins (name text, email text);
insert into twins values ('Ada', 'ada@example.com');
create table locked (a int, b int generated always as (a + 1) stored);
insert into locked values (7);
create view over_locked as select a from locked;
create view over_view as select a from over_locked;
create view over_customers as select id, email from customers;
create function from_locked() returns int language sql stable begin atomic select a from locked; end;
create function from_customers() returns text language sql stable begin atomic select email from customers; end;
`;

/** What used to hang did so for ever; a busy machine may take a while. */
const MAX_WAIT_MS = 15_000;

/** Nobody waits for a lock of somebody else because the gateway has to look something up. */
describe.skipIf(missingPostgres(15)).each([15, 18] as const)('locks and the catalog on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  let locker: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { max_prepared_transactions: '5' } });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES });
    locker = await stand.client();
  });
  afterAll(async () => {
    await locker.end();
    await direct.end();
    await stand.stop();
    await server.stop();
  });
  afterEach(async () => {
    await locker.query('rollback');
    await direct.query('rollback');
  });
  /** Rows, or the message of the error; and that it took no longer than look-ups may. */
  const ask = async (client: pg.Client, text: string, extended = false): Promise<unknown> => {
    const began = performance.now();
    try {
      const { rows } = await client.query({ text, rowMode: 'array', ...(extended && { values: [] }) });
      return rows.flat();
    } catch (error) {
      return (error as Error).message;
    } finally {
      expect(performance.now() - began).toBeLessThan(MAX_WAIT_MS);
    }
  };
  let types = 0;
  /** After a range all is read again, after most other definitions only what they name. */
  const define = (client: pg.Client): Promise<unknown> =>
    ask(client, `create type another${types++} as range (subtype = int)`);

  test.each(['lock table locked in access exclusive mode', 'alter table locked add column c int', 'truncate locked'])(
    'after %s in a transaction and a definition elsewhere',
    async (lock) => {
      const other = await stand.client();
      await locker.query('begin');
      await locker.query(lock);
      expect(await define(other)).toEqual([]);
      for (const client of [other, locker]) expect(Array.isArray(await ask(client, 'select 1 as one'))).toBe(true);
      const fresh = await stand.client();
      expect(await ask(fresh, 'select id, name, email from customers')).toEqual([1, 'Ada', '[masked:EMAIL]']);
      expect(await ask(fresh, 'select email from over_customers')).toEqual(['[masked:EMAIL]']);
      expect(await ask(fresh, 'select from_customers()')).toEqual(['[masked:EMAIL]']);
      // What was spelled before is still so: they wait for the lock, as they would without the gateway.
      await fresh.query("set lock_timeout to '100ms'");
      const over = [
        'select a from over_locked',
        'select a from over_view',
        'select from_locked()',
        'select b from locked',
      ];
      for (const text of over)
        expect(await ask(fresh, text)).toMatch(
          /canceling statement due to lock timeout|^Another session defines what this statement uses.* within lock_timeout/,
        );
      const late = await openStand({ target: targetOf(server), rules: RULES });
      const unread = await late.client();
      for (const text of ['select a from over_locked', 'select a from over_view', 'select from_locked()']) {
        expect(await ask(unread, text)).toMatch(
          /^This command could not be judged.* cannot be read while something that it reads is locked/,
        );
      }
      expect(await ask(unread, 'select b from locked')).toMatch(/definition of public.locked cannot be read/);
      expect(await ask(locker, 'rollback')).toEqual([]);
      await expect.poll(() => ask(fresh, 'select a from over_view')).toEqual([7]);
      expect(await ask(fresh, 'select b from locked')).toEqual([8]);
      expect(await ask(fresh, 'select from_locked()')).toEqual([7]);
      await expect.poll(() => ask(unread, 'select a from over_view')).toEqual([7]);
      expect(await ask(unread, 'select b from locked')).toEqual([8]);
      expect(await ask(unread, 'select from_locked()')).toEqual([7]);
      await unread.end();
      await late.stop();
      await fresh.end();
      await other.end();
    },
  );

  test('somebody who waits for the lock holds up nobody either', async () => {
    const reader = new pg.Client({ ...server, database: 'postgres' });
    await reader.connect();
    await reader.query('begin; select * from locked');
    await locker.query('begin');
    const waiting = locker.query('lock table locked in access exclusive mode');
    await sleep(200);
    const other = await stand.client();
    expect(await define(other)).toEqual([]);
    expect(await ask(other, 'select email from customers')).toEqual(['[masked:EMAIL]']);
    await reader.query('rollback');
    await waiting;
    await locker.query('rollback');
    await reader.end();
    await other.end();
  });

  test('what was defined in a prepared transaction is known once another session has committed it', async () => {
    const other = await stand.client();
    await locker.query('begin');
    await locker.query('alter table twins drop column name');
    await locker.query('alter table twins add column name text generated always as (email) stored');
    await locker.query("prepare transaction 'later'");
    expect(await ask(other, 'select 1 as one')).toEqual([1]);
    await locker.query("commit prepared 'later'");
    expect(await ask(other, 'select upper(name) from twins')).toEqual(['[masked:EMAIL]']);
    await other.end();
  });

  test('so is what a client has defined that did not wait for the answer', async () => {
    const [other, gone] = [await stand.client(), await stand.client()];
    await other.query("create view shown as select 'none'::text as value from twins");
    expect(await ask(other, 'select value from shown')).toEqual(['none']);
    const text = 'select pg_sleep(1); create or replace view shown as select email as value from twins\0';
    const head = Buffer.from('Q\0\0\0\0', 'latin1');
    head.writeInt32BE(Buffer.byteLength(text) + 4, 1);
    const { stream } = (gone as unknown as { connection: { stream: Socket } }).connection;
    stream.write(Buffer.concat([head, Buffer.from(text)]));
    await running(server, '%create or replace view shown%');
    stream.destroy();
    // Others know of it by the end of that session at the latest.
    const sessions = stand.gateway.sessions.size;
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBeLessThan(sessions));
    const { rows } = await direct.query("select pg_get_viewdef('shown') as text");
    expect(rows[0].text).toContain('email');
    expect(await ask(other, 'select value from shown')).toEqual(['[masked:EMAIL]']);
    await direct.query('drop view shown');
    await other.end();
  });

  test('the end of a transaction never waits for the catalog', async () => {
    const other = await stand.client();
    const clients = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    for (const client of clients) await client.query('begin; select 1');
    // Without a change the catalog is believed, and what reads waits for the lock itself, as it would directly.
    await direct.query('create view brief as select 1 as a; drop view brief');
    await direct.query('begin; lock table pg_class in access exclusive mode');
    await sleep(2_100);
    const began = performance.now();
    for (const [at, client] of clients.entries()) {
      expect(await ask(client, at % 2 === 0 ? 'commit' : 'rollback', at > 1)).toEqual([]);
    }
    expect(performance.now() - began).toBeLessThan(2_000);
    // What reads is refused, once it has waited as long as look-ups may, and works again afterwards.
    expect(await failure(other.query('select email from customers'))).toBe('42501');
    expect(performance.now() - began).toBeLessThan(MAX_WAIT_MS);
    await direct.query('rollback');
    expect(await ask(other, 'select email from customers')).toEqual(['[masked:EMAIL]']);
    await Promise.all(clients.map((client) => client.end()));
    await other.end();
  });
});
