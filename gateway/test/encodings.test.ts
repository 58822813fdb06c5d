import { listSessions, timeline } from '@sluice/recording';
import { missingPostgres, missingTool } from '@sluice/testkit';
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
      expect(await said(stand, 'UTF8', script)).toMatch(/not valid UTF-8|invalid byte sequence/);
    }
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
