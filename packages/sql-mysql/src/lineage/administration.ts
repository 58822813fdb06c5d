/**
 * SHOW, definitions and administration: whose answers may have values, and what they do to the names of a session. Owns: the lists of
 * those that are harmless. Does not: statements with a reader of their own (statements.ts).
 */
import type { Expression, HeadStatement, Keeping, ObjectName, ShowStatement } from '../tree.js';
import type { LineageAnalysis } from './analysis.js';
import { expression } from './expression.js';
import { keeps, keysIn } from './keeping.js';
import { readQuery } from './query.js';
import { EMPTY_SCOPE, column, enclosed } from './scope.js';
import { anyVariableOf } from './session.js';
import { type Column, NOTHING, type Value, computed, direct, unknown } from './value.js';

/** What each column of an answer is, however many there are. */
export interface Each {
  readonly each: Value;
}

const DUAL = enclosed(EMPTY_SCOPE);
const named = (list: string): ReadonlySet<string> => new Set(list.split('|'));

const HARMLESS_SHOWS: ReadonlySet<string> = named(
  'AUTHORS|BINARY LOGS|CHARACTER SET|COLLATION|COLUMNS|CONTRIBUTORS|CREATE DATABASE|CREATE EVENT|CREATE FUNCTION|' +
    'CREATE PACKAGE|CREATE PACKAGE BODY|CREATE PROCEDURE|CREATE SEQUENCE|CREATE TABLE|CREATE TRIGGER|CREATE USER|' +
    'CREATE VIEW|DATABASES|ENGINES|EVENTS|FUNCTION STATUS|GRANTS|INDEX|MASTER STATUS|OPEN TABLES|PLUGINS|PRIVILEGES|' +
    'PROCEDURE STATUS|REPLICA STATUS|SLAVE STATUS|STATUS|STORAGE ENGINES|TABLE STATUS|TABLE TYPES|TABLES|TRIGGERS|' +
    'BINARY LOG STATUS|REPLICAS|COUNT|SCHEMAS|KEYS|FIELDS|CHARSET|INDEXES',
);

export function show(analysis: LineageAnalysis, { what, where }: ShowStatement): readonly Column[] | Each {
  if (where) analysis.asks(whereOfShow(analysis, where), 'other');
  if (HARMLESS_SHOWS.has(what)) return { each: NOTHING };
  const { session } = analysis;
  switch (what) {
    case 'WARNINGS':
    case 'ERRORS':
      // Errors keep their number as well; and clients read numbers where NULL would be none.
      return [
        column('Level', NOTHING),
        column('Code', NOTHING),
        column('Message', session.uncertain === undefined ? session.diagnostics : unknown(session.uncertain)),
      ];
    case 'VARIABLES':
      return { each: session.uncertain === undefined ? session.stored : unknown(session.uncertain) };
    default:
      return { each: unknown(`shows the statements or values of others (SHOW ${what})`) };
  }
}

/** Its columns are those of the SHOW, which are not listed here: only queries in it look at tables. */
function whereOfShow(analysis: LineageAnalysis, where: Expression): Value {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('kind' in value && value.kind === 'column' && 'name' in value) names.add(String(value.name));
    for (const part of Object.values(value)) visit(part);
  };
  visit(where);
  const columns = [...names].map((name) => column(name, NOTHING));
  return expression(analysis, { ...EMPTY_SCOPE, items: [{ name: 'show', columns }], columns }, where);
}

/** Definitions and administration. Their answers say whether it worked. */
const QUIET_HEADS: ReadonlySet<string> = named(
  'alter database|alter event|alter function|alter procedure|alter sequence|alter user|alter view|' +
    'alter tablespace|create database|create event|create function|create index|create procedure|create role|' +
    'create sequence|create tablespace|create trigger|create user|drop database|drop event|drop function|drop index|' +
    'drop procedure|drop role|drop sequence|drop tablespace|drop trigger|drop user|drop view|analyze table|' +
    'check table|optimize table|repair table|flush|flush table|grant|revoke|kill|lock|unlock|truncate|rename user|' +
    'create package|drop package',
);
const NAMING_HEADS: ReadonlySet<string> = new Set(['alter table', 'drop table', 'rename table', 'drop database']);

export function head(analysis: LineageAnalysis, one: HeadStatement): readonly Column[] | Each {
  const { verb, objects, queries, expressions: list, words } = one;
  const { catalog, session } = analysis;
  // Values of its options are not looked into: any of them may be a variable.
  analysis.looksAt(anyVariableOf(session));
  for (const query of queries)
    analysis.asks(computed(readQuery(analysis, DUAL, query).map(({ value }) => value)), 'other');
  const [altered] = objects;
  if (one.keeping && altered) keeps(analysis, altered.object, keptBy(one.keeping, words));
  if (verb === 'create index' && one.keeping && altered) addsKey(analysis, altered.object, one.keeping);
  if (verb === 'get diagnostics') {
    analysis.assigns('', session.diagnostics, true);
    return [];
  }
  if (NAMING_HEADS.has(verb)) {
    if (verb === 'rename table' || AWAY.some((word) => words.has(word))) movesAway(analysis, one);
    const keys = objects.map(({ object }) => catalog.keyOf(object.schema ?? session.database ?? '', object.name));
    const isTemporary = keys.some((key) => session.temporary.has(key));
    for (const key of isTemporary ? keys : []) {
      const unread = 'reads a temporary table that was altered or renamed';
      analysis.effects.push(verb === 'drop table' ? { type: 'drop', key } : { type: 'create', key, table: { unread } });
    }
    return { each: NOTHING };
  }
  if (QUIET_HEADS.has(verb)) return { each: NOTHING };
  if (verb === 'checksum table') return { each: unknown('shows sums over the values of whole tables') };
  for (const value of list) if (value.kind === 'subquery') expression(analysis, DUAL, value);
  const reason = `is a kind of statement that is not followed (${verb})`;
  analysis.effects.push({ type: 'code', reason: `runs after a statement that ${reason}` });
  return { each: unknown(reason) };
}

/** ALTER IGNORE TABLE of MariaDB deletes rows whose keys are there already: how many, and which, shows. */
const keptBy = (keeping: Keeping, words: HeadStatement['words']): Keeping =>
  words.has('IGNORE') ? { ...keeping, parts: [...keeping.parts, ...keeping.keys] } : keeping;

/** CREATE UNIQUE INDEX on a temporary table. */
function addsKey({ catalog, session, effects }: LineageAnalysis, object: ObjectName, keeping: Keeping): void {
  const key = catalog.keyOf(object.schema ?? session.database ?? '', object.name);
  const table = session.temporary.get(key);
  if (!table || table.unread !== undefined) return;
  const { whole, part } = keysIn(keeping);
  const { keys: own = { whole: [], part: [], numbered: [] } } = table;
  const keys = { ...own, whole: [...own.whole, ...whole], part: [...own.part, ...part] };
  effects.push({ type: 'create', key, table: { ...table, keys } });
}

/** Of ALTER TABLE: columns or the table are called otherwise, or its rows are another table's. */
const AWAY = ['RENAME', 'CHANGE', 'EXCHANGE', 'CONVERT PARTITION', 'CONVERT TABLE'];

/** Masks go by name: whatever they name is out of their reach under another one. */
function movesAway(analysis: LineageAnalysis, { verb, objects }: HeadStatement): void {
  const { catalog, session } = analysis;
  const relations = objects.map(({ object }) => catalog.relation(object.schema ?? session.database ?? '', object.name));
  const columns = relations.flatMap((relation) => relation?.columns.map(({ base }) => base) ?? []);
  analysis.moves({ type: 'definition', name: verb }, direct(columns));
}
