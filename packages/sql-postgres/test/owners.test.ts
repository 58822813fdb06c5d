import { expect, test } from 'vitest';
import { loadPostgres } from '../src/index.js';
import { loadLineage } from '../src/lineage/index.js';
import { changesOwnersAlone } from '../src/masks/changed-tables.js';

/** What only changes owners is planned without what became of the table; anything else beside it is not. */

test.each([
  ['alter table a.t owner to b', true],
  ['alter table only t owner to current_user; alter table if exists u owner to b', true],
  ['alter table t owner to b, add column c int default secret()', false],
  ['alter table t owner to b; alter table t alter c type text using mail', false],
  ['alter table t owner to b; create table u (a int)', false],
  ['alter view t owner to b', false],
  ['select 1', false],
])('%s', async (text, expected) => {
  const [lineage, analyzer] = await Promise.all([loadLineage(18), loadPostgres(18)]);
  expect(changesOwnersAlone(lineage, analyzer.analyze(text), text)).toBe(expected);
});
