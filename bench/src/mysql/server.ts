/** A server of MySQL's protocol that is asked how it reads texts, and one connection to it. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { MySqlDialect } from '@sluice/contract';
import { type MySqlFlavour, type MySqlServer, startMySql } from '@sluice/testkit';

/** Error numbers: the text is not of the language (ER_PARSE_ERROR, ER_SYNTAX_ERROR). */
const SYNTAX_ERRORS: ReadonlySet<number> = new Set([1064, 1149]);

/** In place of an error of the server: it hung up. */
const NO_ANSWER = -1;

export class Reader {
  readonly flavour: MySqlFlavour;
  readonly dialect: MySqlDialect;
  readonly #server: MySqlServer;
  #connection: Connection;

  private constructor(server: MySqlServer, connection: Connection, version: number) {
    this.flavour = server.flavour;
    this.#server = server;
    this.#connection = connection;
    this.dialect = {
      name: 'mysql',
      flavour: server.flavour,
      version,
      sqlMode: [],
      ignoreSpace: false,
      database: server.database,
      charset: 'utf8mb4',
    };
  }

  static async start(flavour: MySqlFlavour): Promise<Reader> {
    const server = await startMySql({ flavour, settings: ['max-allowed-packet=64M'] });
    const connection = await connect(server);
    const [rows] = await connection.query<RowDataPacket[]>('select version() as v');
    const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(String(rows[0]?.['v'])) ?? [];
    const version = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
    return new Reader(server, connection, version);
  }

  /** Whether the server reads a text. It is prepared and nothing runs. */
  async takes(text: string): Promise<boolean> {
    const error = await this.error(text);
    return error === undefined || (error !== NO_ANSWER && !SYNTAX_ERRORS.has(error));
  }

  /** The number of the error that a text is prepared with; undefined: none. */
  async error(text: string): Promise<number | undefined> {
    try {
      await (await this.#connection.prepare(text)).close();
      return undefined;
    } catch (error) {
      const { errno = NO_ANSWER, fatal } = error as { errno?: number; fatal?: boolean };
      if (fatal || errno === NO_ANSWER) this.#connection = await connect(this.#server);
      return errno;
    }
  }

  /** Words of the server's own list, in upper case, and names of functions where it has a list of them. */
  async words(): Promise<string[]> {
    const lists = [
      'select word from information_schema.keywords',
      'select function from information_schema.sql_functions',
    ];
    const found: string[] = [];
    for (const list of lists.slice(0, this.flavour === 'mariadb' ? 2 : 1)) {
      const [rows] = await this.#connection.query({ sql: list, rowsAsArray: true });
      found.push(...(rows as unknown as string[][]).map(([word = '']) => word.toUpperCase()));
    }
    return [...new Set(found)].filter((word) => /^[A-Z_0-9]+$/.test(word));
  }

  /** The first value of the first row; undefined for an error. */
  async value(text: string, ...values: readonly string[]): Promise<unknown> {
    try {
      const [rows] = await this.#connection.query({ sql: text, values: [...values], rowsAsArray: true });
      const [row] = rows as unknown as unknown[][];
      return row?.[0];
    } catch {
      return undefined;
    }
  }

  async run(text: string): Promise<void> {
    await this.#connection.query(text);
  }

  async stop(): Promise<void> {
    await this.#connection.end().catch(() => undefined);
    await this.#server.stop();
  }
}

const connect = ({ host, port, user, password, database }: MySqlServer): Promise<Connection> =>
  createConnection({ host, port, user, password, database, supportBigNumbers: true, bigNumberStrings: true });
