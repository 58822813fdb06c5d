import { missingPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ServedStand, openServedStand } from './served-stand.js';
import { type Stand, failure } from './stand.js';

/** What a session means and keeps after DO, CALL and functions whose code nobody has read. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: ["public.people.email"], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'ada@example.com');
create table orders (id serial primary key, total int);
insert into orders (total) values (9);
create sequence tickets;
create schema other;
create table other.orders (id text);
insert into other.orders select email from people;
create function plf(int) returns int language plpgsql as 'begin return $1; end';
create function fills(text) returns text language plpgsql as $$
begin insert into pg_temp.copies select email from people; return $1; exception when others then return $1; end $$;
create procedure nothing() language plpgsql as 'begin end';
create schema own;
create function own.keeps() returns void language plpgsql set search_path = pg_catalog as $$
begin perform set_config('my.kept', (select email from public.people), false); end $$;
create function own.is_like(text, text) returns boolean language plpgsql as 'begin perform own.keeps(); return true; end';
create operator own.= (leftarg = text, rightarg = text, function = own.is_like);
create function own.lower(text) returns text language plpgsql as 'begin perform own.keeps(); return $1; end';
create function own.is_short(text) returns boolean language plpgsql as 'begin perform own.keeps(); return true; end';
create domain own.short as text check (own.is_short(value));
create type own.level as enum ('low');
create function own.to_level(int) returns own.level language plpgsql as $$ begin perform own.keeps(); return 'low'; end $$;
create cast (int as own.level) with function own.to_level(int);
create procedure keeps_and_fails() language plpgsql as $$
begin insert into copies select email from people; commit; raise exception 'after the commit'; end $$;
`;
const NOTHING = 'do $$ begin end $$';
const EMAIL = 'ada@example.com';

describe.each([15, 18] as const)('code that nobody has read, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let served: ServedStand;
  let stand: Stand;
  let client: pg.Client;
  beforeAll(async () => {
    served = await openServedStand(major, [SCHEMA], {
      rules: RULES,
      connection: 'functions: { trusted: [plf, fills] }',
    });
    ({ stand } = served);
  });
  afterAll(() => served?.stop());
  beforeEach(async () => {
    client = await stand.client();
  });
  afterEach(() => client.end());
  const values = async (text: string, parameters?: unknown[]): Promise<unknown[]> =>
    (await client.query({ text, values: parameters as unknown[], rowMode: 'array' })).rows.flat();
  const run = async (...texts: string[]): Promise<void> => {
    for (const text of texts) await client.query(text);
  };
  /** Sends all before any answer has come, with a Sync behind each. The values of all rows. */
  const together = async (...texts: string[]): Promise<string[]> => {
    const { connection } = client as unknown as { connection: pg.Connection };
    const found: string[] = [];
    const rows = ({ fields }: { fields: string[] }): unknown => found.push(...fields);
    let left = texts.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    const ready = (): void => {
      if (--left === 0) resolve();
    };
    for (const event of ['readyForQuery', 'dataRow', 'rowDescription', 'commandComplete'])
      connection.removeAllListeners(event);
    connection.on('dataRow', rows).on('readyForQuery', ready);
    connection.stream.cork();
    for (const text of texts) {
      connection.parse({ name: '', text, types: [] }, true);
      connection.bind({}, true);
      connection.execute({}, true);
      connection.sync();
    }
    connection.stream.uncork();
    await promise;
    return found;
  };

  describe('what names mean is known again', () => {
    test.each([NOTHING, 'call nothing()', 'select plf(1)'])('after %s', async (code) => {
      await run(code);
      expect(await values('select id, total from orders')).toEqual([1, 9]);
      expect(await values('select id, name, email from people')).toEqual([1, 'Ada', '[masked:EMAIL]']);
      expect(await values('select upper(name), lower(email) from public.people')).toEqual(['ADA', '[masked:EMAIL]']);
    });

    test.each([
      "name = 'x'",
      "name in ('x')",
      "case name when 'x' then true end",
      'lower(name) is null',
      'name::own.short is null',
      'id::own.level is null',
    ])('code behind a name of the server, or a cast, is code as well: %s', async (condition) => {
      await run('set search_path = own, pg_catalog, public', `select id from people where ${condition}`);
      expect(await values("select current_setting('my.kept', true)")).toEqual([null]);
    });

    test('after what Sequelize sends for an enum, create() has its id', async () => {
      await run(
        `DO 'BEGIN CREATE TYPE "public"."enum_tasks_state" AS ENUM(''open'', ''done''); EXCEPTION WHEN duplicate_object THEN null; END';`,
        'CREATE TABLE IF NOT EXISTS "tasks" ("id" SERIAL , "state" "public"."enum_tasks_state", "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));',
      );
      const insert =
        'INSERT INTO "tasks" ("id","state","createdAt") VALUES (DEFAULT,$1,$2) RETURNING "id","state","createdAt";';
      const [id, state] = await values(insert, ['open', '2026-01-01T00:00:00Z']);
      expect([id, state]).toEqual([1, 'open']);
      expect(await values('SELECT "id", "state" FROM "tasks" AS "task" WHERE "task"."id" = 1;')).toEqual([1, 'open']);
      await run('drop table tasks', 'drop type enum_tasks_state');
    });

    test('in an open transaction, unless something was defined in it, and then at its end', async () => {
      await run('begin', NOTHING);
      expect(await values('select id from orders')).toEqual([1]);
      await run('insert into orders (total) values (1)', 'select plf(1)');
      expect(await values('select id from orders limit 1')).toEqual([1]);
      await run("do $$ begin execute 'create table made (id int)'; end $$");
      expect(await values('select id from orders limit 1')).toEqual([null]);
      await run('rollback');
      expect(await values('select id from orders')).toEqual([1]);
    });

    test.each(['commit', 'rollback'])('in a command that is sent together with the %s', async (end) => {
      await run('begin', NOTHING);
      expect(await values('select id from orders')).toEqual([1]);
      expect(await together(end, 'select id, total from orders')).toEqual(['1', '9']);
      expect(await together('begin', NOTHING, 'select id from orders', end, 'select total from orders')).toEqual([
        '1',
        '9',
      ]);
    });

    test('as the code has left it: search_path, role and definitions', async () => {
      await run("do $$ begin perform set_config('search_path', 'other, public', false); end $$");
      // The table that is meant now holds copies, which are their author's; the one that was meant has numbers.
      expect(await values('select pg_typeof(id)::text, id from orders')).toEqual(['text', EMAIL]);
      await run('reset search_path');
      await run("do $$ begin execute 'create view public.seen as select email as name from people'; end $$");
      expect(await values("select name || '' from seen")).toEqual(['[masked:EMAIL]']);
      await run('drop view seen');
    });

    test('a search_path for a transaction only is not believed after its end', async () => {
      await run('begin');
      await values("select set_config('search_path', 'other, public', $1)", [true]);
      expect(await values("select id || '' from orders")).toEqual([EMAIL]);
      await run(
        'commit',
        'create schema late',
        'create table late.people as select 1 as id, name, name as email from people',
      );
      expect(await values("select id || '' from orders")).toEqual(['1']);
      for (const local of [true, false]) {
        await run('begin');
        await values("select set_config('search_path', 'late, public', $1)", [local]);
        expect(await values('select lower(email) from people')).toEqual(['ada']);
        await run('commit');
        expect(await values('select lower(email) from people')).toEqual([local ? '[masked:EMAIL]' : 'ada']);
      }
      await run('reset search_path', 'drop schema late cascade');
    });

    test('a definition that the code has made is not read past in its transaction', async () => {
      await run('create view shown as select id, name from people', 'begin');
      await run(
        "do $$ begin execute 'create or replace view public.shown as select id, email as name from people'; end $$",
      );
      for (const text of ['select name from public.shown', "select name || '' from shown", 'copy shown to stdout'])
        expect(JSON.stringify(await values(text).catch(() => [])), text).not.toContain('ada@');
      await run('rollback', 'drop view shown');
    });
  });

  describe('what the code may have written to stays unknown', () => {
    const WRITES = 'do $$ begin insert into copies select email from people; end $$';

    test('a temporary table, until it is truncated or dropped', async () => {
      await run('create temp table copies (e text)', WRITES);
      for (const text of ['select e from copies', "select e || '' from pg_temp.copies", 'select c from copies c'])
        expect(JSON.stringify(await values(text)), text).not.toContain('ada@');
      await run('truncate copies', "insert into copies values ('mine')");
      expect(await values('select e from copies')).toEqual(['mine']);
      await run('insert into copies select email from people');
      expect(await values("select e from copies where e <> 'mine'")).toEqual(['[masked:EMAIL]']);
      await run(WRITES, 'drop table copies', "create temp table copies as select 'new' as e");
      expect(await values('select e from copies')).toEqual(['new']);
    });

    test('nor does a rollback of the TRUNCATE, TRUNCATE ONLY of a parent, or IF NOT EXISTS make it known', async () => {
      await run('create temp table copies (e text)', WRITES, 'begin', 'truncate copies', 'rollback');
      expect(await values('select e from copies')).toEqual([null]);
      await run('create temp table if not exists copies (e text)');
      expect(await values('select e from copies')).toEqual([null]);
      await run("do $$ begin execute 'create temp table below () inherits (copies)'; end $$");
      await run('insert into below select email from people', 'truncate only copies');
      expect(JSON.stringify(await values('select e from copies'))).not.toContain('ada@');
    });

    test('a temporary table that the code has made', async () => {
      await run("do $$ begin execute 'create temp table orders as select email as id from people'; end $$");
      for (const text of ['select id from orders', "select id || '' from orders", 'select max(id) from pg_temp.orders'])
        expect(await values(text), text).toEqual([null]);
      await run('create temp table if not exists orders (id text)');
      expect(await values('select id from orders')).toEqual([null]);
      await run('drop table pg_temp.orders');
      expect(await values('select id from orders')).toEqual([1]);
    });

    test('a table that code fills, commits and then fails', async () => {
      await run('create temp table copies (e text)');
      expect(await failure(client.query('call keeps_and_fails()'))).toBe('P0001');
      expect(await values('select e from copies')).toEqual([null]);
      expect(await values('select id from orders')).toEqual([1]);
    });

    test('a setting of the user, until it is set or reset', async () => {
      await run("do $$ begin perform set_config('my.kept', (select email from people), false); end $$");
      expect(await values("select current_setting('my.kept')")).toEqual([null]);
      expect(await values('show my.kept')).toEqual([null]);
      await run('begin', "set local my.kept = 'x'", 'commit');
      expect(await values('show my.kept')).toEqual([null]);
      await run("set my.kept = 'mine'");
      expect(await values('show my.kept')).toEqual(['mine']);
      await run("do $$ begin perform set_config('my.kept', (select email from people), false); end $$", 'reset all');
      expect(await values("select current_setting('my.kept', true)")).toEqual(['']);
    });

    test.each([
      ['application_name', 'email', EMAIL],
      ['timezone', "translate(email, '@.', 'xx') || '5'", 'ADAXEXAMPLEXCOM5'],
      ['search_path', 'quote_ident(email)', `"${EMAIL}"`],
      ['work_mem', '(length(email) * 1000)::text', '15000kB'],
    ])("the server's own setting %s, until it is set or reset, nor is it reported", async (name, value, kept) => {
      const { connection } = client as unknown as { connection: pg.Connection };
      // The server does not plan with less memory than this.
      const mine = name === 'work_mem' ? '64kB' : '100';
      const reported: string[] = [];
      connection.on('parameterStatus', ({ parameterValue }: { parameterValue: string }) =>
        reported.push(parameterValue),
      );
      const shown = [
        `show ${name}`,
        `select current_setting('${name}')`,
        `select setting from pg_settings where name = '${name}'`.replace("'timezone'", "'TimeZone'"),
        `select value from public.shown_${name}`,
      ];
      await run(`create view shown_${name} as select current_setting('${name}') as value`);
      for (const end of [`set ${name} = '${mine}'`, `reset ${name}`, 'reset all']) {
        await run(`do $$ begin perform set_config('${name}', (select ${value} from public.people), false); end $$`);
        for (const text of shown) expect(await values(text), text).toEqual([null]);
        await run(NOTHING);
        expect(await values(`show ${name}`)).toEqual([null]);
        expect(reported).not.toContain(kept);
        await run(end);
        expect(await values(`show ${name}`)).not.toEqual([null]);
      }
      // What the client sets it to is reported as before.
      if (name === 'application_name') expect(reported).toContain('100');
      await run(`drop view shown_${name}`);
      await run('begin', NOTHING, 'rollback', "set application_name = 'mine'");
      expect(reported.at(-1)).toBe('mine');
    });

    test('an UPDATE of pg_settings answers with the setting, also through a view', async () => {
      await run('create view options as select name as option, setting as value from pg_settings');
      expect(await values("update pg_settings set setting = '7s' where name = 'statement_timeout'")).toEqual(['7s']);
      expect(await values("update options set value = '8s' where option = 'statement_timeout'")).toEqual([null]);
      expect(await values('show datestyle')).toEqual(['ISO, MDY']);
      // By the extended protocol the rows of rules do not come.
      expect(await values("update pg_settings set setting = $1 where name = 'statement_timeout'", ['9s'])).toEqual([]);
      const { connection } = client as unknown as { connection: pg.Connection };
      const reported: string[] = [];
      connection.on('parameterStatus', ({ parameterValue }: { parameterValue: string }) =>
        reported.push(parameterValue),
      );
      const stored = "update pg_settings set setting = (select email from people) where name = 'application_name'";
      expect(await values(stored)).toEqual(['[masked:EMAIL]']);
      expect(await values('show application_name')).toEqual([null]);
      expect(reported).not.toContain(EMAIL);
      await run('drop view options');
    });

    test('a search_path that is local and as it was, while another one is behind it', async () => {
      await run('begin');
      await run(
        `do $$ begin perform set_config('search_path', (select quote_ident(email) from public.people), false);
          perform set_config('search_path', '"$user", public', true); end $$`,
      );
      await values('show search_path');
      await run('commit');
      expect(await values('show search_path')).toEqual([null]);
      expect(await values('show search_path')).toEqual([null]);
    });

    test('not so what can only be one of a few, nor a search_path that is as it was', async () => {
      await run(NOTHING);
      expect(await values('show transaction_isolation')).toEqual(['read committed']);
      expect(await values("select current_setting('server_version_num')::int / 10000")).toEqual([major]);
      expect(await values('show search_path')).toEqual(['"$user", public']);
    });

    test('a statement prepared in SQL, until it is deallocated', async () => {
      const prepare = 'prepare p as select name from people';
      await run(prepare);
      await run("do $$ begin execute 'deallocate p'; execute 'prepare p as select email as name from people'; end $$");
      for (const text of ['execute p', 'create temp table got as execute p', 'explain analyze execute p'])
        expect(JSON.stringify(await values(text).catch(() => [])), text).not.toContain('ada@');
      await run('deallocate p', prepare);
      expect(await values('execute p')).toEqual(['Ada']);
    });

    test('a rollback does not bring a statement back that the code has replaced', async () => {
      await run('prepare p as select name from people', 'begin');
      await run("do $$ begin execute 'deallocate p'; execute 'prepare p as select email as name from people'; end $$");
      await run('rollback');
      expect(JSON.stringify(await values('execute p').catch(() => []))).not.toContain('ada@');
    });

    test('a statement prepared by the protocol, unless the target still has it', async () => {
      const named = (name: string, text: string): Promise<unknown[]> =>
        client.query({ name, text, rowMode: 'array' }).then(({ rows }) => rows.flat());
      const text = 'select upper(name) from people';
      expect(await named('kept', text)).toEqual(['ADA']);
      expect(await named('replaced', text)).toEqual(['ADA']);
      await run(
        "do $$ begin execute 'deallocate replaced'; execute 'prepare replaced as select upper(email) from people'; end $$",
      );
      expect(await named('kept', text)).toEqual(['ADA']);
      expect(await failure(named('replaced', text))).toBe('26000');
    });

    describe('a statement with a name that is bound around code before one Sync', () => {
      type Step = string | { readonly prepare: string } | { readonly bind: string[] };
      /** Texts run unnamed; `bind` binds and executes what was prepared. The values of all rows, or the SQLSTATE of an error. */
      const stretch = async (...steps: Step[]): Promise<(string | null)[]> => {
        const { connection } = client as unknown as { connection: pg.Connection };
        const found: (string | null)[] = [];
        const { promise, resolve } = Promise.withResolvers<void>();
        for (const event of ['readyForQuery', 'dataRow', 'rowDescription', 'commandComplete', 'errorMessage'])
          connection.removeAllListeners(event);
        connection.on('dataRow', ({ fields }: { fields: string[] }) => found.push(...fields));
        connection.on('errorMessage', ({ code }: { code: string }) => found.push(code));
        connection.on('readyForQuery', resolve);
        connection.stream.cork();
        for (const step of steps) {
          if (typeof step === 'object' && 'prepare' in step) {
            connection.parse({ name: 'again', text: step.prepare, types: [] }, true);
            continue;
          }
          if (typeof step === 'string') connection.parse({ name: '', text: step, types: [] }, true);
          connection.bind(typeof step === 'string' ? {} : { statement: 'again', values: step.bind }, true);
          connection.execute({}, true);
        }
        connection.sync();
        connection.stream.uncork();
        await promise;
        return found;
      };

      test('is there behind it, again and again, and in the next stretch', async () => {
        const prepare = 'insert into orders (total) values ($1) returning total + 0';
        for (const code of [NOTHING, 'call nothing()', 'select plf(1)']) {
          const rows = await stretch({ prepare }, { bind: ['1'] }, code, { bind: ['2'] }, code, { bind: ['3'] });
          expect(rows.filter((value) => value !== null)).toEqual(['1']);
          expect(await stretch({ bind: ['4'] }, 'deallocate again')).toEqual(['4']);
        }
        const direct = new pg.Client({ ...served.server, database: 'postgres' });
        await direct.connect();
        expect((await direct.query('delete from orders where total < 9 returning total')).rows).toHaveLength(12);
        await direct.end();
      });

      test('is what the client prepared, whatever the code has put there', async () => {
        const replaced =
          "do $$ begin execute 'deallocate again'; execute 'prepare again as select email as name from people'; end $$";
        const rows = await stretch({ prepare: 'select name from people' }, replaced, { bind: [] }, { bind: [] });
        expect(rows).toEqual([null, null]);
        expect(await stretch({ bind: [] })).toEqual(['Ada']);
      });

      test('is there again after a rollback where it could not be prepared again', async () => {
        await run('create table passing (id int)', 'insert into passing values (7)');
        const prepare = 'select id from passing';
        const gone = "do $$ begin execute 'drop table passing'; end $$";
        expect(await stretch({ prepare }, { bind: [] }, gone, { bind: [] })).toEqual(['7', '42P01']);
        expect(await stretch({ bind: [] })).toEqual(['7']);
        expect(await stretch('drop table passing')).toEqual([]);
      });
    });

    test('a cursor, until it is closed', async () => {
      const declare = 'declare c cursor with hold for select upper(name) from people';
      await run(declare);
      await run(
        "do $$ begin execute 'close c'; execute 'declare c cursor with hold for select email as upper from people'; end $$",
      );
      for (const text of ['fetch absolute 1 from c', 'fetch backward all from c', 'fetch first c'])
        expect(JSON.stringify(await values(text).catch(() => [])), text).not.toContain('ada@');
      await run('close c', declare);
      expect(await values('fetch 1 from c')).toEqual(['ADA']);
    });

    test('what code fills that runs again: by EXECUTE, and by each FETCH', async () => {
      const fresh = ['drop table if exists copies', 'create temp table copies (e text)'];
      const leaks = async (): Promise<string> => JSON.stringify(await values('select e from copies'));
      await run('prepare p as select fills(name) from people', ...fresh, 'execute p', ...fresh, 'execute p');
      expect(await leaks()).not.toContain('ada@');
      await run('begin', 'declare c cursor for select id, fills(name) from people cross join generate_series(1, 5)');
      for (let n = 0; n < 3; n++) {
        await run(...fresh);
        expect(await values('fetch 1 from c')).toEqual([1, null]);
        expect(await leaks()).not.toContain('ada@');
      }
      await run('commit', ...fresh);
    });

    test('a large object, always', async () => {
      await run("do $$ begin perform lo_from_bytea(4711, (select convert_to(email, 'UTF8') from people)); end $$");
      for (const text of [
        'select lo_get(4711)',
        'select loread(lo_open(4711, 262144), 100)',
        'select data from pg_largeobject',
      ])
        expect(await values(text).catch(() => [null]), text).toEqual([null]);
    });

    test('a temporary sequence, also where the transaction is taken back', async () => {
      await run('create temp sequence s', 'begin');
      await run("do $$ begin perform setval('s', (select ascii(email) from people)), nextval('s'); end $$", 'rollback');
      for (const text of [
        'select last_value from s',
        "select currval('s')",
        'select lastval()',
        "select nextval('pg_temp.s')",
      ])
        expect(await values(text), text).toEqual([null]);
      await run('drop sequence s');
      expect(await values("select nextval('tickets') > 0, lastval() > 0")).toEqual([true, true]);
    });

    test('and all of it is known again after DISCARD ALL', async () => {
      await run(
        'create temp table copies (e text)',
        WRITES,
        'discard all',
        "create temp table copies as select 'new' as e",
      );
      expect(await values('select e, id from copies, orders')).toEqual(['new', 1]);
    });
  });
});
