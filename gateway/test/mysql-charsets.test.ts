/** Masks of MySQL where a client has its texts in a character set of one byte for each character. */
import { singleByteCollation, singleByteSet } from '@sluice/contract';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { type Connection, type RowDataPacket, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MySqlStand, openMySqlStand, queryBy } from './mysql-stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: mail, mask: { columns: ["people.mail"], with: redact } }
    - { rule: names, mask: { columns: ["people.name"], with: { partial: { keep_last: 3 } } } }
    - { rule: handles, mask: { columns: ["people.handle"], with: hash } }
    - { rule: found, mask: { detect: [iban] } }
`;
const IBAN = 'DE89370400440532013000';

/** Of each set a word, and its letters as the server writes them. */
const WORDS: Readonly<Record<string, string>> = {
  latin1: 'größer€',
  latin2: 'žluťou',
  latin5: 'ışığı',
  latin7: 'āčiūē',
  greek: 'αλφάβη',
  hebrew: 'אבגדהו',
  cp1250: 'žluťou',
  cp1251: 'приветы',
  cp1256: 'سلامات',
  cp1257: 'āčiūē',
  koi8r: 'приветы',
  koi8u: 'приїзди',
  cp866: 'приветы',
};

describe.each(['mariadb', 'mysql'] as const)('character sets, at %s', (flavour) => {
  const missing = missingMySql(flavour);
  if (missing !== undefined) {
    test.skip(missing);
    return;
  }
  let server: MySqlServer;
  let stand: MySqlStand;
  let direct: Connection;
  let through: Connection;

  beforeAll(async () => {
    server = await startMySql({ flavour });
    const { host, port, user, password, database } = server;
    direct = await createConnection({ host, port, user, password, database, charset: 'utf8mb4' });
    await direct.query(
      'create table people (id int, word varchar(90), mail varchar(90), name varchar(90), handle varchar(90), note text) charset utf8mb4',
    );
    stand = await openMySqlStand({ server, rules: RULES });
    through = await stand.client();
  }, 120_000);
  afterAll(async () => {
    direct?.destroy();
    await stand?.stop();
    await server?.stop();
  });

  /** All values as they came. */
  async function raw(client: Connection, sql: string, prepared: boolean): Promise<(Buffer | null)[]> {
    const typeCast = (field: { buffer(): Buffer | null }): Buffer | null => field.buffer();
    const [rows] = await queryBy(client, prepared ? 'execute' : 'query', { sql, rowsAsArray: true, typeCast });
    return (rows as (Buffer | null)[][]).flat();
  }

  const collationsOf = async (set: string): Promise<number[]> => {
    const [rows] = await direct.query<RowDataPacket[]>(
      'select id from information_schema.collations where character_set_name = ? and id is not null',
      [set],
    );
    return rows.map(({ id, ID }) => Number(id ?? ID));
  };

  test.each(Object.keys(WORDS))('%s is read and written as the server does', async (set) => {
    const all = Array.from({ length: 128 }, (_, at) => at + 128);
    const [rows] = await direct.query<RowDataPacket[]>(
      all
        .map(
          (byte) =>
            `select ${byte} as byte, hex(convert(convert(unhex('${byte.toString(16)}') using ${set}) using utf8mb4)) as text`,
        )
        .join(' union all '),
    );
    const collations = await collationsOf(set);
    expect(collations.length).toBeGreaterThan(1);
    for (const collation of collations) {
      const encoding = singleByteCollation(collation);
      expect(encoding).toBe(singleByteSet(set));
      const wrong = rows.filter(({ byte, text }) => {
        const known = Buffer.from(String(text), 'hex').toString('utf8');
        const bytes = Buffer.from([Number(byte)]);
        // What is no character of the set becomes a question mark.
        return known !== '?' && (encoding?.decode(bytes) !== known || !encoding.encode(known).equals(bytes));
      });
      expect(wrong, `collation ${collation}`).toEqual([]);
    }
  });

  test.each(Object.entries(WORDS))('masks see characters: %s', async (set, word) => {
    await direct.query('delete from people');
    await direct.query('insert into people values (1, ?, ?, ?, ?, ?)', [
      word,
      word,
      `${word}-${word}`,
      word,
      `${word} ${IBAN} ${word}`,
    ]);
    const hashes = new Set<string>();
    for (const results of [set, 'utf8mb4']) {
      for (const client of [direct, through]) await client.query(`set character_set_results = ${results}`);
      for (const prepared of [false, true]) {
        const sql = 'select word, mail, name, note, handle from people';
        const expected = await raw(direct, sql, prepared);
        const [shown, mail, name, note, handle] = await raw(through, sql, prepared);
        expect(shown).toEqual(expected[0]);
        expect(mail?.toString('latin1')).toBe('[masked]');
        const size = results === 'utf8mb4' ? Buffer.byteLength(word.slice(-3)) : 3;
        expect(name).toEqual(
          Buffer.concat([
            Buffer.from(`${'*'.repeat(word.length)}-${'*'.repeat(word.length - 3)}`),
            (expected[0] as Buffer).subarray(-size),
          ]),
        );
        expect(note).toEqual(
          Buffer.concat([expected[0] as Buffer, Buffer.from(' [masked:IBAN] '), expected[0] as Buffer]),
        );
        hashes.add(String(handle));
      }
    }
    expect(hashes.size).toBe(1);
    for (const client of [direct, through]) await client.query('set names utf8mb4');
  });
});
