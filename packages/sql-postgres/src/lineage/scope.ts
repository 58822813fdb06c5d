/**
 * What a name in an expression can mean: the relations of FROM, of this query and of those around it. Follows
 * ParseNamespaceItem of PostgreSQL (parse_node.h): the columns of a joined relation are found through the join, the relation's
 * own name still stands for it. Pure.
 */
import { type Column, NOTHING, type Value, either, rowOf } from './value.js';

export interface FromItem {
  /** Empty for a join without an alias. */
  readonly name: string;
  readonly schema: string;
  readonly columns: readonly Column[];
  /** Its name can be used: `item.column`, `item.*`, the whole row. */
  readonly named: boolean;
  /** Its columns can be used without its name. */
  readonly open: boolean;
  /** A stored relation has system columns, which are no data. */
  readonly stored: boolean;
  /** What decides in which partition a row is, and in a table of the session at which place. */
  readonly place?: () => Value;
  /** The type of its rows. */
  readonly type?: number;
  /** The keys that its rows have in a document: of a table the names of its columns, whatever an alias calls them. */
  readonly keys?: readonly string[];
}

/** The queries that WITH has named, nearest first. */
export interface WithQuery {
  readonly name: string;
  readonly columns: () => readonly Column[];
  readonly next: WithQuery | undefined;
}

export interface Scope {
  readonly items: readonly FromItem[];
  readonly parent: Scope | undefined;
  readonly named: WithQuery | undefined;
  /** Arguments of the SQL function whose body this is: by number ($1) and by name. */
  readonly argument?: ((name: string | number) => Value | undefined) | undefined;
  readonly windows?: ReadonlyMap<string, Value>;
}

export const EMPTY_SCOPE: Scope = { items: [], parent: undefined, named: undefined };

export const findNamed = (scope: Scope, name: string): WithQuery | undefined => {
  for (let at = scope.named; at; at = at.next) if (at.name === name) return at;
  return undefined;
};

const SYSTEM = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);
const PLACES = new Set(['ctid', 'tableoid']);

/** How many relations and columns are gone through in order to find a name. */
export function sizeOf(scope: Scope): number {
  let size = 0;
  for (let at: Scope | undefined = scope; at; at = at.parent)
    for (const { columns } of at.items) size += 1 + columns.length;
  return size;
}

/** A column by its name alone: the nearest query that has one. */
export function findColumn(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const found: Value[] = [];
    for (const item of at.items) {
      if (!item.open) continue;
      const value = columnOf(item, name);
      if (value) found.push(value);
    }
    // Two of the same name are an error for the server.
    if (found.length > 0) return either(found);
  }
  return undefined;
}

/** A relation of FROM by its name, and its schema where it is given. */
export function findItem(scope: Scope, name: string, schema = ''): FromItem | undefined {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const found = at.items.find(
      (item) => item.named && item.name === name && (schema === '' || item.schema === schema),
    );
    if (found) return found;
  }
  return undefined;
}

/** A column of one relation, system columns included. */
export function columnOf(item: FromItem, name: string): Value | undefined {
  let found: Value | undefined;
  for (const column of item.columns)
    if (column.name === name) found = found ? either([found, column.value]) : column.value;
  return found ?? (item.stored && SYSTEM.has(name) ? (PLACES.has(name) && item.place?.()) || NOTHING : undefined);
}

export const wholeRow = ({ columns, type, keys }: FromItem): Value => ({
  ...rowOf(columns, type),
  ...(type !== undefined && { stored: true }),
  ...(keys && { keys }),
});

/** What `*` stands for. */
export const starOf = (scope: Scope): Column[] =>
  scope.items.filter(({ open }) => open).flatMap(({ columns }) => columns);

/** A relation of FROM that can be used by its name and without. */
export const item = (name: string, columns: readonly Column[], more: Partial<FromItem> = {}): FromItem => ({
  name,
  schema: '',
  columns,
  named: true,
  open: true,
  stored: false,
  ...more,
});
