/** A snapshot of a database's catalog, with indexes. Does not: read it (read.ts). Pure. */
import type { Grammar } from '../grammar.js';
import { namedExactly } from '../trusted-names.js';
import type { Guards } from './guards.js';
import type { FunctionText } from './setting-code.js';
import { Layered, grouped, keyOf } from './layered.js';
import {
  type Attribute,
  type BaseColumn,
  FIRST_USER_OID,
  type InterpretedCast,
  type Operator,
  type Relation,
  type Routine,
  type SpelledFrom,
  type Type,
} from './objects.js';

/** When something was read, for whoever asks what has changed since. */
export interface Moment {
  /** The server that runs, and the database: numbers of transactions mean something there alone. */
  readonly server: string;
  /** Every transaction with a lower number had ended (`pg_snapshot_xmin`, 64 bits, as text). */
  readonly horizon: string;
  /** `pg_current_snapshot` as text: while it stays the same, no transaction that writes has ended. Empty where that cannot be told. */
  readonly snapshot: string;
}

/** What was read, in one consistent state of the database. */
export interface CatalogContents {
  /** What `catalogVersion` said of that state. */
  readonly version: string;
  readonly moment: Moment;
  /** pg_namespace.oid -> name. */
  readonly schemas: ReadonlyMap<number, string>;
  /** Names of the extensions that are installed. */
  readonly extensions: readonly string[];
  /** Roles that may not look into a schema: for them it is not on the search path. Schema name -> role names. */
  readonly closed: ReadonlyMap<string, ReadonlySet<string>>;
  readonly relations: readonly Relation[];
  readonly routines: readonly Routine[];
  readonly types: readonly Type[];
  /** Outside pg_catalog, and in it. */
  readonly operators: readonly Operator[];
  readonly builtInOperators: readonly Operator[];
  readonly casts: readonly InterpretedCast[];
  /** pg_type.oid -> what its values are converted to where nothing asks for it. */
  readonly implicitCasts: ReadonlyMap<number, ReadonlySet<number>>;
  /** Of functions that are not compiled. */
  readonly functionTexts: readonly FunctionText[];
  readonly guards: Guards;
  /** What texts of relations and functions are spelled from. */
  readonly spelledFrom: SpelledFrom;
}

/** What the operator says of functions, and where a new session looks names up. */
export interface Trust {
  readonly readsNothing: readonly string[];
  readonly path: readonly string[];
}

/** Schemas, and who may not look into them. */
export type CatalogNames = Pick<CatalogContents, 'schemas' | 'closed'>;

/** What has come or changed since another catalog was read; what is not among it has stayed as it was. */
export interface CatalogChange extends Pick<CatalogContents, 'relations' | 'types' | 'guards'> {
  readonly before: Catalog;
  /** pg_class.oid of relations that have been dropped. */
  readonly gone?: ReadonlySet<number>;
  /** pg_type.oid of other types that have been dropped. */
  readonly goneTypes?: readonly number[];
  readonly functions?: FunctionsChange;
  /** All that there are, where some have come. */
  readonly schemas?: CatalogNames;
  /** See `Catalog.moment`. */
  readonly horizon?: string;
}

/** Functions that have come or changed, and pg_proc.oid of those that have been dropped; the texts are those of all that there are. */
export interface FunctionsChange extends Pick<CatalogContents, 'routines' | 'functionTexts'> {
  readonly gone: readonly number[];
}

const NO_TRUST: Trust = { readsNothing: [], path: [] };

/** An immutable, indexed snapshot of a database's catalog. */
export class Catalog {
  readonly version: string;
  /** How many were read in part: no two of them are called the same, also where all was as it had been when it was read in between. */
  static #readInPart = 0;
  /** How often tables have been read anew since all was. */
  readonly parts: number;
  /** As all was read. What has changed since is in the properties of the catalog itself. */
  readonly contents: CatalogContents;
  /** What has been defined of it since is of a transaction that was running then, or of a later one. */
  readonly moment: Pick<Moment, 'server' | 'horizon'>;
  /** How many definitions could not be read, because what they read was locked. */
  readonly unread: number;
  /** The grammar of this server, for definitions of views and bodies of functions. */
  readonly parse: Grammar;
  readonly schemas: ReadonlySet<string>;
  /** Types whose values can be converted, without the statement saying so, by a function that somebody wrote. */
  readonly convertedUnseen: ReadonlySet<number>;
  readonly casts: readonly InterpretedCast[];
  readonly implicitCasts: CatalogContents['implicitCasts'];
  readonly guards: Guards;
  /** Functions of which the operator says that they read no tables: `schema.name`. */
  readonly readsNothing: ReadonlySet<string>;
  readonly trust: Trust;
  /** What was derived from this snapshot, by whoever derived it. Valid as long as the snapshot is. */
  readonly derived = new Map<string, unknown>();
  readonly #closed: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #relations: Layered<Relation>;
  readonly #types: Layered<Type>;
  readonly #routines: Layered<Routine>;
  readonly functionTexts: readonly FunctionText[];
  readonly #operators: ReadonlyMap<string, Operator[]>;
  readonly #checked = new Map<number, boolean>();
  readonly #roots = new Map<BaseColumn, readonly BaseColumn[]>();

  /** @param change what this catalog has otherwise than another one, which has all else: indexes of that are used again */
  constructor(contents: CatalogContents, parse: Grammar, trust: Trust = NO_TRUST, change?: CatalogChange) {
    const before = change?.before;
    this.trust = trust;
    this.contents = contents;
    this.parts = before ? before.parts + 1 : 0;
    const { server } = contents.moment;
    this.moment =
      change?.horizon === undefined ? (before?.moment ?? contents.moment) : { server, horizon: change.horizon };
    this.version = before ? `${contents.version} +${++Catalog.#readInPart}` : contents.version;
    this.parse = parse;
    this.casts = contents.casts;
    this.implicitCasts = contents.implicitCasts;
    this.guards = change?.guards ?? contents.guards;
    if (before) {
      const { gone = new Set<number>() } = change;
      const late = [...change.relations.map(({ oid }) => oid), ...gone];
      const { functions } = change;
      const lateFunctions = [...(functions?.routines.map(({ oid }) => oid) ?? []), ...(functions?.gone ?? [])];
      this.unread =
        before.unread -
        countUnread(late.flatMap((oid) => before.relationByOid(oid) ?? [])) -
        countUnread(lateFunctions.flatMap((oid) => before.routineByOid(oid) ?? []));
      this.schemas = change.schemas ? new Set(change.schemas.schemas.values()) : before.schemas;
      this.#closed = change.schemas?.closed ?? before.#closed;
      this.convertedUnseen = before.convertedUnseen;
      this.#relations = before.#relations.with(change.relations, gone);
      this.#types = before.#types.with(change.types, [...before.#rowTypes(gone), ...(change.goneTypes ?? [])]);
      this.#routines = functions ? before.#routines.with(functions.routines, functions.gone) : before.#routines;
      this.functionTexts = functions?.functionTexts ?? before.functionTexts;
      this.#operators = before.#operators;
      this.readsNothing = functions ? namedExactly(this, trust.path, trust.readsNothing) : before.readsNothing;
      return;
    }
    this.unread = countUnread(contents.relations) + countUnread(contents.routines);
    this.schemas = new Set(contents.schemas.values());
    this.#closed = contents.closed;
    this.convertedUnseen = new Set(contents.casts.filter(({ context }) => context !== 'e').map(({ source }) => source));
    this.#relations = Layered.of(contents.relations, groupsOfRelation);
    this.#types = Layered.of(contents.types, groupsOfType);
    this.#routines = Layered.of(contents.routines, groupsOfRoutine);
    this.functionTexts = contents.functionTexts;
    this.#operators = grouped(contents.operators, ({ name }) => [name]);
    this.readsNothing = namedExactly(this, trust.path, trust.readsNothing);
  }

  /** All of them. To find some, there are indexes. */
  get relations(): readonly Relation[] {
    return this.#relations.list;
  }

  get types(): readonly Type[] {
    return this.#types.list;
  }

  relation(schema: string, name: string): Relation | undefined {
    return this.#relations.named(schema, name);
  }

  relationByOid(oid: number): Relation | undefined {
    return this.#relations.byOid(oid);
  }

  /** In whatever schema. */
  relationsNamed(name: string): readonly Relation[] {
    return this.#relations.of(name);
  }

  /** Direct children and partitions. */
  childrenOf(oid: number): readonly Relation[] {
    return this.#relations.of(oid);
  }

  /** All overloads of a name in one schema. */
  routines(schema: string, name: string): readonly Routine[] {
    return this.#routines.of(keyOf({ schema, name }));
  }

  /** All functions of a name outside pg_catalog, in any schema. */
  routinesNamed(name: string): readonly Routine[] {
    return this.#routines.of(name);
  }

  /** A function outside pg_catalog. */
  routineByOid(oid: number): Routine | undefined {
    const found = this.#routines.byOid(oid);
    return found?.schema === 'pg_catalog' ? undefined : found;
  }

  /** All of them, of pg_catalog too. */
  get everyRoutine(): readonly Routine[] {
    return this.#routines.list;
  }

  /** Functions of users with a body of SQL that the server has gone through (BEGIN ATOMIC, RETURN). */
  get standardRoutines(): readonly Routine[] {
    return this.#routines.of(STANDARD);
  }

  type(schema: string, name: string): Type | undefined {
    return this.#types.named(schema, name);
  }

  /** Whether columns, other types or functions are made of a type that users have made, or may be: what a range is made of is not known here. */
  isMadeUseOf(type: number): boolean {
    const key = madeOf(type);
    const users = [this.#relations.of(key), this.#types.of(key), this.#routines.of(key), this.#types.of(RANGES)];
    return users.some((found) => found.length > 0);
  }

  /** In whatever schema. */
  typesNamed(name: string): readonly Type[] {
    return this.#types.of(name);
  }

  typeByOid(oid: number): Type | undefined {
    return this.#types.byOid(oid);
  }

  /** Whether to make a value of the type runs code that nobody has read: the check of a domain in it. */
  checksByCode(oid: number, seen = new Set<number>()): boolean {
    const type = this.guards.domains.size === 0 || seen.has(oid) ? undefined : this.typeByOid(oid);
    if (!type) return false;
    seen.add(oid);
    // What a range is made of is not known here.
    if (this.guards.domains.has(oid) || (type.schema !== 'pg_catalog' && 'rm'.includes(type.kind))) return true;
    const parts = this.relationByOid(type.relation)?.columns.map((column) => column.type) ?? [];
    return [type.element, type.base, ...parts].some((part) => this.checksByCode(part, seen));
  }

  /** The same, remembered. */
  isCheckedByCode(oid: number): boolean {
    let checks = this.#checked.get(oid);
    if (checks === undefined) this.#checked.set(oid, (checks = this.checksByCode(oid)));
    return checks;
  }

  /** Names of types whose values are made by such code. */
  get namesCheckedByCode(): ReadonlySet<string> {
    let names = this.derived.get('types checked by code') as Set<string> | undefined;
    if (!names) {
      const types = this.guards.domains.size === 0 ? [] : this.types;
      names = new Set(types.flatMap(({ oid, name }) => (this.checksByCode(oid) ? [name] : [])));
      this.derived.set('types checked by code', names);
    }
    return names;
  }

  /** Operators of this name outside pg_catalog. */
  operators(name: string): readonly Operator[] {
    return this.#operators.get(name) ?? [];
  }

  /** Operators of this name in any schema. */
  everyOperator(name: string): readonly Operator[] {
    const builtIn = builtInByName(this.contents.builtInOperators).get(name) ?? [];
    return [...builtIn, ...this.operators(name)];
  }

  /** Whether a role may look names up in a schema. */
  isOpen(schema: string, role: string): boolean {
    return this.schemas.has(schema) && this.#closed.get(schema)?.has(role) !== true;
  }

  /**
   * The columns that stand for one in lineage: of a partition or child, the columns of the topmost parents that have it;
   * otherwise the column itself. Whoever binds a rule to a column binds it to these.
   */
  roots(column: BaseColumn): readonly BaseColumn[] {
    const known = this.#roots.get(column);
    if (known) return known;
    const parents = this.relationByOid(column.relation)?.parents ?? [];
    if (parents.length === 0) return [column];
    const attribute = this.#attribute(column);
    // Parents that were read at different times may be children of each other.
    this.#roots.set(column, [column]);
    const above = parents.flatMap(
      (parent) => this.relationByOid(parent)?.columns.filter(({ name }) => name === attribute?.name) ?? [],
    );
    const roots = above.length === 0 ? [column] : [...new Set(above.flatMap(({ base }) => this.roots(base)))];
    this.#roots.set(column, roots);
    return roots;
  }

  /** The object that stands for a column in this catalog; undefined when it is not there (any more). */
  base(column: BaseColumn): BaseColumn | undefined {
    return this.#attribute(column)?.base;
  }

  /** Types of rows, and arrays of these. */
  #rowTypes(relations: ReadonlySet<number>): number[] {
    return [...relations].flatMap((oid) => {
      const type = this.typeByOid(this.relationByOid(oid)?.type ?? 0);
      return type ? [type.oid, type.array] : [];
    });
  }

  #attribute({ relation, attnum }: BaseColumn): Attribute | undefined {
    const columns = this.relationByOid(relation)?.columns ?? [];
    // They are in order, and a table may have 1,600.
    let [low, high] = [0, columns.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((columns[middle]?.base.attnum ?? 0) < attnum) low = middle + 1;
      else high = middle;
    }
    const found = columns[low];
    return found?.base.attnum === attnum ? found : undefined;
  }
}

/** What is made of types that users have made. No name has the NUL of a key in it. */
const madeOf = (type: number): string => `\0${type}`;
const madeOfThese = (types: readonly number[]): readonly string[] =>
  types.some((type) => type >= FIRST_USER_OID)
    ? [...new Set(types.filter((type) => type >= FIRST_USER_OID))].map(madeOf)
    : NOTHING;
const NOTHING: readonly string[] = [];
const RANGES = '\0ranges';
const STANDARD = '\0standard';

const groupsOfRelation = ({ name, parents, columns }: Relation): readonly (string | number)[] => [
  name,
  ...parents,
  ...madeOfThese(columns.map(({ type }) => type)),
];
function groupsOfType({ name, schema, kind, base }: Type): readonly string[] {
  const isRange = kind === 'r' && schema !== 'pg_catalog';
  return [name, ...madeOfThese([base]), ...(isRange ? [RANGES] : NOTHING)];
}
function groupsOfRoutine(one: Routine): readonly string[] {
  const { oid, schema, name, inputs, returns, outputs, body } = one;
  const keys = schema === 'pg_catalog' ? [keyOf(one)] : [keyOf(one), name];
  if (oid < FIRST_USER_OID) return keys;
  const made = madeOfThese([...inputs, returns, ...outputs.map(({ type }) => type)]);
  return [...keys, ...made, ...(body?.standard === true ? [STANDARD] : NOTHING)];
}

const countUnread = (objects: readonly (Relation | Routine)[]): number => {
  let count = 0;
  for (const { unread } of objects) if (unread) count++;
  return count;
};

const builtIns = new WeakMap<readonly Operator[], Map<string, Operator[]>>();

/** The same list for all catalogs of a server. */
function builtInByName(operators: readonly Operator[]): Map<string, Operator[]> {
  let byName = builtIns.get(operators);
  if (!byName) builtIns.set(operators, (byName = grouped(operators, ({ name }) => [name])));
  return byName;
}
