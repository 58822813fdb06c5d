import type { Action, Facts, Parameter } from '@sluice/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Analyzer, loadPostgres } from '../src/index.js';

/** What depends on more than the text: names, values, and what is remembered. */
let analyzer: Analyzer;
beforeAll(async () => {
  analyzer = await loadPostgres(16);
});

const text = (value: string | null): Parameter => ({
  type: 0,
  format: 'text',
  value: value === null ? null : Buffer.from(value),
});
const binary = (type: number, ...bytes: number[]): Parameter => ({ type, format: 'binary', value: Buffer.from(bytes) });
const filters = ({ actions }: Facts): (string | undefined)[] => actions.map((action: Action) => action.filter);
const execute = (sql: string, known: Record<string, string> = {}): Facts =>
  analyzer.analyze(sql, { prepared: (name) => known[name] });
const filter = (sql: string, ...parameters: Parameter[]): string | undefined =>
  analyzer.analyze(sql, { parameters }).actions[0]?.filter;
const parametric = (sql: string): boolean => analyzer.analyze(sql, { parameters: [text('t')] }).parametric === true;

describe('what a statement does to the session', () => {
  test.each([
    ['SELECT 1', { type: 'none' }],
    ['PREPARE p AS SELECT 1', { type: 'prepare', name: 'p', text: 'PREPARE p AS SELECT 1' }],
    ['PREPARE "My P" AS SELECT 1', { type: 'prepare', name: 'My P', text: 'PREPARE "My P" AS SELECT 1' }],
    ['DEALLOCATE P', { type: 'deallocate', name: 'p' }],
    ['DEALLOCATE ALL', { type: 'deallocate' }],
    ['DECLARE c CURSOR FOR SELECT 1', { type: 'declare', name: 'c' }],
    ['CLOSE c', { type: 'close', name: 'c' }],
    ['CLOSE ALL', { type: 'close' }],
    ['COPY t TO STDOUT', { type: 'copy', direction: 'out' }],
    ['COPY t FROM STDIN', { type: 'copy', direction: 'in' }],
    ["COPY t FROM '/tmp/x'", { type: 'none' }],
    ['DISCARD ALL', { type: 'discard' }],
    ['DISCARD TEMP', { type: 'none' }],
  ])('%s', (sql, effect) => expect(analyzer.analyze(sql).statements).toEqual([effect]));

  test('one for each statement, in order', () => {
    expect(
      analyzer.analyze('BEGIN; DECLARE c CURSOR FOR SELECT 1; CLOSE c').statements.map(({ type }) => type),
    ).toEqual(['transaction', 'declare', 'close']);
  });

  test('a PREPARE is cut out of a text that is not all ASCII', () => {
    const sql = "SELECT 'é😀'; PREPARE p AS SELECT 'ü', '日本' ; SELECT 'ß'; prepare q as select 'é'";
    expect(analyzer.analyze(sql).statements).toEqual([
      { type: 'none' },
      { type: 'prepare', name: 'p', text: "PREPARE p AS SELECT 'ü', '日本'" },
      { type: 'none' },
      { type: 'prepare', name: 'q', text: "prepare q as select 'é'" },
    ]);
  });
});

describe('EXECUTE', () => {
  test('is what the name stands for', () => {
    const { actions } = execute('EXECUTE p(1)', { p: 'PREPARE p AS DELETE FROM t WHERE id = $1' });
    expect(actions.map(({ verb, depth, ...rest }) => [verb, depth, rest.filter])).toEqual([
      ['execute', 0, undefined],
      ['delete', 1, 'strong'],
    ]);
    expect(filters(execute('EXECUTE p', { p: 'PREPARE p AS DELETE FROM t' }))).toEqual([undefined, 'none']);
  });

  test('is also what a Parse message named', () => {
    expect(filters(execute('EXECUTE p', { p: 'DELETE FROM t' }))).toEqual([undefined, 'none']);
  });

  test('is judged with its own values', () => {
    const p = 'PREPARE p AS DELETE FROM t WHERE name LIKE $1';
    expect(filters(execute("EXECUTE p('cart:%')", { p }))).toEqual([undefined, 'strong']);
    expect(filters(execute("EXECUTE p('%')", { p }))).not.toContain('strong');
  });

  test('of a name that nobody knows is unknown', () => {
    expect(execute('EXECUTE p').actions[0]?.effects).toContain('unknown');
    expect(execute('EXECUTE P', { P: 'SELECT 1' }).actions[0]?.effects).toContain('unknown');
    expect(execute('EXECUTE "P"', { P: 'SELECT 1' }).actions[0]?.effects).not.toContain('unknown');
  });

  test('finds the PREPARE before it in the same text, not the older one', () => {
    const { actions } = execute('PREPARE p AS DELETE FROM t; EXECUTE p', { p: 'SELECT 1' });
    expect(actions.at(-1)).toMatchObject({ verb: 'delete', filter: 'none', statement: 1 });
  });

  test('is looked up again each time', () => {
    expect(execute('EXECUTE r', { r: 'SELECT 1' }).actions.at(-1)?.verb).toBe('select');
    expect(execute('EXECUTE r', { r: 'DROP TABLE t' }).actions.at(-1)?.verb).toBe('drop table');
    expect(execute('EXECUTE r').actions[0]?.effects).toContain('unknown');
  });

  test('does not end in itself', () => {
    expect(execute('EXECUTE p', { p: 'EXECUTE p' }).actions[0]?.effects).toContain('unknown');
  });
});

describe('values of parameters', () => {
  test('count once they are bound, and are harmless before', () => {
    const sql = 'DELETE FROM t WHERE id = 2 OR $1';
    expect(analyzer.analyze(sql).actions[0]?.filter).toBe('strong');
    expect(filter(sql, binary(16, 0))).toBe('strong');
    expect(filter(sql, binary(16, 1))).not.toBe('strong');
    expect(filter(sql, text('t'))).not.toBe('strong');
    expect(filter(sql)).not.toBe('strong');
  });

  test('are read in binary too', () => {
    const sql = 'DELETE FROM t WHERE id = 2 OR $1 = 1';
    expect(filter(sql, binary(23, 0, 0, 0, 1))).not.toBe('strong');
    expect(filter(sql, binary(23, 0, 0, 0, 2))).toBe('strong');
    expect(filter(sql, binary(20, 0, 0, 0, 0, 0, 0, 0, 1))).not.toBe('strong');
    expect(filter('DELETE FROM t WHERE name LIKE $1', binary(25, 0x25))).not.toBe('strong');
  });

  test('that cannot be read are taken for the worst', () => {
    expect(filter('DELETE FROM t WHERE name LIKE $1', binary(9999, 1, 2, 3))).not.toBe('strong');
    expect(filter('DELETE FROM t WHERE id = 2 OR $1', binary(9999, 1))).not.toBe('strong');
    expect(filter('DELETE FROM t WHERE id = 2 OR $1', binary(16))).not.toBe('strong');
  });

  test('make the facts depend on them only where they decide', () => {
    expect(parametric('DELETE FROM t WHERE id = 2 OR $1')).toBe(true);
    expect(parametric('DELETE FROM t WHERE name LIKE $1')).toBe(true);
    expect(parametric('SELECT * FROM t WHERE $1')).toBe(false);
    expect(parametric('INSERT INTO t VALUES ($1)')).toBe(false);
  });
});

describe('what is remembered', () => {
  test('a text gives the same facts again', () => {
    const sql = 'SELECT remembered FROM t WHERE id = $1';
    expect(analyzer.analyze(sql)).toBe(analyzer.analyze(sql));
    expect(analyzer.analyze(sql, { parameters: [text('1')] })).toEqual(analyzer.analyze(sql));
  });

  test.each([
    ['f', 't'],
    ['t', 'f'],
  ])('values that come later are judged anew: %s then %s', (...values) => {
    const sql = `DELETE FROM zz WHERE id = 3 OR ($1 AND '${values.join('')}' = '${values.join('')}')`;
    for (const value of [...values, ...values]) {
      const [action] = analyzer.analyze(sql, { parameters: [text(value)] }).actions;
      expect(action?.filter === 'strong').toBe(value === 'f');
    }
  });

  test('a Parse without values does not vouch for those that are bound', () => {
    const sql = 'DELETE FROM yy WHERE id = 3 OR $1';
    expect(analyzer.analyze(sql).actions[0]?.filter).toBe('strong');
    expect(analyzer.analyze(sql, { parameters: [text('t')] }).actions[0]?.filter).not.toBe('strong');
  });

  test('far more texts than are remembered', () => {
    for (let i = 0; i < 5000; i++) expect(analyzer.analyze(`SELECT ${i}`).actions).toHaveLength(1);
    expect(analyzer.analyze('DELETE FROM t').actions[0]?.filter).toBe('none');
  });
});
