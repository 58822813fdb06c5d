/** Which statements define what for others, in which order they are answered, and when the catalog is read for whom. */
import type { Lookup, SqlCommand } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { analyze } from '../src/analyze.js';
import { Catalog } from '../src/catalog/catalog.js';
import { TargetCatalog } from '../src/masks/catalogs.js';
import { Definitions, definedBy } from '../src/masks/definitions.js';
import { readingOf } from '../src/reading.js';
import { mariadb } from './dialects.js';

const dialect = mariadb();
const catalog = new Catalog({
  version: '',
  flavour: 'mariadb',
  server: dialect.version,
  lowerCase: 0,
  relations: [],
  codeReachesSession: false,
  triggered: new Set(),
});

const definedIn = (text: string): ReturnType<typeof definedBy> => {
  const command: SqlCommand = { type: 'sql', id: 1, dialect, phase: 'run', text };
  return definedBy(analyze(text, readingOf(dialect)), command, catalog);
};
const reading = (...names: string[]): ReadonlySet<string> => new Set(names.map((name) => catalog.keyOf('shop', name)));

describe('what a statement defines', () => {
  test.each([
    ['create or replace view pub as select 1', ['shop\0pub'], true],
    ['rename table a to b, c to other.d', ['shop\0a', 'shop\0b', 'shop\0c', 'shop\0other.d', 'other\0d'], true],
    ['drop table a', ['shop\0a'], true],
    ['alter table a add x int as (y)', ['shop\0a'], true],
    ['alter table a rename column x to y', ['shop\0a'], true],
    ['alter table a add x int, add index (x)', ['shop\0a'], false],
    ['create index i on a (x)', ['shop\0a'], false],
    ["prepare s from 'drop view pub'", ['shop\0pub'], true],
  ])('%s', (text, names, remakes) => {
    expect(definedIn(text)).toEqual({ names: new Set(names), remakes });
  });

  test.each([
    ['create trigger t before insert on a for each row set @x = 1', true],
    ['drop database shop', true],
    ['drop function f', true],
    ['call p()', false],
    ['begin not atomic select 1; end', false],
  ])('%s: anything', (text, remakes) => {
    expect(definedIn(text)).toEqual({ names: 'any', remakes });
  });

  test.each([
    'select * from a',
    'select f(1) from a',
    'insert into a select f(x) from b',
    'truncate a',
    'create user u',
  ])('%s: nothing', (text) => {
    expect(definedIn(text)).toBeUndefined();
  });
});

describe('definitions', () => {
  const pub = { names: reading('pub'), remakes: true };

  test('one may take effect from when it is sent until it is answered', () => {
    const all = new Definitions();
    const before = all.now;
    const first = all.begin(pub);
    expect(all.since(before, reading('pub'), undefined)).toEqual([first]);
    expect(all.since(all.now, reading('pub'), undefined)).toEqual([first]);
    expect(all.since(before, reading('pub'), first)).toEqual([]);
    expect(all.since(before, reading('people'), undefined)).toEqual([]);
    expect(all.end(first)).toBe(true);
    expect(all.end(first)).toBe(false);
    expect(all.since(before, reading('pub'), undefined)).toEqual([first]);
    expect(all.since(all.now, reading('pub'), undefined)).toEqual([]);
  });

  test('what is forgotten counts as any', () => {
    const all = new Definitions();
    const before = all.now;
    for (let count = 0; count < 10_001; count++) all.end(all.begin(pub));
    expect(all.since(before, reading('people'), undefined).map(({ names }) => names)).toEqual(['any', 'any']);
    expect(all.since(all.now, reading('people'), undefined)).toEqual([]);
  });
});

describe('the catalog of a target', () => {
  const answer = (text: string): Promise<string[][]> =>
    Promise.resolve(text.startsWith('set') ? [] : [['10.11.19-MariaDB', '0', 'BASE TABLE']]);
  const PLAIN: Lookup = { major: 10, query: answer, close: () => undefined };

  test('is there for whoever asks, however often something is defined meanwhile', async () => {
    let readings = 0;
    const target: TargetCatalog = new TargetCatalog(() =>
      Promise.resolve({
        ...PLAIN,
        query: (text: string) => {
          if (text.startsWith('set session')) readings++;
          target.answered(target.definitions.begin({ names: 'any', remakes: true }));
          return answer(text);
        },
      }),
    );
    await target.get();
    expect(readings).toBe(1);
    // What has changed while it was read may not be in it.
    await target.get();
    expect(readings).toBe(2);
    target.close();
  });

  test('is not what was being read when somebody asks for one of now', async () => {
    let readings = 0;
    const target = new TargetCatalog(() =>
      Promise.resolve({
        ...PLAIN,
        query: (text: string) => {
          if (text.startsWith('set session')) readings++;
          return answer(text);
        },
      }),
    );
    const first = target.get();
    const again = [target.again(), target.again()];
    await first;
    expect(readings).toBe(1);
    await Promise.all(again);
    expect(readings).toBe(2);
    target.close();
  });

  test('is known by nothing while something is under way', async () => {
    const target = new TargetCatalog(() => Promise.resolve(PLAIN));
    const { definitions } = target;
    const open = definitions.begin({ names: 'any', remakes: true });
    expect((await target.get()).moment).not.toBe(definitions.now);
    target.answered(open);
    expect((await target.get()).moment).toBe(definitions.now);
    target.close();
  });
});
