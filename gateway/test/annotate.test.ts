import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rowsSql } from '@sluice/sql-postgres';
import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { startBouncer } from './bouncer.js';
import { openLine, textOf } from './mask-corpus/line.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** Who has a session, as its target knows it: what the target is told, every try to change that, and rows that hang on it. */
const WHO = `select current_setting('sluice.principal') as principal, current_setting('sluice.groups')::json as groups,
  current_setting('sluice.session') as session`;
const RULES = `
    - { rule: everything, allow: true }
`;
const CONDITION = "owner = current_setting('sluice.principal')";
const missing = missingPostgres(18) ?? missingPostgres(15);

describe.skipIf(missing).each([15, 18] as const)('the target knows who has a session, PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major, auth: 'scram-sha-256' });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`create role app login password 'app' in role pg_monitor;
      create schema kept;
      create table kept.orders (id int primary key, owner text);
      insert into kept.orders values (1, 'dev'), (2, 'ada'), (3, 'dev');
      grant usage on schema kept to app; grant all on kept.orders to app;
      grant create on schema public to app;
      create function public.evil(text) returns text language plpgsql as
        $$ begin perform set_config('sluice.principal', $1, false); return $1; end $$;
      create function public.owned(text) returns text language plpgsql as
        $$ begin perform set_config('sluice.principal', $1, false); return $1; end $$;
      alter function public.owned(text) owner to app;
      create function public.tidy() returns int language sql as 'select 1';
      create view public.settings as select * from pg_settings; grant select on public.settings to app;
      create procedure public.procedure() language plpgsql as
        $$ begin perform set_config('sluice.principal', 'ada', false); end $$`);
    stand = await openStand({
      target: { ...targetOf(server), user: 'app', password: 'app' },
      rules: RULES,
      connection: 'annotate: true\n    functions: { trusted: [public.tidy] }',
    });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  afterAll(async () => {
    await direct?.end();
    await stand?.stop();
    await server?.stop();
  });

  const open = async (options: pg.ClientConfig = {}): Promise<pg.Client> => {
    const client = await stand.client(options);
    closing.push(() => client.end());
    return client;
  };
  const who = async (client: pg.Client): Promise<string> =>
    (await client.query<{ principal: string }>(WHO)).rows[0]?.principal ?? '';

  test('by settings, and by the name of the application', async () => {
    const client = await open({ application_name: 'reports' });
    const [row] = (await client.query<{ principal: string; groups: string[]; session: string }>(WHO)).rows;
    expect(row).toMatchObject({ principal: 'dev', groups: ['engineers'] });
    expect([...stand.gateway.sessions.keys()]).toContain(row?.session);
    const { rows } = await direct.query("select application_name from pg_stat_activity where usename = 'app'");
    expect(rows).toContainEqual({ application_name: 'dev: reports' });
  });

  const TRIES: readonly string[] = [
    "set sluice.principal = 'ada'",
    "set session sluice.principal to 'ada'",
    "set local sluice.principal = 'ada'",
    "SET SLUICE.Principal TO 'ada'",
    `set "sluice"."principal" = 'ada'`,
    `set U&"\\0073luice".principal = 'ada'`,
    "/**/ set /* x */ sluice . principal = 'ada'",
    'set sluice.principal to default',
    'reset sluice.principal',
    `set sluice.groups = '["admins"]'`,
    "set sluice.session = 'x'",
    "select set_config('sluice.principal', 'ada', false)",
    "select pg_catalog.set_config('Sluice.Principal', 'ada', true)",
    "select set_config('sluice.' || 'principal', 'ada', false)",
    "select set_config(setting_name => 'sluice.principal', new_value => 'ada', is_local => false)",
    "select * from set_config('sluice.principal', 'ada', false)",
    "select set_config(n, 'ada', false) from (values ('sluice.principal')) v (n)",
    "with x as (select set_config('sluice.principal', 'ada', false)) select * from x",
    "select 1 where set_config('sluice.principal', 'ada', false) = 'ada'",
    "values (set_config('sluice.principal', 'ada', false))",
    "prepare evil as select set_config('sluice.principal', 'ada', false)",
    "declare c cursor with hold for select set_config('sluice.principal', 'ada', false)",
    "create table d (a text default set_config('sluice.principal', 'ada', false))",
    "create view v as select set_config('sluice.principal', 'ada', false)",
    "explain analyze select set_config('sluice.principal', 'ada', false)",
    "copy (select set_config('sluice.principal', 'ada', false)) to stdout",
    "update pg_settings set setting = 'ada' where name = 'sluice.principal'",
    "update pg_catalog.pg_settings set setting = 'ada' where name like 'sluice%'",
    'create temp view s as select * from pg_settings',
    "do $$ begin perform set_config('sluice.principal', 'ada', false); end $$",
    "do $$ begin execute 'set sluice.principal = ''ada'''; end $$",
    "select public.evil('ada')",
    "select evil('ada')",
    'alter function public.owned(text) rename to tidy',
    'alter routine owned rename to tidy',
    'alter function public.owned(text) set schema kept',
    'call public.procedure()',
    "create function pg_temp.f() returns text language sql as $$ select set_config('sluice.principal', 'ada', false) $$",
    "create function f() returns int language sql set sluice.principal = 'ada' as 'select 1'",
    "alter function public.tidy() set sluice.principal = 'ada'",
    "select query_to_xml('select set_config(''sluice.principal'', ''ada'', false)', true, true, '')",
    "select ts_stat('select set_config(''sluice.principal'', ''ada'', false)::tsvector')",
    "alter role app set sluice.principal = 'ada'",
    "alter role app in database postgres set sluice.groups = '[]'",
    "alter database postgres set sluice.principal = 'ada'",
    "alter system set sluice.principal = 'ada'",
    "begin; set local sluice.principal = 'ada'; select 1; commit",
    "select 1; set sluice.principal = 'ada'",
    'create extension dblink',
    "load 'auto_explain'",
  ];
  test.each(TRIES)('no change: %s', async (text) => {
    const client = await open();
    expect(await failure(client.query(text))).toBe('42501');
    await client.query('rollback');
    expect(await failure(client.query({ text, values: [], queryMode: 'extended' } as pg.QueryConfig))).not.toBe(
      'no error',
    );
    await client.query('rollback');
    expect(await who(client)).toBe('dev');
  });

  test.each(['reset all', 'discard all', 'set session authorization default', 'reset role', 'discard temp'])(
    'as it was behind: %s',
    async (text) => {
      const client = await open();
      await client.query(text);
      expect(await who(client)).toBe('dev');
    },
  );

  test('not at the start of a session', async () => {
    for (const options of ['-c sluice.principal=ada', '--sluice.principal=ada', '-c SLUICE.PRINCIPAL=ada'])
      expect(await failure(stand.client({ options }))).toBe('42501');
    await direct.query("alter role app set sluice.principal = 'ada'");
    await direct.query("alter database postgres set sluice.groups = '[]'");
    expect(await who(await open())).toBe('dev');
    await direct.query('alter role app reset all; alter database postgres reset all');
  });

  test('not by the values of a prepared statement, nor by the function call protocol', async () => {
    const client = await open();
    const text = 'select set_config($1, $2, false)';
    expect(await failure(client.query(text, ['sluice.principal', 'ada']))).toBe('42501');
    expect(await who(client)).toBe('dev');
    const [{ oid }] = (
      await direct.query<{ oid: number }>("select 'set_config(text,text,bool)'::regprocedure::oid::int as oid")
    ).rows as [{ oid: number }];
    const line = await openLine(() => stand.client());
    const answer = await line.extended([['F', oid, 't', 'sluice.principal', 'ada', 'f']]);
    expect(textOf(answer.filter(({ tag }) => tag === 'E'))).toContain('sluice.principal');
    line.close();
  });

  test('not by a view of the settings, which nobody may change', async () => {
    await direct.query('create view public.more as select * from public.settings; grant update on public.more to app');
    const { message } = (await stand.client().catch((error: unknown) => error)) as Error;
    expect(message).toMatch(/a view of pg_settings that this login may update/);
    // Nor by a role that the login can take on, and whose rights it does not have before.
    await direct.query(`revoke update on public.more from app; create role editor; grant update on public.more to editor;
      grant editor to app ${major > 15 ? 'with inherit false' : ''}; alter role app noinherit`);
    expect(((await stand.client().catch((error: unknown) => error)) as Error).message).toMatch(/a view of pg_settings/);
    await direct.query('alter role app inherit; drop owned by editor; drop role editor; drop view public.more');
    expect(await failure((await open()).query("update public.settings set setting = 'ada'"))).toBe('42501');
  });

  test('sessions from before it end when it is configured', async () => {
    const other = await openStand({ target: { ...targetOf(server), user: 'app', password: 'app' }, rules: RULES });
    closing.push(() => other.stop());
    const client = await other.client();
    await client.query('select 1');
    const ended = new Promise<Error>((resolve) => client.on('error', resolve));
    const file = join(other.folder, 'sluice.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('    not_followed: mask', '    annotate: true'));
    await other.gateway.reload(readConfiguration(file).config, 'test');
    expect((await ended).message).toMatch(/the target goes by who has a session, and this one began before that/);
  });

  test('what is known and what an operator trusts still runs, and other settings', async () => {
    const client = await open();
    await client.query("set application_name = 'mine'; set work_mem = '8MB'");
    expect((await client.query('select public.tidy() as n')).rows).toEqual([{ n: 1 }]);
    await client.query("begin; set local statement_timeout = '5s'; commit");
    const [row] = (await client.query("select set_config('my.own', 'x', false) as own")).rows as [{ own: string }];
    expect(row.own).toBe('x');
    await client.query("set sluice.hold = 'wait'");
  });

  test.skipIf(missingTool('pgbouncer'))('a pooler that keeps it from the target is refused', async () => {
    const bouncer = await startBouncer(server, 'transaction');
    closing.push(() => bouncer.stop());
    const behind = await openStand({
      target: { port: bouncer.port, user: bouncer.user },
      rules: RULES,
      connection: 'annotate: true',
    });
    closing.push(() => behind.stop());
    expect(await failure(behind.client())).toMatch(/^08/);
  });

  describe('rows that hang on it', () => {
    const standFor = async (rows: string, user = 'app', password: string | undefined = 'app'): Promise<Stand> => {
      const made = await openStand({
        target: { ...targetOf(server), user, ...(password && { password }) },
        rules: RULES,
        principals: '',
        connection: `annotate: true\n    rows: ${rows}`,
      });
      closing.push(() => made.stop());
      return made;
    };
    const ORDERS = `[{ table: kept.orders, condition: "${CONDITION}" }]`;
    const refusal = async (on: Stand): Promise<string> => {
      try {
        await (await on.client()).end();
        return 'open';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const sluice = (words: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
      promisify(execFile)(join(import.meta.dirname, '../../sluice'), words);

    test('the connection is refused until the server keeps them apart', async () => {
      const on = await standFor(ORDERS);
      expect(await refusal(on)).toMatch(
        /kept\.orders is not enabled; .* is not forced; kept\.orders has no policy sluice_rows_only for the login/,
      );
      await direct.query(rowsSql([{ table: 'kept.orders', condition: CONDITION }], 'app'));
      const client = await on.client();
      expect((await client.query('select id from kept.orders order by id')).rows).toEqual([{ id: 1 }, { id: 3 }]);
      expect(await failure(client.query("insert into kept.orders values (4, 'ada')"))).toBe('42501');
      await client.query("insert into kept.orders values (5, 'dev')");
      await client.end();
    });

    test('and for a superuser, whom no policy holds', async () => {
      expect(await refusal(await standFor(ORDERS, server.user, server.password))).toMatch(/which is a superuser/);
    });

    test('sluice rows sql prints the policies, and sluice check --targets says that they are not there', async () => {
      const on = await standFor('[{ table: kept.nothing, condition: "true" }]');
      const file = join(on.folder, 'sluice.yaml');
      const { stdout } = await sluice(['rows', 'sql', 'db', '-c', file]);
      expect(stdout).toContain(rowsSql([{ table: 'kept.nothing', condition: 'true' }], 'app'));
      const { stderr } = (await sluice(['check', '--targets', '-c', file]).catch((error: unknown) => error)) as {
        stderr: string;
      };
      expect(stderr).toMatch(/there is no table kept\.nothing/);
    }, 120_000);
  });
});
