/** What the parameters and constants of a statement stand for, where that decides something. Pure. */
import type { Parameter } from '@sluice/contract';
import type { Expression } from './tree.js';

export type Scalar = string | number | boolean | null;

/** Types on the wire that are numbers (enum_field_types): decimal, tiny to float, longlong, int24, newdecimal. */
const NUMERIC_TYPES: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 8, 9, 13, 16, 246]);

/**
 * The values of a statement's parameters. Before they are bound (a PREPARE runs nothing) each is taken for harmless; once they are,
 * one that cannot be read is taken for the worst.
 */
export class Values {
  /** Somebody looked: the facts hold for these values only. */
  used = false;
  readonly #values: readonly (Scalar | undefined)[] | undefined;

  private constructor(values: readonly (Scalar | undefined)[] | undefined) {
    this.#values = values;
  }

  static readonly unbound = (): Values => new Values(undefined);
  static readonly bound = (parameters: readonly Parameter[]): Values => new Values(parameters.map(read));
  /** The arguments of an SQL-level EXECUTE. */
  static readonly given = (expressions: readonly Expression[]): Values => new Values(expressions.map(constantOf));

  /** A parameter whose value is not known yet. */
  isUnbound(expression: Expression): boolean {
    return this.#values === undefined && expression.kind === 'parameter';
  }

  /** A constant or a bound parameter; undefined for all else, and for what cannot be read. */
  of(expression: Expression): Scalar | undefined {
    if (expression.kind !== 'parameter') return constantOf(expression);
    this.used = true;
    return this.#values?.[expression.index];
  }
}

/** How often somebody looked at a constant: facts for which nobody did are those of all texts of the shape. */
export const looks = { count: 0 };

/** The value of a constant, also behind a sign; undefined for what is none, or is not looked into. */
export function constantOf(expression: Expression): Scalar | undefined {
  if (expression.kind === 'operation' && (expression.operator === 'minus' || expression.operator === 'plus')) {
    const [operand] = expression.operands;
    const value = operand && constantOf(operand);
    if (typeof value !== 'number') return undefined;
    return expression.operator === 'minus' ? -value : value;
  }
  if (expression.kind !== 'constant') return undefined;
  looks.count++;
  const { type, value } = expression;
  switch (type) {
    case 'string':
      return value;
    case 'integer':
    case 'decimal':
    case 'float':
      return Number(value);
    case 'boolean':
      return value === 'TRUE';
    case 'null':
      return null;
    default:
      return undefined;
  }
}

function read({ value, type, unknown }: Parameter): Scalar | undefined {
  if (value === null) return null;
  if (unknown) return undefined;
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  return NUMERIC_TYPES.has(type & 0xff) ? Number(text) : text;
}
