import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newSession } from '../../src/lineage/index.js';
import { type Database, startDatabase } from './database.js';

/** The types of constants in the arms of set operations are those that the server gives them. */

const OTHER = "select cast('y' as varchar(20))";
const QUERIES = [
  `select 'x' union all ${OTHER}`,
  `(select distinct 'x') union all ${OTHER}`,
  `(select 'x' as a order by a) union all ${OTHER}`,
  `(select 'x' order by 1) union all ${OTHER}`,
  `(select 'x' as a group by a) union all ${OTHER}`,
  `(select distinct on (a) 'x' as a) union all ${OTHER}`,
  `(select 'x' from app.customers window w as (order by 'x')) except ${OTHER}`,
  `(select 'x' from app.customers window w as (partition by 'x')) except ${OTHER}`,
  `(select 'x' from app.customers window w as (order by 'z')) except ${OTHER}`,
  `(select a from (select 'x' as a, row_number() over (order by 'x') as n from app.customers) s) except ${OTHER}`,
  `(select 'x' from app.customers order by row_number() over (order by 'x')) except ${OTHER}`,
  `(select 'x' where 'x' in (select 'x' from app.customers window w as (order by 'x'))) except ${OTHER}`,
  `(select (select 'x' from app.customers window w as (order by 'x') limit 1) from app.customers) except ${OTHER}`,
  `(select null order by 1) union all select 1`,
  `select null union all select 1`,
  `(select 'x' as a order by a) union all select 'y' order by a`,
];

describe.each([15, 18] as const)('on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let database: Database;
  beforeAll(async () => {
    database = await startDatabase(major);
  });
  afterAll(() => database?.stop());

  test.each(QUERIES)('%s', async (query) => {
    // No row is needed to say what type a column is of.
    const told = await database
      .query(`select pg_typeof(x)::oid from (${query}) s(x) right join (select 1) t on true limit 1`)
      .then(
        ([row]) => Number(row?.[0]),
        (error: Error) => error.message,
      );
    const [statement] = database.lineage.of(query, database.catalog, newSession('postgres', ['app', 'public']));
    const type = statement?.outputs[0]?.type;
    if (typeof told === 'string') expect(told).toMatch(/cannot be matched/);
    else expect(type).toBe(told);
  });
});
