/** The values of parameters, and what is taken for the worst. Pure. */
import type { Parameter } from '@sluice/contract';
import { type Node, constant, isFields, nodeOf } from './ast.js';

/** Type object identifiers of pg_type whose binary form is read here. */
const OID = { bool: 16, int8: 20, int2: 21, int4: 23, text: 25, varchar: 1043, bpchar: 1042 } as const;

type Scalar = string | number | boolean | null;

/**
 * The values of a statement's parameters. Before they are bound (a Parse runs nothing) each is taken for harmless; once
 * they are, one that cannot be read is taken for the worst.
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
  static readonly given = (expressions: readonly unknown[]): Values => new Values(expressions.map(constant));

  /** The value of a parameter reference; undefined when there is none or it cannot be read. */
  of(node: Node | undefined): Scalar | undefined {
    const parameter = uncast(node);
    if (parameter?.kind !== 'ParamRef') return undefined;
    this.used = true;
    return this.#values?.[Number(parameter.fields['number'] ?? 0) - 1];
  }

  isParameter(node: Node | undefined): boolean {
    return uncast(node)?.kind === 'ParamRef';
  }

  /** A parameter whose value is not known yet. */
  isUnbound(node: Node | undefined): boolean {
    return this.#values === undefined && this.isParameter(node);
  }

  /** Whether an expression contains such a parameter. */
  anyUnbound(expression: unknown): boolean {
    if (this.#values !== undefined) return false;
    if (Array.isArray(expression)) return expression.some((item) => this.anyUnbound(item));
    if (!isFields(expression)) return false;
    return nodeOf(expression)?.kind === 'ParamRef' || Object.values(expression).some((item) => this.anyUnbound(item));
  }
}

const uncast = (node: Node | undefined): Node | undefined =>
  node?.kind === 'TypeCast' ? uncast(nodeOf(node.fields['arg'])) : node;

function read({ value, format, type }: Parameter): Scalar | undefined {
  if (value === null) return null;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (format === 'text') {
    const text = bytes.toString('utf8');
    return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text;
  }
  switch (type) {
    case OID.bool:
      return bytes.length === 1 ? bytes[0] !== 0 : undefined;
    case OID.int2:
      return bytes.length === 2 ? bytes.readInt16BE() : undefined;
    case OID.int4:
      return bytes.length === 4 ? bytes.readInt32BE() : undefined;
    case OID.int8:
      return bytes.length === 8 ? Number(bytes.readBigInt64BE()) : undefined;
    case OID.text:
    case OID.varchar:
    case OID.bpchar:
      return bytes.toString('utf8');
    default:
      return undefined;
  }
}
