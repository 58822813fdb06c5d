/** Estimates, at a real server. */
import { type Impact } from '@sluice/approvals';
import type { Facts, Lookup, SqlCommand } from '@sluice/contract';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyze, impactOf, readingOf } from '../src/index.js';
import { mariadb, mysql } from './dialects.js';

describe.each(['mariadb', 'mysql'] as const)('on %s', (flavour) => {
  const missing = missingMySql(flavour);
  let server: MySqlServer;
  let asked: string[] = [];

  const connect = ({ host, port, user, password, database }: MySqlServer): Promise<Connection> =>
    createConnection({ host, port, user, password, database, multipleStatements: true });

  async function lookup(): Promise<Lookup> {
    const connection = await connect(server);
    return {
      major: 0,
      query: async (text) => {
        asked.push(text);
        const [rows] = await connection.query({ sql: text, rowsAsArray: true });
        return Array.isArray(rows)
          ? rows.map((row) => (row as unknown[]).map((cell) => (cell === null ? null : String(cell))))
          : [];
      },
      close: () => connection.destroy(),
    };
  }

  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await startMySql({ flavour, settings: flavour === 'mysql' ? [] : ['log-bin-trust-function-creators=1'] });
    const connection = await connect(server);
    await connection.query(`CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20));
      INSERT INTO people SELECT seq, 'x' FROM (WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 500)
        SELECT seq FROM n) AS numbers;
      CREATE TABLE visits (id INT PRIMARY KEY, person INT, FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE);
      CREATE TABLE log (message TEXT);
      CREATE TRIGGER gone AFTER DELETE ON people FOR EACH ROW INSERT INTO log VALUES ('gone');
      CREATE VIEW names AS SELECT * FROM people; ANALYZE TABLE people;`);
    connection.destroy();
  }, 90_000);
  afterAll(async () => {
    await (server as MySqlServer | undefined)?.stop();
  });

  const impact = async (text: string, change: Partial<SqlCommand> = {}): Promise<Impact | undefined> => {
    asked = [];
    const dialect = (flavour === 'mysql' ? mysql : mariadb)({ database: 'test' });
    const command: SqlCommand = { type: 'sql', id: 1, phase: 'run', dialect, text, ...change };
    const facts: Facts = analyze(text, readingOf(dialect));
    return impactOf(command, facts, true, lookup);
  };

  test.skipIf(missing !== undefined)('rows, cascades and triggers of a DELETE', async () => {
    const found = await impact('DELETE FROM people WHERE id > 0');
    expect(found?.unknown).toBeUndefined();
    expect(found?.tables).toHaveLength(1);
    const [table] = found?.tables ?? [];
    expect(table).toMatchObject({ verb: 'delete', table: 'people', cascades: ['test.visits'], triggers: ['gone'] });
    expect(table?.rows).toBeGreaterThan(100);
    expect(table?.totalRows).toBeGreaterThan(100);
    const few = await impact('DELETE FROM people WHERE id IN (1, 2)');
    expect(few?.tables[0]?.rows).toBeLessThan(10);
  });

  test.skipIf(missing !== undefined)('names with dots in them', async () => {
    const connection = await connect(server);
    await connection.query(`CREATE TABLE \`old.people\` (id INT PRIMARY KEY); INSERT INTO \`old.people\` VALUES (1), (2), (3);
      CREATE VIEW \`old.names\` AS SELECT * FROM people; CREATE DATABASE \`of.all\`; CREATE TABLE \`of.all\`.people (id INT);
      ANALYZE TABLE \`old.people\``);
    const text = 'DELETE FROM `old.people` WHERE id > 0';
    const found = await impact(text);
    expect(found?.unknown).toBeUndefined();
    expect(found?.tables).toMatchObject([{ table: 'old.people', totalRows: 3 }]);
    expect(found?.tables[0]?.rows).toBeGreaterThan(0);
    expect((await impact('DELETE FROM `old.names` WHERE id > 1'))?.unknown).toBe('old.names is a view');
    expect((await impact('DROP TABLE `of.all`.people'))?.tables).toMatchObject([{ table: 'of.all.people' }]);
    // Two tables have this name: nobody is shown the other one.
    await connection.query('CREATE DATABASE old; CREATE TABLE old.people (id INT)');
    expect(await impact(text)).toEqual({ tables: [], unknown: 'old.people may be one of several tables' });
    await connection.query('DROP DATABASE old; DROP DATABASE `of.all`; DROP TABLE `old.people`; DROP VIEW `old.names`');
    connection.destroy();
  });

  test.skipIf(missing !== undefined)('what refers to a table that is dropped', async () => {
    expect(await impact('DROP TABLE people')).toMatchObject({
      tables: [{ table: 'people', cascades: ['test.visits'] }],
    });
  });

  test.skipIf(missing !== undefined).each([
    ['DELETE FROM people WHERE id = own(1)', 'it uses functions that nobody has vetted'],
    ['DELETE FROM names WHERE id > 1', 'names is a view'],
    ['DELETE FROM people WHERE id = 1; DELETE FROM people', 'the text has more than one statement'],
    ['EXPLAIN DELETE FROM people', 'it stands in another statement'],
  ])('%s is not planned', async (text, why) => {
    expect((await impact(text))?.unknown).toBe(why);
    expect(asked.some((one) => one.startsWith('explain'))).toBe(false);
  });

  test.skipIf(missing !== undefined)('a statement that changes nothing is not looked at', async () => {
    expect(await impact('SELECT * FROM people')).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test.skipIf(missing !== undefined)('bound values are not put into a text', async () => {
    const parameters = [{ type: 8, format: 'text', value: Buffer.from('1') } as const];
    const found = await impact('DELETE FROM people WHERE id = ?', { parameters });
    expect(found).toMatchObject({ tables: [{ table: 'people' }], unknown: 'its values come apart from its text' });
  });

  test.skipIf(missing !== undefined)('a name in quotes ends no text of the gateway', async () => {
    const found = await impact("DELETE FROM `x'\\\\` WHERE id = 1");
    expect(found).toEqual({ tables: [], unknown: 'the target cannot plan it' });
  });
});
