import type { FilterStrength } from '@sluice/contract';
import {
  type Fields,
  type Node,
  constant,
  isFields,
  isRelation,
  isSelect,
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
 *   weak    mentions the target, and may still match nearly all: comparisons, NOT, functions, joins
 *   strong  a column of the target equals something from outside the row, or is in a list of such
 *
 * Of conditions joined by AND the strongest counts, of those joined by OR the weakest. Only syntax is looked at: an
 * estimate of rows is another matter.
 */
export interface Target {
  /** The names by which the statement may call the target: its alias, else its name. */
  readonly names: readonly string[];
  /** The table itself, to notice sub-selects that read it. */
  readonly table: string;
  /** Other tables are joined (USING, FROM), so a plain column name may be one of theirs. */
  readonly joined: boolean;
}

/** 'never': selects no row at all. */
type Strength = FilterStrength | 'never';

export function filterStrength(where: unknown, target: Target, values: Values): FilterStrength {
  const node = nodeOf(where);
  if (!node) return 'none';
  const judge = new Judge(target, values);
  const strength = judge.condition(node);
  if (strength === 'never') return 'strong';
  // A join says which rows belong together; with an equality on the other side it selects in earnest.
  return strength === 'weak' && judge.joins && judge.pinsOther ? 'strong' : strength;
}

const RANK = { none: 0, weak: 1, strong: 2, never: 3 } as const;
const strongest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), 'none');
const weakest = (all: readonly Strength[]): Strength => all.reduce((a, b) => (RANK[b] < RANK[a] ? b : a), 'never');

class Judge {
  joins = false;
  pinsOther = false;
  readonly #target: Target;
  readonly #values: Values;

  constructor(target: Target, values: Values) {
    this.#target = target;
    this.#values = values;
  }

  condition(node: Node): Strength {
    const known = this.#truth(node);
    if (known !== undefined) return known ? 'none' : 'never';
    const { kind, fields } = node;
    // A condition on nothing but values that are still to come: it is judged when they are there.
    if (this.#dependsOnValuesOnly({ [kind]: fields })) return 'never';
    switch (kind) {
      case 'BoolExpr':
        return this.#boolean(fields);
      case 'A_Expr':
        return this.#comparison(fields);
      case 'NullTest':
        return fields['nulltesttype'] === 'IS_NULL' ? this.#mentionedOr(fields['arg'], 'weak') : 'none';
      case 'CurrentOfExpr':
        return 'strong';
      case 'SubLink':
        return this.#subselect(fields);
      default:
        return this.#mentionedOr({ [kind]: fields }, 'weak');
    }
  }

  #boolean(fields: Fields): Strength {
    const parts = nodesOf(fields['args']);
    if (fields['boolop'] === 'AND_EXPR') return strongest(parts.map((part) => this.condition(part)));
    if (fields['boolop'] === 'OR_EXPR') return weakest(parts.map((part) => this.condition(part)));
    const [inner] = parts;
    if (inner?.kind === 'BoolExpr' && inner.fields['boolop'] === 'NOT_EXPR') {
      const [twice] = nodesOf(inner.fields['args']);
      if (twice) return this.condition(twice);
    }
    return inner ? this.#mentionedOr({ [inner.kind]: inner.fields }, 'weak') : 'none';
  }

  #comparison(fields: Fields): Strength {
    const operator = strings(fields['name']).at(-1) ?? '';
    const left = fields['lexpr'];
    const right = fields['rexpr'];
    switch (fields['kind']) {
      case 'AEXPR_OP':
      case 'AEXPR_NOT_DISTINCT':
        return operator === '=' ? this.#equality(left, right) : this.#loose(left, right);
      case 'AEXPR_IN':
        return operator === '=' ? this.#membership(left, right) : this.#loose(left, right);
      case 'AEXPR_OP_ANY':
        return operator === '=' ? this.#equality(left, right) : this.#loose(left, right);
      case 'AEXPR_LIKE':
      case 'AEXPR_ILIKE':
        return operator.startsWith('!') ? this.#loose(left, right) : this.#pattern(left, right);
      default:
        return this.#loose(left, right);
    }
  }

  #equality(left: unknown, right: unknown): Strength {
    const sides = [this.#columns(left), this.#columns(right)];
    const [a, b] = sides as [Mentions, Mentions];
    if (a.target.size > 0 && b.target.size > 0) return overlap(a.target, b.target) ? 'none' : 'weak';
    if (a.target.size === 0 && b.target.size === 0) {
      if (a.other !== b.other) this.pinsOther ||= this.#outside(a.other ? right : left);
      return 'none';
    }
    const outside = a.target.size > 0 ? b : a;
    if (outside.readsTarget) return 'weak';
    if (outside.other) {
      this.joins = true;
      return 'weak';
    }
    // `x + 0 * x = 5` and the like: only a column itself, or a cast or function of it, against a value.
    return 'strong';
  }

  #membership(left: unknown, list: unknown): Strength {
    const node = nodeOf(list);
    const items = node?.kind === 'List' ? (node.fields['items'] as unknown) : list;
    const members = Array.isArray(items) ? items : [items];
    return weakest(members.map((member) => this.#equality(left, member)));
  }

  #pattern(left: unknown, right: unknown): Strength {
    const pattern = this.#value(right);
    if (typeof pattern === 'string') {
      if (/^%*$/.test(pattern) && pattern !== '') return 'none';
      return /^[^%_\\]/.test(pattern) ? this.#equality(left, right) : this.#loose(left, right);
    }
    return pattern === undefined && this.#values.isUnbound(nodeOf(right))
      ? this.#equality(left, right)
      : this.#loose(left, right);
  }

  /** A comparison that may be true of nearly all rows. */
  #loose(left: unknown, right: unknown): Strength {
    const a = this.#columns(left);
    const b = this.#columns(right);
    if (overlap(a.target, b.target)) return 'none';
    return a.target.size + b.target.size > 0 ? 'weak' : 'none';
  }

  /** `x IN (SELECT ...)` is as good as what the SELECT itself filters by; EXISTS only if it looks at the target's row. */
  #subselect(fields: Fields): Strength {
    const inner = this.#columns(fields['subselect']);
    if (fields['subLinkType'] !== 'ANY_SUBLINK') return inner.target.size > 0 ? 'weak' : 'none';
    if (fields['operName'] !== undefined && strings(fields['operName']).at(-1) !== '=') return 'weak';
    if (this.#columns(fields['testexpr']).target.size === 0) return 'none';
    if (inner.readsTarget) return 'none';
    const select = nodeOf(fields['subselect'])?.fields;
    const where = select && nodeOf(select['whereClause']);
    return where && this.#truth(where) === undefined && !inner.qualified ? 'strong' : 'weak';
  }

  #dependsOnValuesOnly(expression: unknown): boolean {
    const { target, other } = this.#columns(expression);
    return target.size === 0 && !other && this.#values.anyUnbound(expression);
  }

  #mentionedOr(expression: unknown, strength: Strength): Strength {
    return this.#columns(expression).target.size > 0 ? strength : 'none';
  }

  #outside(expression: unknown): boolean {
    const { target, other } = this.#columns(expression);
    return target.size === 0 && !other;
  }

  /** The columns that an expression mentions, the target's apart from those of other tables. */
  #columns(expression: unknown): Mentions {
    const found: Mutable = { target: new Set(), other: false, readsTarget: false, qualified: false };
    this.#collect(expression, found, false);
    return found;
  }

  #collect(value: unknown, found: Mutable, inside: boolean): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#collect(item, found, inside);
      return;
    }
    if (!isFields(value)) return;
    if (isRelation(value) && text(value, 'relname') === this.#target.table) found.readsTarget = true;
    const column = nodeOf(value);
    if (column?.kind === 'ColumnRef') return this.#column(strings(column.fields['fields']), found, inside);
    const deeper = inside || isSelect(value);
    for (const key in value) this.#collect(value[key], found, deeper);
  }

  #column(name: readonly string[], found: Mutable, inside: boolean): void {
    const plain = name.at(-1) ?? '';
    const table = name.at(-2);
    if (table === undefined) {
      // Inside a sub-select a plain name belongs, most likely, to what that reads.
      if (inside) found.other = true;
      else found.target.add(plain);
    } else if (this.#target.names.includes(table)) {
      found.target.add(plain);
      if (inside) found.qualified = true;
    } else {
      found.other = true;
    }
  }

  #value(expression: unknown): string | number | boolean | null | undefined {
    const fixed = constant(expression);
    return fixed === undefined ? this.#values.of(nodeOf(expression)) : fixed;
  }

  #fixed(expression: unknown): boolean {
    return constant(expression) !== undefined || this.#values.isParameter(nodeOf(expression));
  }

  /** The truth value of a condition that does not depend on the row. NULL counts as false: it selects nothing. */
  #truth(node: Node): boolean | undefined {
    const { kind, fields } = node;
    if (kind === 'BoolExpr') {
      const parts = nodesOf(fields['args']).map((part) => this.#truth(part));
      if (fields['boolop'] === 'NOT_EXPR') return parts[0] === undefined ? undefined : !parts[0];
      const decisive = fields['boolop'] === 'OR_EXPR';
      if (parts.includes(decisive)) return decisive;
      return parts.every((part) => part === !decisive) ? !decisive : undefined;
    }
    if (kind === 'A_Expr' && fields['kind'] === 'AEXPR_OP') return this.#compare(fields);
    if (kind === 'BooleanTest' || kind === 'NullTest') {
      const value = this.#value(fields['arg']);
      if (value === undefined) return undefined;
      if (kind === 'NullTest') return (value === null) === (fields['nulltesttype'] === 'IS_NULL');
      return asBoolean(value) === (fields['booltesttype'] === 'IS_TRUE');
    }
    const value = this.#value({ [kind]: fields });
    return value === undefined ? undefined : asBoolean(value);
  }

  #compare(fields: Fields): boolean | undefined {
    // A value is only looked at where it decides something: else every use of the statement would be judged anew.
    if (!this.#fixed(fields['lexpr']) || !this.#fixed(fields['rexpr'])) return undefined;
    const left = this.#value(fields['lexpr']);
    const right = this.#value(fields['rexpr']);
    if (left === null || right === null) return false;
    if (left === undefined || right === undefined) return undefined;
    const operator = strings(fields['name']).at(-1);
    const same = String(left) === String(right);
    if (operator === '=') return same;
    if (operator === '<>') return !same;
    // Orders of texts depend on the collation: such a comparison of constants may be true.
    if (typeof left !== 'number' || typeof right !== 'number') return true;
    return { '<': left < right, '>': left > right, '<=': left <= right, '>=': left >= right }[operator ?? ''] ?? true;
  }
}

interface Mentions {
  readonly target: ReadonlySet<string>;
  /** Columns of other tables. */
  readonly other: boolean;
  /** A sub-select in it reads the target's table. */
  readonly readsTarget: boolean;
  /** A sub-select in it looks at the target's row. */
  readonly qualified: boolean;
}

type Mutable = { target: Set<string>; other: boolean; readsTarget: boolean; qualified: boolean };

const overlap = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].some((name) => b.has(name));

const asBoolean = (value: string | number | boolean | null): boolean =>
  typeof value === 'boolean'
    ? value
    : typeof value === 'string'
      ? (truth(value) ?? true)
      : value !== null && value !== 0;
