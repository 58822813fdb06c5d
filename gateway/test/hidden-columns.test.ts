import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { timeline } from '@sluice/recording';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { caller } from './control.js';
import { type Stand, openStand, targetOf } from './stand.js';

/** Columns that are NULL because nothing better is known of them: who is told, where, and what is refused by default. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email, people.admin, people.kind, people.joined], with: redact } }
    - { rule: nothing-of-it, mask: { columns: [people.born], with: "null" } }
`;
const list = (count: number): string => Array.from({ length: count }, (_, at) => at).join();
const SCHEMA = `
create type kinds as enum ('staff', 'guest');
create table people (id int primary key, name text, email text, born date, admin bool, kind kinds, joined date);
insert into people values (1, 'Ada', 'ada@example.com', '1815-12-10', true, 'staff', '2020-02-03');
create table orders (id serial primary key, total int);
insert into orders (total) values (9);
create function plf(int) returns int language plpgsql as 'begin return $1; end';
create procedure nothing() language plpgsql as 'begin end';
create procedure answers(inout n int) language plpgsql as 'begin n := 1; end';
create view totals as select id, total from orders;
create function elsewhere() returns trigger language plpgsql as 'begin return new; end';
create trigger elsewhere instead of insert on totals for each row execute function elsewhere();
create function listed() returns int language sql as 'select 1 where 1 in (${list(10_000)})';
create view many as select id from orders where id in (${list(60_000)});
create view counted as select plf(total) as n from orders;
`;
const NOTHING = 'do $$ begin end $$';
/** What it creates inside is not followed. */
const MADE = 'create schema made create table made.one (id int)';
/** Each is read with its argument, and takes as long as it is. */
const OFTEN = 'a long function, called 100 times';
const LONG = 'a text of 80,000 characters';
/** It would keep others waiting, and is read by a thread of its own. */
const NESTED = `${'/*'.repeat(1_000)}${'*/'.repeat(1_000)}`;
const IN_FULL: Readonly<Record<string, string>> = {
  [LONG]: `select id from orders where id in (1${',1'.repeat(40_000)})`,
  [OFTEN]: `select ${'listed() + '.repeat(99)} listed() as n`,
};
const inFull = (text: string): string => IN_FULL[text] ?? text;
const WARNING = '01M01';
const REFUSED = '42501';

/**
 * A road by which a value becomes NULL: what runs before, the statement, which of its values are hidden, why, and words that
 * the client reads.
 */
const ROADS: readonly [
  before: readonly string[],
  statement: string,
  hidden: unknown[],
  reason: string,
  words: RegExp,
][] = [
  [[], 'select id, plf(id) as n from orders', [1, null], 'unread_code', /"n".*calls plf, which runs code that nobody/],
  [[], 'select n from counted', [null], 'unread_code', /"n".*calls public.plf/],
  [[], 'call answers(5)', [null], 'unread_code', /"n".*calls a procedure/],
  [[], 'insert into totals values (1) returning id', [null], 'unread_code', /"id".*a rule or trigger/],
  [[], `${NOTHING}; select id from orders`, [null], 'after_code', /"id".*runs after a statement that runs code/],
  [
    ['create temp table copies (id int)', 'call nothing()'],
    'select id from copies',
    [],
    'after_code',
    /"id".*runs after/,
  ],
  [['begin', MADE], 'select id from orders', [null], 'definition', /"id".*behind a definition/],
  [[], `${MADE}; select id from orders`, [null], 'definition', /"id".*behind a definition/],
  [
    ['begin', 'create or replace view totals as select id, total from orders'],
    'select id from totals',
    [null],
    'definition',
    /"id".*behind a definition/,
  ],
  [[], LONG, [null], 'size', /"id".*too long to be followed/],
  [[], 'select id from many', [null], 'size', /"id".*public.many, whose definition is too large to be followed/],
  [[], OFTEN, [null], 'size', /"n".*too large to be followed/],
  [['begin', 'declare c cursor for select plf(1) as n'], 'fetch c', [null], 'unread_code', /"n".*calls plf/],
  [['prepare p as select plf(1) as n'], 'execute p', [null], 'unread_code', /"n".*calls plf/],
  [[], 'explain select plf(1)', [null], 'unread_code', /"QUERY PLAN".*calls plf/],
  [[], "select current_setting('my.x') as x, id from orders", ['', 1], 'after_code', /"x".*runs after/],
  [[], 'select query from pg_stat_activity limit 1', [null], 'other_values', /"query".*statements of other sessions/],
];
/** The same for what masks leave by themselves, where that is NULL and says nothing: told, and never refused. */
const OF_MASKS: typeof ROADS = [
  [[], 'select length(email) as n from people', [null], 'computed', /"n".*computes it from masked columns/],
  [[], 'select kind from people', [null], 'type', /"kind".*type that has no mask/],
];

describe.each([15, 18] as const)('columns that are hidden, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let server: PostgresServer;
  let stand: Stand;
  let strict: Stand;
  let client: pg.Client;
  let notices: {
    readonly code?: string | undefined;
    readonly message?: string | undefined;
    readonly detail?: string | undefined;
  }[];
  beforeAll(async () => {
    server = await startPostgres({ major });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
    stand = await openStand({ target: targetOf(server), rules: RULES });
    strict = await openStand({ target: targetOf(server), rules: RULES, notFollowed: 'default' });
  });
  afterAll(async () => {
    await stand.stop();
    await strict.stop();
    await server.stop();
  });
  const connect = async (to: Stand): Promise<void> => {
    client = await to.client();
    notices = [];
    client.on('notice', (notice) => notices.push(notice));
  };
  beforeEach(() => connect(stand));
  afterEach(async () => {
    await client.query('rollback');
    await client.end();
  });
  const values = async (text: string, parameters?: unknown[]): Promise<unknown[]> => {
    const result = await client.query({ text: inFull(text), values: parameters as unknown[], rowMode: 'array' });
    return ([result].flat().at(-1) as pg.QueryArrayResult).rows.flat();
  };
  const run = async (...texts: string[]): Promise<void> => {
    for (const text of texts) await client.query(text);
    notices.length = 0;
  };
  describe('long texts in which little is written', () => {
    const document = JSON.stringify({ kept: 'x'.repeat(80_000) });
    const code = `begin /* ${'what it does. '.repeat(6_000)}*/ return 1; end`;
    beforeEach(async () => {
      await client.end();
      await connect(strict);
    });
    test('what stands behind them in a transaction is followed', async () => {
      await run('begin', `create function documented() returns int language plpgsql as $$ ${code} $$`);
      expect(await values('select id from orders')).toEqual([1]);
    });
    test('a function of a document shows what it shows directly', async () => {
      const text = `select length('${document}'::jsonb ->> 'kept') as long, jsonb_set('{}', '{a}', '${document}') -> 'a' ->> 'b' as b, id from orders`;
      expect(await values(text)).toEqual([80_000, null, 1]);
    });
    test('a path in a long text is not lost', async () => {
      const text = `select to_jsonb(p) ->> 'email' || '${' '.repeat(80_000)}' as email from people p`;
      expect(String(await values(text))).not.toContain('ada');
    });
    test.each(['', NESTED])('a mask does not lose its column: %#', async (comments) => {
      await run('begin', `alter table people rename column email to other ${comments}`);
      expect(String(await values('select other from people').catch(String))).not.toContain('ada');
    });
  });
  const told = (): string[] =>
    notices.filter(({ code }) => code === WARNING).map(({ message, detail }) => `${message} ${detail}`);
  const session = (of: Stand): string => [...of.gateway.sessions.keys()].at(-1) ?? '';
  const answers = (of: Stand, id: string): Extract<ReturnType<typeof timeline>[number], { type: 'response' }>[] => {
    of.gateway.log.flush();
    const entries = timeline(join(of.folder, 'data', 'journal'), id);
    return entries.flatMap((entry) => (entry.type === 'response' ? [entry] : []));
  };

  describe.each([...ROADS, ...OF_MASKS])('%j; %s', (before, statement, hidden, reason, words) => {
    test('is told, recorded and counted', async () => {
      if (statement.includes('my.x'))
        await run(`${NOTHING}; select 1`, "select set_config('my.x', '', false)", NOTHING);
      await run(...before);
      expect(await values(statement)).toEqual(statement.includes('my.x') ? [null, 1] : hidden);
      expect(told()).toEqual([expect.stringMatching(words)]);
      expect(notices.find(({ code }) => code === WARNING)).toMatchObject({ severity: 'WARNING' });
      expect(answers(stand, session(stand)).at(-1)?.hidden).toEqual({ [reason]: 1 });
      await values(statement).catch(() => undefined);
      expect(new Set(told()).size).toBe(told().length);
      await client.query('rollback; drop schema if exists made cascade');
    });
  });

  test.each(ROADS.filter(([, statement]) => !statement.includes('my.x')))(
    'with "refuse" nothing runs: %j; %s',
    async (before, statement, _, __, words) => {
      await client.end();
      await connect(strict);
      await run(...before);
      const error = await values(statement).catch((caught: pg.DatabaseError) => caught);
      expect(error).toMatchObject({ code: REFUSED, hint: expect.stringMatching(/\w/) as string });
      const cause = /\.\*(.*)/.exec(words.source)?.[1] ?? '';
      expect((error as Error).message).toMatch(new RegExp(`^This was not run, because NULL .*${cause}`));
      expect(told()).toEqual([]);
      await client.query('rollback');
      expect((await client.query("select to_regnamespace('made') is null as free")).rows).toEqual([{ free: true }]);
    },
  );

  test('what a mask leaves by itself is not told, NULL or not', async () => {
    const statement = 'select id, email, born, admin, upper(name) as name, count(email) over () as n from people';
    expect(await values(statement)).toEqual([1, '[masked:EMAIL]', null, null, 'ADA', '1']);
    expect(await values('select born, extract(year from born) as year from people')).toEqual([null, null]);
    expect(told()).toEqual([]);
    expect(answers(stand, session(stand)).map(({ hidden }) => hidden)).toEqual([undefined, undefined]);
  });

  test('values that a mask cannot read are told behind the rows, in each format of a result', async () => {
    expect(await values('select joined from people')).toEqual([new Date(2000, 0, 1)]);
    await run('set datestyle to german');
    const order: string[] = [];
    const { connection } = client as unknown as { connection: pg.Connection };
    for (const event of ['rowDescription', 'dataRow', 'notice', 'commandComplete'])
      connection.on(event, () => void order.push(event));
    for (const parameters of [undefined, [], []])
      expect(await values('select id, joined from people', parameters)).toEqual([1, null]);
    expect(told()).toEqual([expect.stringMatching(/^NULL stands in for some .* no form that their mask reads/)]);
    expect(order.slice(0, 4)).toEqual(['rowDescription', 'dataRow', 'notice', 'commandComplete']);
    await client.query('copy (select joined from people) to stdout').catch(() => undefined);
    expect(told()).toHaveLength(2);
    expect(
      answers(stand, session(stand))
        .slice(-4)
        .map(({ hidden }) => hidden),
    ).toEqual(Array.from({ length: 4 }, () => ({ malformed: 1 })));
  });

  test('a shape of statements is told once in a session, another one again', async () => {
    for (const value of [1, 22, 333]) await values(`select plf(id) as n from orders where id in (${value}, ${value})`);
    await values("select plf(id) as n from orders where id in (1, 2, 3) and 'x' = 'it''s'");
    await values("select plf(id) as n from orders where id in (4) and 'x' = 'y'");
    expect(told()).toHaveLength(2);
    for (const id of [1, 2, 3]) await values('select plf(id) as n from orders where id = $1', [id]);
    expect(told()).toHaveLength(3);
    const other = await stand.client();
    other.on('notice', (notice) => notices.push(notice));
    await other.query('select plf(id) as n from orders where id in (1, 1)');
    expect(told()).toHaveLength(4);
    await other.end();
  });

  test('columns that are hidden for different reasons are told together, long lists in short', async () => {
    const many = Array.from({ length: 9 }, (_, n) => `plf(${n}) as "c${n}"`).join();
    await values(`select ${many}, length(email) as n from people`);
    expect(told()).toEqual([
      'NULL stands in for the values of columns "c0", "c1", "c2", "c3", "c4" and 5 more, because they come from masked columns or may do so. ' +
        'columns "c0", "c1", "c2", "c3", "c4" and 4 more: the statement calls plf, which runs code that nobody has read. ' +
        'column "n": the statement computes it from masked columns, and its type has no room for their mark.',
    ]);
    expect(answers(stand, session(stand)).at(-1)?.hidden).toEqual({ unread_code: 9, computed: 1 });
  });

  test('what is read behind DO before the next Sync is told, and refused', async () => {
    const batch = async (): Promise<string[]> => {
      const { connection } = client as unknown as { connection: pg.Connection };
      const said: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const event of ['readyForQuery', 'dataRow', 'errorMessage', 'commandComplete', 'noticeMessage'])
        connection.removeAllListeners(event);
      connection.on('dataRow', ({ fields }: { fields: unknown[] }) => said.push(JSON.stringify(fields)));
      connection.on('errorMessage', ({ message }: Error) => said.push(message));
      connection.on('notice', ({ code }: { code: string }) => said.push(code));
      connection.on('readyForQuery', resolve);
      connection.stream.cork();
      for (const text of [NOTHING, 'select id from orders']) {
        connection.parse({ name: '', text, types: [] }, true);
        connection.bind({}, true);
        connection.execute({}, true);
      }
      connection.sync();
      connection.stream.uncork();
      await promise;
      return said;
    };
    const expected = [
      [stand, ['01M01', '[null]']],
      [
        strict,
        [expect.stringMatching(/^This was not run, .* column "id"\. The statement runs after a statement that runs/)],
      ],
    ] as const;
    for (const [on, said] of expected) {
      await client.end();
      await connect(on);
      expect(await batch()).toEqual(said);
      await client.end();
      await connect(stand);
    }
  });

  test('COPY tells it before the data, with psql and through its pipe', async () => {
    const psql = (...texts: string[]): Promise<{ stdout: string; stderr: string }> =>
      promisify(execFile)('psql', ['-X', '-q', '-A', '-t', ...texts.flatMap((text) => ['-c', text])], {
        env: {
          ...process.env,
          PGHOST: '127.0.0.1',
          PGPORT: String(stand.port),
          PGUSER: 'dev',
          PGPASSWORD: stand.token,
          PGDATABASE: 'db',
        },
      });
    const copied = await psql('copy (select id, plf(id) as n, length(email), lower(email) from people) to stdout');
    expect(copied.stdout).toBe('1\t\\N\t\\N\t[masked:EMAIL]\n');
    expect(copied.stderr).toMatch(
      /^WARNING: {2}NULL stands in for the values of columns "n" and "length", .*\nDETAIL: {2}column "n": the statement calls plf.*\nHINT: {2}\w/,
    );
    const selected = await psql('select plf(1) as n', 'select 2');
    expect(selected.stdout).toBe('\n2\n');
    expect(selected.stderr).toMatch(/^WARNING: {2}NULL stands in for the values of column "n"/);
  });

  test.each(OF_MASKS)('with "refuse" what masks leave is told: %j; %s', async (_, statement, hidden, __, words) => {
    await client.end();
    await connect(strict);
    expect(await values(statement)).toEqual(hidden);
    expect(told()).toEqual([expect.stringMatching(words)]);
  });

  test('with "refuse" what returns nothing runs, followed or not', async () => {
    await client.end();
    await connect(strict);
    const long = `insert into orders (total) values (1)${',(1)'.repeat(20_000)}`;
    for (const text of [
      NOTHING,
      'call nothing()',
      'begin',
      'create table made (id int)',
      'insert into orders (total) select plf(1)',
    ])
      await client.query(text);
    await client.query('insert into made values (1); delete from made; drop table made');
    await client.query(long);
    await client.query(`${NOTHING}; delete from orders where total = 1; commit`);
    expect(await values('select id, total from orders')).toEqual([1, 9]);
    expect(told()).toEqual([]);
  });

  /** What the server says, but for its own place in its code. */
  const mistake = async (of: pg.Client, text: string, parameters?: unknown[]): Promise<unknown> => {
    const error = await of.query({ text, values: parameters as unknown[] }).catch((caught: pg.DatabaseError) => caught);
    const { code, message, detail, hint, position, severity, routine } = error as pg.DatabaseError;
    return { code, message, detail, hint, position, severity, routine };
  };

  test('with "refuse" a name that the server does not know either is its own mistake, to the last field', async () => {
    await client.end();
    await connect(strict);
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    const texts = [
      'select * from nosuch',
      'select id from nowhere.orders',
      'insert into nosuch values (1) returning *',
      'with orders_by as (select 1) select * from orders_bi',
      'select nosuch(id) from orders',
      'select idd from orders',
      "select '1'::nosuch from orders",
      'explain select * from nosuch',
      'update nosuch set id = 1 returning id',
    ];
    for (const text of texts) {
      expect(await mistake(client, text), text).toEqual(await mistake(direct, text));
      expect(await mistake(client, text, []), text).toEqual(await mistake(direct, text, []));
    }
    // In a transaction that has failed the place in the server's code differs.
    for (const text of ['begin', texts[0] ?? '', texts[0] ?? '', 'rollback']) {
      const [own, of] = await Promise.all([client, direct].map((one) => mistake(one, text)));
      expect({ ...(own as object), routine: '' }, text).toEqual({ ...(of as object), routine: '' });
    }
    // Bound, it is asked about with the types of its parameters.
    await direct.query('create table passing (id int)');
    const prepared = { name: 'passing', text: 'select id + $1 from passing' };
    for (const one of [client, direct]) await one.query({ ...prepared, values: [1] });
    await direct.query('drop table passing');
    const [ours, theirs] = await Promise.all(
      [client, direct].map((one) =>
        one.query({ ...prepared, values: [1] }).catch((caught: pg.DatabaseError) => caught),
      ),
    );
    expect(ours).toMatchObject({ code: '42P01', message: (theirs as Error).message });
    await direct.end();
  });

  test('with "refuse" what the server knows, and nobody else, is refused in our words, and does not run', async () => {
    await client.end();
    await connect(strict);
    await client.query('begin');
    await client.query('do $$ begin create table unseen (id int); insert into unseen values (1); end $$');
    const code = (text: string): Promise<unknown> =>
      mistake(client, text).then((error) => (error as { code: string }).code);
    expect(await code('insert into unseen values (2) returning id')).toBe(REFUSED);
    await client.query('rollback');
    const waits = client.query('select * from nosuch; select 1').catch(({ message }: Error) => message);
    expect(await waits).toMatch(/^This was not run, /);
  });

  test('it is counted by reason, and shown before it runs', async () => {
    const counted = async (): Promise<number> => {
      const text = await (await fetch(`${stand.gateway.url}/metrics`)).text();
      return Number(
        /^sluice_hidden_columns_total\{connection="db",reason="unread_code"\} (\d+)$/m.exec(text)?.[1] ?? 0,
      );
    };
    const before = await counted();
    for (let n = 0; n < 3; n++) await values('select plf(1) as a, plf(2) as b');
    expect(await counted()).toBe(before + 6);
    const explain = (of: Stand, sql: string): Promise<{ decision: string; hidden?: unknown; text: string }> =>
      caller(of, of.token).post('/v1/policy/explain', { sql, connection: 'db', major });
    const plf = { column: 'n', reason: 'unread_code', why: 'calls plf, which runs code that nobody has read' };
    expect(await explain(stand, 'select id, plf(id) as n from orders')).toMatchObject({
      decision: 'allow',
      hidden: [plf],
      text: expect.stringMatching(
        /^ALLOWED\n[^]*\nHIDDEN: NULL stands in for the values of column "n", [^]*\n {2}The statement calls plf/,
      ) as string,
    });
    expect(await explain(strict, 'select id, plf(id) as n from orders')).toMatchObject({
      decision: 'deny',
      rule: 'gateway',
      hidden: [plf],
      text: expect.stringMatching(
        /^REFUSED because of not_followed: This was not run, [^]*\nWithout that: ALLOWED/,
      ) as string,
    });
    // Which overload it is, and so whether its type has room for a mark, the type of its argument tells.
    expect(await explain(strict, 'select length(email) as n, email, kind from people')).toMatchObject({
      decision: 'allow',
      hidden: [
        { column: 'n', reason: 'computed' },
        { column: 'kind', reason: 'type' },
      ],
    });
    expect(await explain(stand, 'select id, email, upper(email) as e, born, admin from people')).not.toHaveProperty(
      'hidden',
    );
  });
});
