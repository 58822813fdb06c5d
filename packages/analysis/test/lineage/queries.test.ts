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
