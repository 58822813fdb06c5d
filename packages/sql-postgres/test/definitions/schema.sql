-- What the definitions of definitions.ts are tried on.
create table other (id int primary key, label text);
insert into other select g, 'label ' || g from generate_series(0, 9) g;
create function touch() returns trigger language plpgsql as 'begin return new; end';
create domain positive as int;
create domain checked as int check (value >= 0);
create domain above_zero as int;
alter domain above_zero add constraint above check (value > 0) not valid;
create type mood as enum ('good', 'bad');
create type pair as (x int, y int);
create table t (
  id int primary key,
  a int,
  b text,
  c varchar(10),
  d numeric(10, 2),
  n int not null,
  p positive,
  s int default 7,
  ts timestamp(3),
  tz timestamptz,
  m mood,
  bits varbit(8),
  net cidr,
  z above_zero,
  k checked default 1,
  constraint a_small check (a < 1000) not valid,
  constraint n_other foreign key (n) references other not valid
);
insert into t (id, a, b, c, d, n) select g, g % 10, 'b' || g, 'c' || (g % 7), g, g % 10 from generate_series(1, 500) g;
create index t_a on t (a);
create unique index t_b on t (b);
create unique index t_n on t (id, n);
create trigger t_touch before update on t for each row execute function touch();
create rule t_rule as on delete to t do also nothing;
create policy t_policy on t;
create statistics t_statistics on a, n from t;
create table child (extra int) inherits (t);
create table lone (id int, a int, b text);
insert into lone select g, g, g::text from generate_series(1, 100) g;
create table alike (id int, a int, b text);
create table range_table (id int, k int) partition by range (k);
create table range_first partition of range_table for values from (0) to (10);
create table range_rest partition of range_table default;
insert into range_table select g, g from generate_series(0, 20) g;
create index range_id on range_table (id);
create table loose (id int, k int);
insert into loose select g, 100 + g % 50 from generate_series(1, 100) g;
create table vouched (id int, k int, constraint in_range check (k is not null and k >= 100 and k < 200));
insert into vouched select g, 100 + g % 50 from generate_series(1, 100) g;
create view shown as select id, a from t;
create materialized view kept as select id, a from t;
create unique index kept_id on kept (id);
create sequence counter;
create unlogged table fast (id int);
insert into fast values (1);
create publication everything_of_lone for table lone;
create schema elsewhere;
