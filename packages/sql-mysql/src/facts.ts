/**
 * What one statement does, in the words of the policy: verbs, effects, tables, functions, settings, the strength of its conditions.
 * Owns: the reading of the tree. Does not: texts that it executes (analyze.ts), what masks make of it.
 */
import type { Action, Resource } from '@sluice/contract';
import { looksMasked } from '@sluice/masking';
import { type Access, ActionDraft, type NameSet, qualified } from './action-draft.js';
import { filterStrength, type Conditions } from './filter.js';
import { callFacts } from './functions.js';
import { settingOfHint } from './hints.js';
import { KINDS } from './kinds.js';
import type { SqlReading } from './reading.js';
import { READS_ANEW, type SettingFacts, type SettingValue, namesFacts, readsAnew, settingFacts } from './settings.js';
import type {
  Assignment,
  FunctionCall,
  CreateTable,
  CreateView,
  Delete,
  Execute,
  Explain,
  Expression,
  HandlerStatement,
  HeadStatement,
  HeadObject,
  Insert,
  Into,
  Limit,
  Load,
  ObjectName,
  Prepare,
  Query,
  SetItem,
  ShowStatement,
  Statement,
  Table,
  Update,
  With,
} from './tree.js';
import { Values, constantOf } from './values.js';
import { calledIn, deletedTables, joinConditions, tablesIn, unlessIn, writtenTables } from './written-tables.js';

/** Answers what a prepared name stands for, or a text: facts of its statement, with these values. */
export interface Executed {
  named(name: string, values: Values): readonly Action[] | undefined;
  text(text: string, values: Values): readonly Action[] | undefined;
}

/** What one top-level statement comes to. */
export interface StatementFacts {
  readonly actions: readonly Action[];
  readonly forbidden: string | undefined;
  /** A constant of it is what a mask leaves. */
  readonly masked: boolean;
}

/** Reads one top-level statement. Whatever it does not recognise makes the statement `unknown`. */
export function factsOf(
  statement: Statement,
  index: number,
  reading: SqlReading,
  values: Values,
  executed: Executed,
): StatementFacts {
  const reader = new FactsReader(index, reading, values, executed);
  reader.statement(statement, 0, NO_NAMES);
  return { actions: reader.actions, forbidden: reader.forbidden, masked: reader.masked };
}

const NO_NAMES: NameSet = new Set();

class FactsReader {
  forbidden: string | undefined;
  masked = false;
  readonly #index: number;
  readonly #reading: SqlReading;
  readonly #values: Values;
  readonly #executed: Executed;
  readonly #drafts: ActionDraft[] = [];
  readonly #inherited: Action[] = [];

  constructor(index: number, reading: SqlReading, values: Values, executed: Executed) {
    this.#index = index;
    this.#reading = reading;
    this.#values = values;
    this.#executed = executed;
  }

  get actions(): Action[] {
    return [...this.#drafts.map((draft) => draft.finished(this.#index)), ...this.#inherited];
  }

  /** @param ctes names that WITH has given to queries, which are no tables */
  statement(statement: Statement, depth: number, ctes: NameSet): void {
    const draft = new ActionDraft(depth);
    this.#drafts.push(draft);
    if ('cost' in statement) draft.cost = statement.cost;
    switch (statement.kind) {
      case 'query':
        return this.#queryStatement(draft, statement.query, ctes);
      case 'insert':
        return this.#insert(draft, statement, ctes);
      case 'update':
        return this.#update(draft, statement, ctes);
      case 'delete':
        return this.#delete(draft, statement, ctes);
      case 'load':
        return this.#load(draft, statement, ctes);
      case 'set variables':
        return this.#set(draft, statement.items, ctes);
      case 'set for':
        this.#set(draft, statement.items, ctes);
        if (readsAnew(statement)) draft.unknown(READS_ANEW);
        return this.statement(statement.statement, depth + 1, ctes);
      case 'create table':
        return this.#createTable(draft, statement, ctes);
      case 'create view':
        return this.#createView(draft, statement, ctes);
      case 'head':
        return this.#head(draft, statement, ctes);
      default:
        return this.#lesser(draft, statement, ctes);
    }
  }

  #lesser(draft: ActionDraft, statement: LesserStatement, ctes: NameSet): void {
    switch (statement.kind) {
      case 'call procedure': {
        const { procedure } = statement;
        draft.begin('call', 'execute');
        draft.resource('function', procedure, 'execute');
        const name = qualified(procedure);
        this.#unknownFunction(draft, name, `calls ${name}, a procedure that is not looked into`);
        return this.#inside(draft, statement.arguments, ctes);
      }
      case 'do':
        draft.begin('do', 'read');
        return this.#inside(draft, statement.values, ctes);
      case 'explain':
        return this.#explain(draft, statement, ctes);
      case 'prepare':
        return this.#prepare(draft, statement);
      case 'execute':
        return this.#execute(draft, statement);
      case 'deallocate':
        return draft.begin('deallocate', 'session');
      case 'handler':
        return this.#handler(draft, statement, ctes);
      case 'use':
        draft.begin('use', 'session');
        return draft.named('database', statement.schema, 'read');
      case 'show':
        return this.#show(draft, statement, ctes);
      case 'transaction':
        draft.begin(statement.verb, 'session');
        // What it commits or takes back is of any session.
        if (statement.verb === 'xa commit' || statement.verb === 'xa rollback') draft.effects.add('write');
        return;
      default:
        return draft.unknown(`is a kind of statement that is not understood (${(statement as Statement).kind})`);
    }
  }

  // Queries

  #queryStatement(draft: ActionDraft, query: Query, ctes: NameSet): void {
    draft.begin('select', 'read');
    this.#inside(draft, query, ctes);
  }

  /** Everything below: queries, tables, calls. */
  #inside(draft: ActionDraft, value: unknown, ctes: NameSet): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#inside(draft, item, ctes);
      return;
    }
    if (!isNode(value)) return;
    switch (value.kind) {
      case 'constant':
        this.masked ||= value.type === 'string' && looksMasked(value.value);
        return;
      case 'call':
        this.#call(draft, value);
        break;
      case 'sequence':
        draft.resource('table', value.name, value.action === 'last' ? 'read' : 'write');
        if (value.action !== 'last') draft.effects.add('write');
        break;
      case 'assign':
        draft.effects.add('session');
        break;
      case 'table':
        draft.table(value.table, 'read', ctes);
        break;
      default:
    }
    const names = this.#with(draft, value.with, ctes);
    if (value.into) this.#into(draft, value.into);
    if (value.hints) this.#hints(draft, value.hints);
    for (const key in value) if (!NO_CHILDREN.has(key)) this.#inside(draft, value[key], names);
  }

  /** Reads WITH and returns the names that are visible behind it. Without RECURSIVE a query sees the earlier ones. */
  #with(draft: ActionDraft, clause: With | undefined, outer: NameSet): NameSet {
    if (!clause) return outer;
    const names = new Set(outer);
    if (clause.recursive) for (const { name } of clause.tables) names.add(name);
    for (const { name, query } of clause.tables) {
      this.#inside(draft, query, new Set(names));
      names.add(name);
    }
    return names;
  }

  #into(draft: ActionDraft, into: Into): void {
    if (into.kind === 'variables') {
      draft.effects.add('session');
      return;
    }
    draft.effects.add('transfer').add('egress');
    draft.named('file', into.file, 'write');
    draft.unknown('writes a file of the database host');
  }

  #hints(draft: ActionDraft, hints: readonly string[]): void {
    for (const { name, value } of hints.flatMap(settingOfHint)) this.#setting(draft, 'session', name, value);
  }

  #call(draft: ActionDraft, call: FunctionCall): void {
    const name = call.schema === undefined ? call.name : `${call.schema}.${call.name}`;
    draft.named('function', name, 'execute');
    const { effects, reason } = callFacts(call, this.#reading);
    for (const effect of effects) draft.effects.add(effect);
    if (reason !== undefined) this.#unknownFunction(draft, name, reason);
  }

  #unknownFunction(draft: ActionDraft, name: string, reason: string): void {
    draft.effects.add('unknown');
    draft.reasons.push(reason);
    draft.unknownFunctions.push(name);
  }

  // Changes

  #insert(draft: ActionDraft, statement: Insert, ctes: NameSet): void {
    draft.begin(statement.replace ? 'replace' : 'insert', 'write');
    draft.table(statement.table, 'write', ctes);
    const { source, onDuplicate, returning, hints } = statement;
    this.#hints(draft, hints);
    this.#inside(draft, source.kind === 'rows' ? source.rows : source.query, ctes);
    this.#inside(draft, valuesOf(onDuplicate), ctes);
    if (!returning) return;
    draft.effects.add('read');
    this.#inside(draft, returning, ctes);
  }

  #update(draft: ActionDraft, statement: Update, outer: NameSet): void {
    draft.begin('update', 'write');
    const ctes = this.#with(draft, statement.with, outer);
    const tables = tablesIn(statement.tables);
    if (tables.length > MAX_JOINED_TABLES) return this.#tooMany(draft);
    const written = writtenTables(statement.set, tables);
    this.#changed(draft, statement, tables, written, ctes);
    this.#inside(draft, valuesOf(statement.set), ctes);
  }

  #delete(draft: ActionDraft, statement: Delete, outer: NameSet): void {
    draft.begin('delete', 'write');
    const ctes = this.#with(draft, statement.with, outer);
    const tables = tablesIn(statement.tables);
    if (tables.length > MAX_JOINED_TABLES || statement.targets.length > MAX_JOINED_TABLES) return this.#tooMany(draft);
    const written = deletedTables(statement.targets, tables);
    this.#changed(draft, statement, tables, written, ctes);
    // A target that is none of the tables: the server rejects it, or compares names without case.
    for (const target of statement.targets) draft.table(target, 'write', calledIn(tables));
  }

  #tooMany(draft: ActionDraft): void {
    draft.filter = 'none';
    draft.unknown(`has more than ${MAX_JOINED_TABLES} tables`);
  }

  /** What UPDATE and DELETE share. */
  #changed(
    draft: ActionDraft,
    statement: Update | Delete,
    tables: readonly Table[],
    written: readonly Table[],
    ctes: NameSet,
  ): void {
    // What alone is changed is a table, whatever WITH calls a query.
    for (const { table } of written) draft.table(table, 'write', tables.length === 1 ? NO_NAMES : ctes);
    this.#inside(
      draft,
      statement.tables.map((one) => unlessIn(one, written)),
      ctes,
    );
    this.#hints(draft, statement.hints);
    this.#inside(draft, [statement.where, statement.orderBy, statement.limit, statement.portion], ctes);
    if (statement.returning) {
      draft.effects.add('read');
      this.#inside(draft, statement.returning, ctes);
    }
    const joins = joinConditions(statement.tables, true);
    const conditions = { ...joins, required: [...(statement.where ? [statement.where] : []), ...joins.required] };
    const joined = tables.length !== 1 || statement.tables.some(({ kind }) => kind !== 'table');
    this.#filter(draft, conditions, statement.limit, written, joined, ctes);
  }

  #filter(
    draft: ActionDraft,
    conditions: Conditions,
    limit: Limit | undefined,
    written: readonly Table[],
    joined: boolean,
    ctes: NameSet,
  ): void {
    const strengths = written.map(({ table, alias }) =>
      filterStrength(conditions, limit, { name: alias ?? table.name, table: table.name, joined, ctes }, this.#values),
    );
    const filter = (['none', 'weak'] as const).find((one) => strengths.includes(one)) ?? 'strong';
    draft.filter = written.length === 0 ? 'none' : filter;
    if (draft.filter === 'none') draft.reasons.push('has no condition that selects rows of the target');
    if (draft.filter === 'weak') draft.reasons.push('has a condition that may match nearly every row');
  }

  #load(draft: ActionDraft, statement: Load, ctes: NameSet): void {
    draft.begin('load data', 'write', 'transfer');
    draft.table(statement.table, 'write', ctes);
    draft.named('file', statement.file, 'read');
    if (statement.fields.some(({ kind }) => kind === 'variable')) draft.effects.add('session');
    if (!statement.local) draft.unknown('reads a file of the database host');
    if (statement.from !== 'infile') draft.unknown('connects the server to something outside');
    this.#inside(draft, valuesOf(statement.set), ctes);
  }

  // Session

  #set(draft: ActionDraft, items: readonly SetItem[], ctes: NameSet): void {
    draft.begin('set', 'session');
    for (const item of items) this.#setItem(draft, item, ctes);
  }

  #setItem(draft: ActionDraft, item: SetItem, ctes: NameSet): void {
    switch (item.kind) {
      case 'variable':
        return this.#inside(draft, item.value, ctes);
      case 'setting':
        this.#setting(draft, item.scope, item.name, settingValue(item.value));
        return this.#inside(draft, item.value, ctes);
      case 'names':
        draft.named('setting', item.onlyClient ? 'character_set_client' : 'names', 'write');
        return this.#settingFacts(draft, namesFacts(item.charset, this.#reading));
      case 'transaction':
        if (item.scope === 'global') this.#setting(draft, 'global', 'transaction', null);
        return;
      case 'password':
        draft.effects.add('grant').add('secret');
        return;
      default:
        draft.effects.add('grant');
    }
  }

  #setting(draft: ActionDraft, scope: Parameters<typeof settingFacts>[0], name: string, value: SettingValue): void {
    draft.named('setting', name, 'write');
    this.#settingFacts(draft, settingFacts(scope, name, value, this.#reading));
  }

  #settingFacts(draft: ActionDraft, { effects, forbidden, reason }: SettingFacts): void {
    for (const effect of effects) draft.effects.add(effect);
    if (reason !== undefined) draft.unknown(reason);
    if (forbidden !== undefined) this.forbidden ??= forbidden;
  }

  #prepare(draft: ActionDraft, { name, from, using }: Prepare): void {
    draft.begin(name === undefined ? 'execute immediate' : 'prepare', 'session');
    this.#inside(draft, [from, using], NO_NAMES);
    const text = constantOf(from);
    const values = name === undefined ? Values.given(using) : Values.unbound();
    const actions = typeof text === 'string' ? this.#executed.text(text, values) : undefined;
    if (actions) return this.#inherit(draft, actions);
    draft.unknown('takes its text from a variable or an expression, which is not known');
  }

  #execute(draft: ActionDraft, { name, using }: Execute): void {
    draft.begin('execute', 'session');
    const actions = this.#executed.named(name, Values.given(using));
    if (!actions) return draft.unknown(`executes "${name}", and no such prepared statement is known`);
    this.#inherit(draft, actions);
  }

  #inherit(draft: ActionDraft, actions: readonly Action[]): void {
    for (const action of actions)
      this.#inherited.push({ ...action, statement: this.#index, depth: action.depth + draft.depth + 1 });
  }

  #explain(draft: ActionDraft, { statement, into }: Explain, ctes: NameSet): void {
    draft.begin('explain', 'read');
    if (into !== undefined) draft.effects.add('session');
    // Also without ANALYZE: planning runs functions, and a rule about a DELETE is about explaining one too.
    this.statement(statement, draft.depth + 1, ctes);
  }

  #handler(draft: ActionDraft, { action, table, where, limit, values }: HandlerStatement, ctes: NameSet): void {
    draft.begin(`handler ${action}`, action === 'read' ? 'read' : 'session');
    draft.table(table, 'read', NO_NAMES);
    this.#inside(draft, [where, limit, values], ctes);
  }

  #show(draft: ActionDraft, { what, object, where }: ShowStatement, ctes: NameSet): void {
    draft.begin('show', 'read');
    if (SHOWS_SECRETS.test(what)) draft.effects.add('secret');
    if (object) draft.resource(SHOWN_TABLES.has(what) ? 'table' : 'object', object, 'read');
    this.#inside(draft, where, ctes);
  }

  // Definitions

  #createTable(draft: ActionDraft, statement: CreateTable, ctes: NameSet): void {
    const { query, replace, like, references, options } = statement;
    draft.begin(query ? 'create table as' : 'create table', 'define');
    if (replace) draft.effects.add('destroy');
    draft.table(statement.table, 'define', NO_NAMES);
    for (const table of [...references, ...(like ? [like] : [])]) draft.table(table, 'read', NO_NAMES);
    this.#inside(draft, statement.expressions, ctes);
    if (OPTIONS_OUTSIDE.some((name) => options.has(name)) || isOutside(options.get('ENGINE') ?? ''))
      this.#outside(draft);
    if (!query) return;
    draft.effects.add('write').add('read');
    this.#inside(draft, query, ctes);
  }

  #outside(draft: ActionDraft): void {
    draft.effects.add('egress');
    draft.unknown('makes a table whose rows are kept elsewhere');
  }

  #createView(draft: ActionDraft, { alter, view, query }: CreateView, ctes: NameSet): void {
    draft.begin(alter ? 'alter view' : 'create view', 'define');
    draft.table(view, 'define', NO_NAMES);
    this.#inside(draft, query, ctes);
  }

  #head(draft: ActionDraft, statement: HeadStatement, ctes: NameSet): void {
    const { verb, words, objects, expressions, queries } = statement;
    const facts = KINDS.get(verb);
    draft.begin(verb, ...(facts?.effects ?? []));
    if (!facts) draft.unknown(`is a kind of statement that is not understood (${verb})`);
    else if (facts.reason !== undefined) draft.unknown(facts.reason);
    for (const { type, access, object } of objects) this.#headObject(draft, type, access, object);
    if (verb === 'alter table') this.#alteration(draft, words);
    if (words.has('REPLACE') && EMPTIED.has(verb)) draft.effects.add('destroy');
    if (verb === 'create function' && words.has('SONAME')) draft.reasons.push('loads code into the server');
    if (verb === 'flush table' && (words.has('LOCK') || words.has('EXPORT')))
      draft.unknown('stops every session that writes');
    this.#inside(draft, [expressions, queries], ctes);
  }

  #headObject(draft: ActionDraft, type: HeadObject['type'], access: Access, object: ObjectName): void {
    if (type === 'table' || type === 'view') draft.table(object, access, NO_NAMES);
    else draft.resource(RESOURCE_TYPES[type], object, access);
  }

  #alteration(draft: ActionDraft, words: HeadStatement['words']): void {
    // IGNORE deletes rows that a unique key has no place for.
    if (words.has('DROP') || words.has('DISCARD') || words.has('IGNORE')) draft.effects.add('destroy');
    if (words.has('TRUNCATE')) draft.effects.add('destroy').add('write');
    if (MOVING_ROWS.some((word) => words.has(word))) draft.effects.add('write');
    // Rows that do not fit a new key are removed without a word; a column that becomes a computed one loses what it held.
    if (words.has('IGNORE') || words.has('COMPUTED')) draft.effects.add('destroy').add('write');
    if (KEEPING_NOTHING.some((engine) => words.has(`ENGINE ${engine}`))) draft.effects.add('destroy').add('write');
    if (words.has('IMPORT')) draft.unknown('reads files of the database host');
    if (words.has('OUTSIDE') || words.has('UNION') || ENGINES_OUTSIDE.some((engine) => words.has(`ENGINE ${engine}`)))
      this.#outside(draft);
  }
}

type LesserStatement = Exclude<
  Statement,
  {
    kind:
      | 'query'
      | 'insert'
      | 'update'
      | 'delete'
      | 'load'
      | 'set variables'
      | 'set for'
      | 'create table'
      | 'create view'
      | 'head';
  }
>;

/** Any node of the tree, by what the reader looks at. */
type Node = { readonly [key: string]: unknown } & (
  | Extract<Expression, { kind: 'constant' | 'call' | 'sequence' | 'assign' }>
  | Table
) & { readonly with?: With; readonly into?: Into; readonly hints?: readonly string[] };

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !(value instanceof Map) && !(value instanceof Set);

/** Parts of a node that are read by themselves. */
const NO_CHILDREN: ReadonlySet<string> = new Set(['with', 'into', 'hints', 'kind', 'start', 'end']);

const valuesOf = (assignments: readonly Assignment[]): Expression[] => assignments.map(({ value }) => value);

function settingValue(value: Expression | undefined): SettingValue {
  if (value === undefined) return undefined;
  const constant = constantOf(value);
  return constant === undefined || constant === null ? null : String(constant);
}

/** As many as the servers join (MAX_TABLES). */
const MAX_JOINED_TABLES = 61;

/** Hashes of passwords, passwords for other servers. The name behind it may be part of the words. */
const SHOWS_SECRETS = /^(CREATE USER|CREATE SERVER|GRANTS)( |$)/;
const SHOWN_TABLES: NameSet = new Set(['COLUMNS', 'INDEX', 'CREATE TABLE', 'CREATE VIEW', 'CREATE SEQUENCE']);
/** Of ALTER TABLE: rows of one table are another's afterwards. */
const MOVING_ROWS = ['EXCHANGE', 'CONVERT PARTITION', 'CONVERT TABLE'];
const OPTIONS_OUTSIDE = ['CONNECTION', 'DATA DIRECTORY', 'INDEX DIRECTORY', 'UNION'];
const RESOURCE_TYPES: Readonly<Record<Exclude<HeadObject['type'], 'table' | 'view'>, Resource['type']>> = {
  schema: 'database',
  routine: 'function',
  user: 'role',
  file: 'file',
  object: 'object',
};

/** What OR REPLACE of MariaDB drops first, with all that is in it or was granted to it. */
const EMPTIED: NameSet = new Set(
  ['database', 'index', 'role', 'sequence', 'server', 'user'].map((type) => `create ${type}`),
);
/** Storage engines that take rows and keep none. */
const KEEPING_NOTHING = ['BLACKHOLE', 'EXAMPLE'];
/** Storage engines whose rows are files, other servers or other tables. */
const ENGINES_OUTSIDE =
  'FEDERATED CONNECT SPIDER S3 CASSANDRA SPHINX OQGRAPH MROONGA CSV HEATWAVE MERGE MRG_MYISAM'.split(' ');
const isOutside = (engine: string): boolean => ENGINES_OUTSIDE.includes(engine.toUpperCase());
