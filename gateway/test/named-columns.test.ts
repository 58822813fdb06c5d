/** Columns with blanks, quotes, stars and dots in their names are masked by them. */
import { COLUMN_NAME, matcherOf, partsOfColumn } from '@sluice/contract';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { openStand, targetOf } from './stand.js';

test.each([
  ['email', true],
  ['customers.email', true],
  ['"Sales Orders"."E-mail Address"', true],
  ['public."a ""b"" c".*', true],
  ['Sales Orders.email', false],
  ['"Sales Orders', false],
  ['a.b.c.d', false],
  ['"a.b"', false],
  ['""', false],
])('%s is a column: %s', (name, good) => {
  expect(COLUMN_NAME.test(name)).toBe(good);
});

test('what is in quotes is no pattern', () => {
  const [part] = partsOfColumn('"a*b"');
  expect(part && matcherOf(part).test('axb')).toBe(false);
  expect(part && matcherOf(part).test('a*b')).toBe(true);
});

test.skipIf(missingPostgres(18))('masks reach columns with blanks, quotes and dots in their names', async () => {
  const server = await startPostgres({ major: 18 });
  const stand = await openStand({
    target: targetOf(server),
    rules: `
    - { rule: names, mask: { columns: ['"Sales Orders"."E-mail ""home"""', 'plain.*dotted', 'star."*"'], with: redact } }`,
  });
  const client = await stand.client();
  try {
    await client.query(`create table "Sales Orders" (id int, "E-mail ""home""" text)`);
    await client.query('create table plain (id int, "my.dotted" text check ("my.dotted" is not null))');
    await client.query('create table star ("*" text, other text)');
    await client.query(`insert into "Sales Orders" values (1, 'ada@example.com')`);
    await client.query(`insert into plain values (1, 'secret')`);
    await client.query(`insert into star values ('hidden', 'shown')`);
    expect((await client.query('select * from "Sales Orders"')).rows[0]).toEqual({
      id: 1,
      'E-mail "home"': expect.stringContaining('[masked'),
    });
    expect((await client.query('select * from star')).rows[0]).toEqual({
      '*': expect.stringContaining('[masked'),
      other: 'shown',
    });
    expect((await client.query('select "my.dotted" from plain')).rows[0]?.['my.dotted']).toContain('[masked');
    // The row that a constraint rejects is in the server's own error.
    const failed = await client
      .query('alter table plain add constraint c check (id > 1)')
      .catch((error: Error) => error);
    expect(JSON.stringify(failed, Object.getOwnPropertyNames(failed))).not.toContain('secret');
    const row = await client
      .query('update plain set id = null, "my.dotted" = null where id = 1')
      .catch((error: Error) => error);
    expect(JSON.stringify(row, Object.getOwnPropertyNames(row))).not.toContain('secret');
    expect(row).toBeInstanceOf(Error);
  } finally {
    await client.end();
    await stand.stop();
    await server.stop();
  }
});
