import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** `action.temporary`: true only where a statement can mean nothing but tables of the session's own. */

const RULES = `
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy") && !action.temporary', deny: Nothing is dropped. }
    - { rule: code, when: 'action.verb == "do"', allow: true }
`;
const MASK = `    - { rule: emails, mask: { columns: [people.email], with: redact } }`;
const REFUSED = '42501';
const PASSED = 'no error';

describe.each([15, 18] as const)('temporary tables on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let masked: Stand;
  let plain: Stand;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query('create table people (id int, email text); create table staging (id int)');
    await admin.end();
    masked = await openStand({ target: targetOf(server), rules: `${RULES}${MASK}` });
    plain = await openStand({ target: targetOf(server), rules: RULES });
  }, 60_000);
  afterAll(async () => {
    for (const stand of [masked, plain]) await stand.stop();
    await server.stop();
  });

  /** The outcome of each text, in one session. */
  async function outcomes(stand: Stand, texts: readonly string[]): Promise<string[]> {
    const client = await stand.client();
    const found: string[] = [];
    for (const text of texts) found.push(await failure(client.query(text)));
    await client.end();
    return found;
  }

  test('what is known to be the session’s own', async () => {
    expect(
      await outcomes(masked, [
        'drop table staging',
        'create temp table staging (id int)',
        'truncate staging',
        'drop table staging',
        // The other one is meant now.
        'drop table staging',
        'truncate public.staging',
      ]),
    ).toEqual([REFUSED, PASSED, PASSED, PASSED, REFUSED, REFUSED]);
  });

  test('what is not, or is not any more', async () => {
    const made = 'create temp table staging (id int)';
    for (const texts of [
      [made, 'set search_path = public, pg_temp', 'drop table staging'],
      ['begin', made, 'rollback', 'drop table staging'],
      ['begin', 'savepoint s', made, 'rollback to s', 'drop table staging'],
      [made, 'do $$ begin drop table pg_temp.staging; end $$', 'drop table staging'],
      [made, 'discard temp', 'drop table staging'],
      ['create temp table staging (id int) on commit drop', 'drop table staging'],
      [`${made}; drop table staging; drop table staging`],
      [made, 'drop table staging, people'],
      [made, 'alter table staging rename to other', 'drop table staging'],
      ['drop schema public'],
    ])
      expect((await outcomes(masked, texts)).at(-1), texts.join('; ')).toBe(REFUSED);
    const client = await masked.client();
    await client.query(made);
    // What is bound may run when the name means another one.
    expect(await failure(client.query({ text: 'drop table staging', values: [] }))).toBe(REFUSED);
    await client.end();
  });

  test('without masks only what is written', async () => {
    expect(
      await outcomes(plain, [
        'create temp table staging (id int)',
        'drop table staging',
        'truncate pg_temp.staging',
        'drop table pg_temp.staging',
      ]),
    ).toEqual([PASSED, REFUSED, PASSED, PASSED]);
  });
});
