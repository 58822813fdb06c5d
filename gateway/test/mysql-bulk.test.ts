/** Much at once through masks: dumps that are restored, statements of 16 MiB, rows of more, and what a session is afterwards. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { text as textOf } from 'node:stream/consumers';
import { type MySqlFlavour, type MySqlServer, findTool, missingMySql, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MASKED, type MySqlStand, openMySqlStand, queryBy } from './mysql-stand.js';

const SCHEMA = [
  'set global max_allowed_packet = 256 * 1024 * 1024',
  `create table people (id int primary key, nick varchar(40), mail varchar(80) not null, born date, photo longblob)
    default charset utf8mb4`,
  `create table visits (id int primary key, place varchar(80), note text) default charset utf8mb4`,
];
const TRIGGERS = `    - { rule: triggers, when: 'action.verb == "create trigger"', allow: true }\n`;
const PEOPLE = 30_000;
const [client, dump] = [findTool('mariadb'), findTool('mariadb-dump')];
const FLAVOURS: readonly MySqlFlavour[] = ['mariadb', 'mysql'];
const MIB = 1024 * 1024;

describe.each(FLAVOURS)('bulk on %s', (flavour) => {
  const missing = missingMySql(flavour);
  describe.skipIf(missing !== undefined)(missing ?? 'through the gateway', () => {
    let server: MySqlServer;
    let stand: MySqlStand;
    let direct: Connection;
    let masked: Connection;

    beforeAll(async () => {
      server = await startMySql({ flavour, settings: ['innodb-flush-log-at-trx-commit=0'] });
      direct = await createConnection(address());
      for (const text of SCHEMA) await direct.query(text);
      const people = Array.from({ length: PEOPLE }, (_, at) => [
        at,
        `nick'; ${at}`,
        `secret${at}@mail.test`,
        '1977-03-04',
        Buffer.from([0, 39, 92, at & 0xff]),
      ]);
      await direct.query('insert into people values ?', [people]);
      const visits = people.map(([at]) => [
        at,
        `Rome \\ ${String(at)}`,
        at === 7 ? null : '-- no comment; /* none'.repeat(3),
      ]);
      await direct.query('insert into visits values ?', [visits]);
      direct.destroy();
      direct = await createConnection(address());
      stand = await openMySqlStand({ server, rules: `${MASKED}${TRIGGERS}` });
    }, 120_000);
    afterAll(async () => {
      direct?.destroy();
      await stand?.stop();
      await server?.stop();
    });
    beforeEach(async () => {
      masked = await stand.client({ dateStrings: true });
    });
    afterEach(() => masked.destroy());

    const address = () => {
      const { host, port, user, password, database } = server;
      return { host, port, user, password, database, dateStrings: true as const };
    };
    const rows = async (connection: Connection, sql: string): Promise<unknown[][]> => {
      const [found] = await connection.query({ sql, rowsAsArray: true });
      return found as unknown[][];
    };
    const failing = (sql: string): Promise<string> =>
      masked.query(sql).then(
        () => 'no error',
        (error: QueryError) => `${error.errno}: ${error.message}`,
      );
    /** Runs a program of the command line with this input. */
    const run = async (program: string, words: readonly string[], password: string, input = ''): Promise<string> => {
      const child = spawn(program, ['--no-defaults', '--protocol=tcp', '-h127.0.0.1', '--skip-ssl', ...words], {
        env: { ...process.env, MYSQL_PWD: password },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.end(input);
      const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
      if (err !== '') throw new Error(err.slice(0, 2000));
      return out;
    };

    test.skipIf(client === undefined || dump === undefined)(
      'a dump is restored, and the session behind it reads as exactly as before',
      async () => {
        const own = [`-P${server.port}`, `-u${server.user}`];
        const made = await run(dump as string, [...own, server.database], server.password);
        // As bulk loads are written: a megabyte in a statement.
        expect(Math.max(...made.split(/;\n/).map(({ length }) => length))).toBeGreaterThan(500_000);
        await direct.query('drop table people, visits');
        const asked = `select * from visits order by id; select id, nick, photo from people order by id;
          select count(*), sum(crc32(concat_ws('|', id, place, note))) from visits;`;
        const words = ['--batch', '--raw', '--default-character-set=utf8mb4'];
        const through = await run(
          client as string,
          [`-P${stand.port}`, '-udev%shop', ...words],
          stand.token,
          `${made}\n${asked}\nselect mail from people where id < 3;`,
        );
        const plain = await run(client as string, [...own, ...words, server.database], server.password, asked);
        expect(through.slice(0, plain.length) === plain).toBe(true);
        expect(through.slice(plain.length)).toBe('mail\n[masked]\n[masked]\n[masked]\n');
      },
      120_000,
    );

    test.skipIf(client === undefined || dump === undefined)(
      'triggers come back from a dump, which has their code in versioned comments',
      async () => {
        const code = "begin if new.n > 1 then set new.n = new.n * 2; end if; set new.said = concat(new.said, ';'); end";
        await direct.query('create table counted (n int, said varchar(9))');
        await direct.query(`create trigger counts before insert on counted for each row ${code}`);
        const own = [`-P${server.port}`, `-u${server.user}`];
        const dumped = (): Promise<string> =>
          run(dump as string, [...own, '--skip-dump-date', server.database, 'counted'], server.password);
        const made = await dumped();
        expect(made).toMatch(/^\/\*!50003 CREATE.* trigger `?counts`? .*;/im);
        await run(client as string, [`-P${stand.port}`, '-udev%shop'], stand.token, made);
        expect(await dumped()).toBe(made);
        await masked.query("insert into counted values (1, 'a'), (5, 'b')");
        expect(await rows(direct, 'select * from counted')).toEqual([
          [1, 'a;'],
          [10, 'b;'],
        ]);
        const hidden = '/*!50003 create trigger t before insert on visits for each row begin end; drop table visits */';
        expect(await failing(hidden)).toMatch(/^(?:1235|1064): /);
        await direct.query('drop table counted');
      },
    );

    test('an INSERT of 16 MiB passes, and what follows is exact', async () => {
      const values = Array.from(
        { length: 330_000 },
        (_, at) => `(${100_000 + at},'place ${at}','a note of no interest')`,
      );
      const sql = `insert into visits values ${values.join(',')}`;
      expect(sql.length).toBeGreaterThan(14 * MIB);
      await masked.query(sql);
      const look = 'select count(*), max(place) from visits where id >= 100000';
      expect(await rows(masked, look)).toEqual(await rows(direct, look));
      expect(await rows(masked, 'select mail, nick from people where id = 1')).toEqual([['[masked]', "nick'; 1"]]);
      await direct.query('delete from visits where id >= 100000');
    }, 60_000);

    test('a large result is what the server gives but for what is masked, however its rows come', async () => {
      const digits = `(${Array.from({ length: 10 }, (_, digit) => `select ${digit} as x`).join(' union all ')})`;
      // Lengths of one byte and of two, NULL, and a row of more than 64 KiB.
      const sql = `select p.id, p.mail, case when a.x = 3 then null when a.x = 7 and b.x = 7 and c.x = 7 then repeat('r', 70000)
          else repeat('n', a.x * b.x * c.x) end, p.mail, p.nick, a.x, b.x, c.x, d.x
        from people p, ${digits} a, ${digits} b, ${digits} c, ${digits} d where p.id = 1 order by 6, 7, 8, 9`;
      const expected = (await rows(direct, sql)) as unknown[][];
      expect(expected).toHaveLength(10_000);
      for (const row of expected) row[1] = row[3] = '[masked]';
      const found = await rows(masked, sql);
      expect(found).toHaveLength(10_000);
      // One that differs is shown alone.
      expect(found.find((row, at) => JSON.stringify(row) !== JSON.stringify(expected[at]))).toBeUndefined();
    });

    test('a long list and a long text are followed', async () => {
      const list = Array.from({ length: 9000 }, (_, at) => 10_000_000 + at).join(',');
      expect(await rows(masked, `select nick, mail from people where id in (3, ${list})`)).toEqual([
        ["nick'; 3", '[masked]'],
      ]);
      await masked.query(
        `update visits set note = '${'x'.repeat(30_000)}' where id = 3 and '${'y'.repeat(90_000)}' <> ''`,
      );
      expect(await rows(masked, 'select length(note) from visits where id = 3')).toEqual([[30_000]]);
    });

    test('what stays too long is NULL and announced, and nothing behind it is', async () => {
      await masked.query('set @kept = 7');
      const columns = Array.from({ length: 3000 }, () => 'concat(nick, mail, nick, id)').join(',');
      const [found] = await rows(masked, `select ${columns} from people where id = 1`);
      expect(found?.every((value) => value === null)).toBe(true);
      const [[, number, message] = []] = await rows(masked, 'show warnings');
      expect([number, message]).toEqual([
        50_101,
        expect.stringMatching(/NULL stands in for .*Send less in one statement/s),
      ]);
      expect(await rows(masked, 'select @kept, nick from people where id = 1')).toEqual([[7, "nick'; 1"]]);
      expect(await failing(`select ${columns}, @kept := mail from people where id = 1`)).toMatch(
        /no mask would hold them/,
      );
      // Until the next answer it counts as one that may have run.
      await rows(masked, 'select 1');
      expect(await rows(masked, 'select @kept, id from people where id = 1')).toEqual([[7, 1]]);
    });

    test('rows of 16 MiB and more: masked where they should be, and else the same to the byte', async () => {
      const digest = (value: unknown): string =>
        createHash('sha256')
          .update(typeof value === 'string' ? value : (value as Buffer))
          .digest('hex');
      const packet = 16 * MIB - 1;
      for (const size of [packet - 40, packet - 20, packet, packet + 1, 2 * packet, 40 * MIB]) {
        await direct.query(`update people set photo = repeat(unhex('00FF0A27'), ${Math.ceil(size / 4)}) where id = 1`);
        const sql = `select id, mail, left(photo, ${size}) as photo, nick, born from people where id in (1, 2) order by id`;
        const [[, , plain]] = (await rows(direct, sql)) as [unknown[]];
        for (const how of ['query', 'execute'] as const) {
          const [found] = await queryBy(masked, how, { sql, rowsAsArray: true });
          const [[id, mail, photo, nick, born], [, other]] = found as unknown as [unknown[], unknown[]];
          expect([id, mail, nick, born, other]).toEqual([1, '[masked]', "nick'; 1", '1977-01-01', '[masked]']);
          expect(digest(photo), `${how}, ${size} bytes`).toBe(digest(plain));
        }
      }
      expect(await rows(masked, 'select 7')).toEqual([[7]]);
      await direct.query("update people set photo = '' where id = 1");
    }, 120_000);

    test('a masked value of many packets, and one that a mask makes short', async () => {
      const sql = `select mail, repeat(mail, 2000000) as many, id from people where id = 1`;
      expect(await rows(masked, sql)).toEqual([['[masked]', '[masked]', 1]]);
      const [binary] = await masked.execute({ sql, rowsAsArray: true });
      expect(binary).toEqual([['[masked]', '[masked]', 1]]);
    });

    test('a row that there is no room for is refused in words, and the session goes on', async () => {
      const small = await openMySqlStand({ server, rules: MASKED, sections: 'limits: { rows: 64MiB }' });
      try {
        masked.destroy();
        masked = await small.client({ dateStrings: true });
        for (const size of [40, 70])
          expect(await failing(`select mail, repeat('a', ${size * MIB}) from people where id < 3`)).toMatch(
            /^1142: The result cannot be masked: a row has more than 67108864 bytes/,
          );
        const [[mail, text]] = (await rows(
          masked,
          `select mail, repeat('a', ${20 * MIB}) from people where id = 3`,
        )) as [unknown[]];
        expect([mail, String(text).length]).toEqual(['[masked]', 20 * MIB]);
      } finally {
        await small.stop();
      }
    }, 60_000);
  });
});
