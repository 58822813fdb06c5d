/**
 * Which texts of the server can only name what is defined, and hold no value of a column. Owns: that question, by what a statement does
 * and where in the server's source a text is made. Does not own: whether a statement may tell a masked value (`errors.ts`), nor how texts are
 * framed, and what is a trace of code in them (protocols/postgres). In doubt a text can hold one. Pure.
 */
import type { Facts, Resource } from '@sluice/contract';
import { lastParts } from '../written-names.js';

/**
 * Whether a text of the server may pass where a masked value could be in others. It has no trace of code: whatever a trigger, an event
 * trigger or a function says has one, but for functions that are written in place and read no tables.
 *
 * @param isKnown whether there may be a relation of this name, without its schema
 */
export function isOfNames(
  { actions }: Facts,
  isKnown: (relation: string) => boolean,
): (source: string, code: string) => boolean {
  const computesNothing = actions.length > 0 && actions.every(({ verb }) => COMPUTES_NOTHING.has(verb) || isDrop(verb));
  const isExtension = actions.length > 0 && actions.every(({ verb }) => OF_EXTENSIONS.has(verb));
  const isMade = actions.length > 0 && actions.every(({ verb }) => verb === 'create');
  const ofIndexes = actions.length > 0 && actions.every(({ verb }) => OF_INDEXES.has(verb));
  const isMissing =
    actions.length === 1 &&
    actions.every(({ verb, resources }) => OPENS.has(verb) && resources.some(isTable)) &&
    actions.every(({ resources }) => resources.every((one) => !isTable(one) || !lastParts(one.name).some(isKnown)));
  return (source, code) =>
    computesNothing ||
    OF_COMMANDS.test(source) ||
    (isExtension && source === 'extension.c') ||
    (isMade && OF_MAKING.test(source)) ||
    ((ofIndexes || isMissing) && source === 'namespace.c') ||
    (source === 'matview.c' && code === NOT_READY) ||
    (code === NOT_PERMITTED && source === 'aclchk.c');
}

/** "permission denied for table t": by names that the catalog has. */
const NOT_PERMITTED = '42501';
/** Of a view that cannot be refreshed so. Where two rows are alike, another one, it shows them. */
const NOT_READY = '55000';

/**
 * Verbs of statements that compute no expression, so that their texts have nothing but their own words and names of the catalog. Not among
 * them is what looks at rows (indexes, constraints, types of columns, upkeep), or at constants of partitions.
 */
const COMPUTES_NOTHING: ReadonlySet<string> = new Set([
  'alter',
  'alter collation',
  'alter database',
  'alter default privileges',
  'alter event trigger',
  'alter foreign data wrapper',
  'alter function',
  'alter operator',
  'alter operator family',
  'alter owner',
  'alter policy',
  'alter publication',
  'alter role',
  'alter schema',
  'alter sequence',
  'alter server',
  'alter statistics',
  'alter subscription',
  'alter system',
  'alter tablespace',
  'alter text search configuration',
  'alter text search dictionary',
  'alter user mapping',
  'checkpoint',
  'comment',
  'create access method',
  'create cast',
  'create conversion',
  'create database',
  'create domain',
  'create event trigger',
  'create foreign data wrapper',
  'create function',
  'create operator class',
  'create operator family',
  'create policy',
  'create publication',
  'create role',
  'create rule',
  'create sequence',
  'create server',
  'create statistics',
  'create subscription',
  'create tablespace',
  'create transform',
  'create trigger',
  'create type',
  'create user mapping',
  'create view',
  'grant',
  'import foreign schema',
  'listen',
  'load',
  'lock',
  'reassign owned',
  'rename',
  'revoke',
  'security label',
  'show',
  'truncate',
  'unlisten',
]);

const isDrop = (verb: string): boolean => verb.startsWith('drop ');

/** Their scripts run statements, which up to version 17 leave no trace. */
const OF_EXTENSIONS: ReadonlySet<string> = new Set(['create extension', 'alter extension', 'create language']);

/** They compute what stands in indexes, which must be immutable: a name is looked up in none of that. */
const OF_INDEXES: ReadonlySet<string> = new Set(['vacuum', 'reindex', 'cluster', 'create index']);

/** Aggregates, operators, collations: the first value of an aggregate may be of a domain that checks it. */
const OF_MAKING = /^(?:aggregatecmds|collationcmds|define|operatorcmds|parse_func|pg_\w+|tsearchcmds)\.c$/;

/** They open the table that they name before they compute anything. */
const OPENS: ReadonlySet<string> = new Set(['copy', 'alter table', 'refresh materialized view']);
const isTable = ({ type }: Resource): boolean => type === 'table';

/**
 * Files of the server that say what commands find in the catalog, and that no expression gets to: read in the source of 15 to 18. Not among
 * them are those with functions for expressions that take names (namespace.c by `::regclass`, dbcommands.c by pg_database_size), and matview.c,
 * which may show rows.
 */
const OF_COMMANDS =
  /^(?:analyze|cluster|copy|copyfrom|copyto|createas|dependency|functioncmds|heap|index|indexcmds|parse_utilcmd|pg_shdepend|portalcmds|prepare|publicationcmds|tablecmds|trigger|typecmds|utility|vacuum|vacuumlazy|vacuumparallel|xact)\.c$/;
