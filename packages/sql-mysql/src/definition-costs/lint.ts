/**
 * Reads a migration of MySQL or MariaDB and tells what in it is known to hurt. Owns: which tables the text itself has made. Does not:
 * say what a definition costs (read.ts), read DELIMITER lines, which are the client's, nor print.
 */
import type { Finding, LintReport, Linter } from '@sluice/analysis';
import type { MySqlDialect } from '@sluice/contract';
import { readingOf } from '../reading.js';
import { statementsOf } from '../texts.js';
import { Unread } from '../tokens.js';
import type { Statement } from '../tree.js';
import { type Cost, DANGERS } from './cost.js';

const VERSION = /^(\d{1,2})(?:\.(\d{1,2}))?(?:\.(\d{1,2}))?$/;

/** @throws SyntaxError with line and words for what cannot be read in that dialect */
export function lintDefinitions(source: string, dialect: MySqlDialect): LintReport {
  const fresh = new Set<string>();
  let definitions = 0;
  const findings: Finding[] = [];
  for (const statement of read(source, dialect)) {
    const cost = costOf(statement);
    if (!cost) continue;
    definitions++;
    const on = cost.lock?.on ?? [];
    // Nobody uses yet what this text has made.
    const isFresh = on.length > 0 && on.every((name) => fresh.has(name));
    if (!isFresh) {
      const line = lineAt(source, statement.start);
      const lock = cost.lock && { lock: cost.lock };
      for (const danger of cost.dangers) findings.push({ line, danger, ...DANGERS[danger], ...lock });
    }
    if (statement.kind === 'create table' && !statement.ifNotExists) fresh.add(nameOf(statement));
  }
  return { definitions, findings };
}

/** Both servers have one language, and costs of their own. */
export const linters: readonly Linter[] = [
  linterFor('mysql', 'MySQL', '8.4'),
  linterFor('mariadb', 'MariaDB', '10.11'),
];

function linterFor(flavour: MySqlDialect['flavour'], server: string, usual: string): Linter {
  return {
    dialect: flavour,
    server,
    version: usual,
    dangers: DANGERS,
    doubt: (version) => (VERSION.test(version) ? undefined : `is a version such as ${usual} or ${usual}.1`),
    lint: (source, version) => {
      const [, first = '', second = '0', third = '0'] = VERSION.exec(version) ?? [];
      return lintDefinitions(source, {
        name: 'mysql',
        flavour,
        version: Number(first) * 10_000 + Number(second) * 100 + Number(third),
        sqlMode: [],
        ignoreSpace: false,
        database: undefined,
        charset: 'utf8mb4',
      });
    },
  };
}

function read(source: string, dialect: MySqlDialect): Statement[] {
  try {
    return statementsOf(source, readingOf(dialect));
  } catch (error) {
    if (error instanceof Unread) throw new SyntaxError(`line ${lineAt(source, error.at)} ${error.message}`);
    throw error;
  }
}

const costOf = (statement: Statement): Cost | undefined =>
  statement.kind === 'set for' ? costOf(statement.statement) : 'cost' in statement ? statement.cost : undefined;

const nameOf = ({ table: { schema, name } }: Extract<Statement, { kind: 'create table' }>): string =>
  schema === undefined ? name : `${schema}.${name}`;

const lineAt = (source: string, at: number): number => source.slice(0, at).split('\n').length;
