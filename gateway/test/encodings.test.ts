import { listSessions, timeline } from '@sluice/recording';
import { missingPostgres, missingTool } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EncodingsStand, type Way, openEncodingsStand } from './encodings-stand.js';
import type { Stand } from './stand.js';

/** Clients whose texts are not in UTF-8: what they send is read as the server reads it, or refused. */

const RULES = `
    - { rule: gehalt, when: 'action.tables.exists(t, t == "gehälter")', deny: Gehälter sind geheim. }
    - { rule: euros, when: 'command.text.contains("5 €")', deny: No euros. }
    - { rule: code, when: 'action.verb == "do"', allow: true }
`;
const CONVERTED = ['LATIN1', 'LATIN9', 'WIN1252', 'LATIN2', 'KOI8R', 'WIN1251', 'ISO_8859_7'];
const REFUSED = ['SJIS', 'BIG5', 'GB18030', 'UHC', 'JOHAB', 'EUC_JP', 'EUC_KR', 'MULE_INTERNAL', 'SHIFT_JIS_2004'];

const SCHEMA = [
  'create table "gehälter" (id int); create table people (id int, email text, "größe" text)',
  "insert into people values (1, 'ana', 'größer als 5 €')",
];

describe.skipIf(missingTool('psql')).each([15, 18] as const)('encodings of clients on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let on: EncodingsStand;
  let stand: Stand;

  beforeAll(async () => {
    on = await openEncodingsStand(major, SCHEMA, RULES);
    ({ stand } = on);
  }, 60_000);
  afterAll(() => on?.stop());

  const said = (way: Way, encoding: string, script: Buffer | string): Promise<string> => on.said(way, encoding, script);
  const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

  test('every byte is what it is to the server', async () => {
    const upper = Array.from({ length: 128 }, (_, at) => Buffer.from([at + 128]));
    for (const encoding of CONVERTED) {
      const statements = upper.flatMap((byte) => [
        latin("select '"),
        byte,
        latin("', 'a\\' as \""),
        byte,
        latin('";\n'),
      ]);
      const script = Buffer.concat([...statements, latin('show client_encoding')]);
      expect(await said(stand, encoding, script), encoding).toBe(await said('direct', encoding, script));
    }
  }, 60_000);

  test('rules see the same text as in UTF-8, and answer in the encoding', async () => {
    expect(await said(stand, 'LATIN1', latin('select * from "gehälter"'))).toBe(
      'ERROR:  Gehälter sind geheim.\nDETAIL:  Refused by rule "gehalt".\n',
    );
    expect(await said(stand, 'LATIN1', latin('select * from gehälter'))).toMatch(/Gehälter sind geheim/);
    expect(await said(stand, 'LATIN9', Buffer.from([...latin("select '5 "), 0xa4, ...latin("'")]))).toMatch(/No euros/);
    expect(await said(stand, 'WIN1252', Buffer.from([...latin("select '5 "), 0x80, ...latin("'")]))).toMatch(
      /No euros/,
    );
    expect(await said(stand, 'LATIN1', Buffer.from([...latin("select '5 "), 0xa4, ...latin("'")]))).toBe('5 ¤\n');
  });

  test('values, names, errors and COPY come as from the server', async () => {
    for (const script of [
      latin('select "größe", \'ü\' from people where false'),
      latin('select "größe" from people'),
      latin(
        "copy people (email) from stdin;\nmüller\n\\.\nselect email from people where email like 'm%'; delete from people where id is null",
      ),
      latin('select größer from people'),
      latin('selekt ü'),
      latin("copy (select 'ü', 1) to stdout"),
      latin('prepare "ü" as select \'ä\' || $1; execute "ü"(\'ö\'); deallocate "ü"'),
      latin("listen ü; notify ü, 'ö'; select 1"),
      latin("set application_name = 'ü'; show application_name"),
    ]) {
      const plainly = (text: string): string => text.replaceAll(/PID \d+/g, 'PID');
      for (const encoding of ['LATIN1', 'WIN1252'])
        expect(plainly(await said(stand, encoding, script)), script.toString('latin1')).toBe(
          plainly(await said('direct', encoding, script)),
        );
    }
  });

  test('what another encoding would take for a quote is none', async () => {
    for (const bytes of [
      [0x95, 0x5c],
      [0x83, 0x5c],
      [0xa1, 0x5c],
      [0xbf, 0x5c],
      [0xbf, 0x27, 0x27],
    ]) {
      const script = Buffer.from([...latin("select '"), ...bytes, ...latin("', 2; select '; drop table people; --'")]);
      for (const encoding of ['LATIN1', 'WIN1252', 'LATIN2'])
        expect(await said(stand, encoding, script)).toBe(await said('direct', encoding, script));
      // In UTF-8 it is no text at all.
      expect(await said('direct', 'UTF8', script)).toMatch(/invalid byte sequence/);
      expect(await said(stand, 'UTF8', script)).toBe(await said('direct', 'UTF8', script));
    }
  });

  test('bytes that are no text fail with the error of the server, and the session goes on', async () => {
    const bad = [[0xff], [0xc3, 0x28], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xf8, 0x88], [0x80]];
    const bytes = (...parts: (string | number[])[]): Buffer =>
      Buffer.concat(parts.map((one) => (typeof one === 'string' ? latin(one) : Buffer.from(one))));
    const far = 'x'.repeat(10_000);
    const queries = [...bad.map((one) => bytes("select '", one, "'\0")), bytes(`select '${far}ü`, [0xff], "'\0")];
    const one = bad[1] as number[];
    const bound = bytes('\0\0\0\0\0\x01\0\0\0\x02', one, '\0\0');
    const messages: [string, Buffer][][] = [
      ...queries.map((text): [string, Buffer][] => [['Q', text]]),
      [['P', bytes("\0select '", one, "'\0\0\0")], SYNC],
      [['P', bytes(one, '\0select 1\0\0\0')], SYNC],
      [['P', bytes('\0select $1::text\0\0\0')], ['B', bound], ['E', bytes('\0\0\0\0\0')], SYNC],
      [['B', bytes(one, '\0\0\0\0\0\0\0\0')], SYNC],
      [['D', bytes('S', one, '\0')], SYNC],
      [['E', bytes(one, '\0\0\0\0\0')], SYNC],
      [['C', bytes('P', one, '\0')], SYNC],
      [['P', bytes('\0select 5\0\0\0')], ['B', bytes('\0\0\0\0\0\0\0\0')], ['E', bytes('\0\0\0\0\0')], SYNC],
    ];
    const answers = async (way: Way): Promise<string[][]> => {
      const where =
        way === 'direct'
          ? { ...on.server, database: 'postgres' }
          : { host: '127.0.0.1', port: way.port, user: 'dev', password: way.token, database: 'db' };
      const client = new pg.Client(where);
      client.on('error', () => undefined);
      await client.connect();
      const said: string[][] = [];
      for (const sent of messages) said.push(await rawAnswer(client, sent));
      await client.end();
      return said;
    };
    const direct = await answers('direct');
    expect(direct.slice(0, -1).every((one) => one[0]?.startsWith('E 22021') || one.at(-2)?.startsWith('E 22021'))).toBe(
      true,
    );
    expect(direct.at(-1)).toContain('C');
    expect(await answers(stand)).toEqual(direct);
  });

  test('others are refused, and it stays as it began', async () => {
    for (const encoding of REFUSED)
      expect(await said(stand, encoding, 'select 1')).toMatch(/client encoding "\w+" does not pass the gateway/);
    for (const script of [
      "set client_encoding = 'UTF8'",
      "set names 'SJIS'",
      'reset client_encoding',
      "select set_config('client_encoding', 'UTF8', false)",
      "prepare p as select set_config('client_encoding', 'UTF8', false); execute p",
    ])
      expect(await said(stand, 'LATIN1', `${script};`), script).toMatch(
        /stays so|stand in the statement|client_encoding = UTF8/,
      );
    expect(await said(stand, 'UTF8', "set client_encoding = 'LATIN1'")).toMatch(/client_encoding = UTF8/);
    const changed = "do $$ begin perform set_config('client_encoding', 'UTF8', false); end $$; select 1;";
    expect(await said(stand, 'LATIN1', changed)).toMatch(/the target changed client_encoding/);
  });

  test('the record is read in it', async () => {
    await said(stand, 'LATIN1', latin('select \'älter\' as "größe"'));
    stand.gateway.log.flush();
    const { folder: journal } = stand.gateway.journal;
    const entries = listSessions(journal).flatMap(({ id }) => [...timeline(journal, id)]);
    expect(entries.some((entry) => entry.type === 'command' && entry.text.includes("select 'älter'"))).toBe(true);
  });
});

const SYNC: [string, Buffer] = ['S', Buffer.alloc(0)];

/** Sends messages as they are; the tags of what comes up to ReadyForQuery, with the code and the words of errors. */
async function rawAnswer(client: pg.Client, messages: readonly (readonly [string, Buffer])[]): Promise<string[]> {
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadWriteStream } }).connection;
  stream.removeAllListeners('data');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const found: string[] = [];
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length > 4 && bytes.length > bytes.readInt32BE(1)) {
      const tag = bytes.toString('latin1', 0, 1);
      const body = bytes.subarray(5, 1 + bytes.readInt32BE(1));
      bytes = bytes.subarray(1 + bytes.readInt32BE(1));
      const fields = new Map(
        body
          .toString()
          .split('\0')
          .map((field) => [field.slice(0, 1), field.slice(1)]),
      );
      found.push(tag === 'E' ? `E ${fields.get('C')} ${fields.get('M')}` : tag);
      if (tag === 'Z') resolve();
    }
  });
  const closed = (): void => reject(new Error(`the session is over, after ${found.join()}`));
  stream.once('close', closed);
  for (const [tag, body] of messages) {
    const head = Buffer.from([tag.charCodeAt(0), 0, 0, 0, 0]);
    head.writeInt32BE(body.length + 4, 1);
    stream.write(Buffer.concat([head, body]));
  }
  await promise;
  stream.removeListener('close', closed);
  return found;
}
