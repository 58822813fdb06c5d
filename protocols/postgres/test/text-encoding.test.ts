import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeResult } from '../src/results.js';
import { TABLES } from '../src/encoding-tables.js';
import { type TextEncoding, UTF8, encodingNamed, inEncoding } from '../src/text-encoding.js';
import { B, message, readErrorFields } from '../src/messages.js';
import { errorResponse } from '../src/messages.js';
import * as t from './talk.js';
import { talk } from './talk.js';

const latin1 = encodingNamed('iso-8859-1') as TextEncoding;

test('encodings are found by the names that clients give them', () => {
  for (const [name, wanted] of [
    ['UTF-8', 'UTF8'],
    ['unicode', 'UTF8'],
    ['sql_ascii', 'UTF8'],
    ['latin1', 'LATIN1'],
    ['ISO-8859-15', 'LATIN9'],
    ['Windows-1252', 'WIN1252'],
    ['iso_8859_5', 'ISO_8859_5'],
    ['gbk', 'GBK'],
    ['WIN936', 'GBK'],
  ] as const)
    expect(encodingNamed(name)?.name, name).toBe(wanted);
  for (const name of ['SJIS', 'big5', 'UHC', 'gb18030', 'EUC_JP', '', 'constructor', '__proto__', 'latin11'])
    expect(encodingNamed(name), name).toBeUndefined();
});

test('words of the gateway are written in it, and other bytes stay', () => {
  const words = errorResponse({ severity: 'ERROR', code: '42501', message: 'Gehälter € sind geheim' });
  const bytes = inEncoding(words, latin1);
  expect(bytes.readInt32BE(1)).toBe(bytes.length - 1);
  expect(readErrorFields(bytes.subarray(5), latin1).get('M')).toBe('Gehälter ? sind geheim');
  expect(inEncoding(words, UTF8)).toBe(words);
});

test('a statement, and the names in it, are read as they are meant', () => {
  const it = talk({ encoding: latin1 });
  const text = Buffer.from('select "ä"\0', 'latin1');
  it.client(message(0x51, text));
  expect(it.asked[0]?.text).toBe('select "ä"');
  const name = Buffer.from('ö\0', 'latin1');
  const nowhere = talk({ encoding: UTF8 });
  nowhere.client(message(0x51, text));
  expect(nowhere.upstream()).toEqual(['Query (stands in)']);
  it.replies(t.reply.complete('SELECT 0'), t.reply.ready('I'));
  it.client(
    message(0x50, name, text, Buffer.alloc(2)),
    message(0x42, Buffer.from('\0'), name, Buffer.alloc(6)),
    t.sync,
  );
  expect(it.asked.map((one) => one.phase)).toEqual(['run', 'prepare', 'run']);
  expect(it.upstream()).toEqual(['Query', 'Parse', 'Bind', 'Sync']);
});

test('a report of the target about its encoding has to be the one that was asked for', () => {
  for (const [value, isOver] of [
    ['LATIN1', false],
    ['UTF8', true],
    ['SJIS', true],
  ] as const) {
    const it = talk({ encoding: latin1 });
    it.replies(t.reply.status('client_encoding', value));
    expect(it.finished, value).toBe(isOver);
  }
});

test('a recorded answer is read in the encoding that it begins with', () => {
  const answer = Buffer.concat([
    message(B.parameterStatus, 'client_encoding', 'LATIN1'),
    message(B.rowDescription, Buffer.from([0, 1]), Buffer.from('größe\0', 'latin1'), Buffer.alloc(18)),
    message(B.dataRow, Buffer.from([0, 1]), 5, Buffer.from('älter', 'latin1')),
  ]);
  expect(decodeResult(answer)).toMatchObject({ columns: ['größe'], rows: [['älter']] });
});

describe.each([15, 18] as const)('the tables are those of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major });
    client = new pg.Client({ ...server, database: 'postgres' });
    await client.connect();
    await client.query(`create function point(byte bytea, encoding text) returns text language plpgsql as
      $$ begin return convert_from(byte, encoding); exception when others then return chr(65533); end $$;
      create function written(text text, encoding text) returns bytea language plpgsql as
      $$ begin return convert_to(text, encoding); exception when others then return null; end $$`);
  }, 60_000);
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  test.each(Object.keys(TABLES))('%s', async (name) => {
    const { rows } = await client.query<{ text: string }>(
      `select string_agg(point(set_byte('\\x00', 0, g), $1), '' order by g) as text from generate_series(1, 255) g`,
      [name],
    );
    const bytes = Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1));
    const encoding = encodingNamed(name) as TextEncoding;
    expect(encoding.name).toBe(name);
    expect(encoding.decode(bytes)).toBe(rows[0]?.text);
    expect(encoding.decode(encoding.encode(rows[0]?.text ?? ''))).toBe(rows[0]?.text.replaceAll('\ufffd', '?'));
  });

  test('GBK: what the server reads is read alike, and every character is written as the server writes it', async () => {
    const { rows } = await client.query<{ code: number; text: string }>(
      `select g as code, point(substr(int4send(g), 3), 'GBK') as text from generate_series(32768, 65535) g`,
    );
    const encoding = encodingNamed('GBK') as TextEncoding;
    const read = rows.filter(({ text }) => text !== '\ufffd');
    const wrong = read.filter(({ code, text }) => encoding.decode(Buffer.from([code >> 8, code & 0xff])) !== text);
    expect(wrong).toEqual([]);
    expect(read).toHaveLength(21_791);
    expect(encoding.decode(Buffer.from([0x80]))).toBe('€');
    const written = await client.query<{ text: string; bytes: Buffer | null }>(
      `select chr(g) as text, written(chr(g), 'GBK') as bytes from generate_series(1, 65535) g where g not between 55296 and 57343`,
    );
    const known = written.rows.filter(({ bytes }) => bytes !== null);
    expect(known.filter(({ text, bytes }) => !encoding.encode(text).equals(bytes as Buffer))).toEqual([]);
    expect(known).toHaveLength(21_792 + 127);
  });
});
