/** Where tokens, strings and comments end, as the servers see it: each case was asked of them. */
import { describe, expect, test } from 'vitest';
import { type SqlReading, Unread, readingOf, tokensOf } from '../src/index.js';
import { BOTH, MARIADB, MYSQL, mariadb, mysql } from './dialects.js';

const words = (text: string, reading: SqlReading): string[] => {
  const tokens = tokensOf(text, reading);
  return tokens.kinds
    .slice(0, -1)
    .map((kind, at) => (kind === 'string' ? `'${tokens.stringAt(at)}'` : (tokens.texts[at] ?? '')));
};

describe.each(BOTH)('on %s', (_, reading) => {
  test.each([
    ['SELECT 7--3', ['SELECT', '7', '-', '-', '3']],
    ['SELECT 1 -- x\r; DELETE', ['SELECT', '1']],
    ['SELECT 1 -- x\n, 2', ['SELECT', '1', ',', '2']],
    ['SELECT 1 --\u0001x\n, 2', ['SELECT', '1', ',', '2']],
    ['SELECT 1 # x\r\n, 2', ['SELECT', '1', ',', '2']],
    ['SELECT /* /* */ 1', ['SELECT', '1']],
    ['SELECT 1 /*!40000 , 2 */', ['SELECT', '1', ',', '2']],
    ['SELECT 1 /*! , 2 */', ['SELECT', '1', ',', '2']],
    ['SELECT 1 /*!99999 , 2 */', ['SELECT', '1']],
    ['SELECT 1 /*!99999 /* */ , 2 */ , 3', ['SELECT', '1', ',', '3']],
    ["SELECT /*!40000 '*/' */ , 2", ['SELECT', "'*/'", ',', '2']],
    ["'it''s' 'a\\'b' 'x\\%'", ["'it's'", "'a'b'", "'x\\%'"]],
    ['"a""b"', ["'a\"b'"]],
    ['`a``b`', ['a`b']],
    ['1ea 0X41 1.e1 t.1a .5', ['1EA', '0X41', '1.e1', 't', '.', '1a', '.5']],
    ["x'41' 0x41 b'01' 0b01", ['41', '41', '01', '01']],
    ["@a @`b c` @'d' @@e", ['a', 'b c', 'd', '@@', 'E']],
    ['SELECT 1\0', ['SELECT', '1']],
    ['a <=> b != c := d', ['A', '<=>', 'B', '!=', 'C', ':=', 'D']],
  ] as const)('%j', (text, expected) => {
    expect(words(text, reading)).toEqual(expected);
  });

  test.each(["'", '`', '/*', '/*!40000 x', "x'4'", 'a \0 b', '\\', "SELECT 'a\\'"])('%j is not read', (text) => {
    expect(() => tokensOf(text, reading)).toThrow(Unread);
  });
});

test('numbers of versioned comments are those of the server', () => {
  const text = 'SELECT 1 /*!50701 , 2 */ /*!80000 , 3 */ /*!100100 , 4 */ /*M!100000 , 5 */';
  expect(words(text, MYSQL)).toEqual(['SELECT', '1', ',', '2', ',', '3']);
  expect(words(text, MARIADB)).toEqual(['SELECT', '1', ',', '4', ',', '5']);
  expect(words(text, readingOf(mysql({ version: 50_700 })))).toEqual(['SELECT', '1']);
});

test('sql_mode decides about quotes and backslashes', () => {
  expect(tokensOf('"a"', readingOf(mysql({ sqlMode: ['ANSI_QUOTES'] }))).kinds[0]).toBe('name');
  expect(tokensOf('"a"', readingOf(mysql({ sqlMode: ['ANSI'] }))).kinds[0]).toBe('name');
  const plain = readingOf(mariadb({ sqlMode: ['NO_BACKSLASH_ESCAPES'] }));
  expect(words("'\\' , 1", plain)).toEqual(["'\\'", ',', '1']);
  expect(() => tokensOf("'\\'", MARIADB)).toThrow(Unread);
});

test('dollar quotes are strings in MySQL 9 and names in MariaDB', () => {
  expect(tokensOf("$$ ; ' $$", MYSQL).kinds).toEqual(['string', 'end']);
  expect(tokensOf('$a$ x', MARIADB).kinds).toEqual(['word', 'word', 'end']);
  expect(() => tokensOf('$$ x $$', readingOf(mysql({ version: 80_036 })))).toThrow(Unread);
});

test('hints are code behind a verb of MySQL and comments in MariaDB', () => {
  const text = 'SELECT /*+ SET_VAR(sql_log_bin=0) */ 1';
  expect(words(text, MYSQL)).toEqual(['SELECT', 'SET_VAR(sql_log_bin=0)', '1']);
  expect(words(text, MARIADB)).toEqual(['SELECT', '1']);
  expect(words('SELECT 1 /*+ x */', MYSQL)).toEqual(['SELECT', '1']);
});
