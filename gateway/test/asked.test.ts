import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { caller } from './control.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: pay, mask: { columns: ["employees.salary", "employees.email"], with: redact } }
    - { rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }
`;
const SCHEMA = `
create table employees (id int primary key, name text, salary int, email text unique);
insert into employees values (1, 'Ada', 731731, 'ada@example.com'), (2, 'Bob', 52000, null);
`;

describe.skipIf(missingPostgres(18))('what conditions may ask about masked columns', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
    stand = await openStand({ target: targetOf(server), rules: RULES });
    client = await stand.client();
  });
  afterAll(async () => {
    await client.end();
    await stand.stop();
    await server.stop();
  });
  const rows = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
    (await client.query({ text, values, rowMode: 'array' })).rows.flat();
  const refused = async (text: string, values: unknown[] = []): Promise<void> => {
    expect(await failure(client.query({ text, values })), text).toBe('42501');
  };
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => 731_731 - n);

  test.each([
    ['select id from employees where salary = $1', [731_731], [1]],
    ['select id from employees where salary in ($1, $2)', [731_731, 5], [1]],
    ['select id from employees where salary = any ($1)', [numbers(100)], [1]],
    ["select id from employees where salary = any ('{731731,5}')", [], [1]],
    ['select id from employees where email is null', [], [2]],
    ['select name from employees where id = $1 and email is not null', [1], ['Ada']],
  ])('whole values: %s', async (text, values, expected) => {
    expect(await rows(text, values)).toEqual(expected);
  });

  test('policy explain says of conditions what becomes of them', async () => {
    const explain = (sql: string): Promise<object> =>
      caller(stand, stand.token).post('/v1/policy/explain', { sql, connection: 'db' });
    const guess = "select id from employees where email like 'a%'";
    expect(await explain(guess)).toMatchObject({
      decision: 'deny',
      rule: 'no-guessing',
      text: expect.stringMatching(/^REFUSED by rule "no-guessing": [^]*● no-guessing/) as string,
    });
    await refused(guess);
    expect(await explain('select id from employees where salary = 5')).toMatchObject({ decision: 'allow' });
    expect(await explain('create table copies as select email from employees')).toMatchObject({
      decision: 'deny',
      rule: 'gateway',
      message: expect.stringContaining('no mask would hold them (table)') as string,
    });
  });

  test('who misspells a table is told so by the server, as directly', async () => {
    const said = async (by: pg.Client, text: string): Promise<object> => {
      const { code, message, position, hint } = await by.query(text).then(
        () => ({}) as Partial<pg.DatabaseError>,
        (failed: pg.DatabaseError) => failed,
      );
      return { code, message, position, hint };
    };
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    for (const text of [
      'select * from employes where id = 1',
      "select id from no_schema.employees where email like 'a%'",
      'select id from employes where salary > 1',
    ]) {
      const theirs = await said(direct, text);
      expect(theirs).toMatchObject({ code: expect.stringMatching(/^42P01|3F000$/) as string });
      expect(await said(client, text), text).toEqual(theirs);
    }
    await direct.end();
    const guess = await said(client, "select id from employees where email like 'a%'");
    expect(guess).toEqual({
      code: '42501',
      message: 'Masked columns are compared with whole values only.',
      position: undefined,
      hint: undefined,
    });
  });

  test('a list of more than a hundred values is a search, however it is written', async () => {
    await refused('select id from employees where salary = any ($1)', [numbers(101)]);
    await refused(`select id from employees where salary = any ('{${numbers(101).join(',')}}')`);
    await refused(`select id from employees where salary in (${numbers(101).join(',')})`);
    await refused(`select id from employees where salary = any (array[${numbers(101).join(',')}])`);
    const half = numbers(60).join(',');
    await refused(`select id from employees where salary in (${half}) or salary in (${half})`);
    await client.query('prepare many(int[]) as select id from employees where salary = any ($1)');
    await refused(`execute many('{${numbers(101).join(',')}}')`);
    expect(await rows(`execute many('{${numbers(100).join(',')}}')`)).toEqual([1]);
    await refused(`execute many(array(select generate_series(731700, 731740)))`);
  });

  test('an array parameter in binary is counted as well', async () => {
    const binary = (values: readonly number[]): Buffer => {
      const head = Buffer.alloc(20);
      for (const [at, value] of [1, 0, 23, values.length, 1].entries()) head.writeInt32BE(value, at * 4);
      const elements = values.map((value) => {
        const element = Buffer.alloc(8);
        element.writeInt32BE(4);
        element.writeInt32BE(value, 4);
        return element;
      });
      return Buffer.concat([head, ...elements]);
    };
    const text = 'select id from employees where salary = any ($1)';
    expect(await rows(text, [binary(numbers(100))])).toEqual([1]);
    await refused(text, [binary(numbers(101))]);
  });

  const SERIES = 'from employees p, generate_series(1, 9) g where p.id = 1';
  const ROWS = `from employees p, generate_series(1, 9) g, lateral (select p.salary as x, 1 as y) a,
    lateral (select g as x, 'q'::text as y) b where p.id = 1`;
  test.each([
    `select g, p.email like chr(g) || '\\' ${SERIES}`,
    `select g, p.email like any (array[chr(g) || '\\']) ${SERIES}`,
    `select g, p.email like any (select chr(g) || '\\') ${SERIES}`,
    `select g, a = b ${ROWS}`,
    `select g, a is distinct from b ${ROWS}`,
    `select g, nullif(a, b) ${ROWS}`,
    `select g, greatest(a, b) ${ROWS}`,
    `select g, case a when b then 1 end ${ROWS}`,
    `select g, array[a] = array[b] ${ROWS}`,
    `select g, row(p.salary, 1)::record = row(g, 'q'::text)::record ${SERIES}`,
    `select g, format('%I', case when p.salary >= g then 'x' end) ${SERIES}`,
    `select g, date_trunc('no unit', case when p.salary < g then now() end) ${SERIES}`,
    `select g, extract(hour from case when p.salary < g then current_date end) ${SERIES}`,
    `select g, to_char(case when p.salary < g then 1 end, '9.9.9') ${SERIES}`,
    `select g, json_object(p.salary::text: 1, g::text: 2 with unique keys) ${SERIES}`,
    `select g, json_value(to_jsonb(p.salary), '$ ? (@ >= $g)' passing g as g error on empty) ${SERIES}`,
    `select g, xmlparse(content p.salary || '<' || g) ${SERIES}`,
  ])('a failure must not tell a value by its row: %s', (text) => refused(text));

  test.each([
    'case when p.salary < g then now()::text::int end',
    "case when p.salary < g then current_setting('no.setting') end",
    'case when p.salary < g then int4(now()::text) end',
    'case when p.salary < g then (select id from employees) end',
    'case when p.salary < g then json_build_object(null::text, 1) end',
    "case when p.salary < g then format('%s %s', 'one') end",
    "case when p.salary < g then format('%s %s', variadic array['one']) end",
    'p.salary < g and now()::text::bool',
    'p.salary in (g, now()::text::int)',
    'p.salary between g and now()::text::int',
    '(p.salary, 1) = (g, now()::text::int)',
    'p.salary = any (select 1 / (x - g) from generate_series(1, 9) x)',
    'count(1 / (g - 5)) filter (where p.salary < g) over (order by g)',
  ])('nor must one that is left out, or not, by what the value is: %s', (value) =>
    refused(`select g, ${value} ${SERIES}`),
  );

  test('nor must a constraint, in COPY, which gives out what RETURNING says before all is written', async () => {
    await client.query('create temp table picked (n int not null)');
    await refused(`copy (insert into picked select nullif(p.salary, g) ${SERIES} returning n) to stdout`);
    expect(await rows('insert into picked select salary from employees returning n')).toEqual([0, 0]);
    await client.query('drop table picked');
  });

  test.each([
    "format('%s <%s>', name, email)",
    "id || ': ' || name || ' <' || email || '>'",
    "json_object('id': id, 'email': email)",
    "email like '%@example.com' or name like 'B%'",
    "case when email like '%@example.com' then 'internal' else name end",
    "case when name like 'A%' then to_char(salary, '999') else name end",
    'case id when 1 then salary when 2 then id / 2 end',
    'coalesce(email, name), greatest(salary, id), nullif(email, name)',
    'email, (select q.name from employees q where q.id = p.id)',
  ])('what cannot fail, or is not left out by a masked value, is masked and runs: %s', async (value) => {
    expect(JSON.stringify(await rows(`select ${value} from employees p order by id`))).not.toMatch(/731731|ada@/);
  });

  test('a text that is too large to be followed may ask anything', async () => {
    await refused(`select 1 from employees where salary > 731730${' union all select 1 where false'.repeat(5200)}`);
    await refused(`select 1 from employees where salary > 731730 -- ${'x'.repeat(70_000)}`);
  });

  test('a list of new rows may be compared with a unique column, what a query makes may not', async () => {
    const insert = (rest: string): string => `insert into employees (id, email) ${rest}`;
    await client.query('begin');
    await client.query(insert("values (10, 'a@b'), (11, 'b@b') on conflict (email) do nothing"));
    await client.query(insert("select 12, 'x' || n from generate_series(1, 1) n on conflict (id) do nothing"));
    await client.query('rollback');
    await refused(insert("select 12 + n, 'x' || n from generate_series(1, 9) n on conflict (email) do nothing"));
    await refused(insert("select 12 + n, 'x' || n from generate_series(1, 9) n on conflict do nothing"));
  });

  test('conditions on statements of other sessions are refused without a rule that says so', async () => {
    const other = await openStand({
      target: targetOf(server),
      rules: RULES.split('    - { rule: no-guessing')[0] ?? '',
    });
    const mine = await other.client();
    const ask = "select count(*) from pg_stat_activity where query like '%x%'";
    expect(await failure(mine.query(ask))).toBe('42501');
    expect((await mine.query("select count(*) from pg_stat_activity where state = 'active'")).rows).toHaveLength(1);
    await mine.end();
    await other.stop();
  });

  test('what is computed has one answer for each type, and it is never 0 or false', async () => {
    const outputs = `upper(email), salary * 2, salary > 5, nullif(email, email)`;
    const text = `select ${outputs} from employees order by id`;
    const one = ['[masked:EMAIL]', null, null, '[masked:EMAIL]'];
    expect(await rows(text)).toEqual([...one, ...one]);
  });

  test('a part of a document or an array is as its column is alone', async () => {
    const alone = await rows('select id, salary, email from employees order by id');
    const parts = `json_build_array(id, salary, email), array[email]`;
    const [first, ofFirst, second, ofSecond] = await rows(`select ${parts} from employees order by id`);
    expect([first, second].flat()).toEqual(alone);
    expect([ofFirst, ofSecond].flat()).toEqual([alone[2], alone[5]]);
  });

  test('a column as it is stored keeps its NULLs', async () => {
    expect(await rows('select email from employees order by id')).toEqual(['[masked:EMAIL]', null]);
  });
});
