import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, logLines, openStand, targetOf } from './stand.js';

/** Functions of extensions, and of users: which are trusted by which entry, and whose results are exact beside masked columns. */

const MASKS = `
    - { rule: emails, mask: { columns: [people.email], with: redact } }
    - { rule: definitions, when: 'action.effects.exists(e, e in ["define", "destroy"])', allow: true }
`;
const TRUSTED = `functions: { trusted: ["extension:pg_trgm", "ext.*", public.twice, plain, "gone.*", { name: public.halved, reads: nothing }, public.immutable_lie] }`;
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'canary@example.com');
create schema ext; create schema other;
create function twice(int) returns int language plpgsql as 'begin return 2 * $1; end';
create function halved(int) returns int language plpgsql as 'begin return $1 / 2; end';
create function plain(int) returns int language plpgsql as 'begin return $1; end';
create function immutable_lie(int) returns text language plpgsql immutable as 'begin return (select email from public.people where id = $1); end';
create function ext.made_later(int) returns text language plpgsql as 'begin return (select email from public.people where id = $1); end';
`;
const EXTENSIONS = `
create extension pg_trgm schema ext; create extension hstore schema ext; create extension pgcrypto schema ext;
create extension citext schema ext; create extension "uuid-ossp" schema ext;
alter database postgres set search_path = public, ext;
`;

describe.each([15, 18] as const)('functions that are trusted, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let open: Stand;
  let hasExtensions = false;
  let client: pg.Client;
  let unmasked: pg.Client;
  let admin: pg.Client;
  const log = logLines();

  beforeAll(async () => {
    server = await startPostgres({ major });
    const first = new pg.Client({ ...server, database: 'postgres' });
    await first.connect();
    await first.query(SCHEMA);
    const { rows } = await first.query("select from pg_available_extensions where name in ('pg_trgm', 'hstore')");
    hasExtensions = rows.length === 2;
    if (hasExtensions) await first.query(EXTENSIONS);
    await first.end();
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    stand = await openStand({ target: targetOf(server), rules: MASKS, connection: TRUSTED, log: log.log });
    open = await openStand({ target: targetOf(server), connection: TRUSTED });
    client = await stand.client();
    unmasked = await open.client();
  }, 60_000);
  afterAll(async () => {
    for (const one of [client, unmasked, admin]) await one.end();
    for (const one of [stand, open]) await one.stop();
    await server.stop();
  });

  const REFUSED = '42501';
  const PASSED = 'no error';

  test('a name and its qualified form are one', async () => {
    for (const on of [client, unmasked]) {
      for (const text of ['select twice(1)', 'select public.twice(1)', 'select plain(1)', 'select public.plain(1)'])
        expect(await failure(on.query(text)), text).toBe(PASSED);
      expect(await failure(on.query('select other.twice(1)'))).toBe(REFUSED);
      // Of that schema, and no member of an extension.
      expect(await failure(on.query('select ext.made_later(1)'))).toBe(REFUSED);
      expect(await failure(on.query('select made_later(1)'))).toBe(REFUSED);
      expect(await failure(on.query('select "public.twice"(1)'))).toBe(REFUSED);
    }
    await admin.query('create function other.twice(int) returns int language sql as $$ select 1 $$');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    for (const on of [client, unmasked]) {
      // Whose it is depends on the search path now.
      expect(await failure(on.query('select twice(1)'))).toBe(REFUSED);
      expect(await failure(on.query('select public.twice(1)'))).toBe(PASSED);
    }
    await admin.query('drop function other.twice');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
  });

  test('what names nothing is in the log', () => {
    expect(log.lines.filter((line) => line.includes('names nothing')).map((line) => JSON.parse(line).entry)).toContain(
      'gone.*',
    );
  });

  test('only what is known to read no tables is exact', async () => {
    expect((await client.query('select halved(8) as n, halved(id) as m, id from people')).rows).toEqual([
      { n: 4, m: 0, id: 1 },
    ]);
    expect((await client.query('select halved(length(email)) as n from people')).rows).toEqual([{ n: null }]);
    expect((await client.query('select immutable_lie(1) as e, 1 as one')).rows).toEqual([{ e: null, one: 1 }]);
    expect((await client.query('select id from people')).rows).toEqual([{ id: 1 }]);
  });

  test('functions of extensions are exact, and masked where a masked column goes into them', async (context) => {
    context.skip(!hasExtensions, 'the extensions are not installed');
    for (const text of [
      "select similarity('abc', 'abd') as s, ext.similarity(name, 'Ad') as t, show_trgm(name), id from people",
      "select hstore('a', name) -> 'a' as a, akeys('a=>1,b=>2'), (each('a=>1'::hstore)).* from people",
      "select * from each('a=>1,b=>2'::ext.hstore), skeys('c=>3') s",
      "select encode(digest(name, 'sha256'), 'hex') as d, crypt('x', 'ab') as c from people",
      "select uuid_generate_v5(uuid_ns_dns(), 'x') as u",
      "select max(name), min(id), replace('a', 'a', 'b'), max(name::citext) as m, min(lower(name::citext)) as l from people",
      "select count(*) from people where name % 'Ada' and word_similarity(name, 'Ada') > 0.1",
    ])
      expect((await client.query(text)).rows, text).toEqual((await admin.query(text)).rows);
    const { rows } = await client.query(
      "select similarity(email, 'c') as s, encode(digest(email, 'md5'), 'hex') as d, hstore('a', email) -> 'a' as h, show_trgm(email) as t, max(email::citext) as m from people group by 1, 2, 3, 4",
    );
    expect(JSON.stringify(rows)).not.toMatch(/canary|1dd|can/);
    expect(rows[0]).toMatchObject({ s: null, d: '[masked:EMAIL]', h: '[masked:EMAIL]' });
    // It keeps what it is given in a setting.
    expect(await failure(client.query('select set_limit(length(email)::real / 100) from people'))).not.toBe(PASSED);
    expect(await failure(unmasked.query("select uuid_generate_v4(), similarity('a', 'b')"))).toBe(PASSED);
  });
});
