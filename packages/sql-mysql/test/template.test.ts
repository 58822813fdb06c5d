import { expect, test } from 'vitest';
import { analyze } from '../src/index.js';
import { templateOf } from '../src/template.js';
import { MYSQL } from './dialects.js';

test('literals are taken out, and nothing else', () => {
  expect(templateOf("SELECT a1, 5, 'x''y', `it's 5`, t.1a, @5 FROM t WHERE b = 12 LIMIT 3")).toBe(
    "SELECT a1, 0, '''', `it's 5`, t.1a, @5 FROM t WHERE b = 0 LIMIT 0",
  );
  for (const odd of [
    "SELECT 'a\\'b'",
    'SELECT "a"',
    'SELECT 1 -- x',
    'SELECT 1 # x',
    'SELECT /*!50000 1 */',
    "SELECT 'é'",
    'SELECT $$a$$',
    "SELECT @'a'",
    "SELECT @ 'a'",
  ])
    expect(templateOf(odd), odd).toBeUndefined();
});

test('texts of one shape have the same facts, but where a value decides', () => {
  expect(analyze('SELECT * FROM t WHERE id = 7001', MYSQL)).toBe(analyze('SELECT * FROM t WHERE id = 7002', MYSQL));
  const filter = (text: string): unknown => analyze(text, MYSQL).actions[0]?.filter;
  expect(filter('DELETE FROM t WHERE id = 7001')).toBe('strong');
  expect(filter('DELETE FROM t WHERE id = 0')).toBe('weak');
  const file = (text: string): unknown => analyze(text, MYSQL).actions[0]?.resources.at(-1)?.name;
  expect(file("SELECT 1 INTO OUTFILE 'a'")).toBe('a');
  expect(file("SELECT 1 INTO OUTFILE 'b'")).toBe('b');
  expect(analyze("SELECT x'4'", MYSQL).syntaxError).toBeDefined();
  expect(analyze("SELECT x'41'", MYSQL).syntaxError).toBeUndefined();
});

test('a text that comes again is read by the mode in which it comes, each time', () => {
  const text = 'SELECT a FROM "t" WHERE id = ?';
  const ansi = { ...MYSQL, ansiQuotes: true };
  const names = (reading: typeof MYSQL): unknown => JSON.stringify(analyze(text, reading).actions);
  const [asText, asName] = [names(MYSQL), names(ansi)];
  expect(asName).not.toBe(asText);
  for (let n = 0; n < 3; n++) expect([names(MYSQL), names(ansi)]).toEqual([asText, asName]);
  const bare = 'SELECT c FROM again WHERE id = ?';
  const first = analyze(bare, MYSQL);
  for (let n = 0; n < 3; n++) expect(analyze(bare, MYSQL)).toBe(first);
  expect(analyze(bare, ansi)).not.toBe(first);
});
