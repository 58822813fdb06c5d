import type { Facts, MySqlDialect, Parameter } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { analyze, readingOf } from '../src/index.js';
import { BOTH, MARIADB, MYSQL, mariadb, mysql } from './dialects.js';

const facts = (text: string, dialect: MySqlDialect = mysql()): Facts => analyze(text, readingOf(dialect));
const first = (text: string, dialect?: MySqlDialect): Facts['actions'][number] => {
  const [action] = facts(text, dialect).actions;
  if (!action) throw new Error('no action');
  return action;
};
const resources = (text: string, dialect?: MySqlDialect): string[] =>
  facts(text, dialect).actions.flatMap((action) =>
    action.resources.map(({ type, name, access }) => `${access} ${type} ${name}`),
  );

describe('what versioned comments are', () => {
  test.each(BOTH)('an update that stands in one is an update on %s', (_, reading) => {
    const [action] = analyze("/*!40000 UPDATE*/ people SET nick = 'x'", reading).actions;
    expect(action).toMatchObject({ verb: 'update', filter: 'none' });
    expect(analyze("/*!99999 UPDATE people SET nick = 'x' */", reading).actions).toEqual([]);
  });

  test('the verdict follows the target', () => {
    const text = '/*!50701 DELETE FROM visits */';
    expect(analyze(text, MYSQL).actions).toMatchObject([{ verb: 'delete', filter: 'none' }]);
    expect(analyze(text, MARIADB).actions).toEqual([]);
    expect(analyze('/*M!100000 TRUNCATE visits */', MARIADB).actions).toMatchObject([{ verb: 'truncate' }]);
    expect(analyze('/*M!100000 TRUNCATE visits */', MYSQL).actions).toEqual([]);
  });
});

test('a plan may be asked for in more words by MariaDB', () => {
  const text = 'EXPLAIN EXTENDED ALL DELETE FROM visits';
  expect(analyze(text, MARIADB).actions).toEqual(analyze('EXPLAIN DELETE FROM visits', MARIADB).actions);
  expect(analyze(text, MYSQL).syntaxError).toBeDefined();
});

describe('tables', () => {
  test.each([
    ['SELECT * FROM a JOIN db.b ON EXISTS (SELECT 1 FROM c)', ['read table a', 'read table db.b', 'read table c']],
    ['WITH x AS (SELECT * FROM a) SELECT * FROM x', ['read table a']],
    ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['read table a']],
    ['INSERT INTO a SELECT * FROM b', ['write table a', 'read table b']],
    ['UPDATE a JOIN b ON a.id = b.id SET a.x = b.x', ['write table a', 'read table b']],
    ['UPDATE a JOIN b SET x = 1', ['write table a', 'write table b']],
    ['DELETE x FROM a AS x JOIN b ON x.id = b.id', ['write table a', 'read table b']],
    ['DELETE FROM a, b USING a JOIN b', ['write table a', 'write table b']],
    ['CREATE TABLE a LIKE b', ['define table a', 'read table b']],
    ['CREATE VIEW v AS SELECT * FROM a', ['define table v', 'read table a']],
    ['ALTER TABLE a RENAME TO b', ['define table a', 'define table b']],
    ['TRUNCATE Customers', ['destroy table Customers', 'destroy table customers']],
    ['HANDLER a READ FIRST', ['read table a']],
    ['SHOW COLUMNS FROM a FROM db', ['read table db.a']],
    ['LOAD DATA LOCAL INFILE "x" INTO TABLE a', ['write table a', 'read file x']],
    ['USE shop', ['read database shop']],
  ])('%s', (text, expected) => {
    expect(resources(text)).toEqual(expected);
  });
});

describe('how well conditions select', () => {
  test.each([
    ['DELETE FROM t', 'none'],
    ['DELETE FROM t WHERE NOT id = 0 OR 1', 'none'],
    ['DELETE FROM t WHERE id = 1', 'strong'],
    ['DELETE FROM t WHERE name = 0', 'weak'],
    ['DELETE FROM t WHERE id = @id', 'weak'],
    ['DELETE FROM t LIMIT 10', 'strong'],
    ['DELETE FROM t LIMIT 10001', 'none'],
    ['DELETE t FROM t LEFT JOIN u ON t.id = u.id WHERE u.id IS NULL', 'weak'],
    ['UPDATE t JOIN u ON t.id = u.id SET t.a = 1 WHERE u.id = 3', 'strong'],
    ['UPDATE t JOIN u ON t.id = u.id SET t.a = 1', 'weak'],
    ['DELETE FROM t WHERE id IN (SELECT u.t_id FROM u WHERE u.id = 1)', 'strong'],
    ['DELETE FROM t WHERE id IN (SELECT id FROM u WHERE u.id = 1)', 'weak'],
  ])('%s: %s', (text, expected) => {
    expect(first(text).filter).toBe(expected);
    expect(first(text, mariadb()).filter).toBe(expected);
  });

  test('the mode decides what || and NOT are', () => {
    expect(first('DELETE FROM t WHERE id = 1 || 1').filter).toBe('none');
    expect(first("DELETE FROM t WHERE name = 'a' || 'b'", mysql({ sqlMode: ['PIPES_AS_CONCAT'] })).filter).not.toBe(
      'none',
    );
    expect(first('DELETE FROM t WHERE NOT id <> 1').filter).toBe('strong');
    expect(first('DELETE FROM t WHERE NOT id <> 1', mysql({ sqlMode: ['HIGH_NOT_PRECEDENCE'] })).filter).toBe('weak');
  });

  test('bound values decide', () => {
    const value = (text: string, type = 253): Parameter => ({ type, format: 'text', value: Buffer.from(text) });
    const filter = (...parameters: Parameter[]): unknown =>
      analyze('DELETE FROM t WHERE name = ?', MYSQL, { parameters }).actions[0]?.filter;
    expect(first('DELETE FROM t WHERE name = ?').filter).toBe('strong');
    expect(facts('DELETE FROM t WHERE name = ?').parametric).toBe(true);
    expect(filter(value('ann'))).toBe('strong');
    expect(filter(value('0', 8))).toBe('weak');
    expect(filter(value('7', 8))).toBe('strong');
    expect(filter({ ...value('x'), unknown: true })).toBe('weak');
  });
});

describe('functions', () => {
  test('built-in ones are those of the server', () => {
    expect(first('SELECT NVL(a, 1) FROM t', mariadb()).effects).toEqual(['read']);
    expect(first('SELECT NVL(a, 1) FROM t')).toMatchObject({ unknownFunctions: ['nvl'] });
    expect(first("SELECT MD5('a')", mysql({ version: 80_036 })).effects).toEqual(['read']);
    expect(first("SELECT MD5('a')").effects).toContain('unknown');
  });

  test.each(['SELECT db.abs(1)', 'SELECT `count`(1)', 'SELECT COUNT (1)', 'SELECT own(1)', 'CALL own()'])(
    '%s is a stored one',
    (text) => {
      expect(first(text).effects).toEqual(expect.arrayContaining(['execute', 'unknown']));
      expect(first(text).unknownFunctions).toHaveLength(1);
    },
  );

  test('a blank before the parenthesis is no matter where the mode says so', () => {
    expect(first('SELECT COUNT (1)', mysql({ ignoreSpace: true })).effects).toEqual(['read']);
    expect(first('SELECT COUNT (1)', mysql({ sqlMode: ['IGNORE_SPACE'] })).effects).toEqual(['read']);
  });

  test.each(["SELECT load_file('x')", "SELECT 1 INTO OUTFILE 'x'", "SELECT 1 INTO DUMPFILE 'x'"])('%s', (text) => {
    expect(first(text).effects).toEqual(expect.arrayContaining(['transfer', 'unknown']));
  });
});

describe('texts that texts execute', () => {
  test('PREPARE and EXECUTE of this text, and of the session', () => {
    const { actions, statements } = facts("PREPARE s FROM 'DELETE FROM t'; EXECUTE S");
    expect(actions.map(({ verb, depth }) => `${depth} ${verb}`)).toEqual([
      '0 prepare',
      '1 delete',
      '0 execute',
      '1 delete',
    ]);
    expect(statements[0]).toEqual({ type: 'prepare', name: 's', text: 'DELETE FROM t' });
    expect(facts('EXECUTE s')).toMatchObject({ executes: ['s'], actions: [{ effects: ['session', 'unknown'] }] });
    const prepared = (name: string): string | undefined => (name === 's' ? 'DROP TABLE t' : undefined);
    expect(analyze('EXECUTE s', MYSQL, { prepared }).actions[1]).toMatchObject({ verb: 'drop table', depth: 1 });
  });

  test('a name whose text comes from a variable stands for nothing that is known', () => {
    const prepared = (): string => 'SELECT 1';
    const { actions, statements } = analyze('PREPARE s FROM @q; EXECUTE s', MYSQL, { prepared });
    expect(actions.every(({ effects }) => effects.includes('unknown'))).toBe(true);
    expect(statements[0]).toEqual({ type: 'deallocate', name: 's' });
  });

  test('the values of EXECUTE decide about conditions', () => {
    const text = (value: string): string => `PREPARE s FROM 'DELETE FROM t WHERE name = ?'; EXECUTE s USING ${value}`;
    expect(facts(text('@v')).actions.at(-1)?.filter).toBe('weak');
    expect(facts("EXECUTE IMMEDIATE 'DELETE FROM t WHERE name = ?' USING 'a'", mariadb()).actions.at(-1)?.filter).toBe(
      'strong',
    );
  });
});

describe('the session', () => {
  test('modes and character sets that cannot be read are forbidden', () => {
    expect(facts('SET NAMES gbk').forbidden).toMatch(/gbk/);
    expect(facts("SET sql_mode = 'ANSI,ORACLE'", mariadb()).forbidden).toMatch(/ORACLE/);
    expect(facts("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", mariadb()).forbidden).toBeUndefined();
    expect(facts('SET NAMES utf8mb4').forbidden).toBeUndefined();
  });

  test('what ends a prepared transaction of any session writes', () => {
    expect(first("XA COMMIT 'x'").effects).toEqual(['session', 'write']);
    expect(first("XA ROLLBACK 'x'").effects).toEqual(['session', 'write']);
    expect(first("XA PREPARE 'x'").effects).toEqual(['session']);
    expect(first('COMMIT').effects).toEqual(['session']);
  });

  test('what shows hashes of passwords is secret, however the name behind it is written', () => {
    for (const text of ['SHOW GRANTS', 'SHOW GRANTS FOR bob', 'SHOW CREATE USER bob', "SHOW CREATE USER 'bob'@'%'"])
      expect(first(text).effects).toEqual(['read', 'secret']);
    expect(first('SHOW CREATE USER CURRENT_USER()').effects).toEqual(['read', 'secret']);
    expect(first('SHOW CREATE TABLE user').effects).toEqual(['read']);
  });

  test('OR REPLACE destroys where something is kept in what it makes anew', () => {
    for (const type of ['DATABASE', 'SCHEMA', 'SEQUENCE', 'USER', 'ROLE', 'SERVER'])
      expect(first(`CREATE OR REPLACE ${type} x`, mariadb()).effects).toContain('destroy');
    expect(first('CREATE OR REPLACE VIEW x AS SELECT 1', mariadb()).effects).toEqual(['define']);
    expect(first('CREATE DATABASE x', mariadb()).effects).toEqual(['define']);
  });

  test('a partition that becomes a table is written to both', () => {
    const text = 'ALTER TABLE a CONVERT PARTITION p TO TABLE b';
    expect(first(text, mariadb()).effects).toEqual(['define', 'write']);
    expect(first(text, mariadb()).resources.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(first('ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4').effects).toEqual(['define']);
  });

  test('a scope counts for the items behind it', () => {
    expect(first('SET GLOBAL a = 1, b = 2').effects).toEqual(['session', 'grant', 'unknown']);
    expect(first('SET a = 1, @@global.b = 2').effects).toContain('grant');
    expect(first('SET @a = 1, SESSION b = 2').effects).toEqual(['session']);
  });

  test('how holds wait', () => {
    expect(facts("SET @sluice_hold = 'fail'").session).toEqual({ hold: 'fail' });
    expect(facts("SET @Sluice_Hold := 'wait'").session).toEqual({ hold: 'wait' });
    expect(facts("SET @sluice_hold = 'fail', @a = 1").session).toEqual({ hold: 'invalid' });
    expect(facts('SET @sluice_hold = @x').session).toEqual({ hold: 'invalid' });
  });

  test('what changes names', () => {
    for (const text of ['USE other', 'CREATE TEMPORARY TABLE t (a INT)', 'DROP TEMPORARY TABLE t', 'CALL p()'])
      expect(facts(text).session, text).toEqual({ names: true });
    expect(facts('SELECT 1').session).toBeUndefined();
  });

  test('a setting of a hint is a setting', () => {
    expect(first('SELECT /*+ SET_VAR(sql_log_bin = 0) */ 1').effects).toContain('unknown');
    expect(first('SELECT /*+ SET_VAR(sql_log_bin = 0) */ 1', mariadb()).effects).toEqual(['read']);
  });
});

test('what cannot be read is unknown, with the place', () => {
  expect(facts('SELECT FROM WHERE')).toMatchObject({ confidence: 'opaque', syntaxError: { position: 8 } });
  expect(facts(`SELECT ${'('.repeat(600)}1${')'.repeat(600)}`).actions[0]?.reasons).toEqual([
    'is nested too deeply to be analysed',
  ]);
});

test('a query that a head has in a place nobody reads makes it unknown', () => {
  for (const text of ['CREATE TABLE t (a INT, KEY (((SELECT 1))))', 'KILL (SELECT 1)', 'SHOW TABLES WHERE (SELECT 1)'])
    expect(facts(text).actions.length, text).toBeGreaterThan(0);
  expect(facts('CREATE TABLE t (a INT, KEY (((SELECT x FROM u))))').confidence).toBe('opaque');
  expect(resources('KILL (SELECT id FROM u)')).toContain('read table u');
});
