import type { Action, Facts } from '@sluice/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Analyzer, MAJORS, loadPostgres } from '../src/index.js';

let analyzer: Analyzer;
beforeAll(async () => {
  analyzer = await loadPostgres(17);
});

const analyze = (text: string): Facts => analyzer.analyze(text);
const first = (text: string): Action => {
  const [action] = analyze(text).actions;
  if (!action) throw new Error('no action');
  return action;
};
const brief = (text: string): string[] =>
  analyze(text).actions.map(({ statement, depth, verb }) => `${statement}.${depth} ${verb}`);
const resources = (text: string): string[] =>
  analyze(text).actions.flatMap((action) =>
    action.resources.map(({ type, name, access }) => `${access} ${type} ${name}`),
  );

test.each([
  ['CREATE TEMP TABLE t (a int)', ['t']],
  ['CREATE TEMP TABLE t AS SELECT * FROM u', ['t']],
  ['SELECT * FROM pg_temp.t', ['pg_temp.t']],
  // By the same name another one is read.
  ['CREATE TEMP TABLE t AS SELECT * FROM t', undefined],
  ['SELECT * INTO TEMP t FROM t', undefined],
  ['CREATE TEMP TABLE t (LIKE t)', undefined],
  ['CREATE TEMP VIEW t AS SELECT * FROM t', undefined],
])('which of its tables are temporary by what is written: %s', (text, tables) => {
  expect(first(text).temporaryTables).toEqual(tables);
});

test.each([
  ['SELECT 1', 'select', ['read']],
  ['VALUES (1)', 'select', ['read']],
  ['TABLE t', 'select', ['read']],
  ['INSERT INTO t VALUES (1)', 'insert', ['write']],
  ['UPDATE t SET a = 1 WHERE id = 1', 'update', ['write']],
  ['DELETE FROM t WHERE id = 1', 'delete', ['write']],
  ['MERGE INTO t USING b ON t.id = b.id WHEN NOT MATCHED THEN INSERT VALUES (1)', 'merge', ['write']],
  ['TRUNCATE t', 'truncate', ['destroy', 'write']],
  ['DROP TABLE t', 'drop table', ['destroy', 'define']],
  ['DROP MATERIALIZED VIEW v', 'drop materialized view', ['destroy', 'define']],
  ['DROP ROLE r', 'drop role', ['destroy', 'grant']],
  ['CREATE TABLE t (a int)', 'create table', ['define']],
  ['CREATE TABLE t AS SELECT 1', 'create table as', ['define', 'write', 'read']],
  ['CREATE INDEX ON t (a)', 'create index', ['define']],
  ['ALTER TABLE t ADD a int', 'alter table', ['define']],
  ['ALTER TABLE t DROP a', 'alter table', ['define', 'destroy']],
  ['GRANT SELECT ON t TO r', 'grant', ['grant']],
  ['REVOKE SELECT ON t FROM r', 'revoke', ['grant']],
  ["CREATE ROLE r PASSWORD 'x'", 'create role', ['grant', 'secret']],
  ['COPY t TO STDOUT', 'copy', ['read']],
  ['COPY t FROM STDIN', 'copy', ['write']],
  ["COPY t TO '/tmp/x'", 'copy', ['read', 'transfer', 'unknown']],
  ["COPY t TO PROGRAM 'id'", 'copy', ['read', 'execute', 'egress', 'unknown']],
  ['BEGIN', 'begin', ['session']],
  ['ROLLBACK TO a', 'rollback to', ['session']],
  ['SET search_path = x', 'set', ['session']],
  ['RESET ALL', 'reset', ['session']],
  ['SHOW ALL', 'show', ['read']],
  ['SET ROLE bob', 'set', ['session', 'grant']],
  ['NOTIFY x', 'notify', ['session', 'egress']],
  ['LISTEN x', 'listen', ['session']],
  ['DO $$BEGIN END$$', 'do', ['execute', 'unknown']],
  ['VACUUM', 'vacuum', ['write']],
  ['SELECT * INTO x FROM t', 'select', ['read', 'write', 'define']],
])('%s', (text, verb, effects) => {
  const action = first(text);
  expect(action.verb).toBe(verb);
  expect([...action.effects].sort()).toEqual([...effects].sort());
});

test('every grammar gives the same facts for the same text', async () => {
  const text = `WITH d AS (DELETE FROM a.t WHERE id = 1 RETURNING *) INSERT INTO log SELECT * FROM d; DROP TABLE u`;
  const all = await Promise.all(MAJORS.map(async (major) => (await loadPostgres(major)).analyze(text)));
  for (const facts of all) expect(facts).toEqual(all[0]);
});

test('there is no analyzer for a version without a grammar', async () => {
  await expect(loadPostgres(9)).rejects.toThrow('There is no grammar for PostgreSQL 9');
});

describe('statements inside statements are actions of their own', () => {
  test.each([
    ['SELECT 1; DROP TABLE t', ['0.0 select', '1.0 drop table']],
    ['WITH d AS (DELETE FROM t) SELECT 1', ['0.0 select', '0.1 delete']],
    ['WITH a AS (WITH b AS (UPDATE t SET a = 1 RETURNING 1) SELECT 1) SELECT 1', ['0.0 select', '0.1 update']],
    ['EXPLAIN DELETE FROM t', ['0.0 explain', '0.1 delete']],
    ['PREPARE p AS DELETE FROM t', ['0.0 prepare', '0.1 delete']],
    ['DECLARE c CURSOR FOR SELECT 1', ['0.0 declare', '0.1 select']],
    ['COPY (DELETE FROM t RETURNING 1) TO STDOUT', ['0.0 copy', '0.1 delete']],
    ['PREPARE p AS DELETE FROM t; EXECUTE p', ['0.0 prepare', '0.1 delete', '1.0 execute', '1.1 delete']],
    ['SELECT (SELECT 1), EXISTS (SELECT 2)', ['0.0 select']],
    ['', []],
    ['-- nothing', []],
    [';;', []],
  ])('%s', (text, actions) => expect(brief(text)).toEqual(actions));
});

describe('what is explained is planned, and run with ANALYZE', () => {
  test.each([
    ['EXPLAIN DELETE FROM t', [true, true]],
    ['EXPLAIN (COSTS off, ANALYZE off) DELETE FROM t', [true, true]],
    ['EXPLAIN ANALYZE DELETE FROM t', [false, false]],
    ['EXPLAIN (ANALYZE) DELETE FROM t', [false, false]],
    ['EXPLAIN (ANALYZE off, ANALYZE on) DELETE FROM t', [false, false]],
    ['EXPLAIN (ANALYZE 1) WITH d AS (DELETE FROM t RETURNING 1) SELECT 1', [false, false, false]],
    ['EXPLAIN WITH d AS (DELETE FROM t RETURNING 1) SELECT 1', [true, true, true]],
    ['EXPLAIN DELETE FROM t; DELETE FROM t', [true, true, false]],
    ['PREPARE p AS DELETE FROM t; EXPLAIN EXECUTE p', [false, false, true, true, true]],
    ['PREPARE p AS DELETE FROM t; EXPLAIN ANALYZE EXECUTE p', [false, false, false, false, false]],
  ])('%s', (text, expected) => {
    expect(analyze(text).actions.map(({ explainOnly }) => explainOnly === true)).toEqual(expected);
  });
});

describe('a notification', () => {
  test.each([
    ['SELECT pg_notify($1, $2)', false],
    ["SELECT pg_notify($1::text, 'a' || $2)", false],
    ["SELECT pg_catalog.pg_notify('ch', 'x')", false],
    ["SELECT pg_notify('ch', secret) FROM t", true],
    ["SELECT pg_notify('ch', 'a' || secret) FROM t", true],
    ["SELECT pg_notify('ch', (SELECT secret FROM t))", true],
    ["SELECT pg_notify('ch', current_setting('x'))", true],
    ["SELECT pg_notify('ch', 'a' OPERATOR(other.||) $1)", true],
  ])('%s', (text, isUnknown) => {
    expect(first(text).effects.includes('unknown')).toBe(isUnknown);
    expect(first(text).effects).toContain('egress');
  });
});

describe('tables', () => {
  test.each([
    ['SELECT * FROM a, s.b JOIN c ON true', ['read table a', 'read table s.b', 'read table c']],
    ['SELECT * FROM Customers, "Customers"', ['read table customers', 'read table Customers']],
    ['DELETE FROM t USING b WHERE t.id = 1', ['write table t', 'read table b']],
    ['UPDATE s.t SET a = (SELECT 1 FROM u) WHERE id = 1', ['write table s.t', 'read table u']],
    ['INSERT INTO t SELECT * FROM b', ['write table t', 'read table b']],
    ['TRUNCATE a, b', ['destroy table a', 'destroy table b']],
    ['DROP TABLE s.a, b', ['destroy table s.a', 'destroy table b']],
    ['DROP SCHEMA s', ['destroy schema s']],
    ['COPY t FROM STDIN', ['write table t']],
    ["SELECT '' FROM a WHERE EXISTS (SELECT FROM b)", ['read table a', 'read table b']],
    ['CREATE VIEW v AS SELECT * FROM t', ['define table v', 'read table t']],
  ])('%s', (text, expected) => expect(resources(text).sort()).toEqual([...expected].sort()));

  test.each([
    ['a name of WITH is no table', 'WITH d AS (SELECT 1) SELECT * FROM d', []],
    ['a name of WITH in a schema is a table', 'WITH d AS (SELECT 1) SELECT * FROM s.d', ['read table s.d']],
    [
      'a later one does not hide an earlier one',
      'WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a',
      ['read table b'],
    ],
    ['RECURSIVE makes each see all', 'WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a', []],
    ['without RECURSIVE it does not see itself', 'WITH t AS (SELECT * FROM t) SELECT * FROM t', ['read table t']],
    ['it ends with its statement', 'SELECT * FROM (WITH d AS (SELECT 1) SELECT * FROM d) x, d', ['read table d']],
    ['the target of a DELETE is a table', 'WITH d AS (SELECT 1) DELETE FROM d WHERE id = 1', ['write table d']],
    [
      'inner ones see outer ones',
      'WITH a AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM a) SELECT * FROM b) x',
      [],
    ],
  ])('%s', (_, text, expected) => expect(resources(text)).toEqual(expected));
});

describe('functions', () => {
  test('are named as they are written', () => {
    expect(resources('SELECT LOWER(a), "Upper"(a), pg_catalog.now(), s.f(1) FROM t')).toEqual(
      expect.arrayContaining([
        'execute function lower',
        'execute function Upper',
        'execute function pg_catalog.now',
        'execute function s.f',
      ]),
    );
  });

  test('who trusts the unknown ones knows the action', () => {
    expect(first('SELECT f(1), s.g(2), lower(a)').unknownFunctions).toEqual(['f', 's.g']);
    expect(first('SELECT lower(a)').unknownFunctions).toBeUndefined();
  });

  test('trust in a function does not reach what else is unknown', () => {
    expect(first('SELECT f(1), 1 OPERATOR(s.+) 2').unknownFunctions).toBeUndefined();
  });
});

describe('filters', () => {
  test.each([
    ['DELETE FROM t', 'none'],
    ['DELETE FROM t WHERE true', 'none'],
    ['DELETE FROM t WHERE id = id', 'none'],
    ['DELETE FROM t WHERE id > 5', 'weak'],
    ['DELETE FROM t WHERE id = 5 OR id > 5', 'weak'],
    ['DELETE FROM t WHERE id = 5', 'strong'],
    ['DELETE FROM t WHERE id = 5 AND id > 1', 'strong'],
    ['DELETE FROM t WHERE id IN (1, 2)', 'strong'],
    ['DELETE FROM t WHERE false', 'strong'],
  ])('%s: %s', (text, filter) => expect(first(text).filter).toBe(filter));

  test('a weak one says why, and what has no rows to select has none', () => {
    expect(first('DELETE FROM t WHERE id > 5').reasons).toEqual(['has a condition that may match nearly every row']);
    expect(first('DELETE FROM t WHERE id = 5').reasons).toEqual([]);
    expect(first('SELECT 1').filter).toBeUndefined();
    expect(first('INSERT INTO t VALUES (1)').filter).toBeUndefined();
  });
});

describe('settings', () => {
  test.each([
    'SET standard_conforming_strings = off',
    "SET client_encoding = 'SJIS'",
    "SELECT set_config('standard_conforming_strings', 'off', false)",
    'BEGIN; SET LOCAL standard_conforming_strings = off',
    'SET debug_print_parse = on',
  ])('forbidden whatever the policy says: %s', (text) => expect(analyze(text).forbidden).toMatch(/\.$/));

  test.each([
    'SET client_min_messages = debug1',
    'SET session_replication_role = replica',
    "SELECT set_config('session_replication_role', 'local', true)",
  ])('refused unless a rule allows it: %s', (text) => {
    expect(analyze(text).forbidden).toBeUndefined();
    expect(first(text).effects).toContain('unknown');
    expect(first(text).reasons.join()).toMatch(/switches triggers|prints? statements/);
  });

  test.each([
    'SET standard_conforming_strings = on',
    'SET session_replication_role = origin',
    "SET client_encoding = 'utf-8'",
    'RESET client_encoding',
    'RESET ALL',
  ])('left as they are: %s', (text) => expect(analyze(text).forbidden).toBeUndefined());
});

test('a text that is not of the language', () => {
  const facts = analyze('SELEC 1');
  expect(facts).toMatchObject({ confidence: 'opaque', syntaxError: { position: 1 } });
  expect(facts.syntaxError?.message).toContain('syntax error at or near "SELEC"');
  expect(facts.actions[0]?.effects).toEqual(['unknown']);
});

test.each([
  ["SELECT 'é😀' fro x y", 17],
  ["/* 日本 */ SELECT 'ü' FROM 1", 26],
  ['SELECT 1;\nSELECT 2 FROM FROM', 25],
])('the position of a mistake counts characters from 1: %s', (text, position) => {
  expect(analyze(text).syntaxError?.position).toBe(position);
});

test('a text with a NUL is not looked at', () => {
  expect(analyze('SELECT 1\0; DROP TABLE t')).toMatchObject({ confidence: 'opaque' });
});
