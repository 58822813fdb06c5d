/** What a text changes for the commands behind it: read by the parser, in whatever way it is written. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Analyzer, loadPostgres } from '../src/index.js';

let analyzer: Analyzer;
beforeAll(async () => {
  analyzer = await loadPostgres(17);
});
const session = (text: string): unknown => analyzer.analyze(text).session;

describe('sluice.hold', () => {
  test.each([
    ['SET sluice.hold = fail', 'fail'],
    ["set session sluice.hold to 'FAIL';", 'fail'],
    ['SET "sluice"."hold" = wait', 'wait'],
    ['/* fail */ SET /* */ sluice . hold = fail -- now', 'fail'],
    ['RESET sluice.hold', 'wait'],
    ['SET sluice.hold TO DEFAULT', 'wait'],
    ['SET sluice.hold = maybe', 'invalid'],
    ['SET sluice.hold = fail, wait', 'invalid'],
    ['SET LOCAL sluice.hold = fail', 'invalid'],
    ["SET sluice.hold = 'fail'; SELECT 1", 'invalid'],
  ])('%s', (text, hold) => expect(session(text)).toEqual({ hold }));

  test.each(['RESET ALL', 'DISCARD ALL'])('%s takes it back, and other names with it', (text) =>
    expect(session(text)).toEqual({ hold: 'wait', names: true }),
  );
  test.each([
    "SELECT 'SET sluice.hold = fail'",
    '-- SET sluice.hold = fail\nSELECT 1',
    "SET work_mem = '1MB'",
    'SELECT 1',
  ])('%s says nothing of it', (text) => expect(session(text)).toBeUndefined());
});

describe('names may mean something else', () => {
  test.each([
    'SET search_path = a, b',
    'SET LOCAL ROLE r',
    'SET SESSION AUTHORIZATION u',
    "SELECT set_config('Search_Path', 'a', false)",
    'CREATE TEMP TABLE customers (id int)',
    'SELECT 1 AS id INTO TEMPORARY customers',
    'CREATE TEMP VIEW v AS SELECT 1',
    'CREATE TABLE pg_temp.customers (id int)',
    'CREATE VIEW pg_temp.customers AS SELECT * FROM payments',
    'CREATE SCHEMA s',
    'DROP SCHEMA s',
    'ALTER SCHEMA s RENAME TO t',
    'ALTER TABLE t SET SCHEMA s',
    'DISCARD TEMP',
    'SELECT f()',
  ])('after %s', (text) => expect(session(text)).toEqual({ names: true }));

  test.each(["SET work_mem = '1MB'", 'CREATE TABLE t (a int)', 'UPDATE t SET a = 1 WHERE id = 1', 'BEGIN'])(
    'not after %s',
    (text) => expect(session(text)).toBeUndefined(),
  );
});

describe('a constant that a mask has left', () => {
  const masked = (text: string): boolean => analyzer.analyze(text).maskedConstant === true;
  test.each([
    "UPDATE t SET a = '[masked:EMAIL]' WHERE id = 1",
    'UPDATE t SET a = $$[masked]$$ WHERE id = 1',
    "UPDATE t SET a = E'\\x5bmasked]' WHERE id = 1",
    "UPDATE t SET a = U&'\\005bmasked]' WHERE id = 1",
    "INSERT INTO t VALUES ('tok_abcdefgh234567ab')",
    "UPDATE t SET a = '[masked:'\n'EMAIL]' WHERE id = 1",
    "UPDATE t SET a = U&'!005Bmasked]' UESCAPE '!' WHERE id = 1",
  ])('%s', (text) => expect(masked(text)).toBe(true));
  test.each([
    "UPDATE t SET a = 'x' WHERE id = 1 -- not [masked]",
    "SELECT '[masked]'",
    "UPDATE t SET a = 'x' WHERE id = 1",
  ])('not in %s', (text) => expect(masked(text)).toBe(false));

  test('in what it executes', () => {
    const prepared = (): string => "UPDATE t SET a = '[masked]' WHERE id = 1";
    expect(analyzer.analyze('EXECUTE p', { prepared }).maskedConstant).toBe(true);
    expect(analyzer.analyze('EXECUTE p', { prepared: () => "SELECT '[masked]'" }).maskedConstant).toBeUndefined();
    expect(analyzer.analyze('EXECUTE p', { prepared: () => 'DELETE FROM t' }).maskedConstant).toBeUndefined();
  });

  test('is not forgotten behind a text of the same shape', () => {
    expect(masked("UPDATE shaped SET a = 'plain' WHERE id = 1")).toBe(false);
    expect(masked("UPDATE shaped SET a = '[masked]' WHERE id = 1")).toBe(true);
    expect(masked("UPDATE shaped SET a = 'plain again' WHERE id = 2")).toBe(false);
  });
});

test('names that a text executes are facts, but for those that it prepares itself', () => {
  expect(analyzer.analyze('EXECUTE "P"; EXECUTE p(1)').executes).toEqual(['P', 'p']);
  expect(analyzer.analyze('PREPARE own AS SELECT 1; EXECUTE own').executes).toBeUndefined();
  expect(analyzer.analyze("SELECT 'execute p'").executes).toBeUndefined();
});

describe('conditions may find other rows', () => {
  test.each([
    ['SET transform_null_equals = on', 'any'],
    [`SET LOCAL my.ids = '1,2'`, 'any'],
    [`SELECT set_config('my.ids', '1,2', false)`, 'any'],
    ['RESET my.ids', 'any'],
    [`SET DateStyle = 'DMY'`, 'times'],
    [`SET TIME ZONE 'UTC'`, 'times'],
  ])('after %s', (text, values) => expect(session(text)).toEqual({ values }));

  test.each([`SET application_name = 'a.b'`, `SET statement_timeout = '1s'`, `SELECT current_setting('my.ids')`])(
    'not after %s',
    (text) => expect(session(text)).toBeUndefined(),
  );
});
