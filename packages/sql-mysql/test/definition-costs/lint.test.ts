import { describe, expect, test } from 'vitest';
import { lintDefinitions } from '../../src/definition-costs/lint.js';
import { analyze, readingOf } from '../../src/index.js';
import { mariadb, mysql } from '../dialects.js';

const dangersOf = (text: string, dialect = mariadb()): string[] =>
  lintDefinitions(text, dialect).findings.map(({ line, danger }) => `${line} ${danger}`);

describe('what a migration is warned of', () => {
  test.each([
    ['an algorithm that is not named', 'alter table t add column x int', ['1 instant-not-named']],
    ['one that is', 'alter table t add column x int, algorithm = instant', []],
    ['an index that may block', 'create index i on t (a)', ['1 online-not-named']],
    ['one that may not', 'create index i on t (a) algorithm inplace lock = none', []],
    ['LOCK left out', 'alter table t add index i (a), algorithm=inplace', ['1 online-not-named']],
    ['ALGORITHM=DEFAULT', 'alter table t add column x int, algorithm=default', ['1 instant-not-named']],
    ['a copy', 'alter table t add check (a > 1), algorithm=copy', ['1 copies']],
    ['an algorithm named twice', 'alter table t add x int, algorithm=instant, algorithm=copy', ['1 cost-not-known']],
    ['another engine', 'alter table t algorithm=instant, engine=innodb', ['1 cost-not-known']],
    ['an order', 'alter table t algorithm=instant, order by a, b', ['1 cost-not-known']],
    ['partitions', 'alter table t algorithm=instant, drop partition p', ['1 cost-not-known']],
    ['partitions of a table', 'alter table t add x int, algorithm=instant partition by hash (a)', ['1 cost-not-known']],
    ['a change that depends', 'alter table t modify a int', ['1 may-copy']],
    ['another name', 'alter table t change a b int, algorithm=instant', ['1 renames']],
    [
      'lines, comments and several',
      '-- ü\n\nrename table t to u;\n/* x */ drop table u',
      ['3 renames', '4 drops-table'],
    ],
    [
      'TRUNCATE and databases',
      'truncate t; truncate table t; drop database d',
      ['1 truncates', '1 truncates', '1 drops-database'],
    ],
    ['upkeep', 'optimize local table t', ['1 copies']],
    ['a setting around it', 'set statement alter_algorithm=copy for alter table t add x int', ['1 instant-not-named']],
    ['nothing of a new table', 'create table t (id int); alter table t modify id bigint; drop table t', []],
    ['what may be there', 'create table if not exists t (id int); alter table t force', ['1 online-not-named']],
    ['what replaces', 'create or replace table t (id int)', ['1 drops-table']],
    ['a column named like a key', 'alter table t drop `key`, algorithm=instant', ['1 drops-column']],
    ['no definition', 'select 1; insert into t values (1); create view v as select 1', []],
  ])('%s', (_, text, expected) => {
    expect(dangersOf(text)).toEqual(expected);
  });

  test('a text that cannot be read is refused with its line', () => {
    expect(() => lintDefinitions('select 1;\nselect from where', mariadb())).toThrow(/^line 2 has/);
  });
});

describe('versions of MySQL', () => {
  test.each([
    ['alter table t drop column a', 80_028, 'online-not-named'],
    ['alter table t drop column a', 80_029, 'instant-not-named'],
    ['alter table t add column x int first', 80_028, 'online-not-named'],
    ['alter table t add column x int', 80_012, 'instant-not-named'],
    ['alter table t add column x int', 50_744, 'online-not-named'],
    ['alter table t rename index a to b', 80_400, 'online-not-named'],
    ['alter table t add column x int check (x > 1)', 80_400, 'copies'],
    ['alter table t convert to character set utf8mb4', 90_000, 'copies'],
  ])('%s of %i', (text, version, danger) => {
    expect(dangersOf(text, mysql({ version }))).toContain(`1 ${danger}`);
  });
});

describe('facts for rules', () => {
  const costOf = (text: string): unknown => analyze(text, readingOf(mariadb())).actions.find(({ cost }) => cost)?.cost;

  test.each([
    ['alter table s.t add x int', 'shared', ['s.t'], true, true],
    ['alter table t add x int, algorithm=instant', 'none', ['t'], false, false],
    ['alter table t add index (x), algorithm=nocopy, lock=none', 'none', ['t'], false, true],
    ['alter table t force, algorithm=inplace, lock=none', 'none', ['t'], true, true],
    ['alter table t add index (x), algorithm=inplace, lock=exclusive', 'exclusive', ['t'], false, true],
    ['alter table t add unique (x), algorithm=inplace, lock=none', 'none', ['t'], true, true],
    ['alter table t add foreign key (x) references p (id)', 'shared', ['t', 'p'], true, true],
    ['alter table t discard tablespace', 'exclusive', ['t'], true, true],
    ['drop table a, b', 'exclusive', ['a', 'b'], false, false],
    ["prepare s from 'alter table t add x int'; execute s", 'shared', ['t'], true, true],
  ])('%s', (text, mode, on, rewrites, scans) => {
    expect(costOf(text)).toMatchObject({ lock: { mode, on }, rewrites, scans });
  });

  test('what loses something says so', () => {
    expect(costOf('alter table t drop a, algorithm=instant')).toMatchObject({ reversible: false });
    expect(costOf('alter table t add a int, algorithm=instant')).toMatchObject({ reversible: true });
  });
});
