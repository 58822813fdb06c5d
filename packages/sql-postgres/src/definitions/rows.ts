/**
 * Whether a definition leaves the rows of a table as they are. Owns: which types need no conversion, and which defaults are the
 * same for each row. Without a catalog the answer is the worse one.
 */
import { type NodeFields, constant, isFields, nodeOf, strings } from '../ast.js';

/** A type as the catalog has it: its name without a schema, and its modifiers as `format_type` prints them. */
export interface ColumnType {
  readonly name: string;
  readonly modifiers: readonly number[];
}

/** What is known of the columns and types that there are. undefined: nothing. */
export interface Columns {
  typeOf(table: string, column: string): ColumnType | undefined;
  /** Of a domain that checks nothing, the type beneath it. */
  plainDomain(name: string): ColumnType | undefined;
}

export const NO_COLUMNS: Columns = { typeOf: () => undefined, plainDomain: () => undefined };

/** Built-in functions in defaults that give each row of one statement the same value. All others are taken for volatile. */
const SAME_FOR_ALL: ReadonlySet<string> = new Set(
  `now transaction_timestamp statement_timestamp lower upper length btrim ltrim rtrim concat concat_ws replace substr substring
   md5 sha256 encode decode abs round ceil floor date_trunc make_date make_interval make_timestamp to_date to_char to_timestamp
   json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb array_fill string_to_array
   int4range int8range numrange tsrange tstzrange daterange current_setting left right repeat date_part age timezone`.split(
    /\s+/,
  ),
);

/** The value of a new column differs from row to row, or a check of its domain may look at each of them. */
export function mayDiffer(columns: Columns, column: NodeFields, constraints: readonly NodeFields[]): boolean {
  for (const one of constraints) {
    if (one['contype'] === 'CONSTR_IDENTITY') return true;
    if (one['contype'] === 'CONSTR_GENERATED') {
      // Of a virtual one nothing is stored (18).
      if (one['generated_kind'] !== 'v') return true;
    } else if (one['contype'] === 'CONSTR_DEFAULT' && !isSameForAll(one['raw_expr'])) return true;
  }
  const type = isFields(column['typeName']) ? strings(column['typeName']['names']) : [];
  const name = type.at(-1) ?? '';
  return SERIAL.has(name) || !(isBuiltIn(type) || columns.plainDomain(name));
}

const SERIAL: ReadonlySet<string> = new Set('serial serial2 serial4 serial8 bigserial smallserial'.split(' '));

/** Types that are no domains: those that the grammar writes with a schema, and everyday ones. Of others a check may be asked. */
const isBuiltIn = (type: readonly string[]): boolean =>
  type[0] === 'pg_catalog' || (type.length === 1 && EVERYDAY.has(type[0] ?? ''));

const EVERYDAY: ReadonlySet<string> = new Set(
  `bool bytea char int2 int4 int8 float4 float8 numeric text varchar bpchar name date time timetz timestamp timestamptz interval
   uuid json jsonb xml inet cidr macaddr macaddr8 bit varbit money point line lseg box path polygon circle tsvector tsquery oid
   regclass int4range int8range numrange tsrange tstzrange daterange citext hstore`.split(/\s+/),
);

function isSameForAll(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.every(isSameForAll);
  if (!isFields(value)) return true;
  const node = nodeOf(value);
  if (node?.kind === 'FuncCall') {
    const name = strings(node.fields['funcname']);
    const builtIn = name.length === 1 || name[0] === 'pg_catalog';
    if (!builtIn || !SAME_FOR_ALL.has(name.at(-1) ?? '')) return false;
  }
  return Object.values(value).every(isSameForAll);
}

/**
 * ALTER COLUMN TYPE needs no new rows: only a modifier grows, or values of the one type are values of the other as they are.
 * `column` undefined: it is not known, so nobody can tell.
 */
export function keepsRows(columns: Columns, column: ColumnType | undefined, definition: NodeFields): boolean {
  if (!column || definition['raw_default'] !== undefined) return false;
  const typeName = isFields(definition['typeName']) ? definition['typeName'] : {};
  if (typeName['arrayBounds'] !== undefined) return false;
  const name = strings(typeName['names']).at(-1) ?? '';
  const written = (Array.isArray(typeName['typmods']) ? typeName['typmods'] : []).map(constant).map(Number);
  const from = columns.plainDomain(column.name) ?? column;
  const to = columns.plainDomain(name) ?? { name, modifiers: written };
  if (to.name === from.name) return grows(to.name, from.modifiers, to.modifiers);
  if (to.modifiers.length > 0) return false;
  return from.name === 'cidr' ? to.name === 'inet' : TEXTS.has(from.name) && TEXTS.has(to.name);
}

const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar']);

function grows(type: string, before: readonly number[], after: readonly number[]): boolean {
  if (before.join() === after.join()) return true;
  if (type === 'bpchar' || type === 'bit') return false;
  if (after.length === 0) return true;
  if (before.length === 0) return false;
  const [size = 0, scale = 0] = before;
  const [newSize = 0, newScale = 0] = after;
  if (type === 'numeric') return newSize >= size && newScale === scale;
  return (
    ['varchar', 'varbit', 'timestamp', 'timestamptz', 'time', 'timetz', 'interval'].includes(type) && newSize >= size
  );
}
