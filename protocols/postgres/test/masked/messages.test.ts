import { missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { textMaskOf } from '@sluice/masking';
import { filterMessage, filterNotification } from '../../src/masked/messages.js';
import { UTF8 } from '../../src/text-encoding.js';

const texts = (hidden: boolean) => textMaskOf(() => hidden);

type Fields = Readonly<Record<string, string>>;

function message(tag: string, fields: Fields): Buffer {
  const body = Buffer.from(
    `${Object.entries(fields)
      .map(([field, text]) => `${field}${text}\0`)
      .join('')}\0`,
  );
  const head = Buffer.alloc(5, tag);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function read(bytes: Buffer): Fields {
  expect(bytes.readInt32BE(1)).toBe(bytes.length - 1);
  expect(bytes.subarray(-2)).toEqual(Buffer.from([0, 0]));
  const texts = bytes.toString('utf8', 5, bytes.length - 2).split('\0');
  return Object.fromEntries(texts.map((text) => [text[0], text.slice(1)]));
}

const duplicate: Fields = {
  S: 'ERROR',
  V: 'ERROR',
  C: '23505',
  M: 'duplicate key value violates unique constraint "customers_email_key"',
  D: 'Key (email)=(ada@example.com) already exists.',
  W: 'COPY customers, line 1: "ada@example.com"',
  q: "insert into customers values ('ada')",
  P: '15',
  s: 'public',
  t: 'customers',
  n: 'customers_email_key',
  F: 'nbtinsert.c',
  L: '664',
  R: '_bt_check_unique',
};

test('where a masked column is involved names and codes stay, and the texts go', () => {
  const { M, D: _detail, W: _where, q: _query, ...kept } = duplicate;
  expect(read(filterMessage(message('E', duplicate), texts(true), UTF8))).toEqual({
    ...kept,
    M: 'A key exists already: constraint "customers_email_key" of table "customers".',
    H: 'The text of the server is not shown, because a masked column is involved.',
  });
  expect(M).not.toBe('');
});

test('elsewhere findings are replaced in every text, and a message without any is the same message', () => {
  const filtered = read(filterMessage(message('E', duplicate), texts(false), UTF8));
  expect(filtered).toEqual({
    ...duplicate,
    D: 'Key (email)=([masked:EMAIL]) already exists.',
    W: 'COPY customers, line 1: "[masked:EMAIL]"',
  });
  const plain = message('N', { S: 'NOTICE', V: 'NOTICE', C: '00000', M: 'table "x" does not exist, skipping' });
  expect(filterMessage(plain, texts(false), UTF8)).toBe(plain);
  const kept = message('E', duplicate);
  expect(
    filterMessage(
      kept,
      textMaskOf(() => false, new Set(['IBAN'] as const)),
      UTF8,
    ),
  ).toBe(kept);
});

test('fields that are not known do not pass where a masked column is involved', () => {
  const filtered = read(
    filterMessage(message('N', { V: 'NOTICE', C: '00000', M: 'x', F: 'tablecmds.c', Z: 'secret' }), texts(true), UTF8),
  );
  expect(Object.keys(filtered).sort()).toEqual(['C', 'F', 'H', 'M', 'V']);
});

test.each(['tsquery_cleanup.c', 'xml.c', 'lwgeom_pg.c', undefined])(
  'a notice that a value may be the reason of does not pass (%s)',
  (file) => {
    const notice = message('N', { V: 'NOTICE', C: '00000', M: 'x', ...(file !== undefined && { F: file }) });
    expect(filterMessage(notice, texts(true), UTF8)).toHaveLength(0);
    expect(filterMessage(notice, texts(false), UTF8)).toBe(notice);
  },
);

test.each([
  ['a message without its end', message('E', duplicate).subarray(0, -1)],
  ['a length that lies', Buffer.concat([message('E', duplicate), Buffer.from('ada@example.com')])],
  ['a field without its end', Buffer.from('E\0\0\0\x0aMsecre', 'latin1')],
  ['nothing', Buffer.alloc(0)],
])('%s becomes a message that can be read', (_, bytes) => {
  for (const masked of [true, false]) {
    expect(read(filterMessage(bytes, texts(masked), UTF8))['M']).toBe('The server sent a message that cannot be read.');
  }
});

describe('notifications', () => {
  const notification = (payload: string): Buffer => {
    const body = Buffer.from(`\0\0\0\x07channel\0${payload}\0`);
    const head = Buffer.alloc(5, 'A');
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  test.each([
    ['write to ada@example.com', 'write to [masked:EMAIL]'],
    ['nothing', 'nothing'],
  ])('%s: %j', (payload, expected) => {
    expect(filterNotification(notification(payload), texts(false), UTF8)).toEqual(notification(expected));
  });
  test('one that cannot be read does not pass', () => {
    expect(filterNotification(notification('x').subarray(0, -1), texts(false), UTF8)).toHaveLength(0);
  });
});

/** Every way to make the server print a value; `secret-value` must be in none of what is left. */
const TELLING: readonly (readonly [string, string])[] = [
  ["select 'secret-value'::int", '22P02'],
  ["select 'secret-value'::date", '22007'],
  ["select 'secret-value'::regclass", '42P01'],
  ["select 'secret-value'::jsonb", '22P02'],
  ["insert into people values ('secret-value', 1)", '23505'],
  ["insert into people values ('secret-value-too', -1)", '23514'],
  ['insert into people values (null, 1)', '23502'],
  ["insert into visits values ('secret-value-of-nobody')", '23503'],
  ["insert into short values ('secret-value')", '22001'],
  [
    "do $$ begin raise exception 'it was %', 'secret-value' using detail = 'secret-value', hint = 'secret-value'; end $$",
    'P0001',
  ],
  ["do $$ begin execute 'secret-value'; end $$", '42601'],
  ["select xmlparse(document '<a>secret-value')", '2200M'],
  ["select pg_sleep(60), 'secret-value' from people where name = 'secret-value'", '57014'],
];

describe.each([15, 18] as const)('PostgreSQL %i', (major) => {
  test.skipIf(missingPostgres(major))('does not get a value past the filter', async () => {
    const server = await startPostgres({ major });
    const { host, port, user, password, database } = server;
    const client = new pg.Client({ host, port, user, password, database });
    try {
      await client.connect();
      await client.query(`
        create table people (name text primary key, age int check (age > 0));
        create table visits (name text references people); create table short (v varchar(3));
        insert into people values ('secret-value', 1)`);
      for (const [sql, code] of TELLING) {
        if (code === '57014') await client.query('set statement_timeout = 500');
        const error = await client.query(sql).then(
          () => undefined,
          (reason: unknown) => reason as pg.DatabaseError,
        );
        expect(error?.code, sql).toBe(code);
        const fields = {
          S: 'ERROR',
          V: 'ERROR',
          C: code,
          M: error?.message ?? '',
          D: error?.detail ?? '',
          H: error?.hint ?? '',
          W: error?.where ?? '',
          q: error?.internalQuery ?? '',
          t: error?.table ?? '',
          n: error?.constraint ?? '',
        };
        const given = Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ''));
        const left = filterMessage(message('E', given), texts(true), UTF8).toString();
        expect(left, sql).not.toContain('secret-value');
        expect(left, sql).toContain(`C${code}\0`);
      }
    } finally {
      await client.end();
      await server.stop();
    }
  });
});
