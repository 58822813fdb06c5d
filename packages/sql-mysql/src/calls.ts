/**
 * Reads what begins with a name or keyword: functions, also those with a syntax of their own, CASE, CAST, literals with words in
 * front. Owns: whether a call can mean a built-in function. Does not: whether that function is harmless (functions.ts).
 */
import { ExpressionParser } from './expressions.js';
import { UNITS } from './operators.js';
import type { FunctionCall, CaseExpression, Cast, Expression, Match, ObjectName, Order, Window } from './tree.js';
import {
  type Special,
  SPECIAL,
  RESERVED_CALLS,
  KEYWORD_CALLS,
  ADJOINING,
  SEQUENCE_ACTIONS,
  TYPE_WORDS,
  SIDES,
  FORMATS,
  LEVEL_WORDS,
  MATCH_WORDS,
  WINDOW_WORDS,
  FRAMES,
  EXCLUDED,
  ARGUMENT_ENDS,
} from './call-words.js';

export abstract class CallParser extends ExpressionParser {
  protected named(): Expression {
    const start = this.start;
    const word = this.word();
    const read = word === '' ? undefined : SPECIAL.get(word);
    return (read && this.#special(read, word, start)) ?? this.#callOrColumn(start);
  }

  #special(read: Special, word: string, start: number): Expression | undefined {
    switch (read) {
      case 'literal':
        this.skip();
        return { kind: 'constant', type: word === 'NULL' ? 'null' : 'boolean', value: word, ...this.span(start) };
      case 'temporal':
        return this.#temporal(start);
      case 'niladic':
        // MySQL has CURRENT_ROLE as a plain function.
        return word === 'CURRENT_ROLE' && !this.isMaria ? undefined : this.#niladic(word, start);
      case 'case':
        return this.#case(start);
      case 'exists':
        this.skip();
        return this.deeper(() => {
          const query = this.parenthesised(() => this.query());
          return { kind: 'exists', query, ...this.span(start) };
        });
      case 'interval':
        return this.#interval(start);
      case 'default':
        return this.#default(start);
      case 'match':
        return this.#match(start);
      case 'row':
        return this.#row(start);
      case 'sequence':
        return this.#sequence(word, start);
      default:
        if (!this.isSign('(', 1) || !this.#adjoins(word)) return undefined;
        return this.#syntax(word, read, start);
    }
  }

  /** DATE '2026-01-01' */
  #temporal(start: number): Expression | undefined {
    if (this.kind(1) !== 'string') return undefined;
    this.skip();
    return { ...this.string(this.start), type: 'temporal', start };
  }

  /** CURRENT_TIMESTAMP and the like, with or without parentheses. */
  #niladic(word: string, start: number): FunctionCall {
    this.skip();
    const precision = this.isSign('(') ? this.parenthesised(() => this.#arguments()) : [];
    return { kind: 'call', name: word.toLowerCase(), native: true, arguments: precision, ...this.span(start) };
  }

  #case(start: number): CaseExpression {
    this.skip();
    return this.deeper(() => {
      const operand = this.isWord('WHEN') ? undefined : this.expression();
      const when: { condition: Expression; result: Expression }[] = [];
      while (this.takeWord('WHEN')) {
        const condition = this.expression();
        this.expectWord('THEN');
        when.push({ condition, result: this.expression() });
      }
      if (when.length === 0) throw this.error();
      const otherwise = this.takeWord('ELSE') ? this.expression() : undefined;
      this.expectWord('END');
      return {
        kind: 'case',
        ...(operand && { operand }),
        when,
        ...(otherwise && { else: otherwise }),
        ...this.span(start),
      };
    });
  }

  /** INTERVAL 1 DAY + x, or the function. */
  #interval(start: number): Expression {
    if (!this.isInterval()) return this.#call(start, { name: 'INTERVAL', start, end: start }, true);
    const interval = this.interval();
    // Arguments of DATE_ADD and bounds of frames stand alone.
    if (!this.takeSign('+')) return interval;
    return { ...this.operation('+', interval, this.operandOfInterval()), start };
  }

  #default(start: number): Expression {
    this.skip();
    if (!this.isSign('(')) return { kind: 'default', ...this.span(start) };
    const column = this.parenthesised(() => this.column());
    return { kind: 'default', column, ...this.span(start) };
  }

  #match(start: number): Match {
    this.skip();
    const columns = this.isSign('(') ? this.parenthesised(() => this.expressions()) : this.expressions();
    this.expectWord('AGAINST');
    this.expectSign('(');
    // IN behind it belongs to MATCH.
    const against = this.bits();
    while (!this.isSign(')')) {
      if (!MATCH_WORDS.has(this.word())) throw this.error();
      this.skip();
    }
    this.skip();
    return { kind: 'match', columns, against, ...this.span(start) };
  }

  #row(start: number): Expression | undefined {
    if (!this.isSign('(', 1)) return undefined;
    this.skip();
    return { kind: 'row', items: this.parenthesised(() => this.expressions()), ...this.span(start) };
  }

  /** NEXT VALUE FOR s, NEXTVAL(s), SETVAL(s, 1): names of sequences are no expressions. */
  #sequence(word: string, start: number): Expression | undefined {
    if (!this.isMaria) return undefined;
    if (word === 'NEXT' || word === 'PREVIOUS') {
      if (!this.isWord('VALUE', 1) || !this.isWord('FOR', 2)) return undefined;
      this.skip(3);
      const action = word === 'NEXT' ? 'next' : 'last';
      return { kind: 'sequence', action, name: this.objectName(), arguments: [], ...this.span(start) };
    }
    if (!this.isSign('(', 1)) return undefined;
    this.skip(2);
    const name = this.objectName();
    const values = this.takeSign(',') ? this.expressions() : [];
    this.expectSign(')');
    const action = SEQUENCE_ACTIONS[word] ?? 'next';
    return { kind: 'sequence', action, name, arguments: values, ...this.span(start) };
  }

  /** Functions that have words among their arguments. The next tokens are the name and `(`. */
  #syntax(word: string, read: Special, start: number): Expression {
    this.skip(2);
    switch (read) {
      case 'cast':
        return this.#cast(start);
      case 'convert':
        return this.#convert(start);
      default: {
        const { args, ...rest } = this.#parts(read);
        this.expectSign(')');
        return this.#finished(start, {
          kind: 'call',
          name: word.toLowerCase(),
          native: true,
          arguments: args,
          ...rest,
          ...this.span(start),
        });
      }
    }
  }

  #parts(read: Special): CallParts {
    switch (read) {
      case 'extract':
        return this.#unitThen('FROM');
      case 'timestamp':
        return this.#unitThen(',');
      case 'trim':
        return this.#trim();
      case 'substring':
        return this.#substring();
      case 'position':
        return this.#position();
      case 'char':
        return this.#char();
      case 'weight':
        return this.#weight();
      case 'group concat':
        return this.#groupConcat();
      case 'json value':
        return this.#jsonValue();
      case 'format':
        return this.#unitThen(',', FORMATS);
      case 'columns':
        return { args: this.#dynamicColumns() };
      case 'values':
        return { args: [this.column()] };
      default:
        return this.#aggregate();
    }
  }

  #cast(start: number): Cast {
    const operand = this.expression();
    // MySQL: CAST(x AT TIME ZONE '+00:00' AS DATETIME)
    if (this.takeWords('AT', 'TIME', 'ZONE')) {
      this.takeWord('INTERVAL');
      this.takeText();
    }
    this.expectWord('AS');
    const type = this.#castType();
    if (this.takeWord('FORMAT')) this.takeText();
    this.expectSign(')');
    return { kind: 'cast', operand, ...type, ...this.span(start) };
  }

  #convert(start: number): Cast {
    const operand = this.expression();
    if (this.takeWord('USING')) {
      const charset = this.#charset();
      this.expectSign(')');
      return { kind: 'cast', operand, type: 'CHAR', charset, ...this.span(start) };
    }
    this.expectSign(',');
    const type = this.#castType();
    this.expectSign(')');
    return { kind: 'cast', operand, ...type, ...this.span(start) };
  }

  #charset(): string {
    const charset = this.takeWord('BINARY') ? 'binary' : this.takeWord('DEFAULT') ? 'default' : this.takeNameOrText();
    return charset.toLowerCase();
  }

  /** SIGNED INTEGER, DECIMAL(10, 2), CHAR(5) CHARACTER SET x, INTERVAL DAY_SECOND(3) ... up to the parenthesis or comma. */
  protected castType(): Pick<Cast, 'type' | 'length' | 'charset' | 'array'> {
    return this.#castType();
  }

  #castType(): Pick<Cast, 'type' | 'length' | 'charset' | 'array'> {
    if (this.kind() !== 'word' && this.kind() !== 'name') throw this.error();
    if (this.isWord('NATIONAL')) this.skip();
    const type = this.written().toUpperCase();
    this.skip();
    let length: string[] | undefined;
    let charset: string | undefined;
    let array = false;
    for (;;) {
      if (this.isSign('(')) length = this.parenthesised(() => this.list(() => this.#digits()));
      else if (this.takeWords('CHARACTER', 'SET') || this.takeWord('CHARSET')) charset = this.#charset();
      else if (this.takeWord('COLLATE')) this.#charset();
      else if (this.takeWord('ARRAY')) array = true;
      else if (!this.takeOne(TYPE_WORDS)) break;
    }
    return { type, ...(length && { length }), ...(charset !== undefined && { charset }), ...(array && { array }) };
  }

  #digits(): string {
    if (this.kind() !== 'integer' && this.kind() !== 'decimal') throw this.error();
    const digits = this.text();
    this.skip();
    return digits;
  }

  /** EXTRACT(unit FROM x), TIMESTAMPADD(unit, n, x), GET_FORMAT(DATE, x) */
  #unitThen(behind: 'FROM' | ',', words: ReadonlySet<string> = UNITS): CallParts {
    const unit = this.takeOne(words);
    if (unit === undefined) throw this.error();
    if (behind === ',') this.expectSign(',');
    else this.expectWord('FROM');
    return { args: this.expressions(), words: [unit] };
  }

  /** TRIM([BOTH] [x] FROM y): the value first. */
  #trim(): CallParts {
    const side = this.takeOne(SIDES);
    const words = side === undefined ? {} : { words: [side] };
    if (this.takeWord('FROM')) return { args: [this.expression()], ...words };
    const first = this.expression();
    if (!this.takeWord('FROM')) return { args: [first, ...(this.takeSign(',') ? this.expressions() : [])], ...words };
    return { args: [this.expression(), first], ...words };
  }

  #substring(): CallParts {
    const value = this.expression();
    if (this.takeSign(',')) return { args: [value, ...this.expressions()] };
    this.expectWord('FROM');
    const from = this.expression();
    return { args: this.takeWord('FOR') ? [value, from, this.expression()] : [value, from] };
  }

  /** POSITION(a IN b): bit_expr, since IN is an operator too. */
  #position(): CallParts {
    const part = this.bits();
    this.expectWord('IN');
    return { args: [part, this.expression()] };
  }

  /** CHAR(1, 2 USING utf8mb4) */
  #char(): CallParts {
    const args = this.expressions();
    return this.takeWord('USING') ? { args, words: [this.#charset()] } : { args };
  }

  /** WEIGHT_STRING(x AS CHAR(3) LEVEL 1 DESC) */
  #weight(): CallParts {
    const args = this.expressions();
    const words: string[] = [];
    if (this.takeWord('AS')) words.push(this.#castType().type);
    if (this.takeWord('LEVEL')) this.#levels();
    return { args, words };
  }

  #levels(): void {
    do {
      this.#digits();
      if (this.takeSign('-')) this.#digits();
      while (this.takeOne(LEVEL_WORDS));
    } while (this.takeSign(','));
  }

  #groupConcat(): CallParts {
    const distinct = this.takeWord('DISTINCT');
    const args = this.expressions();
    const orderBy = this.orderBy();
    const separator = this.takeWord('SEPARATOR') ? this.#separator() : undefined;
    const limit = this.limit();
    return {
      args,
      ...(distinct && { distinct: true }),
      ...(orderBy.length > 0 && { orderBy }),
      ...(separator !== undefined && { separator }),
      ...(limit && { limit }),
    };
  }

  #separator(): string {
    if (this.kind() === 'string') return this.takeText();
    const value = this.expression();
    return value.kind === 'constant' ? value.value : '';
  }

  /** JSON_VALUE(document, path RETURNING type NULL ON EMPTY DEFAULT x ON ERROR) */
  #jsonValue(): CallParts {
    const args = this.expressions();
    const words: string[] = [];
    if (this.takeWord('RETURNING')) words.push(this.#castType().type);
    while (this.isWord('NULL') || this.isWord('ERROR') || this.isWord('DEFAULT')) {
      if (this.takeWord('DEFAULT')) args.push(this.expression());
      else this.skip();
      this.expectWord('ON');
      if (!this.takeWord('EMPTY')) this.expectWord('ERROR');
    }
    return { args, words };
  }

  /** COLUMN_CREATE(name, value AS type, ...), COLUMN_GET(x, name AS type) of MariaDB. */
  #dynamicColumns(): Expression[] {
    return this.list(() => {
      const value = this.expression();
      if (this.takeWord('AS')) this.#castType();
      return value;
    });
  }

  /** COUNT(*), COUNT(DISTINCT a, b), SUM(ALL a) */
  #aggregate(): CallParts {
    if (this.takeSign('*')) return { args: [], star: true };
    const distinct = this.takeWord('DISTINCT');
    if (!distinct) this.takeWord('ALL');
    // JSON_ARRAYAGG(x ORDER BY y LIMIT 1) of MariaDB.
    const args = this.#arguments();
    const orderBy = this.orderBy();
    const limit = this.limit();
    if (this.isWord('NULL') || this.isWord('ABSENT')) this.#onNull();
    return {
      args,
      ...(distinct && { distinct: true }),
      ...(orderBy.length > 0 && { orderBy }),
      ...(limit && { limit }),
    };
  }

  /** NULL ON NULL, ABSENT ON NULL */
  #onNull(): void {
    this.skip();
    this.expectWord('ON');
    this.expectWord('NULL');
  }

  #callOrColumn(start: number): Expression {
    // A word that only a parenthesis makes a function may be reserved for anything else: LEFT, REPLACE, IF.
    if (this.isSign('(', 1)) {
      const word = this.word();
      if (word === '' || !this.isReserved(word) || RESERVED_CALLS.has(word)) return this.#plainCall(start);
    }
    const column = this.column();
    // `schema.function(...)` and `schema.package.function(...)`, which are never built-in ones.
    if (!this.isSign('(') || column.table === undefined) return column;
    const schema = column.schema === undefined ? column.table : `${column.schema}.${column.table}`;
    return this.#call(start, { schema, name: column.name, start, end: this.end }, false);
  }

  #plainCall(start: number): FunctionCall {
    const quoted = this.kind() === 'name';
    const name = this.written();
    const upper = name.toUpperCase();
    const native = quoted ? !KEYWORD_CALLS.has(upper) : this.#adjoins(upper);
    return this.#call(start, { name, start, end: start }, native);
  }

  /** Whether nothing is between the name and its parenthesis, where the server looks for that. */
  #adjoins(word: string): boolean {
    if (this.reading.ignoreSpace || !ADJOINING.has(word)) return true;
    return this.tokens.ends[this.at] === this.tokens.starts[this.at + 1];
  }

  #call(start: number, { schema, name }: ObjectName, native: boolean): FunctionCall {
    if (schema === undefined) this.skip();
    const args = this.parenthesised(() => this.#arguments());
    const called = { kind: 'call' as const, ...(schema !== undefined && { schema }), native, arguments: args };
    return this.#finished(start, { ...called, name: native ? name.toLowerCase() : name, ...this.span(start) });
  }

  #arguments(): Expression[] {
    if (this.isSign(')')) return [];
    return this.list(() => {
      const value = this.expression();
      // Loadable functions get the names of their arguments.
      if (this.takeWord('AS')) this.takeNameOrText();
      else if (this.isName() || this.kind() === 'string') this.#argumentName();
      return value;
    });
  }

  #argumentName(): void {
    if (ARGUMENT_ENDS.has(this.word())) return;
    this.takeNameOrText();
  }

  /** WITHIN GROUP and OVER behind a call. */
  #finished(start: number, call: FunctionCall): FunctionCall {
    let orderBy: Order[] | undefined;
    if (this.takeWords('WITHIN', 'GROUP')) orderBy = this.parenthesised(() => this.orderBy());
    if (this.isWord('FROM') && (this.isWord('FIRST', 1) || this.isWord('LAST', 1)) && this.#overFollows(2))
      this.skip(2);
    if ((this.isWord('RESPECT') || this.isWord('IGNORE')) && this.isWord('NULLS', 1)) this.skip(2);
    const over = this.isOver() ? this.#over() : undefined;
    if (orderBy === undefined && over === undefined) return call;
    return { ...call, ...(orderBy && { orderBy }), ...(over !== undefined && { over }), ...this.span(start) };
  }

  #overFollows(ahead: number): boolean {
    return this.isWord('OVER', ahead) || this.isWord('RESPECT', ahead) || this.isWord('IGNORE', ahead);
  }

  /** OVER is no reserved word in MariaDB: without a window behind it it is an alias. */
  protected isOver(): boolean {
    return this.isWord('OVER') && (this.isSign('(', 1) || this.isName(1));
  }

  #over(): Window | string {
    this.skip();
    return this.isSign('(') ? this.window() : this.takeName();
  }

  /** The definition of a window, in parentheses. */
  protected window(): Window {
    return this.deeper(() =>
      this.parenthesised(() => {
        const named = this.isName() && !WINDOW_WORDS.has(this.word());
        const base = named ? this.takeName() : undefined;
        const partitionBy = this.takeWords('PARTITION', 'BY') ? this.expressions() : [];
        const orderBy = this.orderBy();
        return { ...(base !== undefined && { base }), partitionBy, orderBy, frame: this.#frame() };
      }),
    );
  }

  #frame(): Expression[] {
    if (!this.takeOne(FRAMES)) return [];
    const bounds: Expression[] = [];
    const bound = (): void => {
      if (this.takeWords('CURRENT', 'ROW')) return;
      if (!this.takeWord('UNBOUNDED')) bounds.push(this.expression());
      if (!this.takeWord('PRECEDING')) this.expectWord('FOLLOWING');
    };
    if (this.takeWord('BETWEEN')) {
      bound();
      this.expectWord('AND');
    }
    bound();
    if (this.takeWord('EXCLUDE')) while (this.takeOne(EXCLUDED));
    return bounds;
  }
}

/** What was read between the parentheses of a function. */
interface CallParts extends Pick<FunctionCall, 'star' | 'distinct' | 'words' | 'orderBy' | 'separator' | 'limit'> {
  readonly args: readonly Expression[];
}
