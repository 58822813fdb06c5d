import { missingPostgres } from '@sluice/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { TargetCatalog } from '../../src/masks/catalogs.js';
import { type Database, startDatabase } from './database.js';

/** Who asks while what has changed is being read, and who asked before it changed, are told of it all the same. */

const MAJOR = 18;
const unavailable = missingPostgres(MAJOR) !== undefined;
let database: Database;
let target: TargetCatalog;
/** Questions to the server, one after the other: behind the last, its answer waits until that is over. */
let waitsBehind: RegExp[] = [];
let reached = Promise.withResolvers<void>();
let over = Promise.withResolvers<void>();

beforeAll(async () => {
  if (!unavailable) database = await startDatabase(MAJOR);
});
afterAll(() => database?.stop());
afterEach(() => vi.useRealTimers());
beforeEach(async () => {
  if (unavailable) return;
  waitsBehind = [];
  [reached, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await database.query('drop table if exists app.late; create table app.late (id int)');
  const query: Database['query'] = async (text) => {
    const rows = await database.query(text);
    if (waitsBehind[0]?.test(text)) waitsBehind.shift();
    else return rows;
    if (waitsBehind.length > 0) return rows;
    reached.resolve();
    await over.promise;
    return rows;
  };
  target = new TargetCatalog(async () => ({ major: MAJOR, query, close: () => undefined }));
  await target.get();
});

const LATE = new Set(['late']);
const define = (): Promise<unknown> => database.query('alter table app.late add column secret text');
async function columns(asked: ReturnType<TargetCatalog['get']>): Promise<readonly string[] | undefined> {
  const { catalog } = await asked;
  return catalog.relation('app', 'late')?.columns.map(({ name }) => name);
}
const NOW = ['id', 'secret'];

test.skipIf(unavailable)('what took long to read is trusted for longer, but not for ever', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const readIn = async (seconds: number): Promise<void> => {
    target.changed();
    waitsBehind = [/^rollback/];
    [reached, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const read = target.get();
    await reached.promise;
    vi.setSystemTime(Date.now() + seconds * 1000);
    over.resolve();
    await read;
  };
  const isAskedAfter = async (seconds: number): Promise<boolean> => {
    vi.setSystemTime(Date.now() + seconds * 1000);
    const asked = target.get();
    await asked;
    return asked instanceof Promise;
  };
  await readIn(0.5);
  expect([await isAskedAfter(1), await isAskedAfter(1)]).toEqual([false, true]);
  await readIn(3);
  expect([await isAskedAfter(2), await isAskedAfter(2)]).toEqual([false, true]);
  await readIn(20);
  expect(await isAskedAfter(0)).toBe(true);
});

test.skipIf(unavailable)('who asks while the changed tables are read waits for them', async () => {
  await define();
  target.changed(LATE);
  waitsBehind = [/execute sluice_tables/];
  const first = target.get();
  await reached.promise;
  const others = [target.get(), target.getFor('alter table app.late add check (id > 1)'), target.refresh()];
  over.resolve();
  for (const one of [first, ...others]) expect(await columns(one)).toEqual(NOW);
});

test.skipIf(unavailable)('so does who asks while all is read for an unknown name', async () => {
  await define();
  target.changed(LATE);
  waitsBehind = [/^begin/];
  const unknown = target.refresh();
  await reached.promise;
  const other = target.get();
  over.resolve();
  for (const one of [unknown, other]) expect(await columns(one)).toEqual(NOW);
});

test.skipIf(unavailable)('what changes while all is read is read once more for all', async () => {
  target.changed();
  // Whether the catalog is still the same is asked last.
  waitsBehind = [/^rollback/, /pg_current_snapshot/];
  const before = target.get();
  await reached.promise;
  await define();
  target.changed(LATE);
  const after = target.get();
  over.resolve();
  for (const one of [before, after]) expect(await columns(one)).toEqual(NOW);
});
