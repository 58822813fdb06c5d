import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SessionNames, afterEffects, atIdle, currentRole, newSession } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

/** SET ROLE and SET SESSION AUTHORIZATION in all orders, in transactions and savepoints, against what a real server says. */

const SEQUENCES = 60;
const STATEMENTS_PER_SEQUENCE = 14;
const OUTSIDE = [
  'set role ann',
  'set role bob',
  'set role none',
  'set role to default',
  'reset role',
  'set session authorization ann',
  'set session authorization bob',
  'set session authorization default',
  'reset session authorization',
  "select set_config('role', 'ann', false)",
  "select set_config('session_authorization', 'bob', false)",
  'reset all',
];
const INSIDE = [
  ...OUTSIDE,
  'set local role bob',
  'set local role none',
  'set local session authorization ann',
  'set local session authorization default',
  "select set_config('role', 'bob', true)",
  'savepoint s',
  'savepoint s',
  'rollback to s',
  'release s',
  'commit',
  'rollback',
];

/** A generator by Lehmer: the same statements in each run. */
function pick(seed: number): <T>(from: readonly T[]) => T {
  let state = seed + 1;
  return <T>(from: readonly T[]): T => {
    state = (state * 48_271) % 2_147_483_647;
    return from[state % from.length] as T;
  };
}

describe.each([15, 18] as const)('who a session acts as, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let database: Database;
  beforeAll(async () => {
    database = await startDatabase(major);
    await database.query('create role ann; create role bob superuser');
  });
  afterAll(() => database.stop());

  const followed = (session: SessionNames, text: string): SessionNames =>
    database.lineage
      .of(text, database.catalog, session)
      .reduce((now, { effects }) => afterEffects(now, effects), session);
  const actual = async (): Promise<unknown> => (await database.query('select current_user, session_user'))[0];
  const stateOf = (session: SessionNames): unknown => [currentRole(session), session.user];

  test.each([
    ['set session authorization ann; set role none', ['ann', 'ann']],
    ['set session authorization bob; set role ann; reset role', ['bob', 'bob']],
    ['set role ann; set session authorization bob', ['bob', 'bob']],
    ['begin; set local session authorization bob; set role none; commit', ['postgres', 'postgres']],
    ['set session authorization ann; discard all', ['postgres', 'postgres']],
  ])('%s', async (text, state) => {
    let session = newSession('postgres');
    for (const one of text.split('; ')) {
      await database.query(one);
      session = followed(session, one);
    }
    expect(await actual()).toEqual(state);
    expect(stateOf(session)).toEqual(state);
    await database.query('reset session authorization');
  });

  test('is followed through random statements', async () => {
    for (let seed = 0; seed < SEQUENCES; seed++) {
      const one = pick(seed);
      let session = newSession('postgres');
      let idle = session;
      let open = false;
      const done: string[] = [];
      await database.query('discard all');
      for (let n = 0; n < STATEMENTS_PER_SEQUENCE; n++) {
        const text = one(open ? INSIDE : [...OUTSIDE, 'begin', 'begin', 'begin']);
        done.push(text);
        const failed = await database.query(text).then(
          () => false,
          () => true,
        );
        if (failed) {
          // A role that may not, or a savepoint that is not there: the transaction is over.
          await database.query('rollback');
          session = atIdle(idle);
          open = false;
        } else {
          session = followed(session, text);
          if (text === 'begin') open = true;
          else if (text === 'commit' || text === 'rollback') open = false;
          if (!open) idle = session = atIdle(session);
        }
        expect(stateOf(session), done.join('; ')).toEqual(await actual());
      }
      if (open) await database.query('rollback');
    }
  });
});
