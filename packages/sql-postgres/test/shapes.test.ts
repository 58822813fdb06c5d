import { describe, expect, test } from 'vitest';
import { loadPostgres } from '../src/index.js';

/** Texts of one shape that mean different things: none may answer for the other, whichever comes first. */
const PAIRS: readonly (readonly [string, string])[] = [
  ["DELETE FROM t WHERE name LIKE 'cart:%'", "DELETE FROM t WHERE name LIKE '%'"],
  ['DELETE FROM t WHERE id = 5 OR 1 = 2', 'DELETE FROM t WHERE id = 5 OR 1 = 1'],
  ["DELETE FROM t WHERE id = 5 OR 'a' = 'b'", "DELETE FROM t WHERE id = 5 OR 'a' = 'a'"],
  ["DELETE FROM t WHERE id = 5 OR 'f'::bool", "DELETE FROM t WHERE id = 5 OR 't'::bool"],
  ["SELECT set_config('search_path', 'a', false)", "SELECT set_config('client_encoding', 'SJIS', false)"],
  ["SET search_path = 'a'", "SET search_path = 'b'"],
  ["SET client_encoding = 'UTF8'", "SET client_encoding = 'SJIS'"],
  ["SELECT 'a', 'b'", "SELECT 'a'', ''b'"],
  ["SELECT 'a' /* ', ' */", "SELECT 'a' /* '; DROP TABLE t; --' */"],
  ["SELECT 'x' WHERE 'a' = ''", "SELECT 'x; DROP TABLE t' WHERE '''' = 'b'"],
  ['SELECT 1 LIMIT 1', 'SELECT 1 LIMIT 99999999999999999999'],
  ["SELECT 'a'\n'b'", "SELECT 'a' 'b'"],
];

describe.each(PAIRS)('%j and %j', (one, other) => {
  test('each has its own facts', async () => {
    const [first, second] = [await loadPostgres(15), await loadPostgres(16)];
    const before = { one: first.analyze(one), other: second.analyze(other) };
    expect(second.analyze(one)).toEqual(before.one);
    expect(first.analyze(other)).toEqual(before.other);
    expect(first.analyze(one)).toEqual(before.one);
  });
});
