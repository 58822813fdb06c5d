/** Binary values on a connection whose rules look into texts: they come out whole, in every format, and texts among them masked. */
import { createHash, randomBytes } from 'node:crypto';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: private, mask: { detect: [email, phone, secret, credit_card, us_ssn, iban, api_key, jwt, private_key, connection_string] } }
`;
const SCHEMA = `
create type pair as (id int, data bytea);
create table blobs (id int primary key, data bytea, list bytea[], pair pair);
`;
/** Of random values of 64 KiB, two in three had something like an address in them. */
const VALUES = Array.from({ length: 20 }, () => randomBytes(64 * 1024));
const TEXT = Buffer.from('write to ada@example.com, é\n');
const MASKED = 'write to [masked:EMAIL], é\n';
/** A text with one byte that is none. */
const MIXED = Buffer.from('ada@example.com\0');
const VECTOR = Buffer.concat(Array.from({ length: 1536 }, () => randomBytes(4)));

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('binary values on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let direct: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    for (const [id, data] of [...VALUES, TEXT, MIXED, VECTOR].entries()) {
      await direct.query('insert into blobs values ($1::int, $2::bytea, array[$2, $2], row($1, $2)::pair)', [id, data]);
    }
    stand = await openStand({ target: targetOf(server), rules: RULES });
    client = await stand.client();
  });
  afterAll(async () => {
    await client.end();
    await stand.stop();
    await direct.end();
    await server.stop();
  });

  /** Every cell as text. */
  const cells = async (on: pg.Client, text: string): Promise<unknown[]> => {
    const types = { getTypeParser: () => (value: string) => value };
    return (await on.query({ text, rowMode: 'array', types } as unknown as pg.QueryArrayConfig)).rows.flat();
  };
  const binaryCells = async (isDirect: boolean, text: string): Promise<string[]> => {
    const own = isDirect ? new pg.Client({ ...server, database: 'postgres' }) : undefined;
    await own?.connect();
    return inBinary(own ?? (await stand.client()), text);
  };
  /** What a server says, with the text masked, in hexadecimal or with escapes. */
  const hidden = (value: unknown): string =>
    String(value)
      .replaceAll(TEXT.toString('hex'), Buffer.from(MASKED).toString('hex'))
      .replaceAll('write to ada@example.com', 'write to [masked:EMAIL]');

  test.each(['hex', 'escape'])('as text, bytea_output = %s', async (output) => {
    for (const one of [client, direct]) await one.query(`set bytea_output = ${output}`);
    for (const column of ['data', 'list', 'pair']) {
      const text = `select ${column} from blobs order by id`;
      // A row that is looked into comes with quotes around each of its fields, which means the same.
      const plain = (value: unknown): string => (column === 'pair' ? String(value).replaceAll('"', '') : String(value));
      const expected = (await cells(direct, text)).map(hidden).map(plain);
      const found = (await cells(client, text)).map(plain);
      expect(found.map(summary), column).toEqual(expected.map(summary));
      expect(found[VALUES.length], column).toBe(expected[VALUES.length]);
    }
    for (const one of [client, direct]) await one.query('reset bytea_output');
  });

  test('in binary', async () => {
    const found = await binaryCells(false, 'select data from blobs order by id');
    const expected = [...VALUES, Buffer.from(MASKED), MIXED, VECTOR].map((value) => value.toString('latin1'));
    expect(found.map(summary)).toEqual(expected.map(summary));
    for (const column of ['list', 'pair']) {
      const random = `select ${column} from blobs where id <> ${VALUES.length} order by id`;
      const [through, past] = [await binaryCells(false, random), await binaryCells(true, random)];
      expect(through.map(summary)).toEqual(past.map(summary));
      const [masked = ''] = await binaryCells(false, `select ${column} from blobs where id = ${VALUES.length}`);
      const copies = masked.split(Buffer.from(MASKED).toString('latin1')).length - 1;
      expect(copies, column).toBe(column === 'list' ? 2 : 1);
      expect(masked).not.toContain('ada@');
    }
  });

  test.each(['text', 'csv', 'binary'])('by COPY in %s', async (format) => {
    const text = `copy (select id, data, list from blobs order by id) to stdout with (format ${format})`;
    const [found, expected] = [await copied(client, text), await copied(direct, text)];
    if (format !== 'binary') expect(summary(found)).toBe(summary(hidden(expected)));
    for (const value of [...VALUES, MIXED, VECTOR]) {
      const written = format === 'binary' ? value.toString('latin1') : value.toString('hex');
      expect(found.split(written).length).toBe(4);
    }
    const mark = format === 'binary' ? Buffer.from(MASKED).toString('latin1') : Buffer.from(MASKED).toString('hex');
    expect(found.split(mark).length).toBe(4);
  });
});

/** Short enough for a message, and different for different texts. */
const summary = (text: string): string => `${text.length} ${createHash('sha256').update(text).digest('hex')}`;

/**
 * The cells of a result in binary, as Latin-1: node-postgres takes them for UTF-8, so its socket is taken over. Parse, Bind with
 * results in format 1, Execute, Sync; then rows up to ReadyForQuery. Ends the client.
 */
async function inBinary(client: pg.Client, text: string): Promise<string[]> {
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadWriteStream & { destroy(): void } } })
    .connection;
  stream.removeAllListeners('data');
  const message = (tag: string, body: string): Buffer => {
    const bytes = Buffer.from(`${tag}0000${body}`, 'latin1');
    bytes.writeInt32BE(body.length + 4, 1);
    return bytes;
  };
  const asked = [
    message('P', `\0${text}\0\0\0`),
    message('B', '\0\0\0\0\0\0\0\x01\0\x01'),
    message('E', '\0\0\0\0\0'),
    message('S', ''),
  ];
  let bytes = Buffer.alloc(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.subarray(-6).toString('latin1') === 'Z\0\0\0\x05I') resolve();
  });
  stream.write(Buffer.concat(asked));
  await promise;
  client.on('error', () => undefined);
  stream.destroy();
  const cells: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    if (bytes[at] === 0x45) throw new Error(bytes.toString('utf8', at, at + 200));
    if (bytes[at] === 0x44) cells.push(bytes.toString('latin1', at + 11, at + 11 + bytes.readInt32BE(at + 7)));
  }
  return cells;
}

/** What COPY TO STDOUT sends, as Latin-1. */
function copied(client: pg.Client, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const query = new pg.Query(text) as unknown as Record<string, unknown>;
    query['handleCopyData'] = (message: { chunk: Buffer }): void => void parts.push(Buffer.from(message.chunk));
    query['callback'] = (error: Error | null): void =>
      error ? reject(error) : resolve(Buffer.concat(parts).toString('latin1'));
    client.query(query as never);
  });
}
