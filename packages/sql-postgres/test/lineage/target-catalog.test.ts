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
let asked: string[] = [];

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
  asked = [];
  const query: Database['query'] = async (text) => {
    asked.push(text);
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
  waitsBehind = [/execute sluice_named_tables/];
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
  // No text is spelled anew, so nothing is asked behind it.
  waitsBehind = [/^rollback/];
  const before = target.get();
  await reached.promise;
  await define();
  target.changed(LATE);
  const after = target.get();
  over.resolve();
  for (const one of [before, after]) expect(await columns(one)).toEqual(NOW);
});

test.skipIf(unavailable)('it is asked ahead whether anything has changed, while statements go on', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await target.refresh();
  vi.setSystemTime(Date.now() + 1600);
  asked = [];
  expect(target.get()).not.toBeInstanceOf(Promise);
  await vi.waitFor(() => expect(asked.join()).toContain('pg_current_snapshot'));
  // Nothing has been written since: that is enough.
  expect(asked.join()).not.toContain('hashtextextended');
  await target.refresh();
  vi.setSystemTime(Date.now() + 1400);
  expect(target.get()).not.toBeInstanceOf(Promise);
  // What others write says nothing of the catalog, what they define does.
  await database.query('insert into app.late values (1)');
  const { catalog } = await target.refresh();
  expect(asked.join()).toContain('hashtextextended');
  expect((await target.refresh()).catalog).toBe(catalog);
  await define();
  vi.setSystemTime(Date.now() + 2100);
  expect(await columns(target.get())).toEqual(NOW);
});

test.skipIf(unavailable)('a definition waits for tables that it may name, and for no others', async () => {
  const waits = async (text: string): Promise<boolean> => {
    target.changed(LATE);
    const meaning = target.getFor(text);
    await meaning;
    await target.get();
    return meaning instanceof Promise;
  };
  for (const text of [
    'alter table late add a int',
    'create table a (b _late)',
    'comment on index app."late_pkey"',
    'alter table LATE',
    String.raw`alter table U&"l\0061te"`,
  ])
    expect([text, await waits(text)]).toEqual([text, true]);
  for (const text of ['create table later (a int)', 'alter table app.too_late add a int', 'create table translate ()'])
    expect([text, await waits(text)]).toEqual([text, false]);
  target.changed(new Set(['schema made']));
  const meaning = target.getFor('create table a ()');
  expect(meaning).toBeInstanceOf(Promise);
  await meaning;
});

test.skipIf(unavailable)(
  'a foreign key is waited for by definitions of its tables and by whatever is no definition',
  async () => {
    const keyed = new Set(['late', 'code behind writes']);
    target.changed(keyed);
    expect(target.getFor('create table later (a int)')).not.toBeInstanceOf(Promise);
    const altered = target.getFor('alter table app.late alter id type text');
    expect(altered).toBeInstanceOf(Promise);
    await altered;
    target.changed(keyed);
    const read = target.get();
    expect(read).toBeInstanceOf(Promise);
    await read;
  },
);

test.skipIf(unavailable)(
  'what is asked of tables is not planned anew when the first of the database changes',
  async () => {
    await database.query('deallocate all');
    await define();
    target.changed(LATE);
    expect(await columns(target.get())).toEqual(NOW);
    const [prepared] = asked.filter((text) => text.includes('prepare sluice_named_tables'));
    // The planner takes a constant of type oid for a table that the plan depends on.
    expect(prepared).toMatch(/refobjid > 16383/);
    expect(prepared).not.toMatch(/\b16384\b/);
  },
);

test.skipIf(unavailable)('a clock that is set back makes nothing fresh', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await target.refresh();
  vi.setSystemTime(Date.now() - 3_600_000);
  const late = target.get();
  expect(late).toBeInstanceOf(Promise);
  await late;
  expect(target.get()).not.toBeInstanceOf(Promise);
});

test.skipIf(unavailable)('who misses a name gets what is there now, also while it is asked ahead', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await target.refresh();
  vi.setSystemTime(Date.now() + 1600);
  waitsBehind = [/pg_current_snapshot/];
  expect(target.get()).not.toBeInstanceOf(Promise);
  await reached.promise;
  await define();
  const late = target.refresh();
  over.resolve();
  expect(await columns(late)).toEqual(NOW);
});
