/** How well a WHERE clause selects rows. Owns: what counts as none, weak and strong. Pure. */
import type { FilterStrength } from '@sluice/contract';
import {
  type NodeFields,
  type Node,
  constant,
  isFields,
  isRelation,
  nodeOf,
  nodesOf,
  strings,
  text,
  truth,
} from './ast.js';
import type { Values } from './values.js';

/**
 * How well a WHERE clause selects rows of its target.
 *
 *   none    may well be true for every row: no clause, constants, `x = x`, conditions on other tables only
 *   weak    mentions the target, and may still match nearly all: comparisons, NOT, expressions, joins
 *   strong  a column of the target, as it is, equals something from outside the row, or is in a list of such
 *
 * Of conditions joined by AND the strongest counts, of those joined by OR the weakest. Only syntax is looked at: an
 * estimate of rows is another matter. Where there is doubt the weaker answer is given.
 */
export interface FilterTarget {
  /** The name by which the statement calls the target: its alias, else its own. */
  readonly name: string;
  /** The table itself, to notice sub-selects that read it. */
  readonly table: string;
  /** Other tables are joined (USING, FROM), so a plain column name may be one of theirs. */
  readonly joined: boolean;
  /** Joined row sources that are written out in the statement (VALUES, unnest of values), by alias. */
  readonly bounded: ReadonlySet<string>;
  /** Joined tables, by the names that the statement calls them. */
  readonly tables: ReadonlySet<string>;
  /** Names of WITH: what they stand for may hold anything. */
  readonly ctes: ReadonlySet<string>;
}

/** 'never': selects no row at all. */
type Strength = FilterStrength | 'never';

/** `IN (SELECT ... LIMIT n)` works through a table in batches; beyond this it is no batch any more. Rows. */
const MAX_BATCH_ROWS = 10_000;

/** Conditions nested deeper than this are not looked into: they count as none. */
const MAX_CONDITION_DEPTH = 50;

export function filterStrength(where: unknown, target: FilterTarget, values: Values): FilterStrength {
  const node = nodeOf(where);
  if (!node) return 'none';
  const judge = new FilterJudge(target, values);
  const strength = judge.condition(node, 0);
  if (strength === 'never') return 'strong';
  // A join says which rows belong together; with an equality on the other side it selects in earnest.
  return strength === 'weak' && [...judge.joins].some((table) => judge.pinned.has(table)) ? 'strong' : strength;
}

/** Row sources of a FROM or USING list that the statement itself spells out. */
export function boundedSources(from: unknown): ReadonlySet<string> {
  return new Set(
    nodesOf(from).flatMap(({ kind, fields }) => {
      const alias = isFields(fields['alias']) ? text(fields['alias'], 'aliasname') : '';
      const spelled =
        (kind === 'RangeSubselect' && Array.isArray(nodeOf(fields['subquery'])?.fields['valuesLists'])) ||
        (kind === 'RangeFunction' && callsUnnest(fields['functions']));
      return spelled && alias !== '' && !mentionsColumns(fields) ? [alias] : [];
    }),
  );
}

/** `unnest` of the server's own somewhere in a list of calls. */
function callsUnnest(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(callsUnnest);
  if (!isFields(value)) return false;
  const name = strings(value['funcname']).join('.');
  return name === 'unnest' || name === 'pg_catalog.unnest' || Object.values(value).some(callsUnnest);
}

const NOTHING: ReadonlySet<string> = new Set();
const RANK = { none: 0, weak: 1, strong: 2, never: 3 } as const;
const strongest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), 'none');
const weakest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] < RANK[a] ? b : a), 'never');

/** Functions that keep different values apart well enough: a condition on their result is one on the column. */
const FAITHFUL = new Set(['lower', 'upper', 'btrim', 'ltrim', 'rtrim']);

/** System columns that have one value in all rows, or nearly all. */
const SHARED = new Set(['tableoid', 'xmin', 'xmax', 'cmin', 'cmax']);

class FilterJudge {
  /** Tables that a column of the target equals one of. */
  readonly joins = new Set<string>();
  /** Joined tables of which a column equals a value. */
  readonly pinned = new Set<string>();
  readonly #target: FilterTarget;
  readonly #values: Values;

  constructor(target: FilterTarget, values: Values) {
    this.#target = target;
    this.#values = values;
  }

  condition(node: Node, depth: number): Strength {
    if (depth > MAX_CONDITION_DEPTH) return 'none';
    const { kind, fields } = node;
    if (!mentionsColumns({ [kind]: fields })) return this.#withoutColumns(node, depth);
    switch (kind) {
      case 'BoolExpr':
        return this.#boolean(fields, depth);
      case 'A_Expr':
        return this.#comparison(fields);
      case 'NullTest':
        return fields['nulltesttype'] === 'IS_NULL' ? this.#weakIfMentioned(fields['arg']) : 'none';
      case 'CurrentOfExpr':
        return 'strong';
      case 'SubLink':
        return this.#member(fields);
      default:
        return this.#weakIfMentioned({ [kind]: fields });
    }
  }

  /** True, false, or not to be told; with parameters that are still to come it is judged when they are there. */
  #withoutColumns(node: Node, depth: number): Strength {
    if (node.kind === 'CurrentOfExpr') return 'strong';
    const whole = { [node.kind]: node.fields };
    if (this.#values.anyUnbound(whole)) {
      this.#values.used = true;
      return 'never';
    }
    const known = this.#truth(node, depth);
    return known === undefined || known ? 'none' : 'never';
  }

  #boolean(fields: NodeFields, depth: number): Strength {
    const parts = nodesOf(fields['args']);
    const judged = (): Strength[] => parts.map((part) => this.condition(part, depth + 1));
    if (fields['boolop'] === 'AND_EXPR') return strongest(judged());
    if (fields['boolop'] === 'OR_EXPR') return weakest(judged());
    const [inner] = parts;
    if (inner?.kind === 'BoolExpr' && inner.fields['boolop'] === 'NOT_EXPR') {
      const [twice] = nodesOf(inner.fields['args']);
      return twice ? this.condition(twice, depth + 2) : 'none';
    }
    if (inner?.kind === 'A_Expr' && inner.fields['kind'] === 'AEXPR_OP' && operatorOf(inner.fields) === '<>') {
      return this.#equality(inner.fields['lexpr'], inner.fields['rexpr']);
    }
    return inner ? this.#weakIfMentioned({ [inner.kind]: inner.fields }) : 'none';
  }

  #comparison(fields: NodeFields): Strength {
    const { lexpr, rexpr } = fields;
    const equals = operatorOf(fields) === '=';
    switch (fields['kind']) {
      case 'AEXPR_OP':
      case 'AEXPR_NOT_DISTINCT':
      case 'AEXPR_OP_ANY':
        return equals ? this.#equality(lexpr, rexpr) : this.#loose(fields);
      case 'AEXPR_IN':
        return equals ? this.#membership(lexpr, rexpr) : this.#loose(fields);
      case 'AEXPR_LIKE':
      case 'AEXPR_ILIKE':
        return operatorOf(fields).startsWith('!') ? this.#loose(fields) : this.#pattern(fields);
      default:
        return this.#loose(fields);
    }
  }

  #equality(left: unknown, right: unknown, inList = false): Strength {
    const rows = [nodeOf(left), nodeOf(right)].map((side) =>
      side?.kind === 'RowExpr' ? side.fields['args'] : undefined,
    );
    if (Array.isArray(rows[0]) && Array.isArray(rows[1])) {
      const [ours, theirs] = rows as [unknown[], unknown[]];
      return strongest(ours.map((cell, at) => this.#equality(cell, theirs[at])));
    }
    const a = this.#column(left);
    const b = this.#column(right);
    if (a === undefined && b === undefined) return this.#weakIfMentioned([left, right]);
    if (a && b) return this.#columns(a, b);
    const column = (a ?? b) as ComparedColumn;
    const outside = a ? right : left;
    if (!this.#fromOutside(outside))
      return this.#repeats(column, outside) ? 'none' : this.#weakIfMentioned([left, right]);
    if (column.owner === 'target') return this.#tells(column, outside) ? 'strong' : 'weak';
    if (column.owner === 'other' && !inList && this.#target.tables.has(column.table)) this.pinned.add(column.table);
    return column.owner === 'unclear' ? 'weak' : 'none';
  }

  /** Two columns compared: a join, or nothing. */
  #columns(a: ComparedColumn, b: ComparedColumn): Strength {
    const owners = new Set([a.owner, b.owner]);
    if (owners.has('target') && (owners.has('other') || owners.has('bounded'))) {
      for (const { owner, table } of [a, b]) if (owner === 'other') this.joins.add(table);
      return owners.has('bounded') ? 'strong' : 'weak';
    }
    if (owners.size === 1 && owners.has('target')) return a.name === b.name ? 'none' : 'weak';
    return owners.has('target') || owners.has('unclear') ? 'weak' : 'none';
  }

  #membership(left: unknown, list: unknown): Strength {
    const node = nodeOf(list);
    const items = node?.kind === 'List' ? node.fields['items'] : list;
    return weakest((Array.isArray(items) ? items : [items]).map((item) => this.#equality(left, item, true)));
  }

  #pattern(fields: NodeFields): Strength {
    const { lexpr, rexpr } = fields;
    if (this.#column(lexpr)?.owner !== 'target') return this.#loose(fields);
    if (this.#values.isUnbound(nodeOf(rexpr))) {
      this.#values.used = true;
      return 'strong';
    }
    const pattern = this.#value(rexpr);
    if (typeof pattern !== 'string' && typeof pattern !== 'number') return 'weak';
    if (/^%+$/.test(String(pattern))) return 'none';
    return /^[^%_\\]/.test(String(pattern)) ? 'strong' : 'weak';
  }

  /** A comparison that may be true of nearly all rows. */
  #loose(fields: NodeFields): Strength {
    const a = this.#column(fields['lexpr']);
    const b = this.#column(fields['rexpr']);
    if (a && b && a.owner === b.owner && a.name === b.name) return 'none';
    return this.#weakIfMentioned([fields['lexpr'], fields['rexpr']]);
  }

  /** `x IN (SELECT ...)` is as good as what that SELECT itself filters by, provided that it does not look at our row. */
  #member(fields: NodeFields): Strength {
    const select = nodeOf(fields['subselect'])?.fields;
    if (fields['subLinkType'] !== 'ANY_SUBLINK' || !select || this.#column(fields['testexpr'])?.owner !== 'target') {
      return this.#weakIfMentioned(fields);
    }
    if (fields['operName'] !== undefined && strings(fields['operName']).join('.') !== '=') return 'weak';
    const source = this.#standsAlone(select);
    if (!source) return 'weak';
    if (this.#limited(select['limitCount'])) return 'strong';
    const alias = isFields(source['alias']) ? text(source['alias'], 'aliasname') : '';
    const table = text(source, 'relname');
    return filterStrength(
      select['whereClause'],
      { ...this.#target, name: alias || table, table, joined: false, bounded: NOTHING, tables: NOTHING },
      this.#values,
    );
  }

  #limited(count: unknown): boolean {
    if (this.#values.isUnbound(nodeOf(count))) this.#values.used = true;
    const limit = this.#value(count);
    return this.#values.isUnbound(nodeOf(count)) || (typeof limit === 'number' && limit <= MAX_BATCH_ROWS);
  }

  /**
   * The one table that a sub-select reads, when all its columns are certainly that table's: qualified, or of the target's
   * own table, which has them. A plain name that the table does not have would silently be the outer row's.
   */
  #standsAlone(select: NodeFields): NodeFields | undefined {
    const [from, ...more] = nodesOf(select['fromClause']);
    if (
      from?.kind !== 'RangeVar' ||
      more.length > 0 ||
      select['op'] !== 'SETOP_NONE' ||
      select['withClause'] !== undefined
    )
      return undefined;
    const table = text(from.fields, 'relname');
    if (this.#target.ctes.has(table)) return undefined;
    const alias = isFields(from.fields['alias']) ? text(from.fields['alias'], 'aliasname') : '';
    const name = alias || table;
    const own = table === this.#target.table && text(from.fields, 'schemaname') === '';
    let alone = true;
    visit(select, (node) => {
      if (node.kind === 'SubLink') alone = false;
      if (node.kind !== 'ColumnRef') return;
      const path = strings(node.fields['fields']);
      const qualifier = path.at(-2);
      if (qualifier === undefined ? !own || path[0] === '*' : qualifier !== name) alone = false;
    });
    // Where both go by one name, the inner one is meant; a qualified column is then the inner table's.
    return alone ? from.fields : undefined;
  }

  /** A column by itself, or cast, or in a function that keeps it recognisable. */
  #column(expression: unknown): ComparedColumn | undefined {
    const node = nodeOf(expression);
    if (node?.kind === 'TypeCast') {
      const type = isFields(node.fields['typeName']) ? strings(node.fields['typeName']['names']).at(-1) : undefined;
      return type === 'bool' ? undefined : this.#column(node.fields['arg']);
    }
    if (node?.kind === 'FuncCall') {
      const args = Array.isArray(node.fields['args']) ? node.fields['args'] : [];
      return args.length === 1 && FAITHFUL.has(strings(node.fields['funcname']).at(-1) ?? '')
        ? this.#column(args[0])
        : undefined;
    }
    if (node?.kind !== 'ColumnRef') return undefined;
    const path = strings(node.fields['fields']);
    const name = path.at(-1) ?? '';
    const table = path.at(-2);
    if (table === undefined) return { name, table: '', owner: this.#target.joined ? 'unclear' : 'target' };
    return {
      name,
      table,
      owner: table === this.#target.name ? 'target' : this.#target.bounded.has(table) ? 'bounded' : 'other',
    };
  }

  /** A value that does not depend on any row: constants, parameters, functions of them, a sub-select that stands alone. */
  #fromOutside(expression: unknown): boolean {
    const node = nodeOf(expression);
    if (node?.kind === 'SubLink') {
      const select = nodeOf(node.fields['subselect'])?.fields;
      return (
        node.fields['subLinkType'] === 'EXPR_SUBLINK' && select !== undefined && this.#standsAlone(select) !== undefined
      );
    }
    return !mentionsColumns(expression);
  }

  /** Whether the value tells rows apart: one of two truth values, or a value that all rows share, does not. */
  #tells({ name }: ComparedColumn, outside: unknown): boolean {
    if (SHARED.has(name) || typeof constant(outside) === 'boolean') return false;
    const node = nodeOf(outside);
    if (node?.kind === 'FuncCall' && strings(node.fields['funcname']).at(-1) === 'enum_range') return false;
    const list = constant(outside);
    return !(
      typeof list === 'string' &&
      list.startsWith('{') &&
      list
        .slice(1, -1)
        .split(',')
        .every((item) => truth(item.trim()) !== undefined)
    );
  }

  #repeats(column: ComparedColumn, expression: unknown): boolean {
    return mentionsColumn(expression, column.name);
  }

  #weakIfMentioned(expression: unknown): Strength {
    let mentioned = false;
    visit(expression, (node) => {
      const owner = node.kind === 'ColumnRef' ? this.#column({ ColumnRef: node.fields })?.owner : undefined;
      if (owner === 'target' || owner === 'unclear') mentioned = true;
    });
    return mentioned ? 'weak' : 'none';
  }

  #value(expression: unknown): string | number | boolean | null | undefined {
    const fixed = constant(expression);
    return fixed === undefined ? this.#values.of(nodeOf(expression)) : fixed;
  }

  /** The truth value of a condition that does not depend on the row. NULL counts as false: it selects nothing. */
  #truth(node: Node, depth: number): boolean | undefined {
    if (depth > MAX_CONDITION_DEPTH) return undefined;
    const { kind, fields } = node;
    if (kind === 'BoolExpr') {
      const parts = nodesOf(fields['args']).map((part) => this.#truth(part, depth + 1));
      // NOT NULL is NULL: a negation is only folded where nothing in it can be NULL.
      if (fields['boolop'] === 'NOT_EXPR')
        return parts[0] === true ? false : parts[0] === false && !mayBeNull(fields['args']) ? true : undefined;
      const decisive = fields['boolop'] === 'OR_EXPR';
      if (parts.includes(decisive)) return decisive;
      return parts.every((part) => part === !decisive) ? !decisive : undefined;
    }
    if (kind === 'A_Expr' && fields['kind'] === 'AEXPR_OP') return this.#compare(fields);
    const value = this.#value({ [kind]: fields });
    if (value === null) return false;
    return typeof value === 'boolean' ? value : typeof value === 'string' ? truth(value) : undefined;
  }

  #compare(fields: NodeFields): boolean | undefined {
    // What is equal in a type need not be so in its spelling: only plain constants and bound values are compared.
    if (isCast(fields['lexpr']) || isCast(fields['rexpr'])) return undefined;
    const left = this.#value(fields['lexpr']);
    const right = this.#value(fields['rexpr']);
    if (left === null || right === null) return false;
    if (unsafe(left) || unsafe(right)) return undefined;
    if (left === undefined || right === undefined || typeof left !== typeof right) return undefined;
    const operator = operatorOf(fields);
    if (operator === '=') return left === right;
    if (operator === '<>') return left !== right;
    // Orders of texts depend on the collation.
    if (typeof left !== 'number' || typeof right !== 'number') return undefined;
    const orders: Readonly<Record<string, boolean>> = {
      '<': left < right,
      '>': left > right,
      '<=': left <= right,
      '>=': left >= right,
    };
    return Object.hasOwn(orders, operator) ? orders[operator] : undefined;
  }
}

interface ComparedColumn {
  readonly name: string;
  /** As qualified; empty for a plain name. */
  readonly table: string;
  /** 'unclear': a plain name where several tables could have it. */
  readonly owner: 'target' | 'other' | 'bounded' | 'unclear';
}

/** The operator, when it is one of the server's own. */
const operatorOf = (fields: NodeFields): string => {
  const name = strings(fields['name']);
  return name.length === 1 || name[0] === 'pg_catalog' ? (name.at(-1) ?? '') : '';
};

/** A NULL is in it, or a parameter, which may be one. */
function mayBeNull(expression: unknown): boolean {
  let found = false;
  visit(expression, ({ kind, fields }) => {
    if (kind === 'ParamRef' || (kind === 'A_Const' && fields['isnull'] === true)) found = true;
  });
  return found;
}

/** Whether a column of this name is in it, of whatever table. */
export function mentionsColumn(expression: unknown, name: string): boolean {
  let found = false;
  visit(expression, ({ kind, fields }) => {
    if (kind === 'ColumnRef' && strings(fields['fields']).at(-1) === name) found = true;
  });
  return found;
}

/** Columns, or sub-selects, which may have some. */
function mentionsColumns(expression: unknown): boolean {
  let found = false;
  visit(expression, ({ kind }) => {
    if (kind === 'ColumnRef' || kind === 'SubLink') found = true;
  });
  return found;
}

function visit(value: unknown, see: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, see);
    return;
  }
  if (!isFields(value)) return;
  const node = nodeOf(value);
  if (node) see(node);
  if (isRelation(value)) return;
  for (const key in value) visit(value[key], see);
}

const isCast = (expression: unknown): boolean =>
  nodeOf(expression)?.kind === 'TypeCast' && typeof constant(expression) !== 'boolean';

const unsafe = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
