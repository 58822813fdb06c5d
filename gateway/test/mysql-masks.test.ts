/** Masks on MySQL, from a real client to a real server. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type MySqlFlavour, type MySqlServer, findTool, missingMySql, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MASKED, type MySqlStand, openMySqlStand } from './mysql-stand.js';

const SCHEMA = [
  `create table people (id int primary key, nick varchar(20), mail varchar(40) not null unique, born date, seen datetime(3),
    wage int unsigned not null, tier tinyint, rate decimal(10,2), share double, doc json, kind enum('vip', 'std'),
    raw varbinary(20), wake time, yr year, bits bit(8), host varchar(40) as (substring_index(mail, '@', -1)) virtual) default charset utf8mb4`,
  'create table visits (id int primary key, person int, place varchar(40), day date)',
  `insert into people (id, nick, mail, born, seen, wage, tier, rate, share, doc, kind, raw, wake, yr, bits) values
    (1, 'ana', 'ana@secret.test', '1977-03-04', '1977-03-04 05:06:07.891', 4242, 77, 77.77, 7.75, '{"k": "secret", "n": [7788]}',
     'vip', 'secret', '07:07:07', 1977, b'1'),
    (2, 'bea', 'bea@secret.test', '1978-11-12', null, 4343, 78, 78.78, 8.5, null, 'std', 'secret', '-08:08:08', 1978, b'0')`,
  "insert into visits values (1, 1, 'Rome', '2024-01-02'), (2, 2, 'Oslo', '2024-03-04')",
  "create view contacts as select id, concat(nick, ' ', mail) as label from people",
  'create table badges (id int, nick varchar(20), badge varchar(60), unique (nick, badge))',
  "insert into badges values (1, 'ana', 'secret'), (2, 'bea', 'secret')",
  'create view nicks as select id, nick from badges',
  'create function shout(x varchar(40)) returns varchar(40) deterministic return upper(x)',
  `create procedure everybody() select * from people`,
];
/** What of the masked values no answer may have. */
const SECRETS = /secret|1977-03|1978-11|4242|4343|77\.77|78\.78|7788|7\.75|\b8\.5\b|07:07|08:08/i;

/** Detectors look at every text. */
const DETECTING = `
    - { rule: mails, mask: { columns: ["people.mail"], detect: [email], with: redact } }
`;
const cli = findTool('mariadb');

const FLAVOURS: readonly MySqlFlavour[] = ['mariadb', 'mysql'];

describe.each(FLAVOURS)('masks on %s', (flavour) => {
  const missing = missingMySql(flavour);
  describe.skipIf(missing !== undefined)(missing ?? 'through the gateway', () => {
    let server: MySqlServer;
    let stand: MySqlStand;
    let client: Connection;
    let direct: Connection;

    beforeAll(async () => {
      server = await startMySql({ flavour });
      const { host, port, user, password, database } = server;
      direct = await createConnection({ host, port, user, password, database, dateStrings: true });
      for (const text of SCHEMA) await direct.query(text);
      stand = await openMySqlStand({ server, rules: MASKED, trusted: 'shout, everybody, hide' });
    }, 120_000);
    afterAll(async () => {
      direct?.destroy();
      await stand?.stop();
      await server?.stop();
    });
    beforeEach(async () => {
      client = await stand.client({ dateStrings: true });
    });
    afterEach(() => client.destroy());

    const rowsOf = async (text: string): Promise<unknown[][]> => {
      const [rows] = await client.query({ sql: text, rowsAsArray: true });
      return rows as unknown[][];
    };
    const failing = (text: string): Promise<string> =>
      client.query(text).then(
        () => 'no error',
        (error: QueryError) => `${error.errno}: ${error.message}`,
      );

    // As of MariaDB 10.8; MySQL has no such functions.
    test.skipIf(flavour === 'mysql')('what a function gives back by its parameters is not shown', async () => {
      await direct.query(`create or replace function mail_of_ana(out x varchar(60)) returns int reads sql data
        begin select mail into x from people where id = 1; return 1; end`);
      const admitted = `${MASKED}    - { rule: all, when: 'true', allow: true }\n`;
      const other = await openMySqlStand({ server, rules: admitted, trusted: 'mail_of_ana' });
      const caller = await other.client();
      await caller.query('set @done = mail_of_ana(@mail)');
      const shown = await caller.query('select @mail').then(([rows]) => JSON.stringify(rows), String);
      caller.destroy();
      await other.stop();
      expect(shown).not.toMatch(SECRETS);
    });

    test('text and binary rows have the same masks, of types that a driver reads', async () => {
      const columns = 'id, mail, born, seen, wage, tier, rate, share, doc, kind, raw, wake, yr, host';
      const text = await rowsOf(`select ${columns} from people order by id`);
      const [binary] = await client.execute({ sql: `select ${columns} from people order by id`, rowsAsArray: true });
      expect(binary).toEqual(text);
      expect(JSON.stringify(text)).not.toMatch(SECRETS);
      const [first] = text;
      expect(first?.slice(0, 4)).toEqual([1, '[masked]', '1977-01-01', '1977-01-01 00:00:00.000']);
      expect(first?.slice(4, 8)).toEqual([0, 0, expect.stringMatching(/^0/), 0]);
    });

    test('what is not secret passes as it is', async () => {
      for (const text of [
        'select * from visits order by id',
        'select id, nick, bits from people order by id',
        'select count(*), count(mail) from people',
        'select v.place, p.nick from visits v join people p on p.id = v.person order by v.id',
        'select mail as nick, (select nick) from people where id = 0',
        'show tables',
        'select 1 as mail, now() > 0, @@version_comment',
      ]) {
        const [plain] = await direct.query({ sql: text, rowsAsArray: true });
        expect(await rowsOf(text), text).toEqual(plain);
      }
    });

    test.each([
      'select * from people',
      'select upper(mail), left(mail, 3), mail collate utf8mb4_bin, cast(wage as char) from people',
      'select mail as zz, (select zz) from people',
      'select d.x from (select mail as x from people) d',
      'with q(a, b) as (select mail, wage from people) select b, a from q',
      'with recursive q(a, n) as (select mail, 1 from people union all select a, n + 1 from q where n < 3) select * from q',
      'select place from visits union select mail from people',
      'select label from contacts',
      'select * from contacts natural join visits',
      'select p.*, v.* from people p natural right join visits v',
      'select max(mail), group_concat(wage), json_arrayagg(mail) from people',
      'select first_value(mail) over (order by id) from people',
      'select case when id = 1 then mail end, coalesce(null, mail), if(1, mail, 0) from people',
      'select (select mail from people where id = 1)',
      "select t.v from people p, json_table(p.doc, '$.*' columns (v varchar(40) path '$')) t",
      "select nick from people where id = 1 union all select concat(mail, '!') from people",
      'select host from people',
      'call everybody()',
      'handler people open',
    ])('%s', async (text) => {
      const [rows] = await client.query(text);
      expect(JSON.stringify(rows)).not.toMatch(SECRETS);
      const executed = await client.execute(text).catch(() => undefined);
      expect(JSON.stringify(executed?.[0] ?? '')).not.toMatch(SECRETS);
    });

    test('a column keeps its meaning where an alias has its name', async () => {
      expect(await rowsOf('select mail as nick, (select nick) from people order by id')).toEqual([
        ['[masked]', 'ana'],
        ['[masked]', 'bea'],
      ]);
    });

    test('a variable in quotes is remembered by its own name', async () => {
      for (const name of ['a', 'b']) {
        const other = await stand.client();
        await other.query(`select id from people where length(@'${name}' := mail) > 0 and id = 1`);
        const [rows] = await other.query({ sql: `select @${name}`, rowsAsArray: true });
        expect(rows).toEqual([['[masked]']]);
        other.destroy();
      }
    });

    test('user variables hold what they were given', async () => {
      await client.query('select @a := mail from people where id = 1');
      expect(JSON.stringify(await rowsOf('select @A, concat(@`a`, 1)'))).not.toMatch(SECRETS);
      await client.query('set @a = 1');
      expect(await rowsOf('select @a')).toEqual([[1]]);
      expect(await rowsOf('select @c := 7, @c')).toEqual([[7, '7']]);
      await client.query('set @é = (select mail from people where id = 1)');
      expect(JSON.stringify(await rowsOf('select @e, @é'))).not.toMatch(SECRETS);
      await client.query('select mail into @b from people where id = 2');
      expect(JSON.stringify(await rowsOf('select @b'))).not.toMatch(SECRETS);
    });

    test('what code may have put into the session is not shown', async () => {
      await client.query('call everybody()');
      expect(await rowsOf('select id, place from visits order by id')).toEqual([
        [1, 'Rome'],
        [2, 'Oslo'],
      ]);
      expect(await failing('select shout(mail) from people')).toMatch(/no mask would hold them/);
      expect(await rowsOf('select shout(nick), id from people where id = 1')).toEqual([[null, 1]]);
      await direct.query(
        'create procedure hide() begin create temporary table visits as select id, mail as place from people; set @z = (select min(mail) from people); end',
      );
      try {
        await client.query("alter table visits comment = ''");
        await client.query('call hide()');
        expect(JSON.stringify(await rowsOf('select place from visits'))).not.toMatch(SECRETS);
        expect(JSON.stringify(await rowsOf('select @z'))).not.toMatch(SECRETS);
      } finally {
        await direct.query('drop procedure hide');
      }
    });

    test('temporary tables are followed', async () => {
      await client.query('create temporary table kept as select id, mail as m, nick from people');
      expect(JSON.stringify(await rowsOf('select m from kept'))).not.toMatch(SECRETS);
      expect(await rowsOf('select nick from kept order by id')).toEqual([['ana'], ['bea']]);
      await client.query('create temporary table visits (id int, place varchar(60))');
      await client.query('insert into visits select id, mail from people');
      expect(JSON.stringify(await rowsOf('select place from visits'))).not.toMatch(SECRETS);
      await client.query('drop temporary table visits');
      expect(await rowsOf('select place from visits order by id')).toEqual([['Rome'], ['Oslo']]);
      await client.query('create temporary table people (id int, mail varchar(20))');
      await client.query("insert into people values (1, 'plain')");
      expect(await rowsOf('select mail from people')).toEqual([['plain']]);
      await client.reset();
      expect(JSON.stringify(await rowsOf('select mail from people'))).not.toMatch(SECRETS);
    });

    test('prepared in SQL', async () => {
      await client.query("prepare s from 'select mail, ? from people where id = ?'");
      await client.query('set @one = 1');
      expect(await rowsOf('execute s using @one, @one')).toEqual([['[masked]', 1]]);
      await client.query('set @m = (select mail from people where id = 1)');
      expect(JSON.stringify(await rowsOf('execute s using @m, @one'))).not.toMatch(SECRETS);
      await client.query("set @q = 'select mail from people'");
      await failing('prepare t from @q');
      const shown = await client.query('execute t').catch(() => [[]]);
      expect(JSON.stringify(shown[0])).not.toMatch(SECRETS);
    });

    test('a name that was never prepared is for the server to refuse', async () => {
      const open = await openMySqlStand({ server, rules: `${MASKED}    - { rule: everything, allow: true }\n` });
      client = await open.client();
      const said = async (on: Connection): Promise<string> =>
        on.query('execute nobody').then(
          () => 'no error',
          ({ errno, message }: QueryError) => `${errno}: ${message}`,
        );
      expect(await said(direct)).toMatch(/^1243: /);
      expect(await said(client)).toBe(await said(direct));
      // No code has run by that: what the session shows is known as before.
      expect(await rowsOf("show variables like 'version'")).toEqual([['version', expect.any(String)]]);
      await client.query("prepare nobody from 'select mail from people order by id limit 1'");
      expect(await rowsOf('execute nobody')).toEqual([['[masked]']]);
      await client.query('deallocate prepare nobody');
      expect(await said(client)).toBe(await said(direct));
      client.destroy();
      await open.stop();
    });

    test('errors, warnings and plans have no values', async () => {
      expect(await failing('insert into people (id, mail, wage) select 9, mail, 1 from people where id = 1')).toMatch(
        /^1062: /,
      );
      for (const text of [
        'insert into people (id, mail, wage) select 9, mail, 1 from people where id = 1',
        'insert into visits (id, day) select 9, mail from people where id = 1',
        "select extractvalue('<a/>', concat(0x7e, mail)) from people where id = 1",
        'select cast(mail as signed) + 1 from people',
        'update visits set person = (select mail from people where id = 1) where id = 1',
        'insert ignore into visits (id, day) select 10, mail from people where id = 1',
      ]) {
        expect(await failing(text), text).not.toMatch(SECRETS);
        expect(JSON.stringify(await rowsOf('show warnings')), text).not.toMatch(SECRETS);
      }
      await direct.query('delete from visits where id > 2');
      // The key of a row that is written may have a masked value that the statement does not name.
      await client.query(
        'create temporary table pairs (id int, nick varchar(20), mail varchar(60), unique (nick, mail))',
      );
      await client.query("insert into pairs select id, nick, 'x' from people");
      await client.query('update pairs set mail = (select mail from people where id = 1)');
      for (const text of [
        "update pairs set nick = 'ana'",
        "update badges set nick = 'ana'",
        "update nicks set nick = 'ana'",
      ]) {
        expect(await failing(text), text).toMatch(/^1062: Duplicate entry for key '[\w.]+'\. The message is not shown/);
        expect(JSON.stringify(await rowsOf('show warnings')), text).not.toMatch(SECRETS);
      }
      await client.query('explain select mail from people where id = 1');
      expect(JSON.stringify(await rowsOf('show warnings'))).not.toMatch(SECRETS);
      await failing('insert into visits (id, day) select 9, mail from people where id = 1');
      await failing('get diagnostics condition 1 @d = message_text');
      expect(JSON.stringify(await rowsOf('select @d'))).not.toMatch(SECRETS);
    });

    test('warnings that the server keeps are masked until it forgets them', async () => {
      const between = [
        'select 1',
        'set @kept = 1',
        'do 1',
        'begin',
        'commit',
        "prepare kept from 'select 1'",
        'execute kept',
        'show tables',
        'drop database masked_nowhere',
        'selec 1',
      ];
      for (const text of between) {
        await client.query('select mail + 1 from people where id = 1');
        await failing(text);
        expect(JSON.stringify(await rowsOf('show warnings')), text).not.toMatch(SECRETS);
        await client.query('select mail + 1 from people where id = 1');
        await failing(text);
        await failing('get diagnostics condition 1 @d = message_text');
        expect(JSON.stringify(await rowsOf('select @d')), text).not.toMatch(SECRETS);
      }
      await client.query('select mail + 1 from people where id = 1');
      // Programs read the number as one.
      expect((await rowsOf('show warnings'))[0]).toEqual(['Warning', 1292, expect.stringMatching(/^\[masked/)]);
      await client.query('select id from visits');
      await client.query("select 'x' + 1");
      expect((await rowsOf('show warnings'))[0]).toEqual(['Warning', 1292, "Truncated incorrect DOUBLE value: 'x'"]);
    });

    test('a client is told which columns are NULL, in the count of warnings and by SHOW WARNINGS', async () => {
      const told = [
        ['Note', 50_101, expect.stringMatching(/^NULL stands in for the values of column "x", .* Select the columns/)],
      ];
      await client.query('select shout(nick) as x, id from people');
      expect(await rowsOf('show warnings')).toEqual(told);
      expect(await rowsOf('SHOW WARNINGS;')).toEqual(told);
      expect(await rowsOf('show count(*) warnings')).toEqual([[0]]);
      // MySQL does not prepare it.
      const [executed] =
        flavour === 'mysql' ? [told] : await client.execute({ sql: 'show warnings', rowsAsArray: true });
      expect(executed).toEqual(told);
      await client.execute('select shout(nick) as x from people where id = ?', [1]);
      expect(await rowsOf('show warnings')).toEqual(told);
      await client.query('select id from people');
      expect(await rowsOf('show warnings')).toEqual([]);
      await client.query('select kind, raw, wage + 1 from people');
      const [[level, , message] = []] = await rowsOf('show warnings');
      expect(level).toBe('Note');
      expect(message).toMatch(/"kind" and "raw": the statement shows a masked column of a type|"kind", "raw" and/);
    });

    test('columns that are NULL are counted by reason, and on record', async () => {
      await client.query('select shout(nick), kind from people where 0 = 7011');
      const text = await (await fetch(`${stand.gateway.url}/metrics`)).text();
      expect(text).toMatch(/hidden_columns_total\{connection="shop",reason="unread_code"\} [1-9]/);
      expect(text).toMatch(/hidden_columns_total\{connection="shop",reason="type"\} [1-9]/);
    });

    test('they are told before anything runs', async () => {
      const sql = 'select shout(nick) as x, kind from people';
      const explained = await fetch(`${stand.gateway.url}/v1/policy/explain`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sql, connection: 'shop' }),
      });
      expect(await explained.json()).toMatchObject({
        decision: 'allow',
        hidden: [
          { column: 'x', reason: 'unread_code' },
          { column: 'kind', reason: 'type' },
        ],
      });
    });

    test('statements that cannot be followed are refused before they run, where the connection says so', async () => {
      const strict = await openMySqlStand({ server, rules: MASKED, trusted: 'shout', members: 'not_followed: refuse' });
      try {
        client = await strict.client();
        expect(await failing('select shout(nick) as x from people')).toMatch(/^1142: .*This was not run, because NULL/);
        expect(await rowsOf('select kind from people where id = 1')).toEqual([[null]]);
      } finally {
        await strict.stop();
      }
    });

    test.skipIf(cli === undefined)('the command line shows it with --show-warnings', async () => {
      const words = [
        '--show-warnings',
        '-h',
        '127.0.0.1',
        '-P',
        String(stand.port),
        '-u',
        'dev%shop',
        `-p${stand.token}`,
      ];
      const text = 'select shout(nick) as x from people';
      const { stdout } = await promisify(execFile)(cli as string, [...words, '--skip-ssl', '-e', text]);
      expect(stdout).toMatch(/Note \(Code 50101\): NULL stands in for the values of column "x"/);
    });

    test('rows that are too long to be masked are refused in words, and the session goes on', async () => {
      const long = await openMySqlStand({ server, rules: DETECTING });
      try {
        client = await long.client();
        expect(await rowsOf("select repeat('a', 900000) as a")).toHaveLength(1);
        expect(await failing("select repeat('a', 1100000) as a")).toMatch(
          /^1142: The result cannot be masked: .*1 MiB/,
        );
        await direct.query('set global max_allowed_packet = 64 * 1024 * 1024');
        client.destroy();
        client = await long.client();
        const texts = ["select id, repeat('a', 17000000), mail from people", "select repeat('a', 40000000), 1"];
        for (const text of texts)
          expect(await failing(text), text).toMatch(/^1142: The result cannot be masked: .*1 MiB/);
        expect(await rowsOf('select 7')).toEqual([[7]]);
      } finally {
        await long.stop();
      }
    });

    test('handlers', async () => {
      await client.query('handler people open as h');
      const rows = await client.query('handler h read first').then(
        ([found]) => found,
        () => [],
      );
      expect(JSON.stringify(rows)).not.toMatch(SECRETS);
    });

    test('tables of the server that hold values of others', async () => {
      await client.query('set @kept = (select mail from people where id = 1)');
      const places =
        flavour === 'mariadb'
          ? ['information_schema.user_variables', 'information_schema.processlist', 'mysql.column_stats']
          : ['performance_schema.user_variables_by_thread', 'performance_schema.events_statements_history'];
      for (const place of places)
        expect(JSON.stringify(await rowsOf(`select * from ${place}`)), place).not.toMatch(SECRETS);
      const shown = await client.query('show full processlist');
      expect(JSON.stringify(shown[0])).not.toMatch(SECRETS);
      expect(await rowsOf("select table_name from information_schema.tables where table_name = 'visits'")).toEqual([
        ['visits'],
      ]);
    });

    test('what would be reported beside the rows is refused', async () => {
      expect(await failing('select count(last_insert_id(wage)) from people')).toMatch(/LAST_INSERT_ID/);
      expect(await failing('set timestamp = (select wage from people where id = 1)')).toMatch(/masked value/);
    });
  });
});
