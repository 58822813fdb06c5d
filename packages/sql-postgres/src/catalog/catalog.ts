/** A snapshot of a database's catalog, with indexes. Does not: read it (read.ts). Pure. */
import type { Grammar } from '../grammar.js';
import { namedExactly } from '../trusted-names.js';
import type { Guards } from './guards.js';
import type { FunctionText } from './setting-code.js';
import type { Attribute, BaseColumn, InterpretedCast, Operator, Relation, Routine, Type } from './objects.js';

/** When something was read, for whoever asks what has changed since. */
export interface Moment {
  /** The server that runs, and the database: numbers of transactions mean something there alone. */
  readonly server: string;
  /** Every transaction with a lower number had ended (`pg_snapshot_xmin`, 64 bits, as text). */
  readonly horizon: string;
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
}

/** What the operator says of functions, and where a new session looks names up. */
export interface Trust {
  readonly readsNothing: readonly string[];
  readonly path: readonly string[];
}

/** Relations and types that have come or changed since another catalog was read; what is not among them has stayed as it was. */
interface CatalogChange extends Pick<CatalogContents, 'relations' | 'types'> {
  readonly before: Catalog;
}

const NO_TRUST: Trust = { readsNothing: [], path: [] };
const NO_ROUTINES: readonly Routine[] = [];
/** What is derived of functions alone. */
const OF_ROUTINES = ['routines by name', 'routines by oid'] as const;

/** An immutable, indexed snapshot of a database's catalog. */
export class Catalog {
  readonly version: string;
  readonly contents: CatalogContents;
  /** How many definitions could not be read, because what they read was locked. */
  readonly unread: number;
  /** The grammar of this server, for definitions of views and bodies of functions. */
  readonly parse: Grammar;
  readonly schemas: ReadonlySet<string>;
  readonly relations: readonly Relation[];
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
  /** Of all, and of what has changed since: that counts. */
  readonly #index: Index;
  readonly #recent: Index;
  readonly #routines: ReadonlyMap<string, Routine[]>;
  readonly #operators = new Map<string, Operator[]>();
  readonly #checked = new Map<number, boolean>();
  readonly #roots = new Map<BaseColumn, readonly BaseColumn[]>();

  /** @param change what this catalog has otherwise than another one, which has all else: indexes of that are used again */
  constructor(contents: CatalogContents, parse: Grammar, trust: Trust = NO_TRUST, change?: CatalogChange) {
    this.trust = trust;
    this.version = contents.version;
    this.contents = contents;
    this.unread = [...contents.relations, ...contents.routines].filter(({ unread }) => unread).length;
    this.parse = parse;
    this.schemas = new Set(contents.schemas.values());
    this.relations = contents.relations;
    this.casts = contents.casts;
    this.implicitCasts = contents.implicitCasts;
    this.guards = contents.guards;
    this.convertedUnseen = new Set(contents.casts.filter(({ context }) => context !== 'e').map(({ source }) => source));
    this.#closed = contents.closed;
    const before = change?.before;
    this.#index = before ? before.#index : indexOf(contents.relations, contents.types);
    const recent = before && [before.#recent, indexOf(change.relations, change.types)];
    this.#recent = recent ? joined(recent) : NO_INDEX;
    this.#routines = before ? before.#routines : byName(contents.routines);
    for (const operator of contents.operators) append(this.#operators, operator.name, operator);
    this.readsNothing = before ? before.readsNothing : namedExactly(this, trust.path, trust.readsNothing);
    for (const name of OF_ROUTINES) if (before?.derived.has(name)) this.derived.set(name, before.derived.get(name));
  }

  relation(schema: string, name: string): Relation | undefined {
    const named = key(schema, name);
    return this.#recent.relations.get(named) ?? this.#index.relations.get(named);
  }

  relationByOid(oid: number): Relation | undefined {
    return this.#recent.relations.get(oid) ?? this.#index.relations.get(oid);
  }

  /** All overloads of a name in one schema. */
  routines(schema: string, name: string): readonly Routine[] {
    return this.#routines.get(key(schema, name)) ?? NO_ROUTINES;
  }

  /** All functions of a name outside pg_catalog, in any schema. */
  routinesNamed(name: string): readonly Routine[] {
    let byName = this.derived.get('routines by name') as Map<string, Routine[]> | undefined;
    if (!byName) {
      byName = new Map();
      for (const routine of this.contents.routines)
        if (routine.schema !== 'pg_catalog') append(byName, routine.name, routine);
      this.derived.set('routines by name', byName);
    }
    return byName.get(name) ?? NO_ROUTINES;
  }

  /** A function outside pg_catalog. */
  routineByOid(oid: number): Routine | undefined {
    let byOid = this.derived.get('routines by oid') as Map<number, Routine> | undefined;
    if (!byOid) {
      byOid = new Map();
      for (const routine of this.contents.routines)
        if (routine.schema !== 'pg_catalog') byOid.set(routine.oid, routine);
      this.derived.set('routines by oid', byOid);
    }
    return byOid.get(oid);
  }

  type(schema: string, name: string): Type | undefined {
    const named = key(schema, name);
    return this.#recent.types.get(named) ?? this.#index.types.get(named);
  }

  typeByOid(oid: number): Type | undefined {
    return this.#recent.types.get(oid) ?? this.#index.types.get(oid);
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
      const types = this.guards.domains.size === 0 ? [] : this.contents.types;
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
    const attribute = this.#attribute(column);
    const above = (this.relationByOid(column.relation)?.parents ?? []).flatMap(
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

  #attribute({ relation, attnum }: BaseColumn): Attribute | undefined {
    return this.relationByOid(relation)?.columns.find(({ base }) => base.attnum === attnum);
  }
}

/** Relations and types, by the key of their names and by their identifiers. */
interface Index {
  readonly relations: ReadonlyMap<string | number, Relation>;
  readonly types: ReadonlyMap<string | number, Type>;
}

const NO_INDEX: Index = { relations: new Map(), types: new Map() };

const indexOf = (relations: readonly Relation[], types: readonly Type[]): Index => ({
  relations: indexed(relations),
  types: indexed(types),
});

function indexed<T extends Relation | Type>(objects: readonly T[]): Map<string | number, T> {
  const index = new Map<string | number, T>();
  for (const one of objects) index.set(key(one.schema, one.name), one).set(one.oid, one);
  return index;
}

/** The later ones count. */
const joined = (indexes: readonly Index[]): Index => ({
  relations: new Map(indexes.flatMap(({ relations }) => [...relations])),
  types: new Map(indexes.flatMap(({ types }) => [...types])),
});

function byName(routines: readonly Routine[]): Map<string, Routine[]> {
  const map = new Map<string, Routine[]>();
  for (const routine of routines) append(map, key(routine.schema, routine.name), routine);
  return map;
}

const builtIns = new WeakMap<readonly Operator[], Map<string, Operator[]>>();

/** The same list for all catalogs of a server. */
function builtInByName(operators: readonly Operator[]): Map<string, Operator[]> {
  let byName = builtIns.get(operators);
  if (!byName) {
    builtIns.set(operators, (byName = new Map()));
    for (const operator of operators) append(byName, operator.name, operator);
  }
  return byName;
}

/** No part of a name contains NUL. */
const key = (schema: string, name: string): string => `${schema}\0${name}`;

function append<T>(map: Map<string, T[]>, name: string, item: T): void {
  const list = map.get(name);
  if (list) list.push(item);
  else map.set(name, [item]);
}
