/**
 * The SQL of MySQL and MariaDB as a language: in which thread a text is read, and what cannot be read at all. Does not: what a
 * statement comes to (analyze.ts).
 */
import { type AnalysisPool, type Asker, type Language, executedBy } from '@sluice/analysis';
import type { Dialect, Facts, MySqlDialect, SqlCommand, TextRange } from '@sluice/contract';
import { analyze, opaque } from './analyze.js';
import { readingOf, unreadable } from './reading.js';
import { rangesOf } from './texts.js';

/** Texts longer than this are read in a thread of the pool. A text of so many characters takes some milliseconds. */
const MAX_INLINE_CHARACTERS = 16 * 1024;

/** Shared by every session of the process. */
export class MySqlLanguage implements Language {
  readonly name = 'mysql';
  readonly #pool: AnalysisPool;

  constructor(pool: AnalysisPool) {
    this.#pool = pool;
  }

  analyze(command: SqlCommand, asker: Asker): Facts | Promise<Facts> {
    const dialect = mysqlOf(command.dialect);
    const why = unreadable(dialect);
    if (why !== undefined) return { ...opaque('comes in a mode of the session that cannot be read'), forbidden: why };
    if (command.text.length <= MAX_INLINE_CHARACTERS) return analyze(command.text, readingOf(dialect), command);
    return this.#inThread(dialect, command, asker);
  }

  /** The thread cannot look names up: the facts say which ones the text executes. */
  async #inThread(dialect: MySqlDialect, command: SqlCommand, asker: Asker): Promise<Facts> {
    const { text } = command;
    const parameters = command.parameters?.map((one) => ({ ...one, value: one.value && Buffer.from(one.value) }));
    const context = parameters ? { parameters } : {};
    const facts = await this.#pool.analyze(dialect, text, context, asker);
    const prepared = executedBy(command, facts);
    if (Object.keys(prepared).length === 0) return facts;
    return this.#pool.analyze(dialect, text, { ...context, prepared }, asker);
  }

  split(text: string, dialect: Dialect): readonly TextRange[] {
    const mysql = mysqlOf(dialect);
    if (unreadable(mysql) !== undefined) return [{ start: 0, end: text.length }];
    return rangesOf(text, readingOf(mysql));
  }

  dialectOf(version = DEFAULT_VERSION): MySqlDialect | undefined {
    // Some replies have 5.5.5- in front of MariaDB's own version.
    const [, major, minor, patch] = /^(?:5\.5\.5-)?(\d{1,2})\.(\d{1,2})\.(\d{1,2})(?!\d)/.exec(version) ?? [];
    if (patch === undefined) return undefined;
    return {
      name: 'mysql',
      flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql',
      version: Number(major) * 10_000 + Number(minor) * 100 + Number(patch),
      sqlMode: [],
      ignoreSpace: false,
      database: undefined,
      charset: 'utf8mb4',
    };
  }
}

/** What is in force at a server as it is installed. */
const DEFAULT_VERSION = '8.4.0';

function mysqlOf(dialect: Dialect): MySqlDialect {
  if (dialect.name !== 'mysql') throw new TypeError(`The SQL of MySQL does not read ${dialect.name}`);
  return dialect;
}
