/** Everyday definitions, each with a statement behind it that has to know of it. Owns: their SQL. Does not own: measuring. Pure. */

export interface Definition {
  /** Done before, and not counted. */
  readonly before?: string;
  readonly definition: string;
  readonly behind: string;
}

/** By what people call them. `n` is another number each time, one more than before. */
export const KINDS: Readonly<Record<string, (n: number) => Definition>> = {
  'ALTER TABLE ADD': (n) => ({
    definition: `alter table t1 add c${n} int`,
    behind: `select c${n} from t1 limit 1`,
  }),
  'RENAME COLUMN': (n) => ({
    before: `create table columns${n} (a int); create view of_columns${n} as select a from columns${n}`,
    definition: `alter table columns${n} rename a to b`,
    behind: `select a from of_columns${n}`,
  }),
  'RENAME TO': (n) => ({
    before: `create table named${n} (a int)`,
    definition: `alter table named${n} rename to renamed${n}`,
    behind: `select a from renamed${n}`,
  }),
  'SET SCHEMA': (n) => ({
    before: `create table moving${n} (a int)`,
    definition: `alter table moving${n} set schema other`,
    behind: `select a from other.moving${n}`,
  }),
  'CREATE TABLE': (n) => ({
    definition: `create table made${n} (id int primary key, name text)`,
    behind: `select id from made${n}`,
  }),
  'CREATE INDEX': (n) => ({ definition: `create index i${n} on t2 (b)`, behind: 'select b from t2 limit 1' }),
  'CREATE VIEW': (n) => ({
    definition: `create view seen${n} as select id, b from t3`,
    behind: `select b from seen${n}`,
  }),
  'CREATE SEQUENCE': (n) => ({ definition: `create sequence counter${n}`, behind: `select nextval('counter${n}')` }),
  'CREATE TYPE': (n) => ({ definition: `create type mood${n} as enum ('ok')`, behind: `select 'ok'::mood${n}` }),
  'CREATE DOMAIN': (n) => ({
    definition: `create domain positive${n} as int check (value > 0)`,
    behind: `select 1::positive${n}`,
  }),
  'CREATE FUNCTION': (n) => ({
    definition: `create function made${n}(a int) returns int language plpgsql as 'begin return a; end'`,
    behind: 'select b from t10 limit 1',
  }),
  'REPLACE FUNCTION': (n) => ({
    definition: `create or replace function replaced(a int) returns int language sql as 'select a + ${n}'`,
    behind: 'select replaced(1)',
  }),
  TRIGGER: (n) => ({
    definition: `create trigger fires${n} before insert on t4 for each row execute function fires()`,
    behind: 'select b from t4 limit 1',
  }),
  POLICY: (n) => ({ definition: `create policy own${n} on t5 using (true)`, behind: 'select b from t5 limit 1' }),
  COMMENT: (n) => ({ definition: `comment on table t6 is '${n}'`, behind: 'select b from t6 limit 1' }),
  GRANT: () => ({ definition: 'grant select on t7 to public', behind: 'select b from t7 limit 1' }),
  'DROP TABLE CASCADE': (n) => ({
    before: `create table gone${n} (a int); create view of_gone${n} as select a from gone${n}`,
    definition: `drop table gone${n} cascade`,
    behind: 'select b from t8 limit 1',
  }),
  'DROP VIEW CASCADE': (n) => ({
    before: `create view unseen${n} as select b from t9`,
    definition: `drop view unseen${n} cascade`,
    behind: 'select b from t9 limit 1',
  }),
};

/** What some of them need. */
export const SETUP = `create schema other;
create function replaced(a int) returns int language sql as 'select a';
create function fires() returns trigger language plpgsql as 'begin return new; end'`;
