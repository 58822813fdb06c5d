import { describe, expect, test } from 'vitest';
import { lintDefinitions } from '../../src/definitions/lint.js';

const dangersOf = async (text: string, major = 18): Promise<string[]> =>
  (await lintDefinitions(text, major)).findings.map(({ line, danger }) => `${line} ${danger}`);

describe('what a migration is warned of', () => {
  test.each([
    ['an index on a table in use', 'create index on orders (a);', ['1 index-blocks-writes']],
    ['an index that blocks nobody', 'create index concurrently on orders (a);', []],
    [
      'lines behind comments and blanks, in characters of more bytes',
      '-- größer\n\ncreate table f (a int default 7);\n/* ü\n */ -- x\n\n  alter table orders drop column "ü";\ndrop table orders',
      ['7 drops-column', '8 drops-table'],
    ],
    [
      'nothing about a table that the text has made',
      'create table f (id int); create index on f (id); alter table f alter id type bigint; drop table f;',
      [],
    ],
    [
      'what is made only where it is not there yet may be in use',
      'create table if not exists f (id int); create index on f (id)',
      ['1 index-blocks-writes'],
    ],
    ['a new and an old table dropped at once', 'create table f (id int); drop table f, orders', ['1 drops-table']],
    [
      'CONCURRENTLY between BEGIN and COMMIT, and after it',
      'begin;\ncreate index concurrently on orders (a);\ncommit;\ndrop index concurrently i;',
      ['2 concurrently-in-transaction'],
    ],
    [
      'a transaction that goes on (AND CHAIN)',
      'begin; commit and chain;\nreindex table concurrently orders',
      ['2 concurrently-in-transaction'],
    ],
    [
      'a column that no row has a value for',
      'alter table orders add column a int not null; alter table orders add column b int not null default 1',
      ['1 not-null-without-default'],
    ],
    ['statements that define nothing', 'select 1; update orders set a = 1; insert into orders values (1)', []],
    ['an empty text', ' -- nothing\n', []],
  ])('%s', async (_, text, expected) => {
    expect(await dangersOf(text)).toEqual(expected);
  });

  test('what is no SQL is said by line', async () => {
    await expect(lintDefinitions('select 1;\nalter tabel x', 18)).rejects.toThrow(/^line 2: syntax error/);
  });

  test('a version that has no such syntax says so', async () => {
    const text = 'alter table orders add constraint c not null a not valid';
    await expect(lintDefinitions(text, 15)).rejects.toThrow(SyntaxError);
    expect(await dangersOf(text, 18)).toEqual([]);
  });
});
