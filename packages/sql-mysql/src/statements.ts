/**
 * Reads one statement: which one it is, and all those that run others or change the session. Owns: the verbs. Does not: queries
 * (queries.ts), INSERT and the like (changes.ts), definitions and administration (heads.ts), several statements (texts.ts).
 */
import { HeadParser } from './heads.js';
import type { Tokens } from './tokens.js';
import type {
  CallStatement,
  DoStatement,
  Execute,
  Explain,
  Expression,
  HandlerStatement,
  Prepare,
  Query,
  SetItem,
  SetStatement,
  ShowStatement,
  Statement,
} from './tree.js';

/**
 * The statement between two tokens, which are numbers.
 *
 * @throws Unread
 */
export function readStatement(tokens: Tokens, from: number, to: number): Statement {
  return new StatementParser(tokens, from, to).whole();
}

class StatementParser extends HeadParser {
  whole(): Statement {
    const statement = this.statement();
    if (!this.done) throw this.error();
    this.checkQueries(statement);
    return statement;
  }

  protected statement(): Statement {
    return this.deeper(() => this.#statement());
  }

  #statement(): Statement {
    const start = this.start;
    if (this.isSign('(')) return this.#queryStatement(start, this.query());
    switch (this.word()) {
      case 'SELECT':
      case 'VALUES':
      case 'TABLE':
        return this.#queryStatement(start, this.query());
      case 'WITH':
        return this.#with(start);
      case 'INSERT':
      case 'REPLACE':
        return this.insert();
      case 'UPDATE':
        return this.update();
      case 'DELETE':
        return this.delete();
      case 'SET':
        return this.#set(start);
      case 'CALL':
        return this.#call(start);
      case 'DO':
        return this.#do(start);
      case 'EXPLAIN':
      case 'DESCRIBE':
      case 'DESC':
        return this.#explain(start);
      case 'HANDLER':
        return this.#handler(start);
      case 'SHOW':
        return this.#show(start);
      default:
        return this.#lesser(start);
    }
  }

  #lesser(start: number): Statement {
    switch (this.word()) {
      case 'LOAD':
        return this.isWord('DATA', 1) || this.isWord('XML', 1) ? this.load() : this.head();
      case 'ANALYZE':
        return this.#isAnalyzed() ? this.#explain(start) : this.head();
      case 'PREPARE':
        return this.#prepare(start);
      case 'EXECUTE':
        return this.#execute(start);
      case 'DEALLOCATE':
        return this.#deallocate(start);
      case 'DROP':
        return this.isWord('PREPARE', 1) ? this.#deallocate(start) : this.head();
      case 'USE':
        this.skip();
        return { kind: 'use', schema: this.takeName(), ...this.span(start) };
      case 'BEGIN':
      case 'START':
      case 'COMMIT':
      case 'ROLLBACK':
      case 'SAVEPOINT':
      case 'RELEASE':
      case 'XA':
        return this.transaction() ?? this.head();
      default:
        return this.head();
    }
  }

  #queryStatement(start: number, query: Query): Statement {
    return { kind: 'query', query, ...this.span(start) };
  }

  #with(start: number): Statement {
    const before = this.at;
    const clause = this.with();
    if (this.isWord('UPDATE')) return this.update(clause, start);
    if (this.isWord('DELETE')) return this.delete(clause, start);
    this.rewind(before);
    return this.#queryStatement(start, this.query());
  }

  #call(start: number): CallStatement {
    this.skip();
    const procedure = this.#procedureName();
    const given = this.isSign('(') ? this.parenthesised(() => (this.isSign(')') ? [] : this.expressions())) : [];
    return { kind: 'call procedure', procedure, arguments: given, ...this.span(start) };
  }

  /** In MariaDB `schema.package.procedure` as well. */
  #procedureName(): CallStatement['procedure'] {
    const name = this.objectName();
    if (!this.isMaria || !this.takeSign('.')) return name;
    return { schema: `${name.schema ?? ''}.${name.name}`, name: this.takeName(), start: name.start, end: this.end };
  }

  #do(start: number): DoStatement {
    this.skip();
    const values = this.selectItems().map((item): Expression => {
      if (item.kind === 'star') throw this.error();
      return item.value;
    });
    return { kind: 'do', values, ...this.span(start) };
  }

  // Plans

  /** ANALYZE of a statement, and not of a table. */
  #isAnalyzed(): boolean {
    return (
      this.isMaria &&
      (this.isWord('FORMAT', 1) || (ANALYZED.has(this.word(1)) && !this.isWord('TABLE', 1)) || this.isSign('(', 1))
    );
  }

  #explain(start: number): Explain | ShowStatement {
    let analyze = this.isWord('ANALYZE');
    this.skip();
    let into: string | undefined;
    for (;;) {
      if (this.takeWord('EXTENDED')) {
        // Says nothing more (sql_yacc.yy, opt_extended_describe).
        if (this.isMaria) this.takeWord('ALL');
        continue;
      }
      if (this.takeWord('PARTITIONS')) continue;
      if (!analyze && this.isWord('ANALYZE') && !this.isSign('.', 1)) {
        this.skip();
        analyze = true;
      } else if (this.isWord('FORMAT') && this.isSign('=', 1)) this.#format();
      else if (this.isWord('INTO') && this.kind(1) === 'variable') {
        this.skip();
        into = this.text();
        this.skip();
      } else break;
    }
    if (this.takeWords('FOR', 'CONNECTION')) return this.#explainedConnection(start);
    if (!this.isMaria && (this.isWords('FOR', 'SCHEMA') || this.isWords('FOR', 'DATABASE'))) {
      this.skip(2);
      this.takeName();
    }
    if (!this.isQuery() && !ANALYZED.has(this.word())) return this.#describe(start);
    const statement = this.statement();
    return { kind: 'explain', analyze, statement, ...(into !== undefined && { into }), ...this.span(start) };
  }

  #format(): void {
    this.skip(2);
    this.takeNameOrText();
  }

  #explainedConnection(start: number): ShowStatement {
    const where = this.expression();
    return { kind: 'show', what: 'EXPLAIN FOR CONNECTION', where, ...this.span(start) };
  }

  /** DESCRIBE t [column | 'pattern'] */
  #describe(start: number): ShowStatement {
    const object = this.objectName();
    if (this.kind() === 'string') this.takeText();
    else if (this.isName()) this.takeName();
    return { kind: 'show', what: 'COLUMNS', object, ...this.span(start) };
  }

  // Statements from texts

  #prepare(start: number): Prepare {
    this.skip();
    const name = this.takeName();
    this.expectWord('FROM');
    const from = this.expression();
    return { kind: 'prepare', name, from, using: [], ...this.span(start) };
  }

  #execute(start: number): Prepare | Execute {
    this.skip();
    if (this.isMaria && this.takeWord('IMMEDIATE')) {
      const from = this.expression();
      return { kind: 'prepare', from, using: this.#using(), ...this.span(start) };
    }
    const name = this.takeName();
    return { kind: 'execute', name, using: this.#using(), ...this.span(start) };
  }

  #using(): Expression[] {
    return this.takeWord('USING') ? this.list(() => this.inserted()) : [];
  }

  #deallocate(start: number): Statement {
    this.skip();
    this.expectWord('PREPARE');
    return { kind: 'deallocate', name: this.takeName(), ...this.span(start) };
  }

  // SET

  #set(start: number): Statement {
    this.skip();
    if (this.isMaria && this.isWord('STATEMENT') && !this.isSign('=', 1)) return this.#setFor(start);
    if (!this.isMaria && this.isWords('RESOURCE', 'GROUP')) return this.headFrom(start, 'set resource group');
    const items = this.#items();
    return { kind: 'set variables', items, ...this.span(start) } satisfies SetStatement;
  }

  #setFor(start: number): Statement {
    this.skip();
    const items = this.#items();
    this.expectWord('FOR');
    return { kind: 'set for', items, statement: this.statement(), ...this.span(start) };
  }

  #items(): SetItem[] {
    // A scope counts for the items behind it that have none.
    let scope: VariableScope = 'session';
    return this.list(() => {
      const named = this.#scope();
      if (named) scope = named;
      return this.#item(scope, named);
    });
  }

  #scope(): VariableScope | undefined {
    const word = this.word();
    const scope = SCOPES.get(word);
    if (scope === undefined || this.isSign('=', 1) || this.isSign(':=', 1) || this.isSign('.', 1)) return undefined;
    this.skip();
    return scope;
  }

  #item(scope: VariableScope, named: VariableScope | undefined): SetItem {
    const start = this.start;
    if (this.kind() === 'variable') return this.#variable();
    if (this.isSign('@@')) {
      const setting = this.systemVariable(start);
      if (setting.kind !== 'setting') throw this.error();
      return this.#setting(setting.scope ?? 'session', setting.name);
    }
    if (this.isWord('PASSWORD') && !this.isSign('.', 1)) return this.#rest('password');
    const special =
      this.isSign('=', 1) || this.isSign(':=', 1) || this.isSign('.', 1) ? undefined : this.#special(named);
    if (special) return special;
    const name = this.takeName();
    const part = this.takeSign('.') ? `.${this.takeName()}` : '';
    return this.#setting(scope, `${name}${part}`.toLowerCase());
  }

  #variable(): SetItem {
    const name = this.text();
    this.skip();
    this.#assign();
    return { kind: 'variable', name, value: this.expression() };
  }

  #assign(): void {
    if (!this.takeSign(':=')) this.expectSign('=');
  }

  #setting(scope: VariableScope, name: string): SetItem {
    this.#assign();
    const bare = this.#bareValue();
    if (bare === 'DEFAULT') {
      this.skip();
      return { kind: 'setting', scope, name };
    }
    return { kind: 'setting', scope, name, value: this.#settingValue(bare) };
  }

  /** A keyword that is a value by itself. */
  #bareValue(): string | undefined {
    const word = this.word();
    if (!BARE_VALUES.has(word)) return undefined;
    const ends = this.kind(1) === 'end' || this.isSign(',', 1) || this.isWord('FOR', 1);
    return ends ? word : undefined;
  }

  /** Names without quotes are texts: `SET sql_mode = ANSI`. */
  #settingValue(bare: string | undefined): Expression {
    const start = this.start;
    if (bare !== undefined) {
      this.skip();
      return { kind: 'constant', type: 'string', value: bare, ...this.span(start) };
    }
    const value = this.expression();
    if (value.kind !== 'column' || value.table !== undefined) return value;
    return { kind: 'constant', type: 'string', value: value.name, ...this.span(start) };
  }

  #special(scope: VariableScope | undefined): SetItem | undefined {
    switch (this.word()) {
      case 'NAMES':
        return this.#names(false);
      case 'CHARSET':
        return this.#names(true);
      case 'CHARACTER':
        if (!this.isWord('SET', 1)) return undefined;
        this.skip();
        return this.#names(true);
      case 'TRANSACTION':
        return this.#transaction(scope);
      case 'ROLE':
        return this.#rest('role');
      case 'DEFAULT':
        if (!this.isWord('ROLE', 1)) return undefined;
        return this.#rest('default role');
      default:
        return undefined;
    }
  }

  #names(onlyClient: boolean): SetItem {
    this.skip();
    const charset = this.#charset();
    const collated = this.takeWord('COLLATE');
    const collation = collated ? this.#charset() : undefined;
    const given = { ...(charset !== undefined && { charset }), ...(collation !== undefined && { collation }) };
    return { kind: 'names', ...given, onlyClient };
  }

  /** Undefined for DEFAULT. */
  #charset(): string | undefined {
    if (this.takeWord('DEFAULT')) return undefined;
    return (this.takeWord('BINARY') ? 'binary' : this.takeNameOrText()).toLowerCase();
  }

  #transaction(scope: VariableScope | undefined): SetItem {
    this.skip();
    let readOnly: boolean | undefined;
    do {
      if (this.takeWords('READ', 'ONLY')) readOnly = true;
      else if (this.takeWords('READ', 'WRITE')) readOnly = false;
      else {
        this.expectWord('ISOLATION');
        this.expectWord('LEVEL');
        if (this.takeOne(LEVELS) === undefined) throw this.error();
        this.takeOne(LEVELS);
      }
    } while (this.takeSign(','));
    const counts = scope === 'global' || scope === 'session' ? scope : 'next';
    return { kind: 'transaction', scope: counts, ...(readOnly !== undefined && { readOnly }) };
  }

  /** Items that are the last ones, and of which only the kind matters. */
  #rest(kind: 'password' | 'role' | 'default role'): SetItem {
    this.skipBalanced();
    return { kind };
  }

  // SHOW and HANDLER

  #show(start: number): ShowStatement {
    this.skip();
    const words: string[] = [];
    while (
      this.kind() === 'word' &&
      !SHOW_CLAUSES.has(this.word()) &&
      !(SHOW_NAMED.has(words.join(' ')) && this.isName())
    ) {
      const word = this.word();
      this.skip();
      if (!SHOW_MODIFIERS.has(word)) words.push(SHOW_SYNONYMS.get(word) ?? word);
    }
    const what = words.join(' ');
    const isNamed = SHOW_NAMED.has(what) && (this.isName() || this.isSign('.'));
    if (isNamed) this.takeWords('IF', 'NOT', 'EXISTS');
    let object = isNamed ? this.objectName() : undefined;
    object ??= this.#shownFrom(what);
    const where = this.#showEnd();
    return { kind: 'show', what, ...(object && { object }), ...(where && { where }), ...this.span(start) };
  }

  /** FROM t [FROM schema] */
  #shownFrom(what: string): ShowStatement['object'] {
    if (!SHOW_PARTS.has(what) || !(this.takeWord('FROM') || this.takeWord('IN'))) return undefined;
    const object = this.objectName();
    const schema = this.takeWord('FROM') || this.takeWord('IN') ? this.takeName() : undefined;
    return schema === undefined ? object : { ...object, schema };
  }

  /** LIKE and WHERE; whatever else stands behind a SHOW has no queries in it. */
  #showEnd(): Expression | undefined {
    if (this.takeWord('WHERE')) return this.expression();
    while (!this.done && !this.isWord('WHERE')) this.skipToken();
    return this.takeWord('WHERE') ? this.expression() : undefined;
  }

  #handler(start: number): HandlerStatement {
    this.skip();
    const table = this.objectName();
    const begun = { kind: 'handler' as const, table };
    if (this.takeWord('OPEN')) {
      const alias = this.takeWord('AS') || this.isName() ? this.takeName() : undefined;
      return { ...begun, action: 'open', ...(alias !== undefined && { alias }), values: [], ...this.span(start) };
    }
    if (this.takeWord('CLOSE')) return { ...begun, action: 'close', values: [], ...this.span(start) };
    this.expectWord('READ');
    const { values, byIndex } = this.#handlerKey();
    const where = this.where();
    const limit = this.limit();
    return {
      ...begun,
      action: 'read',
      ...(byIndex && { byIndex }),
      ...(where && { where }),
      ...(limit && { limit }),
      values,
      ...this.span(start),
    };
  }

  /** FIRST | NEXT | index FIRST | index = (values) */
  #handlerKey(): { values: Expression[]; byIndex: boolean } {
    const alone = HANDLER_STEPS.has(this.word()) && !this.#isComparison(1) && !HANDLER_STEPS.has(this.word(1));
    const byIndex = !alone && this.takeName().toUpperCase() !== 'PRIMARY';
    if (this.takeOne(HANDLER_STEPS)) return { values: [], byIndex };
    if (!this.#isComparison(0)) throw this.error();
    this.skip();
    return { values: this.parenthesised(() => this.expressions()), byIndex };
  }

  #isComparison(ahead: number): boolean {
    return ['=', '<', '>', '<=', '>='].some((sign) => this.isSign(sign, ahead));
  }
}

type VariableScope = 'session' | 'global' | 'persist' | 'persist only';
const SCOPES: ReadonlyMap<string, VariableScope> = new Map([
  ['GLOBAL', 'global'],
  ['SESSION', 'session'],
  ['LOCAL', 'session'],
  ['PERSIST', 'persist'],
  ['PERSIST_ONLY', 'persist only'],
]);
const LEVELS: ReadonlySet<string> = new Set(['READ', 'UNCOMMITTED', 'COMMITTED', 'REPEATABLE', 'SERIALIZABLE']);
const BARE_VALUES: ReadonlySet<string> = new Set(['DEFAULT', 'ON', 'ALL', 'BINARY', 'ROW', 'SYSTEM']);
const ANALYZED: ReadonlySet<string> = new Set([
  'SELECT',
  'WITH',
  'VALUES',
  'TABLE',
  'INSERT',
  'REPLACE',
  'UPDATE',
  'DELETE',
]);
const SHOW_MODIFIERS: ReadonlySet<string> = new Set(['FULL', 'EXTENDED', 'GLOBAL', 'SESSION', 'LOCAL']);
const SHOW_SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['FIELDS', 'COLUMNS'],
  ['INDEXES', 'INDEX'],
  ['KEYS', 'INDEX'],
  ['SCHEMAS', 'DATABASES'],
  ['SCHEMA', 'DATABASE'],
]);
const SHOW_CLAUSES: ReadonlySet<string> = new Set(['FROM', 'IN', 'LIKE', 'WHERE', 'FOR', 'LIMIT']);
/** Of what a name follows. */
const SHOW_NAMED: ReadonlySet<string> = new Set(
  `CREATE TABLE,CREATE VIEW,CREATE DATABASE,CREATE PROCEDURE,CREATE FUNCTION,CREATE TRIGGER,CREATE EVENT,CREATE SEQUENCE,
   CREATE PACKAGE,CREATE PACKAGE BODY,CREATE SERVER,CREATE LIBRARY,CREATE MASKING POLICY,PROCEDURE CODE,FUNCTION CODE`.split(
    /,\s*/,
  ),
);
/** Of what a table follows behind FROM. */
const SHOW_PARTS: ReadonlySet<string> = new Set(['COLUMNS', 'INDEX']);
const HANDLER_STEPS: ReadonlySet<string> = new Set(['FIRST', 'NEXT', 'PREV', 'LAST']);
