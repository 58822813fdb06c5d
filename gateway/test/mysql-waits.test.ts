/**
 * Statements that wait at the target while what they read is defined anew, on MariaDB and MySQL: they were judged by what it was before. Each
 * definition and each statement here waits behind a transaction that has read the same.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type MySqlFlavour, type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type MySqlStand, openMySqlStand, queryBy } from './mysql-stand.js';

const RULES = `
    - { rule: mail, mask: { columns: ["people.mail"], with: redact } }
`;

const SETUP = [
  'drop view if exists pub, far, swapped, mails',
  'drop table if exists people, visits, sink',
  'create table people (id int primary key, nick varchar(60), mail varchar(60)) default charset utf8mb4',
  "insert into people values (1, 'ana', 'ana@secret.test')",
  'create table visits (id int primary key, place varchar(60))',
  "insert into visits values (1, 'Rome')",
  'create table sink (id int auto_increment primary key, said varchar(200), n int)',
  'create view pub as select id, concat(nick) as shown from people',
  'create view far as select * from pub',
  'create view mails as select id, concat(mail) as shown from people',
];
const ANEW = 'create or replace view pub as select id, concat(mail) as shown from people';
const AS_BEFORE = 'create or replace view pub as select id, concat(nick) as shown from people';
const GENERATED = 'alter table people drop column nick, add nick varchar(60) as (concat(mail)) virtual';

interface Answered {
  readonly rows?: unknown[][];
  readonly error?: string;
}

const FLAVOURS: readonly MySqlFlavour[] = ['mariadb', 'mysql'];

describe.each(FLAVOURS)('statements that wait on %s', (flavour) => {
  const missing = missingMySql(flavour);
  describe.skipIf(missing !== undefined)(missing ?? 'through the gateway', () => {
    let server: MySqlServer;
    let stand: MySqlStand;
    let direct: Connection;
    let looking: Connection;
    let holder: Connection;
    let definer: Connection;
    let reader: Connection;

    beforeAll(async () => {
      server = await startMySql({ flavour });
      const { host, port, user, password, database } = server;
      direct = await createConnection({ host, port, user, password, database });
      looking = await createConnection({ host, port, user, password, database });
      stand = await openMySqlStand({ server, rules: RULES });
    }, 120_000);
    afterAll(async () => {
      direct?.destroy();
      looking?.destroy();
      await stand?.stop();
      await server?.stop();
    });
    beforeEach(async () => {
      [holder, definer, reader] = [await stand.client(), await stand.client(), await stand.client()];
      for (const text of SETUP) await direct.query(text);
      // What the gateway itself sees defined it knows at once.
      await definer.query('create or replace view seen as select 1');
    });
    afterEach(() => {
      for (const one of [holder, definer, reader]) one.destroy();
    });

    const ask = (client: Connection, sql: string, how: 'query' | 'execute' = 'query'): Promise<Answered> =>
      queryBy(client, how, { sql, rowsAsArray: true }).then(
        ([rows]) => ({ rows: rows as unknown as unknown[][] }),
        ({ errno, message }: QueryError) => ({ error: `${errno}: ${message}` }),
      );

    /** So many sessions wait for a lock. */
    const waiting = async (count: number): Promise<void> => {
      for (;;) {
        const [rows] = await looking.query(
          "select id from information_schema.processlist where state like 'Waiting for%lock%'",
        );
        if ((rows as unknown[]).length === count) return;
        await delay(10);
      }
    };
    const hold = async (table: string): Promise<void> => {
      await holder.query('begin');
      await holder.query(`select * from ${table}`);
    };

    interface Wait {
      readonly held?: string;
      readonly define?: string;
      readonly read?: string;
      readonly how?: 'query' | 'execute';
    }

    /** The answer to a statement that waited behind a definition, which waited for a reader of the same. */
    const behind = async ({
      held = 'pub',
      define = ANEW,
      read = 'select shown from pub',
      how,
    }: Wait): Promise<Answered> => {
      if (how === 'execute') await ask(reader, read, how);
      await hold(held);
      const defined = definer.query(define);
      await waiting(1);
      const answer = ask(reader, read, how);
      await waiting(2);
      await holder.query('commit');
      await defined;
      return answer;
    };

    test.each<Wait & { readonly of: string }>([
      { of: 'a view that is replaced' },
      { of: 'a view that is altered', define: ANEW.replace('create or replace', 'alter') },
      { of: 'a view, by a prepared statement', how: 'execute' },
      { of: 'a view over the one that is replaced', read: 'select shown from far' },
      { of: 'how many have a value', read: "select count(*) from pub where shown like 'ana@%'" },
      { of: 'tables that change their names', define: 'rename table pub to swapped, mails to pub' },
      {
        of: 'a column that becomes a computed one',
        held: 'people',
        define: GENERATED,
        read: 'select nick from people',
      },
    ])('nothing is shown of $of', async (wait) => {
      const { error } = await behind(wait);
      expect(error).toMatch(/^1412: Something that this statement reads was defined anew while it waited/);
      const { rows } = await ask(reader, wait.read ?? 'select shown from pub', wait.how);
      expect(rows).toEqual(wait.read?.includes('count') ? [[1]] : [['[masked]']]);
      // The session goes on.
      expect(await ask(reader, 'select place from visits')).toEqual({ rows: [['Rome']] });
    });

    test('nothing is shown of what is defined under a lock of its definer', async () => {
      await definer.query('lock tables people write');
      const answer = ask(reader, 'select nick from people');
      await waiting(1);
      await definer.query(GENERATED);
      await definer.query('unlock tables');
      expect((await answer).error).toMatch(/^1412: /);
    });

    test('nor of what is as it was before by the time of the answer', async () => {
      await hold('pub');
      const defined = definer.query(ANEW);
      await waiting(1);
      // It has its lock all the while, and answers at the end.
      const answer = ask(reader, 'select shown, sleep(0.5) from pub');
      await waiting(2);
      await holder.query('commit');
      await defined;
      const second = definer.query(AS_BEFORE);
      expect((await answer).error).toMatch(/^1412: /);
      await second;
      expect(await ask(reader, 'select shown from pub')).toEqual({ rows: [['ana']] });
    });

    test('what it reads is as it was, so it passes', async () => {
      const read = { held: 'visits', read: 'select place from visits' };
      expect(await behind({ ...read, define: 'alter table visits add index by_place (place)' })).toEqual({
        rows: [['Rome']],
      });
      expect(await behind({ ...read, define: 'alter table visits add day date' })).toEqual({ rows: [['Rome']] });
      const same = await behind({ define: AS_BEFORE });
      expect(same).toEqual({ rows: [['ana']] });
    });

    test('whoever reads something else does not wait for it', async () => {
      await hold('pub');
      const defined = definer.query(ANEW);
      await waiting(1);
      expect(await ask(reader, 'select place from visits')).toEqual({ rows: [['Rome']] });
      expect(await ask(reader, 'select nick, mail from people')).toEqual({ rows: [['ana', '[masked]']] });
      await holder.query('commit');
      await defined;
    });

    test('what it leaves in the session is unknown, and its errors have no values', async () => {
      const { error } = await behind({ read: 'insert into sink (n) select shown from pub' });
      expect(error).toMatch(/^1366: The message is not shown/);
      await definer.query(AS_BEFORE);
      await behind({ read: 'select shown into @kept from pub' });
      expect(await ask(reader, 'select @kept')).toEqual({ rows: [[null]] });
      const [warnings] = await reader.query('show warnings');
      expect(JSON.stringify(warnings)).toContain('reads what was defined anew while it waited');
    });

    test('others who define something all the time lock nobody out', async () => {
      const over = new AbortController();
      const busy = (async (): Promise<void> => {
        for (let n = 0; !over.signal.aborted; n++) {
          await looking.query(`create table busy_${n % 3} (a${n} int)`);
          await looking.query(`drop table if exists busy_${(n + 2) % 3}`);
        }
      })();
      try {
        for (let n = 0; n < 2; n++) {
          // The catalog is read again.
          await definer.query('create or replace view seen as select 1');
          expect(await ask(reader, 'select nick, mail from people')).toEqual({ rows: [['ana', '[masked]']] });
          expect(await ask(reader, 'select shown from mails')).toEqual({ rows: [['[masked]']] });
        }
      } finally {
        over.abort();
        await busy;
      }
      await looking.query('drop table if exists busy_0, busy_1, busy_2');
    });

    test('whoever defines it need not wait for the answer', async () => {
      await hold('pub');
      void definer.query(ANEW).catch(() => undefined);
      await waiting(1);
      definer.destroy();
      const answer = ask(reader, 'select shown from pub');
      await waiting(2);
      await holder.query('commit');
      expect((await answer).error).toMatch(/^1412: /);
      expect(await ask(reader, 'select shown from pub')).toEqual({ rows: [['[masked]']] });
    });

    test('after two seconds others may have defined it as well, beside the gateway', async () => {
      await hold('pub');
      const defined = direct.query(ANEW);
      await waiting(1);
      const answer = ask(reader, 'select shown from pub');
      await waiting(2);
      await delay(2_050);
      await holder.query('commit');
      await defined;
      expect((await answer).error).toMatch(/^1412: /);
    });
  });
});
