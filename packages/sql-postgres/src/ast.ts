/** The parse tree of libpg_query, and how to walk it. Does not: know what a node means. Pure. */

/**
 * The parse tree as libpg_query gives it (JSON of PostgreSQL's own nodes). A field that may hold any node wraps it in an
 * object with one key, the node's name: `{ "SelectStmt": { ... } }`. A field of a fixed type holds it bare.
 */
export type NodeFields = Readonly<Record<string, unknown>>;

export interface Node {
  readonly kind: string;
  readonly fields: NodeFields;
}

export const isFields = (value: unknown): value is NodeFields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Unwraps a node; undefined for what is not one. */
export function nodeOf(value: unknown): Node | undefined {
  if (!isFields(value)) return undefined;
  let kind: string | undefined;
  for (const key in value) {
    if (kind !== undefined) return undefined;
    kind = key;
  }
  if (kind === undefined || !startsUpper(kind)) return undefined;
  const fields = value[kind];
  return isFields(fields) ? { kind, fields } : undefined;
}

export const nodesOf = (value: unknown): Node[] =>
  Array.isArray(value) ? value.flatMap((item) => nodeOf(item) ?? []) : [];

export const text = (fields: NodeFields, name: string): string => {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
};

/** The strings of a list of String nodes, as in a qualified name. A star ends it as "*". */
export const strings = (value: unknown): string[] =>
  nodesOf(value).map(({ kind, fields }) => (kind === 'String' ? text(fields, 'sval') || text(fields, 'str') : '*'));

/** `schema.table`, as the statement has it. */
export const relationName = (relation: NodeFields): string =>
  [text(relation, 'catalogname'), text(relation, 'schemaname'), text(relation, 'relname')]
    .filter((part) => part !== '')
    .join('.');

/** A range variable by its shape: it appears wrapped and bare. */
export const isRelation = (fields: NodeFields): boolean =>
  typeof fields['relname'] === 'string' && 'relpersistence' in fields;

/** A SELECT by its shape: the arms of a set operation are bare. */
export const isSelect = (fields: NodeFields): boolean =>
  typeof fields['op'] === 'string' && fields['op'].startsWith('SETOP_');

/** Counts how often the value of a constant was looked at: where it was not, facts hold for other constants as well. */
export const looks = { count: 0 };

/** A constant: its text, number or truth value; null for NULL; undefined for anything else. Casts of constants count. */
export function constant(value: unknown): string | number | boolean | null | undefined {
  const node = nodeOf(value);
  if (!node) return undefined;
  const { kind, fields } = node;
  if (kind === 'TypeCast') {
    const inner = constant(fields['arg']);
    const type = isFields(fields['typeName']) ? strings(fields['typeName']['names']).at(-1) : undefined;
    return type === 'bool' && typeof inner === 'string' ? truth(inner) : inner;
  }
  if (kind !== 'A_Const') return undefined;
  looks.count++;
  if (fields['isnull'] === true) return null;
  // Protobuf leaves out what is zero, false or empty.
  if (isFields(fields['ival'])) return Number(fields['ival']['ival'] ?? 0);
  if (isFields(fields['fval'])) return Number(fields['fval']['fval'] ?? 0);
  if (isFields(fields['boolval'])) return fields['boolval']['boolval'] === true;
  if (isFields(fields['sval'])) return text(fields['sval'], 'sval');
  return undefined;
}

/** How the server reads a text as boolean (parse_bool_with_len): any unique start of a word. */
export function truth(word: string): boolean | undefined {
  const lower = word.trim().toLowerCase();
  if (lower === '') return undefined;
  const starts = (full: string): boolean => full.startsWith(lower);
  if (starts('true') || starts('yes') || lower === 'on' || lower === '1') return true;
  if (starts('false') || starts('no') || lower === 'of' || lower === 'off' || lower === '0') return false;
  return undefined;
}

const startsUpper = (name: string): boolean => {
  const code = name.charCodeAt(0);
  return code >= 65 && code <= 90;
};
