/** Words and signs of expressions, and how tightly each operator binds. Owns: these tables. Does not: read (expressions.ts). Pure. */
import type { OperatorSign } from './tree.js';

export const UNDERSCORE = 95;

export const COMPARISONS: ReadonlyMap<string, OperatorSign> = new Map([
  ['=', '='],
  ['<=>', '<=>'],
  ['<>', '<>'],
  ['!=', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
]);

export const QUANTIFIERS: ReadonlyMap<string, 'any' | 'all'> = new Map([
  ['ANY', 'any'],
  ['SOME', 'any'],
  ['ALL', 'all'],
]);

export const TESTS: ReadonlyMap<string, OperatorSign> = new Map([
  ['NULL', 'is null'],
  ['TRUE', 'is true'],
  ['FALSE', 'is false'],
  ['UNKNOWN', 'is unknown'],
]);

export const ARITHMETIC: ReadonlyMap<string, OperatorSign> = new Map(
  (['|', '&', '<<', '>>', '+', '-', '*', '/', '%', '^'] as const).map((sign) => [sign, sign]),
);
export const WORDED: ReadonlyMap<string, OperatorSign> = new Map([
  ['DIV', 'div'],
  ['MOD', '%'],
]);

export const BINDING: Readonly<Partial<Record<OperatorSign, number>>> = {
  '|': 0,
  '&': 1,
  '<<': 2,
  '>>': 2,
  '+': 3,
  '-': 3,
  '*': 4,
  '/': 4,
  div: 4,
  '%': 4,
  '^': 5,
};

export const PREFIXES: ReadonlyMap<string, OperatorSign> = new Map([
  ['-', 'minus'],
  ['+', 'plus'],
  ['~', '~'],
  ['!', 'not'],
]);

export const SCOPES: ReadonlyMap<string, 'global' | 'session' | 'persist' | 'persist only'> = new Map([
  ['GLOBAL', 'global'],
  ['SESSION', 'session'],
  ['LOCAL', 'session'],
  ['PERSIST', 'persist'],
  ['PERSIST_ONLY', 'persist only'],
]);

export const QUERY_WORDS: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'VALUES', 'TABLE']);

/** What may stand behind a query in parentheses and belongs to the query. */
export const QUERY_TAILS: ReadonlySet<string> = new Set(
  'UNION EXCEPT INTERSECT MINUS ORDER LIMIT OFFSET FETCH FOR LOCK INTO'.split(' '),
);

export const JSON_KINDS: ReadonlySet<string> = new Set(['VALUE', 'ARRAY', 'OBJECT', 'SCALAR']);
export const WITH_WITHOUT: ReadonlySet<string> = new Set(['WITH', 'WITHOUT']);
export const ROW_WORDS: ReadonlySet<string> = new Set(['ROW', 'ROWS']);

/** Units of INTERVAL and EXTRACT. */
export const UNITS: ReadonlySet<string> = new Set(
  `MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR SECOND_MICROSECOND MINUTE_MICROSECOND MINUTE_SECOND
   HOUR_MICROSECOND HOUR_SECOND HOUR_MINUTE DAY_MICROSECOND DAY_SECOND DAY_MINUTE DAY_HOUR YEAR_MONTH SQL_TSI_SECOND
   SQL_TSI_MINUTE SQL_TSI_HOUR SQL_TSI_DAY SQL_TSI_WEEK SQL_TSI_MONTH SQL_TSI_QUARTER SQL_TSI_YEAR`.split(/\s+/),
);
