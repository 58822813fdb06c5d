import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { missingPostgres, missingTool } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EncodingsStand, type Way, openEncodingsStand } from './encodings-stand.js';
import { type Stand, openStand, targetOf } from './stand.js';

/** Masks where the texts of a client are not in UTF-8: they see what the server means, and all else stays as it came. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email, people.mail, people.levels], with: redact } }
    - { rule: names, mask: { columns: [people.name], with: { partial: { keep_last: 3 } } } }
    - { rule: handles, mask: { columns: [people.handle], with: hash } }
    - { rule: found, mask: { detect: [iban] } }
`;
const IBAN = 'DE89370400440532013000';
const SCHEMA = [
  `
create table people (id int, email text, name text, handle text, "größe" text, mail varchar[], levels text[], profile jsonb, note text);
insert into people values (1, 'ana@exémple.com', 'Björn Müller', 'übrig', 'größer', '{ä,b}', '{ü}', '{"größe": "hoch", "n": 1}', 'für ${IBAN} übrig');
create table plain (id int, "größe" text);
insert into plain values (1, 'älter');
create table "gehälter" (id int, email text);
insert into "gehälter" values (1, 'nicht maskiert');
`,
  "create database cyrillic encoding 'KOI8R' template template0 locale 'C'",
  "create database japanese encoding 'EUC_JP' template template0 locale 'C'",
];

const run = promisify(execFile);
const missingPsycopg = !existsSync('/usr/lib/python3/dist-packages/psycopg');

describe.skipIf(missingTool('psql')).each([15, 18] as const)(
  'masks in encodings of clients, on PostgreSQL %i',
  (major) => {
    if (missingPostgres(major)) return;
    let on: EncodingsStand;
    let stand: Stand;

    beforeAll(async () => {
      on = await openEncodingsStand(major, SCHEMA, RULES);
      ({ stand } = on);
    }, 60_000);
    afterAll(() => on?.stop());

    /** What psql prints of a script, which is written in the encoding. */
    async function said(way: Way, encoding: string, script: string): Promise<string> {
      const letters = encoding === 'UTF8' ? 'utf8' : 'latin1';
      const bytes = await on.said(way, encoding, Buffer.from(script, letters));
      return Buffer.from(bytes, 'latin1')
        .toString(letters)
        .replaceAll(/PID \d+/g, 'PID');
    }

    /** Of each script what it says, in one session. */
    async function eachSaid(way: Way, encoding: string, scripts: readonly string[]): Promise<string[]> {
      const all = await said(way, encoding, scripts.map((script) => `${script};\n\\echo ----\n\\warn ----`).join('\n'));
      return all.split('----\n');
    }

    const PLAIN = [
      'select "größe" from people',
      'select id, "größe" as "ü", \'ö\' from people',
      "select json_build_object('grö', \"größe\", 'n', id) from people",
      'select row("größe", id), array["größe"] from people',
      "select profile->>'größe' from people",
      'copy (select "größe", id from people) to stdout',
      'copy (select "größe", id from people) to stdout (format csv, header)',
      'begin; create temp table "ü" as select "größe" from people; select * from "ü"; rollback',
      'prepare "ä" as select "größe" from people where id = $1; execute "ä"(1)',
      'begin; declare "ö" cursor for select "größe" from people; fetch from "ö"; rollback',
      'do $$ begin perform 1; end $$; select "größe" from plain',
      'begin; do $$ begin create temp table "übrig" (a int); end $$; select "größe" from plain; rollback',
      'select "größer" from plain',
      "select 'ü'::int",
      'insert into plain values (2, \'ölig\') returning "größe"; delete from plain where id = 2',
      "listen ü; notify ü, 'größe'; select 1",
      'select email from "gehälter"',
    ];

    test.each(['LATIN1', 'WIN1252'])('what is not masked comes as from the server: %s', async (encoding) => {
      const direct = await eachSaid('direct', encoding, PLAIN);
      expect(direct).toHaveLength(2 * PLAIN.length + 1);
      // What is said beside the results stands behind all of them.
      expect(await eachSaid(stand, encoding, PLAIN)).toEqual(direct);
    });

    const MASKED: readonly (readonly [string, string])[] = [
      ['select email, id from people', '[masked:EMAIL]|1'],
      ['select name from people', '***** ***ler'],
      ['select mail, levels from people', '{[masked],[masked]}|{[masked]}'],
      ['select note, "größe" from people', 'für [masked:IBAN] übrig|größer'],
      [
        "select json_build_object('größe', \"größe\", 'ä', email) from people",
        '{"größe" : "größer", "ä" : "[masked:EMAIL]"}',
      ],
      ['copy (select note, email from people) to stdout', 'für [masked:IBAN] übrig\t[masked:EMAIL]'],
      ['copy (select note, email from people) to stdout (format csv)', 'für [masked:IBAN] übrig,[masked:EMAIL]'],
    ];

    test.each(['LATIN1', 'WIN1252', 'UTF8'])('masks see characters: %s', async (encoding) => {
      const through = await eachSaid(
        stand,
        encoding,
        MASKED.map(([script]) => script),
      );
      for (const [at, [script, expected]] of MASKED.entries()) expect(through[at], script).toBe(`${expected}\n`);
    });

    test('long rows, which another thread masks', async () => {
      const script = `select repeat('größer ', 45000) || note from people; copy (select repeat('größer ', 45000) || note from people) to stdout`;
      for (const encoding of ['LATIN1', 'UTF8']) {
        const direct = await said('direct', encoding, script);
        expect(direct).toContain(IBAN);
        const short = (text: string): string => text.replaceAll(/(?:größer )+/g, (all) => `${all.length} characters `);
        expect(short(await said(stand, encoding, script))).toBe(short(direct.replaceAll(IBAN, '[masked:IBAN]')));
      }
    });

    test('a pseudonym is the same in all of them', async () => {
      const [first, ...others] = [
        await said(stand, 'UTF8', 'select handle from people'),
        await said(stand, 'LATIN1', 'select handle from people'),
        await said(stand, 'GBK', 'select handle from people'),
      ];
      expect(first).toMatch(/^\w+\n$/);
      expect(others).toEqual([first, first]);
    });

    test('texts of the server are searched in it, and those of the gateway written', async () => {
      expect(await said(stand, 'LATIN1', `listen ü; notify ü, 'für ${IBAN} übrig'; select 1`)).toContain(
        'notification "ü" with payload "für [masked:IBAN] übrig"',
      );
      expect(await said(stand, 'LATIN1', `select 'für ${IBAN} übrig'::int`)).toMatch(/"für \[masked:IBAN\] übrig"/);
      expect(
        await said(
          stand,
          'LATIN1',
          'select substr(\'größe\', id) as "übrig", max(email) || \'ü\' as "größe" from people group by 1',
        ),
      ).toMatch(/größe\|\[masked/);
      expect(
        await said(stand, 'LATIN1', 'select "größe" as "übrig", xmlforest(email) as "ähnlich" from people'),
      ).toContain('größer');
    });

    /** What psycopg makes of a binary result, in ASCII. */
    const binary = async (text: string): Promise<string> => {
      const program = `import psycopg, sys
connection = psycopg.connect(sys.argv[1], client_encoding=sys.argv[2], autocommit=True)
try:
    print(ascii(connection.cursor(binary=True).execute(sys.argv[3]).fetchall()))
except psycopg.Error as error:
    print(ascii(str(error)))
`;
      const where = `host=127.0.0.1 port=${stand.port} user=dev dbname=db password=${stand.token}`;
      return (await run('/usr/bin/python3', ['-c', program, where, 'LATIN1', text])).stdout.trimEnd();
    };

    test.skipIf(missingPsycopg)('in binary rows, and where it cannot be done it is said', async () => {
      expect(await binary('select "größe", email, note, id from people')).toBe(
        "[('gr\\xf6\\xdfer', '[masked:EMAIL]', 'f\\xfcr [masked:IBAN] \\xfcbrig', 1)]",
      );
      expect(await binary('select levels from people')).toMatch(/binary format.*LATIN1.*use client_encoding = UTF8/);
      expect(await said(stand, 'LATIN1', 'copy people to stdout (format binary)')).toMatch(/binary format.*LATIN1/);
      expect(await said(stand, 'LATIN1', "copy people to stdout (null 'ü')")).toMatch(
        /cannot be told from texts in LATIN1/,
      );
    });

    test('GBK, of which a byte may be half of a character', async () => {
      // 誠 is D5 5C, whose second byte is a backslash elsewhere.
      const script =
        "select '誠', name from (select \"größe\" as name from plain) x; select email, '誠', note || '誠' from people";
      const bytes = Buffer.concat(
        Array.from(script.replaceAll('größe', 'id'), (one) =>
          one === '誠' ? Buffer.from([0xd5, 0x5c]) : Buffer.from(one),
        ),
      );
      const sincere = Buffer.from([0xd5, 0x5c]).toString('latin1');
      expect(await on.said(stand, 'GBK', bytes)).toBe(
        `${sincere}|1\n[masked:EMAIL]|${sincere}|f\xa8\xb9r [masked:IBAN] \xa8\xb9brig${sincere}\n`,
      );
      expect(await said(stand, 'GBK', 'copy people to stdout')).toMatch(/cannot be told from texts in GBK/);
    });

    test('a database in another encoding is not read', async () => {
      for (const [database, encoding, fits] of [
        ['cyrillic', 'KOI8R', true],
        ['cyrillic', 'WIN1251', false],
      ] as const) {
        const other = await openStand({ target: { ...targetOf(on.server), database }, rules: RULES });
        const answer = await said(other, encoding, 'select 1');
        if (fits) expect(answer).toBe('1\n');
        else
          expect(answer).toMatch(
            /client encoding "WIN1251" does not pass the gateway to a database whose encoding is "KOI8R"/,
          );
        await other.stop();
      }
    });
  },
);
