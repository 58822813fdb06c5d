import { CUTS, lent, missingPostgres, type PostgresServer, randomPieces, startPostgres } from '@sluice/testkit';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CellMask, type CopyFormat, Unmasked } from '@sluice/contract';
import { RowRoom, builtIn, maskFor } from '@sluice/masking';
import { CopyMask, copyRows } from '../../src/masked/copy.js';

/** Takes every cell and gives the same bytes again: decoding and encoding have to cancel out. */
const same: CellMask = (bytes, start, end) => Buffer.from(bytes.subarray(start, end));
const redact = maskFor(builtIn(25), 'text', { mode: { type: 'redact' }, key: Buffer.alloc(16), entity: 'EMAIL' });
const shout: CellMask = (bytes, start, end) =>
  Buffer.from(`\\ \t\n\r"',;|${bytes.toString('latin1', start, end).toUpperCase()}`, 'latin1');
const none: CellMask = () => null;

const copyData = (data: Buffer): Buffer => {
  const head = Buffer.alloc(5, 'd');
  head.writeInt32BE(data.length + 4, 1);
  return Buffer.concat([head, data]);
};
const payloads = (messages: Buffer): Buffer[] => {
  const found: Buffer[] = [];
  for (let at = 0; at < messages.length; at += 1 + messages.readInt32BE(at + 1)) {
    expect(messages[at]).toBe(0x64);
    found.push(messages.subarray(at + 5, at + 1 + messages.readInt32BE(at + 1)));
  }
  return found;
};

const FORMATS: readonly (CopyFormat & { readonly sql: string })[] = [
  { sql: '', format: 'text' },
  { sql: "delimiter '|', null 'none!'", format: 'text', delimiter: '|', null: 'none!' },
  { sql: "delimiter ','", format: 'text', delimiter: ',' },
  { sql: 'format csv', format: 'csv' },
  { sql: 'format csv, header', format: 'csv', header: true },
  {
    sql: "format csv, delimiter ';', quote '''', escape '\\', null 'NULL'",
    format: 'csv',
    delimiter: ';',
    quote: "'",
    escape: '\\',
    null: 'NULL',
  },
  { sql: "format csv, escape '\\', force_quote *", format: 'csv', escape: '\\', forceQuote: [true, true, true] },
  { sql: 'format binary', format: 'binary' },
];

describe.each([15, 18] as const)('what PostgreSQL %i copies', (major) => {
  const missing = missingPostgres(major);
  let server: PostgresServer;
  let client: pg.Client;
  let sent: Buffer[] = [];

  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await startPostgres({ major });
    const { host, port, user, password, database } = server;
    client = new pg.Client({ host, port, user, password, database });
    await client.connect();
    (client as unknown as { connection: NodeJS.EventEmitter }).connection.on(
      'copyData',
      ({ chunk }: { chunk: Buffer }) => sent.push(Buffer.from(chunk)),
    );
    await client.query(`
      create table odd (a text, b int, c text);
      insert into odd select s, n, t from unnest(array[
        '', null, 'plain', 'a,b;c|d', 'tab' || chr(9) || 'and' || chr(11) || chr(8) || chr(12), 'line' || chr(10) || 'feed' || chr(13),
        'quote " and '' and \\ and \\N', '\\N', 'nil', 'NULL', '\\.', '"', '''', '日本語', '\\', '""', '\\"', ' padded ', 'x\\'
      ]) with ordinality as one(s, n), unnest(array['last', null, '', E'\\n', '"', '\\', ',']) as two(t)`);
  });
  afterAll(async () => {
    await client?.end();
    await server?.stop();
  });

  async function copy(sql: string): Promise<Buffer[]> {
    sent = [];
    await client.query(`copy (select * from odd) to stdout ${sql === '' ? '' : `with (${sql})`}`);
    return sent;
  }

  test.skipIf(missing).each(FORMATS)(
    'comes out as it went in when masks change nothing: $format $sql',
    async (format) => {
      const rows = await copy(format.sql);
      const stream = Buffer.concat(rows);
      for (const cut of Object.values(CUTS)) {
        const copying = copyRows(format, [same, same, same]);
        let header = (row: Buffer): number => {
          header = () => 0;
          return copying.headerOf(row);
        };
        const out = cut(stream).flatMap((piece) =>
          lent(piece, (chunk) => copying.cut(chunk).map((row) => Buffer.concat(copying.mask(row, header(row))))),
        );
        copying.end();
        // Message by message: clients rely on how a server frames it.
        expect(out.map((row) => row.toString('hex'))).toEqual(rows.map((row) => row.toString('hex')));
      }
    },
  );

  test.skipIf(missing).each(FORMATS)('is masked cell by cell: $format $sql', async (format) => {
    const stream = Buffer.concat((await copy(format.sql)).map(copyData));
    const mask = new CopyMask(format, [redact, undefined, shout]);
    const made = mask.push(stream);
    mask.end();
    // The server reads it back: what it then has is what the masks made of what it had.
    await client.query('drop table if exists back; create table back (a text, b int, c text)');
    await copyIn(
      client,
      `copy back from stdin ${format.sql === '' ? '' : `with (${format.sql.replace(/, force_quote \*/, '')})`}`,
      payloads(made),
    );
    const { rows } = await client.query<{ wrong: string }>(`
      select count(*) as wrong from (
        (select case when a is null then null else '[masked:EMAIL]' end, b, E'\\\\ \\t\\n\\r"'',;|' || upper(c) from odd
          except all select * from back)
        union all
        (select * from back
          except all select case when a is null then null else '[masked:EMAIL]' end, b, E'\\\\ \\t\\n\\r"'',;|' || upper(c) from odd)
      ) differences`);
    expect(rows[0]?.wrong).toBe('0');
    expect((await client.query('select * from back')).rows).toHaveLength(19 * 7);
  });
});

/** COPY FROM STDIN through the driver's own connection, one message for each piece. */
function copyIn(client: pg.Client, sql: string, pieces: readonly Buffer[]): Promise<void> {
  const connection = (
    client as unknown as { connection: pg.Connection & { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void } }
  ).connection;
  const query = new pg.Query(sql);
  (query as unknown as { handleCopyInResponse(): void }).handleCopyInResponse = () => {
    for (const piece of pieces) connection.sendCopyFromChunk(piece);
    connection.endCopyFrom();
  };
  return new Promise((resolve, reject) => {
    query.on('end', () => resolve());
    query.on('error', reject);
    client.query(query);
  });
}

test('messages may be cut anywhere, and hold parts of rows', () => {
  const line = fc
    .array(fc.stringMatching(/^[a-z]{0,5}$/), { minLength: 2, maxLength: 2 })
    .map((cells) => `${cells.join('\t')}\n`);
  fc.assert(
    fc.property(fc.array(line), fc.integer(), fc.integer(), (lines, inner, outer) => {
      const data = Buffer.from(lines.join(''));
      const stream = Buffer.concat(randomPieces(data, inner, 7).map(copyData));
      const mask = new CopyMask({ format: 'text' }, [redact, none]);
      const out = Buffer.concat(randomPieces(stream, outer, 9).map((piece) => mask.push(piece)));
      mask.end();
      expect(payloads(out).map(String)).toEqual(lines.map(() => '[masked:EMAIL]\t\\N\n'));
    }),
  );
});

test.each([
  ['text', 'a\tb\tc\n', false],
  ['text', 'a\n', false],
  ['text', 'a\t\\', false],
  ['text', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', true],
  ['csv', 'a,b,c\n', false],
  ['csv', '"a,b\n', false],
  ['csv', '"a,b\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n', true],
  ['binary', 'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03', false],
  ['binary', `PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x7f${'x'.repeat(20)}`, true],
  ['binary', 'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\xff\xff\xff\xfe', false],
  ['binary', 'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xffx', false],
  ['binary', 'nonsense', false],
  ['binary', 'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', false],
] as const)('%s that is not what it should be does not pass: %j', (format, data, tooLong) => {
  let thrown: unknown;
  try {
    const mask = new CopyMask({ format }, [redact, none], new RowRoom(undefined, { limit: 40 }));
    mask.push(copyData(Buffer.from(data, 'latin1')));
    mask.end();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Unmasked);
  expect((thrown as Error).message).toMatch(
    tooLong ? /^The result cannot be masked: .* more than 40 bytes/ : /^The result cannot be masked: (?!.* bytes)/,
  );
});
