/** A snapshot of a database's catalog, with indexes. Does not: read it (read.ts). Pure. */
import type { Grammar } from '../grammar.js';
import { namedExactly } from '../trusted-names.js';
import type { Guards } from './guards.js';
import type { Attribute, BaseColumn, InterpretedCast, Operator, Relation, Routine, Type } from './objects.js';

/** What was read, in one consistent state of the database. */
export interface CatalogContents {
  /** What `catalogVersion` said of that state. */
  readonly version: string;
  readonly schemas: readonly string[];
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
  readonly guards: Guards;
}

/** What the operator says of functions, and where a new session looks names up. */
export interface Trust {
  readonly readsNothing: readonly string[];
  readonly path: readonly string[];
}

const NO_TRUST: Trust = { readsNothing: [], path: [] };
const NO_ROUTINES: readonly Routine[] = [];

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
  readonly #relations = new Map<string, Relation>();
  readonly #byOid = new Map<number, Relation>();
  readonly #routines = new Map<string, Routine[]>();
  readonly #types = new Map<string, Type>();
  readonly #typesByOid = new Map<number, Type>();
  readonly #operators = new Map<string, Operator[]>();
  readonly #roots = new Map<BaseColumn, readonly BaseColumn[]>();

  constructor(contents: CatalogContents, parse: Grammar, trust: Trust = NO_TRUST) {
    this.trust = trust;
    this.version = contents.version;
    this.contents = contents;
    this.unread = [...contents.relations, ...contents.routines].filter(({ unread }) => unread).length;
    this.parse = parse;
    this.schemas = new Set(contents.schemas);
    this.relations = contents.relations;
    this.casts = contents.casts;
    this.implicitCasts = contents.implicitCasts;
    this.guards = contents.guards;
    this.convertedUnseen = new Set(contents.casts.filter(({ context }) => context !== 'e').map(({ source }) => source));
    this.#closed = contents.closed;
    for (const relation of contents.relations) {
      this.#relations.set(key(relation.schema, relation.name), relation);
      this.#byOid.set(relation.oid, relation);
    }
    for (const routine of contents.routines) append(this.#routines, key(routine.schema, routine.name), routine);
    for (const type of contents.types) {
      this.#types.set(key(type.schema, type.name), type);
      this.#typesByOid.set(type.oid, type);
    }
    for (const operator of contents.operators) append(this.#operators, operator.name, operator);
    this.readsNothing = namedExactly(this, trust.path, trust.readsNothing);
  }

  relation(schema: string, name: string): Relation | undefined {
    return this.#relations.get(key(schema, name));
  }

  relationByOid(oid: number): Relation | undefined {
    return this.#byOid.get(oid);
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
    return this.#types.get(key(schema, name));
  }

  typeByOid(oid: number): Type | undefined {
    return this.#typesByOid.get(oid);
  }

  /** Whether to make a value of the type runs code that nobody has read: the check of a domain in it. */
  checksByCode(oid: number, seen = new Set<number>()): boolean {
    const type = this.guards.domains.size === 0 || seen.has(oid) ? undefined : this.#typesByOid.get(oid);
    if (!type) return false;
    seen.add(oid);
    // What a range is made of is not known here.
    if (this.guards.domains.has(oid) || (type.schema !== 'pg_catalog' && 'rm'.includes(type.kind))) return true;
    const parts = this.#byOid.get(type.relation)?.columns.map((column) => column.type) ?? [];
    return [type.element, type.base, ...parts].some((part) => this.checksByCode(part, seen));
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
    const above = (this.#byOid.get(column.relation)?.parents ?? []).flatMap(
      (parent) => this.#byOid.get(parent)?.columns.filter(({ name }) => name === attribute?.name) ?? [],
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
    return this.#byOid.get(relation)?.columns.find(({ base }) => base.attnum === attnum);
  }
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
