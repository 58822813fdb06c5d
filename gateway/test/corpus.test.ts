import { type AnalysisPool, openPool } from '@sluice/analysis';
import { WORKER, type Analyzer, MAJORS, dialectOf, loadPostgres } from '@sluice/sql-postgres';
import type { Facts, Parameter } from '@sluice/contract';
import { GATEWAY } from '@sluice/guardrails';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSING, corpusOf, countOf, sampleJudge } from './sql-corpus.js';

/** Everything in fixtures/guardrails through the rules of the sample configuration, on every grammar. */
interface Case {
  readonly sql: string;
  readonly parameters?: readonly (string | number | boolean | null)[];
  readonly majors?: readonly number[];
  readonly why?: string;
}

const corpus = (name: string) => corpusOf<Case>('postgres', name);
const judge = sampleJudge('postgres');
const judged = (facts: Facts): string => judge(facts, '');
const analyzers = new Map<number, Analyzer>();
let pool: AnalysisPool;

beforeAll(async () => {
  for (const major of MAJORS) analyzers.set(major, await loadPostgres(major));
  pool = openPool(WORKER, { timeout: 4_000 });
});
afterAll(() => pool.close());

describe.each(corpus('evasions.yaml'))('refused: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, one) => {
    const passing = majorsOf(one).filter((major) => !REFUSING.includes(verdict(major, one)));
    expect(passing, one.why).toEqual([]);
  });
});

describe.each(corpus('ordinary.yaml'))('allowed: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, one) => {
    const refused = majorsOf(one).flatMap((major) => {
      const by = verdict(major, one);
      return by === 'allow' ? [] : [`${major}: ${by}`];
    });
    expect(refused, one.why).toEqual([]);
  });
});

test('the corpus is as large as it says', () => {
  expect(countOf(corpus('evasions.yaml'))).toBeGreaterThanOrEqual(220);
  expect(countOf(corpus('ordinary.yaml'))).toBeGreaterThanOrEqual(200);
});

describe('size and depth', () => {
  const MIB = 1024 * 1024;
  const padding = {
    spaces: ' '.repeat(9 * MIB),
    'line comment': `--${'x'.repeat(9 * MIB)}\n`,
    'block comment': `/*${' '.repeat(9 * MIB)}*/`,
  };

  test.each(Object.entries(padding))('9 MiB of padding hide nothing: %s', async (_, filler) => {
    expect(judged(await pool.analyze(dialectOf(15), `${filler}DELETE FROM t`))).toBe('unfiltered-writes');
    expect(judged(await pool.analyze(dialectOf(18), `DELETE ${filler} FROM t`))).toBe('unfiltered-writes');
    expect(judged(await pool.analyze(dialectOf(18), `SELECT 1;${filler}DROP TABLE t`))).toBe('no-destruction');
  });

  test('9 MiB of padding are let through around a text that does nothing', async () => {
    expect(judged(await pool.analyze(dialectOf(15), `SELECT 1 ${padding['block comment']}`))).toBe('allow');
    expect(judged(await pool.analyze(dialectOf(15), `SELECT '${'DROP TABLE t;'.repeat(1000)}'`))).toBe('allow');
  });

  const nested: Record<string, (depth: number, core: string) => string> = {
    'WITH in WITH': (depth, core) => 'WITH a AS ('.repeat(depth) + core + ') SELECT 1'.repeat(depth),
    comments: (depth, core) => `${'/*'.repeat(depth)}${'*/'.repeat(depth)}${core}`,
  };

  test.each(Object.entries(nested))('nesting hides nothing: %s', (_, nest) => {
    for (const major of MAJORS)
      for (const depth of [1, 10, 60, 1000])
        expect(REFUSING).toContain(verdict(major, { sql: nest(depth, 'DELETE FROM t RETURNING 1') }));
  });

  const deep: Record<string, (depth: number) => string> = {
    parentheses: (depth) => `${'('.repeat(depth)}true${')'.repeat(depth)}`,
    negations: (depth) => `${'NOT '.repeat(2 * depth)}true`,
    disjunctions: (depth) => `${'id = 1 OR '.repeat(depth)}true`,
    'alternating conjunctions': (depth) => `${'(id = 1 OR (true AND '.repeat(depth)}true${'))'.repeat(depth)}`,
  };

  test.each(Object.entries(deep))('a deep condition is no cover: %s', async (_, condition) => {
    for (const depth of [1, 50, 150])
      expect(REFUSING).toContain(verdict(16, { sql: `DELETE FROM t WHERE ${condition(depth)}` }));
    expect(REFUSING).toContain(judged(await pool.analyze(dialectOf(16), `DELETE FROM t WHERE ${condition(20_000)}`)));
  });

  test('the grammar still works after texts that are too deep', async () => {
    for (let i = 0; i < 5; i++) expect(verdict(17, { sql: `SELECT ${'1+'.repeat(12_000)}${i}` })).toBe(GATEWAY);
    expect(verdict(17, { sql: 'SELECT 1 AS after_deep_texts' })).toBe('allow');
    expect(verdict(17, { sql: 'DELETE FROM after_deep_texts' })).toBe('unfiltered-writes');
  });
});

describe('the pool', () => {
  test('answers several texts in a row, each with its own facts', async () => {
    const texts = ['SELECT 1', 'DROP TABLE t', 'SELECT 2', 'DELETE FROM t', 'SELEC', 'DELETE FROM t WHERE id = 1'];
    const answers = await Promise.all(texts.map((text) => pool.analyze(dialectOf(18), text)));
    expect(answers.map(judged)).toEqual(['allow', 'no-destruction', 'allow', 'unfiltered-writes', GATEWAY, 'allow']);
    for (const text of texts) expect(judged(await pool.analyze(dialectOf(15), text))).toBe(verdict(15, { sql: text }));
  });

  test('looks at the values that it is given', async () => {
    const sql = 'DELETE FROM t WHERE name LIKE $1';
    const facts = (value: string): Promise<Facts> =>
      pool.analyze(dialectOf(16), sql, { parameters: [parameter(value)] });
    expect(judged(await facts('%'))).toBe('unfiltered-writes');
    expect(judged(await facts('cart:%'))).toBe('allow');
  });

  test('knows the prepared names that it is given', async () => {
    const known = { prepared: { p: 'PREPARE p AS DELETE FROM t' } };
    expect(judged(await pool.analyze(dialectOf(16), 'EXECUTE p', known))).toBe('unfiltered-writes');
    expect(judged(await pool.analyze(dialectOf(16), 'EXECUTE p'))).toBe(GATEWAY);
  });
});

const titled = (cases: readonly Case[]): [string, Case][] =>
  cases.map((one) => [[one.sql.replaceAll(/\s+/g, ' '), ...(one.parameters ?? []).map(String)].join(' | '), one]);

const majorsOf = ({ majors }: Case): readonly number[] => majors ?? MAJORS;

const parameter = (value: string | number | boolean | null): Parameter => ({
  type: 0,
  format: 'text',
  value: value === null ? null : Buffer.from(String(value)),
});

/** 'allow', or the rule that refuses. */
function verdict(major: number, { sql, parameters }: Case): string {
  const analyzer = analyzers.get(major);
  if (!analyzer) throw new Error(`no grammar for ${major}`);
  return judge(analyzer.analyze(sql, parameters ? { parameters: parameters.map(parameter) } : {}), sql);
}
