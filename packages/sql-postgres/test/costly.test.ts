import { type AnalysisPool, openPool } from '@sluice/analysis';
import type { Facts, SqlCommand } from '@sluice/contract';
import { countWork } from '@sluice/testkit/work';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
// The threads run what is built.
import { WORKER } from '../dist/index.js';
import { isCostly } from '../src/costly.js';
import { loadGrammarOfDefinitions } from '../src/grammar.js';
import { PostgresLanguage } from '../src/language.js';

/** Texts that take the grammar quadratic time are read by other threads only. */
const NESTED = `${'/*'.repeat(900)}${'*/'.repeat(900)}`;
const SIGNS = '+'.repeat(1_000);

test.each([
  ['comments in one another', `select 1 ${NESTED}`],
  ['signs', `select ${SIGNS} 1`],
  ['signs of two kinds', `select ${'+-'.repeat(500)} 1`],
  ['both', `select ${'+/*'.repeat(300)} ${'*/'.repeat(300)} 1`],
])('costly: %s', (_, text) => expect(isCostly(text)).toBe(true));

test.each([
  ['comments in turn', `select ${'/* a */ '.repeat(1_000)} 1`],
  ['comments in one another, apart', `select ${'/* '.repeat(900)}${'*/ '.repeat(900)} 1`],
  ['a banner', `/*${'*'.repeat(2_000)}*/ select 1`],
  ['rulers', `-- ${'='.repeat(500)}\n-- ${'-'.repeat(500)}\nselect 1`],
  ['a few signs', `select ${'+'.repeat(60)} 1`],
])('not costly: %s', (_, text) => expect(isCostly(text)).toBe(false));

test.each(['+', '=', '/*', 'a'])('to tell takes a look at each character: %s', (piece) => {
  const text = `select '${`${piece.repeat(255 / piece.length)} `.repeat(400)}'`;
  expect(isCostly(text)).toBe(false);
  // Some blocks for each.
  expect(countWork(() => isCostly(text))).toBeLessThan(6 * text.length);
});

describe('which thread reads', () => {
  let pool: AnalysisPool;
  let language: PostgresLanguage;
  beforeAll(async () => {
    pool = openPool(WORKER);
    language = await PostgresLanguage.open(pool);
  });
  afterAll(() => pool.close());
  const analyze = (text: string, prepared?: string): Facts | Promise<Facts> => {
    const command: SqlCommand = {
      type: 'sql',
      id: 1,
      phase: 'run',
      dialect: { name: 'postgres', major: 18 },
      text,
      prepared: (name) => (name === 'p' ? prepared : undefined),
    };
    return language.analyze(command, { owner: 'o', urgency: 'live' });
  };

  test.each([
    ['select a from t', undefined],
    ['execute p', 'prepare p as select a from t'],
  ])('that of the sessions: %s', async (text, prepared) => {
    const facts = analyze(text, prepared);
    expect(facts).not.toBeInstanceOf(Promise);
    expect((await facts).actions.flatMap(({ resources }) => resources)).toMatchObject([{ name: 't' }]);
  });

  test.each([
    [`select a from t ${NESTED}`, undefined],
    [`select a from t where b = ${SIGNS} 1`, undefined],
    ['execute p', `prepare p as select a from t ${NESTED}`],
    ['execute p', `prepare p as select a from t where b = '${'x'.repeat(5_000)}'`],
  ])('another one: %#', async (text, prepared) => {
    const facts = analyze(text, prepared);
    expect(facts).toBeInstanceOf(Promise);
    expect((await facts).actions.flatMap(({ resources }) => resources)).toMatchObject([{ name: 't' }]);
  });
});

test('masks read none of them, nor bodies of functions', async () => {
  const parse = await loadGrammarOfDefinitions(18);
  const body = (more: string): string =>
    `create function f() returns int language plpgsql as $$ begin return 1; end ${more} $$`;
  expect(parse('select 1')).toMatchObject({ ok: true });
  expect(parse(`select 1 ${NESTED}`)).toEqual({ ok: false, message: 'is too large to be followed' });
  expect(parse.plpgsql(body(''))).toBeDefined();
  expect(parse.plpgsql(body(NESTED))).toBeUndefined();
});
