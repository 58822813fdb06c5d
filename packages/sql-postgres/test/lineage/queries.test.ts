import { countWork } from '@sluice/testkit/work';
import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Output, type StatementLineage, newSession } from '../../src/index.js';
import { type Database, fixture, startDatabase } from './database.js';

interface Case {
  readonly sql: string;
  readonly expected: string[];
}

function casesOf(name: string): Case[] {
  const cases: Case[] = [];
  for (const line of fixture(name).split('\n')) {
    if (line.startsWith('  ')) cases.at(-1)?.expected.push(line.trim());
    else if (line !== '' && !line.startsWith('--')) cases.push({ sql: line, expected: [] });
  }
  return cases;
}

const CASES = casesOf('queries.txt');
const CASES_18 = casesOf('queries-18.txt');

test('there are enough of them, and each says what it expects', () => {
  expect(CASES.length).toBeGreaterThan(150);
  expect([...CASES, ...CASES_18].filter(({ expected }) => expected.length === 0)).toEqual([]);
});

describe.skipIf(missingPostgres(15) !== undefined)('on PostgreSQL 15', () => all(15, CASES));
describe.skipIf(missingPostgres(18) !== undefined)('on PostgreSQL 18', () => all(18, [...CASES, ...CASES_18]));

function all(major: 15 | 18, cases: readonly Case[]): void {
  let database: Database;
  beforeAll(async () => {
    database = await startDatabase(major);
  });
  afterAll(() => database?.stop());

  test.each(cases)('$sql', ({ sql, expected }) => {
    const session = newSession('postgres', ['app', 'public']);
    expect(said(database, database.lineage.of(sql, database.catalog, session).at(-1))).toEqual(expected);
  });
}

function said(database: Database, lineage: StatementLineage | undefined): string[] {
  if (lineage?.unknown !== undefined) return [`! ${lineage.unknown}`];
  const outputs = lineage?.outputs ?? [];
  return outputs.length === 0 ? ['-'] : outputs.map((output) => saidOf(database, output));
}

function saidOf({ catalog }: Database, { name, kind, sources, unknown }: Output): string {
  const stored = [...sources].filter(({ relation }) => catalog.relationByOid(relation)?.kind !== 'v');
  const names = stored.map((source) => source.name.replace(/^app\./, '')).sort();
  const parts = [
    ...(names.length > 0 ? [`${kind} ${names.join(' ')}`] : []),
    ...(unknown === undefined ? [] : [`unknown (${unknown})`]),
  ];
  return `${name}: ${parts.join(' ') || 'nothing'}`;
}

describe.skipIf(missingPostgres(15) !== undefined)('what would keep everybody waiting is not followed', () => {
  let database: Database;
  beforeAll(async () => {
    database = await startDatabase(15);
  });
  afterAll(() => database?.stop());

  const many = (count: number, piece: (at: number) => string, between: string): string =>
    Array.from({ length: count }, (_, at) => piece(at)).join(between);
  test.each([
    ['tables side by side', (n: number) => `select 1 from ${many(n, (at) => `pg_class a${at}`, ',')}`],
    [
      'columns of many tables',
      (n: number) => `select ${many(n, () => 'nothing', ',')} from ${many(n, (at) => `pg_class a${at}`, ',')}`,
    ],
    ['statements in one text', (n: number) => many(n, () => 'select * from pg_class', ';')],
    ['unions', (n: number) => many(n, () => 'select * from pg_class', ' union all ')],
    ['whole rows', (n: number) => `select 1 from pg_class where ${many(n, () => 'pg_class = pg_class', ' or ')}`],
  ])('%s', (_, text) => {
    const read = (n: number): string | undefined =>
      database.lineage.of(text(n), database.catalog, newSession('postgres', ['app', 'public'])).at(-1)?.unknown;
    expect(read(10) ?? '').not.toMatch(/too large/);
    // What is refused costs the same, however long it is.
    const [once, twice] = [20_000, 40_000].map((n) => countWork(() => read(n)));
    expect(read(20_000)).toMatch(/too large|too deeply/);
    expect((twice as number) / (once as number)).toBeLessThan(2.3);
  });
});
