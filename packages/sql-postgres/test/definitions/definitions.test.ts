import { readFileSync, writeFileSync } from 'node:fs';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Node, nodeOf } from '../../src/ast.js';
import type { Cost } from '../../src/definitions/cost.js';
import { costOf } from '../../src/definitions/definition.js';
import type { ColumnType, Columns } from '../../src/definitions/rows.js';
import { type Parse, loadGrammar } from '../../src/grammar.js';
import { ALONE, DEFINITIONS } from './definitions.js';
import { type Observed, observe, waitedFor } from './observed.js';

/** Locks that hinder neither readers and writers nor other definitions. */
const HARMLESS = ['access share', 'row share', 'row exclusive'];
/** The server gives the table a new file, and writes no row into it. */
const EMPTIES = /^truncate|with no data$/;

describe.each([15, 18] as const)('what definitions cost, held against PostgreSQL %i', (major) => {
  const missing = missingPostgres(major);
  let server: PostgresServer;
  let client: Client;
  let parse: Parse;
  let columns: Columns;

  beforeAll(async () => {
    if (missing) return;
    server = await startPostgres({ major });
    client = new Client(server);
    await client.connect();
    await client.query('set allow_in_place_tablespaces = on');
    await client.query(`create tablespace side location ''`);
    await client.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
    columns = await columnsOf(client);
    parse = await loadGrammar(major);
  });
  afterAll(async () => {
    await client?.end();
    await server?.stop();
  });

  const cost = (text: string, known?: Columns): Cost => {
    const parsed = parse(text);
    if (!parsed.ok) throw new Error(`${text} does not parse`);
    const node = nodeOf(parsed.statements[0]?.['stmt']) as Node;
    return costOf(node, known) ?? { rewrites: false, scans: false, reversible: true, dangers: [] };
  };

  /** Rows of docs/definitions.md. */
  const rows: string[] = [];
  const tried = DEFINITIONS.filter(({ from }) => from <= major);
  test.skipIf(missing).each(tried)('$text', async ({ text, from: since }) => {
    const seen = await observe(client, text);
    const said = cost(text, columns);
    const lock = HARMLESS.includes(seen.lock) ? '' : seen.lock;
    expect({ lock: said.lock?.mode ?? '', rewrites: said.rewrites }).toEqual({
      lock,
      rewrites: seen.rewritten.length > 0 && !EMPTIES.test(text),
    });
    rows.push(rowOf(text, seen, since));
    for (const table of said.lock?.on ?? []) expect(seen.on).toContain(table);
    // Whoever does not know the types expects no less.
    expectAtLeast(cost(text), seen, text);
    expectAtLeast(said, seen, text);
  });

  test.skipIf(missing).each(ALONE.filter(({ from }) => from <= major))('$text, in no transaction', async ({ text }) => {
    const seen = await waitedFor(server, text);
    expect(cost(text).lock?.mode).toBe(seen);
    const { rewrites, scans } = cost(text);
    rows.push(rowInWords(text, { lock: seen, rewrites, scans }, 15));
  });

  test.skipIf(missing || major !== 18)('docs/definitions.md has what was seen', () => {
    const page = readFileSync(PAGE, 'utf8');
    const compared = (on: number): number => [...DEFINITIONS, ...ALONE].filter(({ from }) => from <= on).length;
    expect(page).toContain(`for ${compared(15)} definitions on PostgreSQL 15 and ${compared(18)} on 18`);
    const head = '| definition | lock | rewrites | reads whole |\n| --- | --- | --- | --- |';
    const table = [head, ...rows].join('\n');
    if (process.env['SLUICE_WRITE_DOCS'])
      writeFileSync(PAGE, `${page.slice(0, page.indexOf(START) + START.length)}\n\n${table}\n`);
    else expect(plainly(page.slice(page.indexOf(START) + START.length))).toBe(plainly(table));
  });
});

const PAGE = new URL('../../../../docs/definitions.md', import.meta.url);
/** Behind it stands the table alone. */
const START = '## What was measured';

/** Without what makes a table pretty. */
const plainly = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replaceAll(/\s*\|\s*/g, '|').replaceAll(/-{3,}/g, '---'))
    .filter((line) => line !== '')
    .join('\n');

const rowOf = (text: string, { lock, on, rewritten, scanned }: Observed, since: number): string =>
  rowInWords(
    text,
    {
      lock: HARMLESS.includes(lock) || lock === '' ? '' : `${lock} on ${on.join(', ')}`,
      rewrites: rewritten.length > 0,
      scans: scanned.length > 0,
    },
    since,
  );

const rowInWords = (
  text: string,
  { lock, rewrites, scans }: { lock: string; rewrites: boolean; scans: boolean },
  since: number,
): string => {
  const version = since > 15 ? ` (since ${since})` : '';
  return `| \`${text.replaceAll('|', '\\|')}\`${version} | ${lock} | ${rewrites ? 'yes' : ''} | ${scans ? 'yes' : ''} |`;
};

function expectAtLeast(said: Cost, seen: Observed, text: string): void {
  if (seen.rewritten.length > 0 && !EMPTIES.test(text)) expect(said.rewrites).toBe(true);
  const harmless = seen.lock === '' || HARMLESS.includes(seen.lock);
  if (seen.scanned.length > 0 && !harmless && !EMPTIES.test(text)) expect(said.scans).toBe(true);
}

const NAMES: Readonly<Record<string, string>> = { integer: 'int4' };

async function columnsOf(client: Client): Promise<Columns> {
  const { rows } = await client.query<{ key: string; name: string; shown: string }>(
    `select attrelid::regclass || '.' || attname as key, typname as name, format_type(atttypid, atttypmod) as shown
       from pg_attribute join pg_type on pg_type.oid = atttypid where attrelid >= 16384 and attnum > 0`,
  );
  const types = new Map<string, ColumnType>(
    rows.map(({ key, name, shown }) => [key, { name, modifiers: (shown.match(/\d+/g) ?? []).map(Number) }]),
  );
  const { rows: domains } = await client.query<{ name: string; base: string }>(
    `select typname as name, format_type(typbasetype, typtypmod) as base from pg_type
      where typtype = 'd' and oid >= 16384 and not typnotnull
        and not exists (select from pg_constraint where contypid = pg_type.oid)`,
  );
  const plain = new Map(domains.map(({ name, base }) => [name, { name: NAMES[base] ?? base, modifiers: [] }]));
  return { typeOf: (table, column) => types.get(`${table}.${column}`), plainDomain: (name) => plain.get(name) };
}
