import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cost, Way } from '../../src/definition-costs/cost.js';
import { readingOf } from '../../src/reading.js';
import { statementsOf } from '../../src/texts.js';
import { mariadb } from '../dialects.js';
import { DEFINITIONS, TABLES, tableOf } from './definitions.js';

const missing = missingMySql('mariadb');

interface Asked {
  readonly clauses: readonly string[];
  readonly way: Way;
  readonly words: string;
}

const asked = (way: Way, ...clauses: readonly string[]): Asked => ({ way, clauses, words: clauses.join(', ') });

/** What is asked for, from what costs least, and what it means that the server does it. */
const ASKED: readonly Asked[] = [
  asked('instant', 'ALGORITHM=INSTANT', 'LOCK=NONE'),
  asked('instant', 'ALGORITHM=INSTANT'),
  asked('nocopy', 'ALGORITHM=NOCOPY', 'LOCK=NONE'),
  asked('inplace', 'ALGORITHM=INPLACE', 'LOCK=NONE'),
  asked('shared', 'ALGORITHM=INPLACE'),
  asked('copy', 'ALGORITHM=COPY'),
];

const withClauses = (text: string, clauses: readonly string[]): string =>
  [text, ...clauses].join(text.startsWith('ALTER') ? ', ' : ' ');

/** DROP INDEX of MariaDB has no room for clauses. */
const asAlteration = (text: string): string =>
  text.replace(/^DROP INDEX (.*) ON t$/, (_, index: string) => `ALTER TABLE t DROP INDEX ${index}`);

function costOf(text: string): Cost {
  const [statement] = statementsOf(text, readingOf(mariadb()));
  if (!statement || !('cost' in statement) || !statement.cost) throw new Error(`${text} has no cost`);
  return statement.cost;
}

describe('what definitions cost, held against MariaDB 10.11', () => {
  let server: MySqlServer;
  let connection: Connection;
  let folder = '';

  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await startMySql({
      flavour: 'mariadb',
      settings: ['innodb-flush-log-at-trx-commit=0', 'sync-frm=0', 'innodb-flush-method=nosync'],
    });
    const { host, port, user, password, database } = server;
    connection = await createConnection({ host, port, user, password, database });
    const [rows] = await connection.query('SELECT @@datadir AS folder');
    folder = `${(rows as { folder: string }[])[0]?.folder}${database}`;
    await connection.query('CREATE TABLE other (id INT PRIMARY KEY)');
    await connection.query('INSERT INTO other VALUES (2)');
  }, 90_000);
  afterAll(async () => {
    connection?.destroy();
    await (server as MySqlServer | undefined)?.stop();
  });

  async function anew(table: readonly [string, string]): Promise<void> {
    await connection.query('DROP TABLE IF EXISTS t, s');
    await connection.query(tableOf(table));
    await connection.query(`INSERT INTO t (id, a, c, g, j, u) VALUES (1, 2, 'x', point(1, 1), 'words', 3)`);
  }

  /** The file of the rows: another one has been written anew. */
  function fileOf(): number {
    for (const name of ['t', 's'])
      for (const end of ['ibd', 'MYD', 'MAD']) {
        const found = statSync(`${folder}/${name}.${end}`, { throwIfNoEntry: false });
        if (found) return found.ino;
      }
    throw new Error('the table has no file');
  }

  /** undefined: the server refuses. Otherwise whether it has written the table anew. */
  async function run(text: string): Promise<boolean | undefined> {
    const before = fileOf();
    try {
      await connection.query(text);
    } catch {
      return undefined;
    }
    return fileOf() !== before;
  }

  /** Rows of docs/definitions.md. */
  const rows: string[] = [];
  test.skipIf(missing).each(DEFINITIONS)('%s', async (text) => {
    await anew(TABLES.usual);
    const asked = asAlteration(text);
    let seen: (typeof ASKED)[number] | undefined;
    for (const one of ASKED) {
      const whole = withClauses(asked, one.clauses);
      const rewritten = await run(whole);
      if (rewritten === undefined) continue;
      seen = one;
      const said = costOf(whole);
      // What the server does at once, but not while others use the table, is not said to hinder nobody.
      if (!one.clauses.includes('LOCK=NONE')) expect(said.lock?.mode).not.toBe('none');
      if (rewritten) expect(said.rewrites).toBe(true);
      break;
    }
    const { way } = costOf(text);
    if (way === undefined) throw new Error(`nothing is said of how ${text} is done`);
    if (way !== 'depends' && way !== 'unknown') expect(way).toBe(seen?.way);
    rows.push(rowOf(text, seen?.words ?? 'refused', way));
  });

  // Whatever is said to be cheap, and taken by the server, leaves the rows where they are.
  test.skipIf(missing).each(Object.entries(TABLES))(
    'nothing is written anew that was said to stay: a table %s',
    async (_, table) => {
      const wrong: string[] = [];
      let taken = 0;
      await anew(table);
      for (const text of DEFINITIONS)
        for (const clauses of [['ALGORITHM=INSTANT'], ['ALGORITHM=NOCOPY'], ['ALGORITHM=INPLACE']]) {
          const whole = withClauses(asAlteration(text), clauses);
          if (costOf(whole).rewrites) continue;
          const seen = await run(whole);
          if (seen === undefined) continue;
          taken++;
          if (seen) wrong.push(whole);
          await anew(table);
        }
      expect(wrong).toEqual([]);
      expect(taken).toBeGreaterThan(20);
    },
    60_000,
  );

  test.skipIf(missing)('what names no algorithm may be copied, and is by a server that is set so', async () => {
    await anew(TABLES.usual);
    const text = 'ALTER TABLE t ADD COLUMN x INT';
    expect(await run(`SET STATEMENT alter_algorithm = COPY FOR ${text}`)).toBe(true);
    expect(costOf(text).rewrites).toBe(true);
  });

  test.skipIf(missing)('docs/definitions.md has what was seen', () => {
    const page = readFileSync(PAGE, 'utf8');
    expect(page).toContain(`${DEFINITIONS.length} definitions`);
    const table = ['| definition | least that the server takes | said |\n| --- | --- | --- |', ...rows].join('\n');
    const start = page.indexOf(START) + START.length;
    const end = page.indexOf('\n## ', start);
    if (process.env['SLUICE_WRITE_DOCS'])
      writeFileSync(PAGE, `${page.slice(0, start)}\n\n${table}\n${page.slice(end)}`);
    else expect(plainly(page.slice(start, end))).toBe(plainly(table));
  });
});

const PAGE = new URL('../../../../docs/definitions.md', import.meta.url);
/** Behind it stands the table, up to the next chapter. */
const START = '### What MariaDB was asked';

/** Without what makes a table pretty. */
const plainly = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replaceAll(/\s*\|\s*/g, '|').replaceAll(/-{3,}/g, '---'))
    .filter((line) => line !== '')
    .join('\n');

const rowOf = (text: string, seen: string, said: Way): string =>
  `| \`${text}\` | ${seen} | ${said === 'depends' || said === 'unknown' ? 'not known' : 'the same'} |`;
