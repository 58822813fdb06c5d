import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellsOf, openLine } from './mask-corpus/line.js';
import { type Stand, openStand, targetOf } from './stand.js';

/**
 * What is left of a session when a transaction ends in one of the ways that the server has: the client's own objects and settings decide
 * which table a name means, so a mask goes wrong where the gateway believes another ending than there was.
 */
const RULES = `
    - { rule: emails, mask: { columns: ["public.customers.email"], with: redact } }
`;
const SCHEMA = `
create table customers (id int primary key, email text);
insert into customers values (1, 'secret@example.com');
create schema free;
create table free.customers (id int, email text);
insert into free.customers values (1, 'for everybody');
`;
const MAKE = "create temp table customers as select 1 as id, 'of my own'::text as email";
const DROP = 'drop table pg_temp.customers';
const FAIL = 'select 1 / 0';
/** A computation: where its values come from the target does not say. */
const ASK = "select email || '' from customers";
const MASKED = '[masked:EMAIL]';
const FREE = 'for everybody';

/** Texts of simple queries, and what the last one shows. */
const SIMPLE: readonly (readonly [shown: string, ...texts: string[]])[] = [
  // The first command of a session has nothing before it.
  [MASKED, `${MAKE}; ${FAIL}`, ASK],
  // PREPARE TRANSACTION of a block that has failed rolls back, and so does one that fails itself.
  [MASKED, 'begin', MAKE, FAIL, "prepare transaction 'a'", ASK],
  [MASKED, 'begin', MAKE, "prepare transaction 'a'", ASK],
  [MASKED, 'begin', MAKE, FAIL, `commit; ${ASK}`],
  [MASKED, 'begin', MAKE, FAIL, `prepare transaction 'a'; ${ASK}`],
  // What it has set lasts, as behind COMMIT.
  [FREE, 'begin', 'set search_path = free', "prepare transaction 'a'", "rollback prepared 'a'", ASK],
  [MASKED, 'begin', 'set local search_path = free', "prepare transaction 'a'", "rollback prepared 'a'", ASK],
  // A block that has failed, and goes on or begins anew within the text that commits.
  [MASKED, MAKE, 'begin', DROP, 'savepoint s', FAIL, 'rollback to s; commit', ASK],
  [MASKED, MAKE, 'begin', DROP, 'savepoint s', FAIL, `rollback to s; commit; ${ASK}`],
  [MASKED, MAKE, 'begin', FAIL, `rollback; begin; ${DROP}; commit`, ASK],
  [MASKED, MAKE, 'begin', FAIL, `commit and chain; ${DROP}; commit`, ASK],
  [MASKED, MAKE, 'begin', DROP, 'commit and chain', FAIL, 'rollback', ASK],
  // Without a block a text is one transaction, which ROLLBACK takes back and BEGIN goes on with.
  [MASKED, `${MAKE}; rollback`, ASK],
  [MASKED, `${MAKE}; rollback; ${ASK}`],
  [MASKED, `${MAKE}; begin; rollback; ${ASK}`],
  [MASKED, `${MAKE}; begin`, 'rollback', ASK],
  [MASKED, `${MAKE}; begin; ${FAIL}`, 'rollback', ASK],
  [MASKED, 'set search_path = free; rollback', ASK],
  [FREE, 'set search_path = free', 'set search_path = public; begin', 'rollback', ASK],
  // What is committed within a text stays when the rest of it fails.
  [MASKED, MAKE, `${DROP}; commit; ${FAIL}`, ASK],
  [MASKED, MAKE, `begin; ${DROP}; commit; ${FAIL}`, ASK],
  [MASKED, 'set search_path = free', `set search_path = public; commit; ${FAIL}`, ASK],
  ['of my own', `${MAKE}; commit; ${FAIL}`, ASK],
];

/** Commands of pipelines, each up to its Sync. */
const PIPELINES: readonly (readonly [shown: string, stretches: readonly (readonly string[])[]])[] = [
  [MASKED, [[MAKE, 'rollback'], [ASK]]],
  [MASKED, [[MAKE, 'rollback', ASK]]],
  [MASKED, [[MAKE, 'begin'], ['rollback'], [ASK]]],
  [MASKED, [[MAKE], [DROP, 'commit', FAIL], [ASK]]],
  [MASKED, [[MAKE], ['begin'], [FAIL], ['rollback', 'begin', DROP, 'commit'], [ASK]]],
  // DISCARD ALL commits at once.
  [MASKED, [[MAKE], ['discard all', FAIL], [ASK]]],
];

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('transactions of masked sessions, on %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { max_prepared_transactions: '5' } });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
    stand = await openStand({ target: targetOf(server), rules: RULES });
  });
  afterAll(async () => {
    await stand?.stop();
    await server?.stop();
  });

  test.each(SIMPLE)('%s: %s', async (shown, ...texts) => {
    const line = await openLine(() => stand.client());
    let frames: Awaited<ReturnType<typeof line.simple>> = [];
    for (const text of texts) frames = await line.simple(text);
    line.close();
    expect(frames.filter(({ tag }) => tag === 'D').map((row) => String(cellsOf(row)[0]))).toEqual([shown]);
  });

  test.each(PIPELINES)('%s: a pipeline of %j', async (shown, stretches) => {
    const line = await openLine(() => stand.client());
    let frames: Awaited<ReturnType<typeof line.simple>> = [];
    for (const texts of stretches)
      frames = await line.extended(
        texts.flatMap((text) => [
          ['P', '', text],
          ['B', '', ''],
          ['E', ''],
        ]),
      );
    line.close();
    expect(frames.filter(({ tag }) => tag === 'D').map((row) => String(cellsOf(row)[0]))).toEqual([shown]);
  });
});
