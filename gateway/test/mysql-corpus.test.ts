import type { MySqlDialect } from '@sluice/contract';
import { analyze, readingOf } from '@sluice/sql-mysql';
import { type MySqlFlavour, type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSING, corpusOf, countOf, sampleJudge } from './sql-corpus.js';

/** Everything in fixtures/guardrails/mysql through the rules of the sample configuration, and on real servers. */
interface Case {
  readonly sql: string;
  readonly flavour?: MySqlFlavour;
  readonly mode?: readonly string[];
  readonly why?: string;
  /** What it does cannot be seen in the tables here. */
  readonly unseen?: boolean;
}

const FLAVOURS = ['mariadb', 'mysql'] as const;
const corpus = (name: string) => corpusOf<Case>('mysql', name);
const judge = sampleJudge('mysql');

describe.each(corpus('evasions.yaml'))('refused: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, one) => {
    const passing = flavoursOf(one).filter((flavour) => !REFUSING.includes(verdict(flavour, one)));
    expect(passing, one.why).toEqual([]);
  });
});

describe.each(corpus('ordinary.yaml'))('allowed: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, one) => {
    const refused = flavoursOf(one).flatMap((flavour) => {
      const by = verdict(flavour, one);
      return by === 'allow' ? [] : [`${flavour}: ${by}`];
    });
    expect(refused, one.why).toEqual([]);
  });
});

test('the corpus is as large as it says', () => {
  expect(countOf(corpus('evasions.yaml'))).toBeGreaterThanOrEqual(400);
  expect(countOf(corpus('ordinary.yaml'))).toBeGreaterThanOrEqual(200);
});

describe.each(FLAVOURS)('on %s, without a gateway', (flavour) => {
  const missing = missingMySql(flavour);
  let stand: Stand;
  beforeAll(async () => {
    if (missing === undefined) stand = await Stand.open(flavour);
  }, 90_000);
  afterAll(async () => {
    await (stand as Stand | undefined)?.close();
  });

  test.skipIf(missing !== undefined)(
    'every evasion does what is refused',
    async () => {
      const harmless: string[] = [];
      for (const one of corpus('evasions.yaml').flatMap(({ cases }) => cases)) {
        if (one.unseen || !flavoursOf(one).includes(flavour)) continue;
        const error = await stand.run(one);
        if (!(await stand.changed())) harmless.push(`${one.sql}: ${error ?? 'nothing happened'}`);
        await stand.restore();
      }
      expect(harmless).toEqual([]);
    },
    600_000,
  );

  test.skipIf(missing !== undefined)(
    'every ordinary statement is taken',
    async () => {
      const refused: string[] = [];
      for (const one of corpus('ordinary.yaml').flatMap(({ cases }) => cases)) {
        if (!flavoursOf(one).includes(flavour)) continue;
        const error = await stand.run(one);
        if (error !== undefined) refused.push(`${one.sql}: ${error}`);
        await stand.restore();
      }
      expect(refused).toEqual([]);
    },
    600_000,
  );
});

const ROWS = `INSERT INTO t VALUES (1, 2, 'ann'), (2, 3, 'ben'), (3, 4, 'cat'), (4, 1, 'dan');
  INSERT INTO u VALUES (1, 2, 'ann'), (2, 3, 'ben'), (3, 4, 'cat'), (4, 1, 'dan');`;
const TABLES = `DROP DATABASE IF EXISTS other; DROP DATABASE IF EXISTS test; CREATE DATABASE test; USE test;
  CREATE TABLE t (id INT PRIMARY KEY, a INT, name VARCHAR(20)) CHARACTER SET utf8mb4;
  CREATE TABLE u LIKE t; CREATE TABLE log (message TEXT); ${ROWS}`;

/** A server with the tables of the corpus, which are put back behind each case. */
class Stand {
  readonly #server: MySqlServer;
  #connection: Connection;
  readonly #initial: string;

  private constructor(server: MySqlServer, connection: Connection, initial: string) {
    this.#server = server;
    this.#connection = connection;
    this.#initial = initial;
  }

  static async open(flavour: MySqlFlavour): Promise<Stand> {
    const settings = [
      'innodb-flush-log-at-trx-commit=0',
      ...(flavour === 'mysql' ? [] : ['log-bin-trust-function-creators=1']),
    ];
    const server = await startMySql({ flavour, settings });
    const connection = await connect(server);
    await connection.query(TABLES);
    return new Stand(server, connection, await contents(connection));
  }

  /** Gives the server's words when it refused. A session of its own for each case. */
  async run({ sql, mode = [] }: Case): Promise<string | undefined> {
    const session = await connect(this.#server);
    try {
      await session.query('SET sql_mode = ?', [mode.join(',')]);
      await session.query(sql);
      return undefined;
    } catch (error) {
      const { message, errno } = error as Error & { errno?: number };
      // 1065: a text without a statement in it is told so.
      return errno === 1065 ? undefined : message;
    } finally {
      session.destroy();
    }
  }

  async changed(): Promise<boolean> {
    return (await contents(this.#connection)) !== this.#initial;
  }

  async restore(): Promise<void> {
    const cleaned = await this.#connection
      .query(`DELETE FROM t; DELETE FROM u; DELETE FROM log; ${ROWS}`)
      .then(() => true)
      .catch(() => false);
    const made = await this.#connection.query(MADE).catch(() => undefined);
    const [objects] = (made?.[0] ?? []) as { n: number }[];
    if (cleaned && objects?.n === 3 && !(await this.changed())) return;
    await this.#connection.query('ROLLBACK');
    await this.#connection.query(TABLES);
  }

  async close(): Promise<void> {
    this.#connection.destroy();
    await this.#server.stop();
  }
}

/** How many tables, routines, triggers and events there are, of which three tables belong there. */
const MADE = `SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'test')
  + (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = 'test')
  + (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'test')
  + (SELECT COUNT(*) FROM information_schema.events WHERE event_schema = 'test') AS n`;

const connect = ({ host, port, user, password, database }: MySqlServer): Promise<Connection> =>
  createConnection({ host, port, user, password, multipleStatements: true, database });

/** Rows and columns of the table that is to stay as it is. */
async function contents(connection: Connection): Promise<string> {
  try {
    const [rows] = await connection.query('SELECT * FROM test.t ORDER BY id');
    return JSON.stringify(rows);
  } catch {
    return 'gone';
  }
}

const titled = (cases: readonly Case[]): [string, Case][] =>
  cases.map((one) => [[...(one.mode ?? []), one.sql.replaceAll(/\s+/g, ' ').slice(0, 200)].join(' | '), one]);

const flavoursOf = ({ flavour }: Case): readonly MySqlFlavour[] => (flavour ? [flavour] : FLAVOURS);

/** 'allow', or the rule that refuses. */
function verdict(flavour: MySqlFlavour, { sql, mode = [] }: Case): string {
  const dialect: MySqlDialect = {
    name: 'mysql',
    flavour,
    version: flavour === 'mysql' ? 90_704 : 101_119,
    sqlMode: mode,
    ignoreSpace: false,
    database: 'test',
    charset: 'utf8mb4',
  };
  return judge(analyze(sql, readingOf(dialect)), sql);
}
