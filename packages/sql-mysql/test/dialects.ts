import type { MySqlDialect } from '@sluice/contract';
import { type SqlReading, readingOf } from '../src/index.js';

/** The two servers as tests know them, with another setting here and there. */
export const mysql = (change: Partial<MySqlDialect> = {}): MySqlDialect =>
  dialect({ flavour: 'mysql', version: 90_704, ...change });
export const mariadb = (change: Partial<MySqlDialect> = {}): MySqlDialect =>
  dialect({ flavour: 'mariadb', version: 101_119, ...change });

function dialect(change: Pick<MySqlDialect, 'flavour' | 'version'> & Partial<MySqlDialect>): MySqlDialect {
  return { name: 'mysql', sqlMode: [], ignoreSpace: false, database: 'shop', charset: 'utf8mb4', ...change };
}

export const MYSQL: SqlReading = readingOf(mysql());
export const MARIADB: SqlReading = readingOf(mariadb());
export const BOTH: readonly (readonly [string, SqlReading])[] = [
  ['mysql', MYSQL],
  ['mariadb', MARIADB],
];
