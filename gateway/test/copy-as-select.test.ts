/** COPY TO STDOUT says nothing of types, and its rows have the same masks as those of SELECT all the same. */
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

const MAJOR = 18;
const COLUMNS =
  'email,short,padded,n,large,amount,ratio,born,at,took,id,flag,doc,docs,words,numbers,mood,mail,pair,bytes,address,span,made,page,name,hour,bits'.split(
    ',',
  );
const SCHEMA = `
create type mood as enum ('sad', 'well');
create domain mail as varchar(5);
create type pair as (a int, b text);
create table t (row int primary key, email text, short varchar(5), padded char(12), n int, large bigint, amount numeric(10,2), ratio float8, born date,
  at timestamptz, took interval, id uuid, flag bool, doc json, docs jsonb, words varchar(7)[], numbers int[], mood mood, mail mail, pair pair, bytes bytea, address inet,
  span int4range, made text generated always as (upper(email)) stored, page xml, name varchar(30), hour time, bits bit(4));
insert into t values (1, 'ada@example.com', 'abcde', 'abcdefgh', 12345678, 1234567890123, 52000.50, 1.5, '1990-05-01', '1990-05-01 10:00Z', '2 days',
  '11111111-2222-3333-4444-555555555555', true, '{"a":"x@y.example"}', '{"a":"x@y.example"}', '{one,seventh}', '{5,6}', 'sad', 'a@b.c', '(1,secret)', 'abcdefgh',
  '192.168.12.3', '[1,5)', default, '<a>b</a>', 'a longer secret text', '10:11:12', b'1010')
;
insert into t (row) values (2);
create view v as select * from t;
create materialized view kept as select * from v;
create view computed as select row, email as contact, lower(email) as low, short || '' as joined, n + 1 as more, coalesce(email, '') as given, max(email) over () as most,
  padded::varchar(3) as cut, substr(email, 1, 4)::varchar(6) as start, born + 1 as later, array[email] as listed, json_build_object('e', email, 'row', row) as document, t as whole,
  case when row = 1 then email end as chosen, amount * 2 as twice, amount::numeric(8,1) as rounded from t;
create view either as select row, email from t union all select 3, 'x';
create table parent (row int, email text);
create table child (x int) inherits (parent);
insert into child values (1, 'kid@example.com', 3);
create table parted (row int, email varchar(8)) partition by list (row);
create table part partition of parted for values in (1);
insert into parted values (1, 'p@ex.com');
`;

const COMPUTED = 'contact,low,joined,more,given,most,cut,start,later,listed,document,whole,chosen,twice,rounded'.split(
  ',',
);
/** Each kind of mask has its own way with each type. */
const STORED: readonly string[] = [
  ...['t', 'v', 'kept'].map((table) => `select ${COLUMNS.join()} from ${table} order by row`),
  `select ${COMPUTED.join()} from computed order by row`,
  'select * from computed order by row',
];
const COMPUTED_BY: readonly string[] = [
  'select email from either order by row',
  'select * from parent',
  'select * from parted',
  'select * from part',
  'select c.email, c.short from (select email, short from t) c',
  'with c as (select short, amount from t) select * from c',
  'select email::varchar(8), short::text, amount::numeric(6,1), n::text, bits::bit(2) from t',
  'select email || 1, count(short), min(email) from t group by email',
  'select null::text, email from t',
  'select email from t union select short from t order by 1',
  'select short from t union all select name from t',
  'select coalesce(short, name), case row when 1 then short end, greatest(born, born) from t',
  'select to_jsonb(t), t, (pair).a, (pair).b from t',
  "select docs ->> 'a', doc -> 'a', words[1], numbers[1] from t",
  'select unnest(words), unnest(numbers) from t',
  'select distinct born, mood from t',
  'select avg(n), sum(large), max(amount) from t',
  "select 'a@b.example', 1, now() is null, array['a@b.example'], '{}'::json",
  'values ((select email from t where row = 1))',
  'select x.* from t x',
  'select (select email from t where row = 1), exists (select email from t), array(select email from t order by row)',
  "select string_agg(email, ',' order by row), array_agg(email order by row), json_agg(email order by row), jsonb_object_agg(row, email) from t",
  "select row_to_json(t), nullif(email, 'x'), format('%s', email), concat(email, 'x'), replace(email, 'a', 'b') from t",
  'select lag(email) over (order by row), lateral_one.* from t, lateral (select upper(t.email) as up, t.short as own) lateral_one',
  "select regexp_split_to_table(email, '@'), string_to_array(email, '@'), initcap(email), left(email, 1), trim(email), substring(email from 2) from t where row = 1",
  "select email collate \"C\", xmlelement(name one, email), xmlforest(email), md5(email), encode(bytes, 'hex'), to_char(born, 'YYYY'), quote_literal(email) from t where row = 1",
  'with recursive c as (select short, 1 as depth from t union all select short, depth + 1 from c where depth < 2) select * from c',
  "select email || '', email like 'a%', email = 'x', -n, n::bigint, amount::int, extract(year from born), born - born, at at time zone 'UTC', page is document from t",
  'select a.email, b.short from t a left join t b using (row)',
  'select a, (a).email, (a).short from (select t as a from t) x',
  "select jsonb_build_object('e', email) -> 'e', (array[email, short])[1], (row(email, 1)).f1, least(email, short), num_nulls(email) from t where row = 1",
  'select * from own',
  'select * from seen',
  'update t set row = row where row = 1 returning email, short',
];
const OWN = COLUMNS.filter((name) => name !== 'made');
/** COPY of a table or some of its columns, and the SELECT that shows the same. */
const TABLES: readonly (readonly [string, string])[] = [
  [`copy t (${OWN.join()}) to`, `select ${OWN.join()} from t`],
  ['copy t (short, email) to', 'select short, email from t'],
  ['copy kept to', 'select * from kept'],
  ['copy parent to', 'select * from only parent'],
  ['copy part to', 'select * from part'],
  ['copy own to', 'select * from own'],
];

describe.skipIf(missingPostgres(MAJOR))('COPY is masked as SELECT is', () => {
  if (missingPostgres(MAJOR)) return;
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: MAJOR });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
  });
  afterAll(() => server.stop());

  test.each([
    ['redact', [...STORED, ...COMPUTED_BY]],
    ['detect', [...STORED, ...COMPUTED_BY]],
    ['"null"', STORED],
    ['{ partial: { keep_last: 4 } }', STORED],
    ['hash', STORED],
    ['generalise', STORED],
  ] as const)('%s', async (mode, queries) => {
    const columns = [...COLUMNS.map((name) => `t.${name}`), 'parent.email', 'parted.email'];
    const mask =
      mode === 'detect'
        ? '{ detect: [email], with: redact }'
        : `{ columns: [${columns.map((one) => `"${one}"`).join()}], with: ${mode} }`;
    const stand: Stand = await openStand({ target: targetOf(server), rules: `\n    - { rule: masks, mask: ${mask} }` });
    const client = await stand.client();
    await client.query('create temp table own as select email, short, amount::numeric(7,1), upper(short) from t');
    await client.query('alter table own add late varchar(4)');
    await client.query('create temp view seen as select short, amount, email from t');
    const answers = answersTo(client);
    const different: string[] = [];
    const pairs = [...queries.map((query) => [`copy (${query}) to`, query] as const), ...TABLES];
    for (const [copy, query] of pairs)
      for (const binary of [false, true]) {
        await client.query({ text: query, binary, queryMode: 'extended', types: UNREAD } as pg.QueryConfig);
        const selected = answers.taken(DATA_ROW).map((row) => cellsOf(row, binary ? 'hex' : 'utf8').cells);
        await client.query(`${copy} stdout ${binary ? 'binary' : ''}`);
        const data = answers.taken(COPY_DATA);
        const copied = binary ? binaryRows(Buffer.concat(data)) : textRows(data);
        // One line each, which an assertion prints whole.
        const [one, other] = [selected, copied].map((rows) => JSON.stringify(rows));
        if (one !== other) different.push(`${copy} stdout ${binary ? 'binary' : ''}\n  ${other}\n  ${one}`);
      }
    expect(different.join('\n')).toBe('');
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(String(message)));
    // An operator of which nobody knows for sure what it returns.
    await client.query("copy (select words || 'x'::varchar as longer from t where row = 1) to stdout");
    const [row] = textRows(answers.taken(COPY_DATA));
    if (mode !== 'detect') expect(row).toEqual([null]);
    if (mode !== 'detect') expect(notices).toEqual([expect.stringContaining('column "longer"')]);
    await client.end();
    await stand.stop();
  });
});

/** The driver's own readers of binary arrays take long for some bytes. */
const UNREAD = { getTypeParser: () => String } as unknown as pg.CustomTypesConfig;

const DATA_ROW = 0x44;
const COPY_DATA = 0x64;
type Row = readonly (string | null)[];

/** Bodies of the messages of one kind that have come since it was asked before. */
function answersTo(client: pg.Client): { taken(tag: number): Buffer[] } {
  const chunks: Buffer[] = [];
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection;
  stream.on('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
  return {
    taken: (tag) => {
      const bytes = Buffer.concat(chunks.splice(0));
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1))
        if (bytes[at] === tag) found.push(bytes.subarray(at + 5, at + 1 + bytes.readInt32BE(at + 1)));
      return found;
    },
  };
}

/** A row of DataRow and of COPY in binary: int16 cells, and of each int32 bytes, -1 for NULL. */
function cellsOf(bytes: Buffer, encoding: BufferEncoding, start = 0): { cells: Row; end: number } {
  const cells: (string | null)[] = [];
  let at = start + 2;
  for (let left = bytes.readInt16BE(start); left > 0; left--) {
    const size = bytes.readInt32BE(at);
    at += 4;
    cells.push(size < 0 ? null : bytes.toString(encoding, at, (at += size)));
  }
  return { cells, end: at };
}

/** The server sends each row in a message of its own. */
const textRows = (messages: readonly Buffer[]): Row[] =>
  messages.map((message) =>
    message
      .toString()
      .slice(0, -1)
      .split('\t')
      .map((value) => (value === '\\N' ? null : value.replaceAll(/\\(.)/g, '$1'))),
  );

/** "Binary Format" of the reference page of COPY: 19 bytes of a head, rows, and -1. */
function binaryRows(bytes: Buffer): Row[] {
  const rows: Row[] = [];
  for (let at = 19; bytes.readInt16BE(at) !== -1; ) {
    const { cells, end } = cellsOf(bytes, 'hex', at);
    rows.push(cells);
    at = end;
  }
  return rows;
}
