/** What approvers see of a statement that was tried and rolled back: what it changed, with masks; and that nothing of it is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRow } from '@sluice/api';
import type { ApprovalRequest, Preview } from '@sluice/approvals';
import { missingPostgres, missingTool } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIN } from './agents.js';
import { startBouncer } from './bouncer.js';
import { caller } from './control.js';
import { type ServedStand, askedOf, openServedStand } from './served-stand.js';
import { run } from './ssh-stand.js';
import { type Stand, openStand } from './stand.js';

const RULES = `
    - { rule: changes, when: 'action.effects.exists(e, e in ["write", "destroy"])', hold: { approvers: ["group:engineers"], preview: run } }
    - { rule: moves, when: '"notes" in action.tables', allow: true }
    - { rule: secret, when: 'principal.name == "nobody"', mask: { columns: ["people.ssn", "*.parts_1.pin", "derived.secret"], detect: [email] } }
`;
const SCHEMA = `
create table people (id int primary key, name text, ssn text, mail text, at timestamptz default now());
insert into people select n, 'name ' || n, 'ssn ' || n, 'p' || n || '@example.com' from generate_series(1, 60) n;
create table notes (id int primary key, body text);
create table bare (n int, t text);
insert into bare select n, 't' from generate_series(1, 3) n;
create table orders (id int primary key, person int references people on delete cascade, amount numeric check (amount >= 0));
insert into orders select n, n, n from generate_series(1, 10) n;
create sequence s;
create table numbered (id serial primary key, n int);
insert into numbered (n) values (1), (2);
create table told (id int generated always as identity primary key, n int);
create table random_ids (id uuid primary key default gen_random_uuid(), n int);
create function audit() returns trigger language plpgsql as $$ begin perform nextval('s'); return new; end $$;
create table fired (id int primary key); insert into fired values (1);
create trigger fire before insert or update or delete on fired for each row execute function audit();
create table children (id int primary key, fired int references people on delete cascade);
create table grandchildren (id int primary key, child int references children on delete cascade);
create trigger fire before delete on grandchildren for each row execute function audit();
create table named (id int unique, n int);
create table linked (n int references named (id) on update cascade);
create trigger fire before update on linked for each row execute function audit();
create domain drawn as int default nextval('s');
create table of_drawn (id int primary key, n drawn);
create table guarded (id int primary key); alter table guarded enable row level security;
create policy own on guarded using (true);
create table ruled (id int primary key);
create rule r as on update to ruled do also notify something;
create view seen as select * from bare;
create function mine(int) returns int language sql as 'select $1';
create domain checked as int check (mine(value) > 0);
create table of_domain (id int primary key, n checked); insert into of_domain values (1, 1);
create table parts (id int, pin text, primary key (id)) partition by range (id);
create table parts_1 partition of parts for values from (0) to (100);
insert into parts values (1, '1234'), (2, '9999');
create table derived (id int primary key, secret text, plain text, last4 text generated always as (right(secret, 4)) stored);
insert into derived values (1, 'top secret 1234', 'x');
create table documents (id int primary key, body json);
insert into documents values (1, '{"mail": "p1\\u0040example.com"}');
create table swapped (id int primary key deferrable, name text);
insert into swapped values (1, 'one'), (2, 'two');
create function stepping(int) returns int language plpgsql immutable as $$ begin perform nextval('s'); return $1; end $$;
create domain stepped as int check (stepping(value) is not null);
create type pair as (n stepped, t text);
create table of_pairs (id int primary key, p pair); insert into of_pairs values (1, null);
create domain drawing as int check (nextval('s') > 0);
create table drawn_check (id int primary key, n int check (nextval('s') > 0)); insert into drawn_check values (1, null);
create table parted (id int, n int) partition by range (stepping(n));
create table parted_1 partition of parted for values from (0) to (100);
create function larger(int, boolean) returns int language plpgsql as $$ begin perform nextval('s'); return $1; end $$;
create aggregate max (boolean) (sfunc = larger, stype = int, initcond = '1');
create function span_diff(float8, float8) returns float8 language plpgsql immutable as $$ begin perform nextval('s'); return $1 - $2; end $$;
create type span as range (subtype = float8, subtype_diff = span_diff);
create table spans (id int primary key, during span); create index on spans using gist (during);
create extension if not exists postgres_fdw;
create server away foreign data wrapper postgres_fdw;
create table far (id int, n int) partition by list (id);
create foreign table far_1 partition of far for values in (1) server away;
create table many (id int primary key, n int); insert into many select n, n from generate_series(1, 20000) n;
analyze many, people, bare, orders;
`;

/** Each would draw on a sequence, by code that no name in it says: a domain's check, a partition's key, an aggregate of its own, a range's index. */
const UNREAD_CODE = [
  'update bare set n = (2::stepped)::int',
  'update bare set n = n where (2::drawing) > 0',
  `update bare set n = 1 where pg_input_is_valid('2', 'stepped')`,
  `update bare set n = (json_populate_record(null::pair, '{"n": 2}')).n`,
  `update of_pairs set p = row(1, 'a')`,
  'update drawn_check set n = 2',
  'insert into parted values (1, 1)',
  'update parted_1 set n = 2',
  'update bare set n = (select max(n > 1) from bare)',
  `insert into spans values (1, '[1,2]')`,
];

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('what was tried, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let served: ServedStand;
  let stand: Stand;
  let direct: pg.Client;
  beforeAll(async () => {
    served = await openServedStand(major, [SCHEMA], {
      rules: RULES,
      connection: 'functions: { trusted: [mine] }',
      principals: '  eve: { groups: [engineers] }',
    });
    ({ stand, direct } = served);
  });
  afterAll(() => served?.stop());

  async function preview(text: string, values?: unknown[], before?: string): Promise<Preview | undefined> {
    const client = await stand.client();
    if (before !== undefined) await client.query(before);
    const request = await askedOf(stand, client, text, values);
    await client.end();
    expect(request.text).toContain(text.slice(0, 20));
    return request.impact?.preview;
  }
  const value = async (sql: string): Promise<unknown> => Object.values((await direct.query(sql)).rows[0] as object)[0];

  test('rows before and after, counted, with the masks that any rule has, and nothing of it stays', async () => {
    const before = await value('select string_agg(p::text, $$,$$ order by id) from people p');
    expect(await preview(`update people p set name = 'new', ssn = 'x' where id <= 20 -- all of them;`)).toEqual({
      rows: 20,
      columns: ['id', 'name', 'ssn', 'mail', 'at'],
      sample: Array.from({ length: 5 }, (_, n) => ({
        before: [String(n + 1), `name ${n + 1}`, '[masked]', '[masked:EMAIL]', expect.any(String)],
        after: [String(n + 1), 'new', '[masked]', '[masked:EMAIL]', expect.any(String)],
      })),
    });
    expect(await preview('delete from orders where id = $1', ['3'])).toEqual({
      rows: 1,
      columns: ['id', 'person', 'amount'],
      sample: [{ before: ['3', '3', '3'] }],
    });
    expect(await preview(`insert into people values (100, 'mail q@example.org now', null)`)).toMatchObject({
      rows: 1,
      sample: [{ after: ['100', 'mail [masked:EMAIL] now', null, null, expect.any(String)] }],
    });
    expect(
      await preview(`insert into people values (1, 'a'), (101, 'b') on conflict (id) do update set name = 'twice'`),
    ).toMatchObject({
      rows: 2,
      sample: [
        { before: ['1', 'name 1', '[masked]', '[masked:EMAIL]', expect.any(String)] },
        { after: ['101', 'b', null, null, expect.any(String)] },
      ],
    });
    expect(await preview('update bare set t = $$u$$ where n < $1', ['3'])).toEqual({
      rows: 2,
      columns: ['n', 't'],
      sample: [{ after: ['1', 'u'] }, { after: ['2', 'u'] }],
    });
    // A column of a partition that a rule names, from above.
    expect(await preview('update parts set pin = $$0000$$ where id = 1')).toMatchObject({
      rows: 1,
      sample: [{ before: ['1', '[masked]'], after: ['1', '[masked]'] }],
    });
    expect(await preview('delete from people where id = 60')).toMatchObject({ unknown: 'grandchildren has triggers' });
    expect(await preview('update people set name = name where id = 2 returning id')).toEqual({
      rows: 1,
      columns: [],
      sample: [],
    });
    expect(await preview('insert into random_ids (n) values (1), (2)')).toMatchObject({ rows: 2 });
    expect(await preview('update numbered set n = 5')).toMatchObject({ rows: 2 });
    expect(await value('select string_agg(p::text, $$,$$ order by id) from people p')).toBe(before);
    expect(await value('select count(*)::int from orders')).toBe(10);
  });

  test('approvers read it by the API and on the command line', async () => {
    const client = await stand.client();
    const result = client.query(`update people set name = E'new\n\x1b[31m' where id = 7`).catch(() => undefined);
    let [request] = await stand.gateway.approvals.recent(1);
    while (request?.state !== 'pending') {
      await sleep(10);
      [request] = await stand.gateway.approvals.recent(1);
    }
    try {
      const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 'test' });
      const row = await caller(stand, token).get<ApprovalRow>(`/v1/approvals/${request.number}`);
      expect(row.impact?.preview).toMatchObject({ rows: 1, columns: ['id', 'name', 'ssn', 'mail', 'at'] });
      // Whoever asks would read the table by it: how many rows a condition selects tells as well.
      const own = await caller(stand, stand.token).get<ApprovalRow>(`/v1/approvals/${request.number}`);
      expect(own.impact?.tables).toHaveLength(1);
      expect(own.impact).not.toHaveProperty('preview');
      const { stdout } = await run(
        process.execPath,
        [MAIN, '--url', stand.gateway.url, 'approvals', 'show', String(request.number)],
        { env: { NO_COLOR: '1', SLUICE_TOKEN: token } },
      );
      expect(String(stdout)).toContain(
        '  tried and rolled back: 1 row changed\n    ~ id=7  name: name 7 -> new \\x1b[31m\n',
      );
    } finally {
      stand.gateway.approvals.withdraw(request.number, 'the test has seen it');
      await result;
      await client.end();
    }
  });

  // The catalogs that are asked are the same in both.
  const once = test.skipIf(major !== 18);
  once('where values of masked columns may go elsewhere, rows are counted and not shown', async () => {
    for (const text of [
      'insert into notes select id, ssn from people where id < 4',
      'insert into notes select id, p::text from people p where id < 4',
      'insert into notes select id, body from (select id, (p.*)::text as body from people p) q where id < 4',
      // By names that the statement gives.
      'insert into notes select q.a, q.c from people q (a, b, c, d, e) where q.a < 4',
      'insert into notes select j.a, j.c from (people p cross join (select 1) one) j (a, b, c, d, e) where j.a < 4',
      // Of a column that is made of it.
      'insert into notes select n, last4 from derived, generate_series(1, 3) n',
      `insert into notes select row_number() over (), stavalues1::text from (select stavalues1 from pg_statistic limit 3) s`,
    ])
      expect([text, await preview(text)]).toEqual([text, { rows: 3, columns: [], sample: [] }]);
  });

  once('what is made of a masked column has its mask, and what is written in escapes is found', async () => {
    expect(await preview(`update derived set plain = 'y' where id = 1`)).toEqual({
      rows: 1,
      columns: ['id', 'secret', 'plain', 'last4'],
      sample: [{ before: ['1', '[masked]', 'x', '[masked]'], after: ['1', '[masked]', 'y', '[masked]'] }],
    });
    const found = await preview('update documents set id = 2');
    expect(JSON.stringify(found)).toContain('[masked:EMAIL]');
    expect(JSON.stringify(found)).not.toContain('example.com');
  });

  once('a row whose key changes is shown as what it becomes, beside no other row', async () => {
    expect(await preview('update swapped set id = 3 - id')).toEqual({
      rows: 2,
      columns: ['id', 'name'],
      sample: [{ after: ['2', 'one'] }, { after: ['1', 'two'] }],
    });
  });

  once('never where something would last, or code would run that nobody has vetted', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['insert into numbered (n) values (1)', /takes its default from a sequence/],
      ['update numbered set id = default', /takes its default from a sequence/],
      ['insert into named values (1, 1) on conflict (id) do update set id = 2', /^linked has triggers$/],
      ['insert into of_drawn (id) values (1)', /takes its default from a sequence/],
      ['insert into told (n) values (1)', /takes its default from a sequence/],
      [`update bare set n = nextval('s')`, /calls nextval|nobody knows/],
      [`update bare set t = pg_notify('a', 'b')::text`, /calls pg_notify|nobody knows/],
      [`update bare set t = pg_advisory_lock(1)::text`, /calls pg_advisory_lock|nobody knows/],
      [`update bare set t = set_config('a.b', 'c', false)`, /calls set_config|nobody knows|does something/],
      ['update fired set id = id', /^fired has triggers$/],
      ['update guarded set id = id', /is a view or has functions|row security/],
      ['update ruled set id = 1', /rules|NOTIFY|nobody|functions of its own/],
      ['update seen set t = t', /no table|is a view/],
      ['update of_domain set n = 2', /checked by a function|may run with it/],
      ['update far set n = 1', /is no table of this server/],
      ['update bare set n = mine(n)', /nobody has vetted|nobody knows|does something/],
      ['update many set n = 0', /about 20000 rows, which are too many to try/],
      ['truncate bare', /only a single INSERT, UPDATE or DELETE/],
      ['merge into bare b using orders o on o.id = b.n when matched then delete', /only a single INSERT/],
      [
        'with gone as (delete from orders returning id) update bare set n = 1 where n in (select id from gone)',
        /more than one table/,
      ],
      ['update bare set n = 1; delete from bare', /only a single/],
      ['update orders set amount = -1', /a constraint is not kept \(23514\)/],
      ['insert into orders values (1, 1, 1)', /a constraint is not kept \(23505\)/],
      ...UNREAD_CODE.map((text): [string, RegExp] => [
        text,
        /may run|functions of its own|checked by a function|calls/,
      ]),
    ];
    const drawn = await value('select (last_value, is_called)::text from s');
    for (const [text, why] of cases)
      expect([text, await preview(text)]).toEqual([text, { unknown: expect.stringMatching(why) }]);
    // Nobody has asked the sequence.
    expect(await value('select (last_value, is_called)::text from s')).toBe(drawn);
    expect(await value('select last_value::int from numbered_id_seq')).toBe(2);
  });

  const pooled = test.skipIf(major !== 15 || missingTool('pgbouncer') !== undefined);
  pooled('a process of the server that a pooler hands on has nothing prepared', async () => {
    const bouncer = await startBouncer(served.server, 'transaction', 3);
    const behind = await openStand({ target: { ...bouncer, pooled: 'transaction' }, rules: RULES });
    const client = await behind.client();
    try {
      for (let n = 0; n < 3; n++) {
        const request = await askedOf(behind, client, 'update public.bare set t = $1 where n = $2', ['u', '1']);
        expect(request?.impact).toMatchObject({ tables: [{ table: 'public.bare', rows: 1 }], preview: { rows: 1 } });
      }
    } finally {
      await client.end();
      await behind.stop();
      await bouncer.stop();
    }
  });

  once('nobody waits for long, and a session that is unlike others is not tried for', async () => {
    const other = new pg.Client({ ...served.server, database: 'postgres' });
    other.on('error', () => undefined);
    await other.connect();
    await other.query('begin; update bare set t = $$mine$$; lock table orders');
    const began = performance.now();
    expect(await preview('update bare set t = $$u$$')).toEqual({
      unknown: 'others hold locks on what it changes, for longer than 2 s',
    });
    expect(performance.now() - began).toBeLessThan(8_000);
    await other.end();
    expect(await preview('update bare set t = $$u$$', undefined, 'begin')).toEqual({
      unknown: 'the session is in a transaction, of which nobody else sees what it has changed',
    });
    expect(await preview('update bare set t = $$u$$', undefined, 'set search_path = pg_catalog, public')).toEqual({
      unknown: 'the session has changed what names mean',
    });
    for (const setting of ['set transform_null_equals = on', `set my.ids = '1,2'`, 'set datestyle = dmy'])
      expect(await preview('update bare set t = $$u$$ where t = null', undefined, setting)).toEqual({
        unknown: 'the session has changed settings by which a condition may find other rows',
      });
    expect(await value(`select count(*)::int from pg_stat_activity where state like 'idle in tr%'`)).toBe(0);
    expect(await value('select string_agg(t, $$$$) from bare')).toBe('ttt');
  });

  once('one who has many tried keeps nobody else from having one', { timeout: 40_000 }, async () => {
    const other = new pg.Client({ ...served.server, database: 'postgres' });
    await other.connect();
    await other.query('begin; lock table orders');
    const { token } = await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' });
    const many = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    const eve = await stand.client({ user: 'eve', password: token });
    const texts = many.map((_, at) => `delete from orders where id = ${at}`);
    const outcomes = many.map((client, at) => client.query(texts[at] as string).catch(() => undefined));
    const requests = async (): Promise<ApprovalRequest[]> =>
      (await stand.gateway.approvals.recent(20)).filter(({ state }) => state === 'pending');
    await sleep(200);
    const began = performance.now();
    outcomes.push(eve.query('update bare set t = $$a$$').catch(() => undefined));
    let hers: ApprovalRequest | undefined;
    while (!hers && performance.now() - began < 20_000) {
      hers = (await requests()).find(({ principal }) => principal === 'eve');
      await sleep(10);
    }
    expect(hers?.impact?.preview).toMatchObject({ rows: 3 });
    // Theirs are tried one after another, for two seconds each: hers has not waited for two of them.
    expect((await requests()).filter(({ principal }) => principal === 'dev').length).toBeLessThan(2);
    await other.query('rollback');
    let theirs: ApprovalRequest[] = [];
    while (theirs.length < 4 && performance.now() - began < 30_000) {
      theirs = (await requests()).filter(({ principal }) => principal === 'dev');
      await sleep(10);
    }
    // The first may have waited for too long; those behind it have had their turns.
    const tried = theirs.filter(({ impact }) => impact?.preview && 'rows' in impact.preview);
    expect(tried.length).toBeGreaterThanOrEqual(3);
    for (const { number } of await requests()) stand.gateway.approvals.withdraw(number, 'the test has seen it');
    await Promise.all(outcomes);
    await Promise.all([other, eve, ...many].map((client) => client.end()));
  });

  once('nobody is ended because of it, nor waits for what it holds while it waits', async () => {
    const deadlocks = `select deadlocks::int from pg_stat_database where datname = 'postgres'`;
    const before = await value(deadlocks);
    const other = new pg.Client({ ...served.server, database: 'postgres' });
    await other.connect();
    await other.query('begin; update people set name = $$theirs$$ where id = 3');
    // By their place on disk it comes to 2 first, and then to 3.
    const tried = preview('update people set name = $$mine$$ where id in (2, 3)');
    const waits = `select count(*)::int from pg_stat_activity where query ~ 'sluice_changed' and pid <> pg_backend_pid()`;
    while ((await value(waits)) === 0);
    // It gives up what it holds long before it gives up.
    const theirs = other.query('update people set name = $$theirs$$ where id = 2').then(() => 'theirs');
    expect(await Promise.race([theirs, tried.then(() => 'the preview')])).toBe('theirs');
    await other.query('commit');
    expect(await tried).toMatchObject({ rows: 2 });
    await other.query('update people set name = $$name $$ || id where id in (2, 3)');
    await other.end();
    await sleep(300);
    expect(await value(deadlocks)).toBe(before);
  });
});
