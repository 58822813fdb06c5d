import type { Action, Facts } from '@sluice/contract';
import { expect, test, vi } from 'vitest';
import type { Catalog } from '../src/catalog/catalog.js';
import type { StatementLineage } from '../src/lineage/index.js';
import type { Meaning, TargetCatalog } from '../src/masks/catalogs.js';
import { defines } from '../src/masks/effects.js';
import { type Judged, Standing } from '../src/masks/standing.js';

const STATEMENTS = 1_000;

/** @param read is told each time that somebody looks whose action it is */
const action = (statement: number, read: () => void = () => undefined): Action =>
  ({
    verb: 'select',
    resources: [],
    effects: ['read'],
    get statement() {
      read();
      return statement;
    },
  }) as unknown as Action;
const lineageOfOne = (): StatementLineage =>
  ({ statement: 'SelectStmt', outputs: [], flows: [], predicates: [], effects: [] }) as unknown as StatementLineage;

/** A catalog that answers at once, and that a look finds as it was; doubles, since what counts is how often it is looked at. */
function stand(late: readonly StatementLineage[]): { readonly standing: Standing; readonly looks: () => number } {
  const actions = Array.from({ length: STATEMENTS }, (_, statement) => action(statement));
  const meaning = { catalog: { version: '1' } as Catalog } as Meaning;
  let looks = 0;
  const catalog = {
    asOf: () => 0,
    readNow: () => Promise.resolve(meaning),
    underWay: { isSettled: () => true, since: () => [] },
  } as unknown as TargetCatalog;
  const columns = { guarded: new Map() } as unknown as Judged['columns'];
  const standing = new Standing(
    catalog,
    {},
    {
      text: '',
      facts: { actions } as unknown as Facts,
      meaning,
      lineage: actions.map(lineageOfOne),
      columns,
      again: () => {
        looks++;
        return { meaning, lineage: late, columns };
      },
      asksWhenSlow: true,
      inTime: (lookup) => lookup,
    },
  );
  return { standing, looks: () => looks };
}

test('a slow text with many statements is not read anew for each of them', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { standing, looks } = stand(Array.from({ length: STATEMENTS }, lineageOfOne));
    vi.advanceTimersByTime(600);
    for (let statement = 0; statement < STATEMENTS; statement++) await standing.check(statement, false);
    expect(looks()).toBe(1);
    // What is answered later is looked at again.
    vi.advanceTimersByTime(600);
    expect(standing.check(STATEMENTS - 1, false)).toBeInstanceOf(Promise);
  } finally {
    vi.useRealTimers();
  }
});

test('one that means something else by then is found all the same', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const late = Array.from({ length: STATEMENTS }, lineageOfOne);
    late[7] = { ...lineageOfOne(), unknown: 'reads something else' };
    const { standing } = stand(late);
    vi.advanceTimersByTime(600);
    for (let statement = 0; statement < 7; statement++) await standing.check(statement, false);
    await expect(standing.check(7, false)).rejects.toThrow('changed while it waited');
    await standing.check(8, false);
    expect([6, 7, 8].map((statement) => standing.hasFallen(statement))).toEqual([false, true, false]);
  } finally {
    vi.useRealTimers();
  }
});

test('to ask each statement of a text whether it defines anything takes as much for each, however many there are', () => {
  const asked = (count: number): number => {
    let read = 0;
    const actions = Array.from({ length: count }, (_, statement) => action(statement, () => void read++));
    const facts = { actions } as unknown as Facts;
    for (let statement = 0; statement < count; statement++) defines(facts, statement);
    return read;
  };
  expect(asked(2_000)).toBe(2 * asked(1_000));
});
