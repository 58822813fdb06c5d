/** Where the statements of a text begin and end. */
import { describe, expect, test } from 'vitest';
import { AnalysisPool } from '@sluice/analysis';
import { growth } from '@sluice/testkit/work';
import { MySqlLanguage, WORKER, rangesOf } from '../src/index.js';
import { BOTH, MARIADB, MYSQL, mysql } from './dialects.js';

const pieces = (text: string, reading = MYSQL): string[] =>
  rangesOf(text, reading).map(({ start, end }) => text.slice(start, end));

describe.each(BOTH)('on %s', (_, reading) => {
  test.each([
    ['', ['']],
    ['  ', ['  ']],
    ['SELECT 1', ['SELECT 1']],
    [' SELECT 1 ; \n SELECT 2 ;\n', ['SELECT 1', 'SELECT 2']],
    ['SELECT 1;;SELECT 2', ['SELECT 1', 'SELECT 2']],
    ['SELECT \';\', ";", `;` -- ;\n; SELECT 2', ['SELECT \';\', ";", `;` -- ;', 'SELECT 2']],
    ['SELECT 1; -- note', ['SELECT 1', '-- note']],
    ['/* a; b */ SELECT 1', ['/* a; b */ SELECT 1']],
    ['SELECT 1 -- x\r; DELETE FROM t', ['SELECT 1 -- x\r; DELETE FROM t']],
    ["SELECT 1; SELECT 'without an end", ["SELECT 1; SELECT 'without an end"]],
    [
      '/*!50003 CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW BEGIN END; SELECT 2 */',
      ['/*!50003 CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW BEGIN END; SELECT 2 */'],
    ],
    ['/*!40000 SELECT 1; SELECT 2 */', ['/*!40000 SELECT 1; SELECT 2 */']],
    ['SELECT 1; /*!99999 ; */ SELECT 2', ['SELECT 1', '/*!99999 ; */ SELECT 2']],
  ] as const)('%j', (text, expected) => {
    expect(pieces(text, reading)).toEqual(expected);
  });

  test.each([
    'CREATE PROCEDURE p() SELECT 1',
    'CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END',
    'CREATE DEFINER=`a`@`%` PROCEDURE p() BEGIN IF a THEN SELECT 1; ELSE SELECT IF(1, 2, 3); END IF; END',
    'CREATE FUNCTION f() RETURNS INT BEGIN DECLARE x INT; SET x = CASE 1 WHEN 1 THEN 2 END; RETURN x; END',
    'CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW BEGIN WHILE 0 DO SELECT 1; END WHILE; REPEAT SELECT REPEAT(1, 2); UNTIL 1 END REPEAT; END',
    'CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW IF 1 THEN SET @a = 1; END IF',
    '/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t AFTER INSERT ON u FOR EACH ROW BEGIN SET @a = 1; SET @b = 2; END */',
    '/*!50106 CREATE*/ /*!50117 DEFINER=`a`@`%`*/ /*!50106 EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END */',
    'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN x: LOOP LEAVE x; END LOOP x; CASE 1 WHEN 1 THEN SELECT 1; END CASE; END',
    'CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS t; BEGIN SELECT 1; END; END',
  ])('code is one statement: %s', (code) => {
    expect(pieces(`SELECT 0; ${code}; SELECT 3`, reading)).toEqual(['SELECT 0', code, 'SELECT 3']);
  });
});

test('MariaDB has code outside of routines', () => {
  const code = 'BEGIN NOT ATOMIC SELECT 1; SELECT 2; END';
  expect(pieces(`${code}; SELECT 3`, MARIADB)).toEqual([code, 'SELECT 3']);
  expect(pieces('BEGIN; SELECT 1', MARIADB)).toEqual(['BEGIN', 'SELECT 1']);
});

test('a character for each byte is cut like the text', () => {
  const text = Buffer.from("SELECT 'é;'; SELECT `日本`").toString('latin1');
  expect(pieces(text).map((one) => Buffer.from(one, 'latin1').toString())).toEqual(["SELECT 'é;'", 'SELECT `日本`']);
});

test('what cannot be read is not cut', () => {
  const language = new MySqlLanguage(new AnalysisPool(WORKER));
  expect(language.split('SELECT 1; SELECT 2', mysql({ charset: 'gbk' }))).toEqual([{ start: 0, end: 18 }]);
  expect(language.split('SELECT 1; SELECT 2', mysql())).toHaveLength(2);
});

test.each([
  ';',
  "'",
  "''",
  "\\'",
  '`',
  '/*',
  '*/',
  '/*!',
  '/*!99999',
  '--',
  '-- \n',
  '#\n',
  '"',
  'IF ',
  'CREATE PROCEDURE p() IF ',
  'CASE ',
  'BEGIN ',
  'END ',
  '$$',
  '0x',
  '1e',
  '.',
  '@',
  '/*+',
])('takes twice the work for twice the text: %j', (piece) => {
  const cut = (size: number): unknown => rangesOf(`CREATE PROCEDURE p() ${piece.repeat(size / piece.length)}`, MYSQL);
  expect(growth(8_192, cut)).toBeLessThan(2.6);
});
