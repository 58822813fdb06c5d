/**
 * Reads what operators stand between: literals, variables, names of columns, parentheses. Owns: whether parentheses hold a query. Does
 * not: operators (expressions.ts), functions (calls.ts).
 */
import { CHARSETS } from './charsets.js';
import { TokenCursor } from './cursor.js';
import { QUERY_TAILS, QUERY_WORDS, SCOPES, UNDERSCORE } from './operators.js';
import type { ColumnReference, Constant, Expression, Operation, OperatorSign, Query, UserVariable } from './tree.js';

export abstract class OperandParser extends TokenCursor {
  protected parameters = 0;

  /** A query that begins at the next token. */
  protected abstract query(): Query;
  /** Functions, CASE, CAST and whatever else begins with a word. */
  protected abstract named(): Expression;
  protected abstract expression(): Expression;

  protected expressions(): Expression[] {
    return this.list(() => this.expression());
  }

  /** What operators stand between. */
  protected operand(): Expression {
    const start = this.start;
    const kind = this.kind();
    switch (kind) {
      case 'integer':
      case 'decimal':
      case 'float':
      case 'hex':
      case 'bit': {
        const value = this.text();
        this.skip();
        return { kind: 'constant', type: kind, value, ...this.span(start) };
      }
      case 'string':
        return this.string(start);
      case 'parameter':
        this.skip();
        return { kind: 'parameter', index: this.parameters++, ...this.span(start) };
      case 'variable':
        return this.#variable(start);
      case 'operator':
        return this.#signed(start);
      case 'word':
      case 'name':
        return this.#arrowed(this.#introduced(start) ?? this.named());
      default:
        throw this.error();
    }
  }

  /** A text, and those next to it, which are parts of it. */
  protected string(start: number): Constant {
    let value = this.takeText();
    while (this.kind() === 'string') value += this.takeText();
    return { kind: 'constant', type: 'string', value, ...this.span(start) };
  }

  /** `_utf8mb4'text'` */
  #introduced(start: number): Constant | undefined {
    const word = this.word();
    if (word === '' || word.charCodeAt(0) !== UNDERSCORE) return undefined;
    const kind = this.kind(1);
    if ((kind !== 'string' && kind !== 'hex' && kind !== 'bit') || !CHARSETS.has(word.slice(1))) return undefined;
    this.skip();
    const introducer = word.slice(1).toLowerCase();
    if (kind === 'string') return { ...this.string(this.start), introducer, start };
    const value = this.text();
    this.skip();
    return { kind: 'constant', type: kind, value, introducer, ...this.span(start) };
  }

  #variable(start: number): Expression {
    const name = this.text();
    this.skip();
    const variable: UserVariable = { kind: 'variable', name, ...this.span(start) };
    if (!this.takeSign(':=')) return variable;
    return { kind: 'assign', variable, value: this.expression(), ...this.span(start) };
  }

  /** What begins with a sign: parentheses, `{d '...'}`, `@@name`. */
  #signed(start: number): Expression {
    if (this.isSign('(')) return this.#inParentheses(start);
    if (this.isSign('@@')) return this.systemVariable(start);
    if (this.takeSign('{')) {
      const word = this.takeName();
      const inner = this.expression();
      this.expectSign('}');
      // {d '...'}, {t '...'}, {ts '...'} are literals, whatever else stands there is as if it stood alone.
      const isTemporal = /^(d|t|ts)$/i.test(word) && inner.kind === 'constant' && inner.type === 'string';
      return isTemporal ? { ...inner, type: 'temporal', start, end: this.end } : inner;
    }
    // A name whose schema is the default one: `.t.c`.
    if (this.isSign('.')) return this.column();
    throw this.error();
  }

  protected systemVariable(start: number): Expression {
    this.skip();
    if (this.start !== this.end) throw this.error();
    const names = [this.#part()];
    while (names.length < 3 && this.takeSign('.')) names.push(this.#part());
    const scope = names.length > 1 ? SCOPES.get((names[0] ?? '').toUpperCase()) : undefined;
    const name = (scope === undefined ? names : names.slice(1)).join('.').toLowerCase();
    return { kind: 'setting', ...(scope !== undefined && { scope }), name, ...this.span(start) };
  }

  #part(): string {
    if (this.kind() !== 'name' && this.kind() !== 'word' && !(this.isMaria && this.kind() === 'string'))
      throw this.error();
    const part = this.written();
    this.skip();
    return part;
  }

  #inParentheses(start: number): Expression {
    if (this.queryAhead() && this.queryFills()) {
      const query = this.deeper(() => this.parenthesised(() => this.query()));
      return { kind: 'subquery', query, ...this.span(start) };
    }
    const items = this.parenthesised(() => this.expressions());
    const [first, ...more] = items;
    return first && more.length === 0 ? first : { kind: 'row', items, ...this.span(start) };
  }

  /** Whether a query follows the parentheses that come next. */
  protected queryAhead(): boolean {
    let ahead = 0;
    while (this.isSign('(', ahead)) ahead++;
    if (ahead === 0 || !QUERY_WORDS.has(this.word(ahead))) return false;
    // Of MySQL: VALUES(column) is a function; the query is VALUES ROW(...).
    return this.isMaria || !this.isWord('VALUES', ahead) || this.isWord('ROW', ahead + 1);
  }

  /**
   * Whether the parentheses that come next hold a query with its clauses and nothing else: not so `((SELECT 1) + 1)`. Of
   * parentheses one behind the other the outer ones may hold an expression and the inner ones a query; that is found out once.
   */
  protected queryFills(): boolean {
    const known = this.#opened;
    if (this.at >= known.from && this.at < known.to) return this.at >= known.queries;
    let opened = 0;
    while (this.isSign('(', opened)) opened++;
    const outer = opened === 1 ? 0 : this.#notQueries(opened);
    this.#opened = { from: this.at, to: this.at + opened, queries: this.at + outer };
    return outer === 0;
  }

  #opened = { from: -1, to: -1, queries: -1 };

  /** How many of the parentheses, counted from outside, hold more than a query. */
  #notQueries(opened: number): number {
    let depth = opened;
    let level = opened;
    for (let ahead = opened; this.kind(ahead) !== 'end'; ahead++) {
      if (this.isSign('(', ahead)) depth++;
      else if (this.isSign(')', ahead)) depth--;
      if (depth === 0) return 0;
      if (depth >= level) continue;
      level = depth;
      if (!this.isSign(')', ahead + 1) && !QUERY_TAILS.has(this.word(ahead + 1))) return level;
    }
    return 0;
  }

  /** `column->'$.path'` */
  #arrowed(left: Expression): Expression {
    if (left.kind !== 'column' || this.kind() !== 'operator') return left;
    const operator = this.text();
    if ((operator !== '->' && operator !== '->>') || this.isMaria) return left;
    this.skip();
    return this.operation(operator, left, this.string(this.start));
  }

  /** `a`, `t.a`, `s.t.a` */
  protected column(): ColumnReference {
    const start = this.start;
    this.takeSign('.');
    const names = [this.takeName()];
    while (names.length < 3 && this.isSign('.') && this.isName(1)) {
      this.skip();
      names.push(this.takeName());
    }
    const [name = '', table, schema] = names.reverse();
    return {
      kind: 'column',
      ...(schema !== undefined && { schema }),
      ...(table !== undefined && { table }),
      name,
      ...this.span(start),
    };
  }

  protected operation(operator: OperatorSign, ...operands: readonly Expression[]): Operation {
    return { kind: 'operation', operator, operands, start: operands[0]?.start ?? 0, end: this.end };
  }
}
