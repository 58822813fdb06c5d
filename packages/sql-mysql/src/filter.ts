/**
 * How well the conditions of an UPDATE or DELETE select rows of its target. Owns: these words. Does not: how many rows there are.
 *
 *   none    may well be true for every row: no clause, constants, `x = x`, conditions on other tables only
 *   weak    mentions the target, and may still match nearly all: comparisons, NOT, expressions, joins, `x = 0`, which every
 *           text is that begins with no digit
 *   strong  a column of the target, as it is, equals something from outside the row, or is in a list of such
 *
 * Of conditions joined by AND the strongest counts, of those joined by OR the weakest. Only syntax is looked at. Where there is
 * doubt the weaker answer is given.
 */
import type { FilterStrength } from '@sluice/contract';
import type { ColumnReference, Expression, Limit, Operation, Query, Select, SelectItem } from './tree.js';
import type { Scalar, Values } from './values.js';

export interface FilterTarget {
  /** The name by which the statement calls the target: its alias, else its own. */
  readonly name: string;
  /** The table itself, to notice subqueries that read it. */
  readonly table: string;
  /** Other tables are joined, so a plain column name may be one of theirs. */
  readonly joined: boolean;
  /** Names of WITH: what they stand for may hold anything. */
  readonly ctes: ReadonlySet<string>;
}

/** 'never': selects no row at all. */
type Strength = FilterStrength | 'never';

/** `LIMIT n` works through a table in batches; beyond this it is no batch any more. Rows. */
const MAX_BATCH_ROWS = 10_000;

/** Conditions nested deeper than this are not looked into: they count as none. */
const MAX_CONDITION_DEPTH = 50;

/** What has to be true of a row that is changed. */
export interface Conditions {
  /** All of them have to hold. */
  readonly required: readonly Expression[];
  /** Of outer joins: they only say which rows belong together. */
  readonly joining: readonly Expression[];
}

export function filterStrength(
  { required, joining }: Conditions,
  limit: Limit | undefined,
  target: FilterTarget,
  values: Values,
): FilterStrength {
  const judge = new FilterJudge(target, values);
  if (judge.isBatch(limit)) return 'strong';
  const strength = strongest(required.map((one) => judge.condition(one, 0)));
  for (const one of joining) judge.condition(one, 0);
  if (strength === 'never') return 'strong';
  // A join says which rows belong together; with an equality on the other side it selects in earnest.
  if (strength !== 'none') return [...judge.joins].some((table) => judge.pinned.has(table)) ? 'strong' : strength;
  return judge.selectsByJoin(required) ? 'weak' : 'none';
}

const RANK = { none: 0, weak: 1, strong: 2, never: 3 } as const;
const strongest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), 'none');
const weakest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] < RANK[a] ? b : a), 'never');

/** Functions that keep different values apart well enough: a condition on their result is one on the column. */
const FAITHFUL: ReadonlySet<string> = new Set(['lower', 'upper', 'lcase', 'ucase', 'trim', 'ltrim', 'rtrim', 'hex']);

/** Functions of which the result is hardly ever 0, which many rows equal. */
const TELLING: ReadonlySet<string> = new Set(
  `now current_timestamp localtime localtimestamp sysdate curdate current_date utc_date utc_timestamp date date_add date_sub adddate
   subdate timestamp str_to_date from_unixtime last_insert_id uuid uuid_to_bin bin_to_uuid unhex from_base64 concat concat_ws lower
   upper trim md5 sha1 sha2 user current_user session_user database schema connection_id inet6_aton inet_aton json_unquote
   json_quote json_object json_array left right substring substr makedate last_day unix_timestamp`.split(/\s+/),
);

const COMPARISONS: ReadonlySet<string> = new Set(['=', '<=>']);
const ORDERS: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '<>']);

interface NamedColumn {
  readonly column: ColumnReference;
  /** 'unclear': a plain name where several tables could have it. */
  readonly owner: 'target' | 'other' | 'unclear';
}

class FilterJudge {
  /** Tables, in lower case, that a column of the target equals one of. */
  readonly joins = new Set<string>();
  /** Joined tables, in lower case, of which a column equals a value. */
  readonly pinned = new Set<string>();
  readonly #target: FilterTarget;
  readonly #values: Values;

  constructor(target: FilterTarget, values: Values) {
    this.#target = target;
    this.#values = values;
  }

  isBatch(limit: Limit | undefined): boolean {
    if (limit?.count === undefined) return false;
    if (this.#values.isUnbound(limit.count)) {
      this.#values.used = true;
      return true;
    }
    const rows = this.#values.of(limit.count);
    return typeof rows === 'number' && rows <= MAX_BATCH_ROWS;
  }

  /** Whether conditions on a joined table decide about rows of the target: rows that have no partner, for instance. */
  selectsByJoin(conditions: readonly Expression[]): boolean {
    let selects = false;
    visit(conditions, (node) => {
      if (node.kind === 'column' && this.joins.has(node.table?.toLowerCase() ?? '')) selects = true;
    });
    return selects;
  }

  condition(expression: Expression, depth: number): Strength {
    if (depth > MAX_CONDITION_DEPTH) return 'none';
    if (!mentionsRows(expression)) return this.#withoutRows(expression, depth);
    if (expression.kind !== 'operation') return this.#weakIfMentioned(expression);
    return this.#operation(expression, depth);
  }

  #operation(expression: Operation, depth: number): Strength {
    const { operator, operands, quantifier } = expression;
    const [left, right] = operands;
    if (operator === 'and') return strongest(operands.map((one) => this.condition(one, depth + 1)));
    if (operator === 'or') return weakest(operands.map((one) => this.condition(one, depth + 1)));
    if (!left) return 'none';
    if (operator === 'not') return this.#negated(left, depth);
    if (!right) return this.#weakIfMentioned(expression);
    if (COMPARISONS.has(operator)) return this.#compared(expression, left, right);
    if (operator === 'in') return this.#member(left, operands.slice(1));
    if (operator === 'like') return this.#pattern(expression, left, right);
    return quantifier === undefined && ORDERS.has(operator) && this.#same(left, right)
      ? 'none'
      : this.#weakIfMentioned(expression);
  }

  /** NOT NOT x, NOT x <> y, NOT x NOT IN (...) */
  #negated(inner: Expression, depth: number): Strength {
    if (inner.kind !== 'operation') return this.#weakIfMentioned(inner);
    const [left, right] = inner.operands;
    if (inner.operator === 'not' && left) return this.condition(left, depth + 2);
    if (inner.operator === '<>' && left && right && inner.quantifier === undefined) return this.#equality(left, right);
    if (inner.operator === 'not in' && left) return this.#member(left, inner.operands.slice(1));
    return this.#weakIfMentioned(inner);
  }

  #compared(expression: Operation, left: Expression, right: Expression): Strength {
    if (expression.quantifier === 'all') return this.#weakIfMentioned(expression);
    if (expression.quantifier === 'any') return this.#member(left, [right]);
    return this.#equality(left, right);
  }

  #equality(left: Expression, right: Expression): Strength {
    if (left.kind === 'row' && right.kind === 'row')
      return strongest(
        left.items.map((item, at) => (right.items[at] ? this.#equality(item, right.items[at]) : 'none')),
      );
    const a = this.#column(left);
    const b = this.#column(right);
    if (a && b) return this.#columns(a, b);
    const named = a ?? b;
    if (!named) return strongest([this.#weakIfMentioned(left), this.#weakIfMentioned(right)]);
    const outside = a ? right : left;
    if (!this.#fromOutside(outside)) return this.#repeats(named.column, outside) ? 'none' : this.#weakIfMentioned(left);
    const told = this.#told(outside);
    if (named.owner === 'target') return told;
    if (named.owner === 'other' && told === 'strong') this.pinned.add(named.column.table?.toLowerCase() ?? '');
    return named.owner === 'other' ? 'none' : 'weak';
  }

  /** Two columns compared: a join, or nothing. */
  #columns(a: NamedColumn, b: NamedColumn): Strength {
    if (a.owner === 'other' && b.owner === 'other') return 'none';
    const other = a.owner === 'other' ? a : b;
    if (other.owner === 'other') this.joins.add(other.column.table?.toLowerCase() ?? '');
    return sameColumn(a.column, b.column) ? 'none' : 'weak';
  }

  #same(left: Expression, right: Expression): boolean {
    const a = this.#column(left);
    const b = this.#column(right);
    return a !== undefined && b !== undefined && sameColumn(a.column, b.column);
  }

  /** How well equality with a value selects: 0 and truth values are equal to what many rows have. */
  #told(outside: Expression): Strength {
    if (outside.kind === 'operation' && (outside.operator === 'collate' || outside.operator === 'binary')) {
      const [operand] = outside.operands;
      return operand ? this.#told(operand) : 'weak';
    }
    if (this.#values.isUnbound(outside)) {
      this.#values.used = true;
      return 'strong';
    }
    const value = this.#values.of(outside);
    if (value === null) return 'never';
    if (typeof value === 'string') return 'strong';
    if (typeof value === 'number') return value === 0 || Number.isNaN(value) ? 'weak' : 'strong';
    return value === undefined && tells(outside) ? 'strong' : 'weak';
  }

  #member(left: Expression, items: readonly Expression[]): Strength {
    const [first, ...more] = items;
    if (first?.kind === 'subquery' && more.length === 0) return this.#fromQuery(left, first.query);
    return weakest(items.map((item) => this.#equality(left, item)));
  }

  /** `x IN (SELECT ...)` is as good as what that SELECT itself filters by, provided that it does not look at our row. */
  #fromQuery(left: Expression, query: Query): Strength {
    if (this.#column(left)?.owner !== 'target') return this.#weakIfMentioned(left);
    const inner = query.kind === 'nested' ? query.query : query;
    const source = inner.kind === 'select' && this.#standsAlone(inner);
    if (!source || inner.kind !== 'select') return 'weak';
    if (this.isBatch(query.limit ?? inner.limit)) return 'strong';
    const conditions = { required: inner.where ? [inner.where] : [], joining: [] };
    const target = { ...this.#target, name: source.name, table: source.table, joined: false };
    return filterStrength(conditions, undefined, target, this.#values);
  }

  /**
   * The one table that a subquery reads, when all its columns are certainly that table's: qualified, or of the target's own table,
   * which has them. A plain name that the table does not have would silently be the outer row's.
   */
  #standsAlone(select: Select): { readonly name: string; readonly table: string } | undefined {
    const [from, ...more] = select.from;
    if (from?.kind !== 'table' || more.length > 0 || select.with) return undefined;
    const { name: table, schema } = from.table;
    if (this.#target.ctes.has(table)) return undefined;
    const name = from.alias ?? table;
    const own = table === this.#target.table && schema === undefined;
    let alone = true;
    visit(select, (node) => {
      if (node.kind === 'subquery' || node.kind === 'exists') alone = false;
      if (node.kind === 'star' && node.table === undefined && !own) alone = false;
      if (node.kind === 'column' && (node.table === undefined ? !own : node.table !== name)) alone = false;
    });
    return alone ? { name, table } : undefined;
  }

  #pattern(expression: Operation, left: Expression, right: Expression): Strength {
    if (this.#column(left)?.owner !== 'target') return this.#weakIfMentioned(expression);
    if (this.#values.isUnbound(right)) {
      this.#values.used = true;
      return 'strong';
    }
    const pattern = this.#values.of(right);
    if (typeof pattern !== 'string') return 'weak';
    if (/^%+$/.test(pattern)) return 'none';
    return /^[^%_\\]/.test(pattern) ? 'strong' : 'weak';
  }

  /** A column by itself, or in what keeps it recognisable. */
  #column(expression: Expression): NamedColumn | undefined {
    if (expression.kind === 'operation' && (expression.operator === 'binary' || expression.operator === 'collate')) {
      const [operand] = expression.operands;
      return operand && this.#column(operand);
    }
    if (expression.kind === 'call') {
      const [argument, ...more] = expression.arguments;
      const faithful = expression.native && FAITHFUL.has(expression.name) && more.length === 0;
      return faithful && argument ? this.#column(argument) : undefined;
    }
    return expression.kind === 'column' ? this.#named(expression) : undefined;
  }

  #named(column: ColumnReference): NamedColumn {
    if (column.table === undefined) return { column, owner: this.#target.joined ? 'unclear' : 'target' };
    // Aliases of tables compare by the case that the server is set to: another case may still be the target.
    const { name } = this.#target;
    if (column.table === name) return { column, owner: 'target' };
    return { column, owner: column.table.toLowerCase() === name.toLowerCase() ? 'unclear' : 'other' };
  }

  /** A value that does not depend on any row: constants, parameters, functions of them, a subquery that stands alone. */
  #fromOutside(expression: Expression): boolean {
    if (expression.kind !== 'subquery') return !mentionsRows(expression);
    const { query } = expression;
    return query.kind === 'select' && this.#standsAlone(query) !== undefined;
  }

  #repeats(column: ColumnReference, expression: Expression): boolean {
    let found = false;
    visit(expression, (node) => {
      if (node.kind === 'column' && sameColumn(node, column)) found = true;
    });
    return found;
  }

  #weakIfMentioned(expression: Expression): Strength {
    let mentioned = false;
    visit(expression, (node) => {
      if (node.kind === 'column' && this.#named(node).owner !== 'other') mentioned = true;
    });
    return mentioned ? 'weak' : 'none';
  }

  /** True, false, or not to be told; with parameters that are still to come it is judged when they are there. */
  #withoutRows(expression: Expression, depth: number): Strength {
    let unbound = false;
    visit(expression, (node) => {
      if (node.kind === 'parameter' && this.#values.isUnbound(node)) unbound = true;
    });
    if (unbound) {
      this.#values.used = true;
      return 'never';
    }
    return this.#truth(expression, depth) === false ? 'never' : 'none';
  }

  /** The truth value of a condition that does not depend on the row. NULL counts as false: it selects nothing. */
  #truth(expression: Expression, depth: number): boolean | undefined {
    if (depth > MAX_CONDITION_DEPTH) return undefined;
    if (expression.kind === 'operation') {
      const { operator, operands } = expression;
      if (operator === 'and' || operator === 'or') {
        const parts = operands.map((part) => this.#truth(part, depth + 1));
        const decisive = operator === 'or';
        if (parts.includes(decisive)) return decisive;
        return parts.every((part) => part === !decisive) ? !decisive : undefined;
      }
      const [left, right] = operands;
      if (left && right && (operator === '=' || ORDERS.has(operator))) return this.#ordered(operator, left, right);
    }
    return truthOf(this.#values.of(expression));
  }

  /** Only numbers are compared: texts depend on the collation, and a text beside a number is one. */
  #ordered(operator: string, left: Expression, right: Expression): boolean | undefined {
    const a = this.#values.of(left);
    const b = this.#values.of(right);
    if (a === null || b === null) return false;
    if (typeof a !== 'number' || typeof b !== 'number' || unsafe(a) || unsafe(b)) return undefined;
    switch (operator) {
      case '=':
        return a === b;
      case '<>':
        return a !== b;
      case '<':
        return a < b;
      case '>':
        return a > b;
      case '<=':
        return a <= b;
      default:
        return a >= b;
    }
  }
}

const unsafe = (value: number): boolean => !(Math.abs(value) <= Number.MAX_SAFE_INTEGER);

/** Texts are numbers where a condition stands alone; which ones is not worth knowing. */
function truthOf(value: Scalar | undefined): boolean | undefined {
  if (value === null) return false;
  if (typeof value === 'boolean') return value;
  return typeof value === 'number' ? value !== 0 : undefined;
}

/** Whether a value that is no constant is hardly ever one that many rows have. */
function tells(expression: Expression): boolean {
  if (expression.kind === 'constant') return expression.type === 'temporal' || expression.type === 'hex';
  if (expression.kind === 'subquery') return true;
  if (expression.kind === 'cast') return expression.type === 'CHAR' || /^(DATE|DATETIME|TIME)$/.test(expression.type);
  if (expression.kind === 'operation') return isMoment(expression);
  return expression.kind === 'call' && expression.native && TELLING.has(expression.name);
}

/** NOW() - INTERVAL 1 DAY */
const isMoment = ({ operator, operands }: Operation): boolean =>
  (operator === '+' || operator === '-') && operands.some((one) => one.kind === 'interval');

/** Names of columns compare without case. */
const sameColumn = (a: ColumnReference, b: ColumnReference): boolean =>
  a.name.toLowerCase() === b.name.toLowerCase() &&
  (a.table === undefined || b.table === undefined || a.table.toLowerCase() === b.table.toLowerCase());

/** Columns, or subqueries, which may have some. */
function mentionsRows(expression: Expression): boolean {
  let found = false;
  visit(expression, ({ kind }) => {
    if (kind === 'column' || kind === 'subquery' || kind === 'exists') found = true;
  });
  return found;
}

type Visited = Expression | Extract<SelectItem, { kind: 'star' }>;

/** Each node of a tree that has a kind. */
function visit(value: unknown, see: (node: Visited) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, see);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if ('kind' in value) see(value as Visited);
  for (const key in value) visit((value as Record<string, unknown>)[key], see);
}
