-- What is in each database of the compatibility matrix before a tool comes: an application, extensions with overloads of built-in
-- names, and a table of secrets that no tool reads.
create extension citext;
create extension pg_trgm;
create extension hstore;
create schema vault;
create table vault.secrets (id int primary key, secret text, pin int, kept timestamptz);
insert into vault.secrets values (1, 'the first', 4711, '2024-01-02 03:04:05Z');
create table people (id serial primary key, name text not null, email text not null);
insert into people (name, email) values ('Ada', 'ada@example.com'), ('Bob', 'bob@example.com'), ('Cleo', 'cleo@example.org');
create table orders (
  id serial primary key,
  person_id int not null references people on delete cascade,
  total numeric not null default 0,
  note text
);
create index orders_by_person on orders (person_id);
insert into orders (person_id, total, note) values (1, 10, 'first'), (1, 20.5, null), (2, 7, 'gift');
create view totals as select p.id, p.name, sum(o.total) as total from people p join orders o on o.person_id = p.id group by p.id;
