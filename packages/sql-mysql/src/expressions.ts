/**
 * Reads expressions. Owns: which operator binds how, on each server and under each sql_mode, and the clauses that functions and queries
 * share. Does not: what operators stand between (operands.ts, calls.ts), queries (queries.ts).
 *
 * MySQL's grammar has layers (expr, bool_pri, predicate, bit_expr, simple_expr in sql_yacc.yy); MariaDB's differs in the third one.
 */
import { OperandParser } from './operands.js';
import {
  ARITHMETIC,
  BINDING,
  COMPARISONS,
  JSON_KINDS,
  PREFIXES,
  QUANTIFIERS,
  ROW_WORDS,
  TESTS,
  UNITS,
  WITH_WITHOUT,
  WORDED,
} from './operators.js';
import type { Constant, Expression, Interval, Limit, OperatorSign, Order } from './tree.js';

export abstract class ExpressionParser extends OperandParser {
  protected expression(): Expression {
    return this.deeper(() => this.#or());
  }

  #or(): Expression {
    const first = this.#xor();
    const operands = [first];
    while (this.takeWord('OR') || (!this.reading.pipesConcat && this.takeSign('||'))) operands.push(this.#xor());
    return operands.length === 1 ? first : this.operation('or', ...operands);
  }

  #xor(): Expression {
    let left = this.#and();
    while (this.takeWord('XOR')) left = this.operation('xor', left, this.#and());
    return left;
  }

  #and(): Expression {
    const first = this.#not();
    const operands = [first];
    while (this.takeWord('AND') || this.takeSign('&&')) operands.push(this.#not());
    return operands.length === 1 ? first : this.operation('and', ...operands);
  }

  #not(): Expression {
    if (!this.isWord('NOT') || this.reading.highNot) return this.#comparison();
    const start = this.start;
    this.skip();
    const operand = this.deeper(() => this.#not());
    return { kind: 'operation', operator: 'not', operands: [operand], ...this.span(start) };
  }

  /** bool_pri: comparisons, and IS, from left to right. */
  #comparison(): Expression {
    let left = this.#predicate();
    for (;;) {
      const next = this.#compared(left);
      if (next === left) return left;
      left = next;
    }
  }

  #compared(left: Expression): Expression {
    if (this.isWord('IS')) return this.#is(left);
    if (this.kind() !== 'operator') return left;
    const operator = COMPARISONS.get(this.text());
    if (operator === undefined) return left;
    this.skip();
    const quantifier = QUANTIFIERS.get(this.word());
    if (quantifier === undefined || !this.isSign('(', 1)) return this.operation(operator, left, this.#predicate());
    this.skip();
    const right = this.#quantified();
    return { kind: 'operation', operator, operands: [left, right], quantifier, start: left.start, end: this.end };
  }

  #quantified(): Expression {
    const start = this.start;
    const query = this.parenthesised(() => this.query());
    return { kind: 'subquery', query, ...this.span(start) };
  }

  #is(left: Expression): Expression {
    this.skip();
    const not = this.takeWord('NOT');
    const word = this.word();
    if (word === 'JSON' && this.isMaria) {
      this.skip();
      this.takeOne(JSON_KINDS);
      if (this.takeOne(WITH_WITHOUT)) this.#uniqueKeys();
      return this.operation(not ? 'is not json' : 'is json', left);
    }
    const operator = TESTS.get(word);
    if (operator === undefined) throw this.error();
    this.skip();
    return this.operation(not ? (operator.replace('is ', 'is not ') as OperatorSign) : operator, left);
  }

  #uniqueKeys(): void {
    this.expectWord('UNIQUE');
    this.takeWord('KEYS');
  }

  #predicate(): Expression {
    return this.isMaria ? this.#mariaPredicate() : this.#mysqlPredicate();
  }

  /** One predicate at most: what follows it is a syntax error. */
  #mysqlPredicate(): Expression {
    const left = this.#bits(0);
    const not = this.isWord('NOT');
    const word = this.word(not ? 1 : 0);
    switch (word) {
      case 'BETWEEN': {
        this.skip(not ? 2 : 1);
        const low = this.#bits(0);
        this.expectWord('AND');
        const high = this.deeper(() => this.#predicate());
        return this.operation(not ? 'not between' : 'between', left, low, high);
      }
      case 'LIKE':
        this.skip(not ? 2 : 1);
        return this.#like(not, left, () => this.simple());
      case 'REGEXP':
      case 'RLIKE':
        this.skip(not ? 2 : 1);
        return this.operation(not ? 'not regexp' : 'regexp', left, this.#bits(0));
      case 'IN':
        this.skip(not ? 2 : 1);
        return this.#in(not, left);
      default:
        return not ? left : this.#unnegated(left, word);
    }
  }

  /** SOUNDS LIKE and MEMBER OF, which have no NOT. */
  #unnegated(left: Expression, word: string): Expression {
    if (word === 'SOUNDS' && this.isWord('LIKE', 1)) {
      this.skip(2);
      return this.operation('sounds like', left, this.#bits(0));
    }
    if (word === 'MEMBER' && !this.isMaria && (this.isWord('OF', 1) || this.isSign('(', 1))) {
      this.skip();
      this.takeWord('OF');
      return this.operation(
        'member of',
        left,
        this.parenthesised(() => this.simple()),
      );
    }
    return left;
  }

  /**
   * Predicates may follow each other: `a LIKE b IN (c)` is `(a LIKE b) IN (c)`. But NOT in front of one does not end an operand:
   * `a LIKE b NOT IN (c)` is `a LIKE (b NOT IN (c))`. BETWEEN binds to the right.
   */
  #mariaPredicate(): Expression {
    return this.#mariaSteps(false);
  }

  /** Behind LIKE and REGEXP. */
  #mariaOperand(): Expression {
    return this.deeper(() => this.#mariaSteps(true));
  }

  #mariaSteps(onlyNegated: boolean): Expression {
    let left = this.#bits(0);
    for (;;) {
      const not = this.isWord('NOT');
      if (onlyNegated && !not) return left;
      const next = this.#mariaStep(left, this.word(not ? 1 : 0), not);
      if (next === left) return left;
      left = next;
    }
  }

  #mariaStep(left: Expression, word: string, not: boolean): Expression {
    switch (word) {
      case 'BETWEEN': {
        this.skip(not ? 2 : 1);
        const low = this.deeper(() => this.#mariaPredicate());
        this.expectWord('AND');
        const high = this.deeper(() => this.#mariaPredicate());
        return this.operation(not ? 'not between' : 'between', left, low, high);
      }
      case 'LIKE':
        this.skip(not ? 2 : 1);
        return this.#like(not, left, () => this.#mariaOperand());
      case 'REGEXP':
      case 'RLIKE':
        this.skip(not ? 2 : 1);
        return this.operation(not ? 'not regexp' : 'regexp', left, this.#mariaOperand());
      case 'IN':
        this.skip(not ? 2 : 1);
        return this.#in(not, left);
      default:
        return not ? left : this.#unnegated(left, word);
    }
  }

  #like(not: boolean, left: Expression, operand: () => Expression): Expression {
    const operands = [left, operand()];
    if (this.takeWord('ESCAPE')) operands.push(operand());
    return this.operation(not ? 'not like' : 'like', ...operands);
  }

  #in(not: boolean, left: Expression): Expression {
    const items = this.#inList();
    return this.operation(not ? 'not in' : 'in', left, ...items);
  }

  #inList(): Expression[] {
    const start = this.start;
    if (!this.queryAhead() || !this.queryFills()) return this.parenthesised(() => this.expressions());
    const query = this.parenthesised(() => this.query());
    return [{ kind: 'subquery', query, ...this.span(start) }];
  }

  /** bit_expr: `least` is how tight an operator has to bind at least. */
  #bits(least: number): Expression {
    let left = this.simple();
    for (;;) {
      const operator = this.#arithmetic();
      const binding = operator === undefined ? -1 : (BINDING[operator] ?? -1);
      if (operator === undefined || binding < least) return left;
      this.skip();
      left = this.operation(operator, left, this.#arithmeticOperand(operator, binding));
    }
  }

  /** An expression without predicates, where words like IN mean something else. */
  protected bits(): Expression {
    return this.deeper(() => this.#bits(0));
  }

  #arithmetic(): OperatorSign | undefined {
    const kind = this.kind();
    if (kind === 'operator') return ARITHMETIC.get(this.text());
    return kind === 'word' ? WORDED.get(this.text()) : undefined;
  }

  #arithmeticOperand(operator: OperatorSign, binding: number): Expression {
    const dates = operator === '+' || operator === '-';
    return dates && this.isInterval() ? this.interval() : this.#bits(binding + 1);
  }

  /** Whether INTERVAL is next, and is no function, which has a comma in its parentheses. */
  protected isInterval(): boolean {
    if (!this.isWord('INTERVAL')) return false;
    let depth = 0;
    for (let ahead = 1; this.kind(ahead) !== 'end'; ahead++) {
      if (this.isSign('(', ahead)) depth++;
      else if (this.isSign(')', ahead)) depth--;
      else if (depth === 1 && this.isSign(',', ahead)) return false;
      if (depth === 0) return true;
    }
    return true;
  }

  /** INTERVAL value unit */
  protected interval(): Interval {
    const start = this.start;
    this.skip();
    const value = this.expression();
    const unit = this.takeOne(UNITS);
    if (unit === undefined) throw this.error();
    return { kind: 'interval', value, unit: unit.replace(/^SQL_TSI_/, ''), ...this.span(start) };
  }

  /** What may follow `INTERVAL 1 DAY +`: comparisons, and no AND. */
  protected operandOfInterval(): Expression {
    return this.#not();
  }

  /** simple_expr, with what binds tighter than arithmetic: COLLATE, `||` that joins texts. */
  protected simple(): Expression {
    let left = this.#collated();
    while (this.reading.pipesConcat && this.takeSign('||')) left = this.operation('concat', left, this.#collated());
    return left;
  }

  #collated(): Expression {
    let left = this.#unary();
    while (this.takeWord('COLLATE')) {
      const collation = this.takeWord('BINARY') ? 'binary' : this.takeNameOrText();
      left = { kind: 'operation', operator: 'collate', operands: [left], collation, start: left.start, end: this.end };
    }
    return left;
  }

  #unary(): Expression {
    const start = this.start;
    const operator = this.#prefix();
    if (operator === undefined) return this.operand();
    this.skip();
    // COLLATE binds to what a prefix is in front of.
    const operand = this.deeper(() => this.#collated());
    return { kind: 'operation', operator, operands: [operand], ...this.span(start) };
  }

  #prefix(): OperatorSign | undefined {
    if (this.kind() === 'operator') return PREFIXES.get(this.text());
    if (this.isWord('NOT') && this.reading.highNot) return 'not';
    return this.isWord('BINARY') ? 'binary' : undefined;
  }

  // Clauses that functions and queries share

  /** Behind ORDER BY or GROUP BY. */
  protected orders(): Order[] {
    return this.list(() => {
      const value = this.expression();
      const descending = this.takeWord('DESC');
      if (!descending) this.takeWord('ASC');
      return { value, descending };
    });
  }

  protected orderBy(): Order[] {
    return this.takeWords('ORDER', 'BY') ? this.orders() : [];
  }

  /** LIMIT, and what MariaDB has for it. */
  protected limit(): Limit | undefined {
    if (this.takeWord('LIMIT')) {
      if (this.isMaria && this.takeWords('ROWS', 'EXAMINED')) return { examined: this.expression() };
      const first = this.expression();
      const limit = this.#limitPair(first);
      return this.isMaria && this.takeWords('ROWS', 'EXAMINED') ? { ...limit, examined: this.expression() } : limit;
    }
    if (!this.isMaria || !(this.isWord('OFFSET') || this.isWord('FETCH'))) return undefined;
    const offset = this.takeWord('OFFSET') ? this.expression() : undefined;
    if (offset) this.takeOne(ROW_WORDS);
    return { ...(offset && { offset }), ...this.#fetch() };
  }

  #limitPair(first: Expression): Limit {
    if (this.takeSign(',')) return { offset: first, count: this.expression() };
    return this.takeWord('OFFSET') ? { count: first, offset: this.expression() } : { count: first };
  }

  /** FETCH FIRST n ROWS ONLY */
  #fetch(): Limit {
    if (!this.takeWord('FETCH')) return {};
    if (!this.takeWord('FIRST')) this.expectWord('NEXT');
    const one: Constant = { kind: 'constant', type: 'integer', value: '1', start: this.start, end: this.start };
    const count = ROW_WORDS.has(this.word()) ? one : this.expression();
    this.takeOne(ROW_WORDS);
    if (this.takeWord('ONLY')) return { count };
    this.expectWord('WITH');
    this.expectWord('TIES');
    return { count, ties: true };
  }
}
