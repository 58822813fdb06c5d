/** What is collected while the lineage of one statement is read. Owns: its budget. Does not: read (statements.ts). Pure. */
import type { NodeFields } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn, Relation, Type } from '../catalog/objects.js';
import { MAX_DEFINITION_CHARACTERS } from '../grammar.js';
import type { SessionEffect } from './effects.js';
import type { Flow, Predicate, FlowTarget } from './lineage.js';
import { ANY_TARGET, type Targets, isConverted, targetsIn } from './reach.js';
import { type SessionNames, currentRole } from './session.js';
import { type Comparisons, type Value, isNothing } from './value.js';

const NO_COMPARISONS: Comparisons = { values: 0, arrays: [] };

interface ColumnQuestions {
  readonly kinds: Set<Predicate['kind']>;
  values: number;
  readonly arrays: number[];
}

/** Thrown where not even the number of columns can be told. The message is a phrase: why. */
export class Unsure extends Error {
  override readonly name = 'Unsure';
}

/** Thrown where a definition is needed that could not be read, because what it reads was locked: the message names it. */
export class Unread extends Error {
  override readonly name = 'Unread';
}

/** What a text reads that this transaction has defined, or changed, in a way that is not followed. */
export const BEHIND_DEFINITION = 'stands behind a definition in the same transaction';

/** How deep views, functions and EXECUTE may call each other. */
const MAX_DEPTH = 40;
/** How many queries one statement may come to: recursive queries and functions are read again and again. */
const MAX_QUERIES = 5_000;
/** How many columns and relations are gone through in one text, one by one: some 50 million a second. */
const MAX_VISITS = 4_000_000;
/** What the statements of one text may spend together. */
export const newVisits = (): { left: number } => ({ left: MAX_VISITS });
/** To make one value of several costs as much for each of them as to go through so many. */
export const VISITS_PER_MERGE = 16;
/** To follow a definition of 1,000 characters takes some quarter of a millisecond. */
const VISITS_PER_CHARACTER = 12;
/** MaxTupleAttributeNumber (htup_details.h): the server returns no more columns. */
const MAX_COLUMNS = 1664;

/** What is collected while one statement is read. */
export class LineageAnalysis {
  readonly catalog: Catalog;
  readonly session: SessionNames;
  readonly flows: Flow[] = [];
  readonly effects: SessionEffect[] = [];
  /** The stored relations that it names, in bodies of functions as well. */
  readonly relations = new Set<number>();
  /** Those whose rows it changes; and whether there may be others. */
  readonly changed = new Set<number>();
  changesOthers = false;
  readonly depth: number;
  /** Why a statement that returns nothing by itself may answer with rows, of which nothing is known: its rules. */
  answered: string | undefined;
  /** How many computations have been read that may fail. */
  failures = 0;
  readonly #budget: { left: number };
  readonly #visits: { left: number };
  readonly #questions = new Map<BaseColumn, ColumnQuestions>();
  readonly #askedUnknown = new Set<string>();
  readonly #computedFrom = new Set<BaseColumn>();
  #hasVisibleCalls = false;
  #hasOwnCalls = false;
  #path: readonly string[] | undefined;
  readonly #caller: LineageAnalysis | undefined;
  readonly #trees: unknown[] = [];
  #targets: Targets | undefined;

  /** @param caller whose statement this is part of: both spend from one budget; `visits`: what the text has left */
  constructor(catalog: Catalog, session: SessionNames, caller?: LineageAnalysis, visits = newVisits()) {
    const depth = caller ? caller.depth + 1 : 0;
    if (depth > MAX_DEPTH) throw new Unsure('is nested too deeply to be followed');
    this.#budget = caller ? caller.#budget : { left: MAX_QUERIES };
    this.#visits = caller ? caller.#visits : visits;
    this.catalog = catalog;
    this.session = session;
    this.depth = depth;
    this.#caller = caller;
  }

  /** All that is read from here on is in this tree, or in others that were named so. */
  reads(tree: unknown): void {
    this.#trees.push(tree);
    this.#targets = undefined;
  }

  /** Whether code that nobody has read may convert values of the type, without a word that says so. */
  isConverted(type: number): boolean {
    return this.catalog.convertedUnseen.size > 0 && isConverted(this.catalog, type, this.#reach);
  }

  get #reach(): Targets {
    return (this.#targets ??= this.#trees.length === 0 ? ANY_TARGET : this.#targetsOfTrees());
  }

  #targetsOfTrees(): Targets {
    const own = targetsIn(this.catalog, this.session, this.#trees);
    // What a function returns, or is given, is converted for who calls it.
    const others = this.#caller ? this.#caller.#reach : new Set<number>();
    return own === ANY_TARGET || others === ANY_TARGET ? ANY_TARGET : new Set([...own, ...others]);
  }

  /** The schemas in which names without one are looked up, in order. `pg_temp` is this session's. */
  get path(): readonly string[] {
    return (this.#path ??= effectivePath(this.catalog, this.session));
  }

  get predicates(): Predicate[] {
    // What runs only where a masked value says so, and leaves something behind, tells which value that was.
    if (this.#hasVisibleCalls) this.#asks(this.#computedFrom, 'other', NO_COMPARISONS);
    return [...this.#questions].flatMap(([column, { kinds, values, arrays }]) =>
      [...kinds].map((kind) =>
        kind === 'equality' ? { column, kind, values, arrays } : { column, kind, ...NO_COMPARISONS },
      ),
    );
  }

  get conditionsOnUnknown(): readonly string[] {
    return [...this.#askedUnknown];
  }

  /** The relation whose rows a type is of. @throws Unsure where this transaction has changed it */
  relationOf(type: Type | undefined): Relation | undefined {
    const relation = this.catalog.relationByOid(type?.relation ?? 0);
    const { defined, relations } = this.session.overlay;
    const isAltered = relation !== undefined && relations.get(relation.name)?.stored?.oid === relation.oid;
    if (relation && (isAltered || defined.has(relation.name))) throw new Unsure(BEHIND_DEFINITION);
    return relation;
  }

  /** Counts a query. @throws Unsure where there have been too many, or it has too many columns */
  spend(columns = 0): void {
    this.visit(columns * VISITS_PER_MERGE);
    if (--this.#budget.left < 0 || columns > MAX_COLUMNS) throw new Unsure('is too large to be followed');
  }

  /** Counts columns and relations that are gone through. @throws Unsure where they have been too many */
  visit(count: number): void {
    if ((this.#visits.left -= count) < 0) throw new Unsure('is too large to be followed');
  }

  /** Counts the body of a function, or a definition, unless it is not read. @throws Unsure where they have been too many */
  readsDefinition(text: string): void {
    if (text.length <= MAX_DEFINITION_CHARACTERS) this.visit(text.length * VISITS_PER_CHARACTER);
  }

  /** A value decides which rows there are, how many, or in which order; `comparisons` says with how many values it is compared. */
  asks(value: Value, kind: Predicate['kind'], comparisons = NO_COMPARISONS): void {
    if (value.unknown !== undefined) this.#askedUnknown.add(value.unknown);
    this.#asks(value.sources, kind, comparisons);
  }

  #asks(columns: Iterable<BaseColumn>, kind: Predicate['kind'], comparisons: Comparisons): void {
    for (const column of columns) {
      let asked = this.#questions.get(column);
      if (!asked) this.#questions.set(column, (asked = { kinds: new Set(), values: 0, arrays: [] }));
      asked.kinds.add(kind);
      asked.values += comparisons.values;
      asked.arrays.push(...comparisons.arrays);
    }
  }

  /** An expression computes something of a value, and may call functions or not by what comes out. */
  computes(value: Value): void {
    for (const column of value.sources) this.#computedFrom.add(column);
  }

  /** A function is called that leaves behind what other statements can see. */
  callsVisibly(): void {
    this.#hasVisibleCalls = true;
  }

  /** A function of the session's own is called, which code in the same statement could replace. */
  callsOwnFunction(): void {
    this.#hasOwnCalls = true;
  }

  get hasOwnCalls(): boolean {
    return this.#hasOwnCalls;
  }

  /** Takes over what a query asks that is read with this statement. */
  asksWith(inner: LineageAnalysis): void {
    for (const { column, kind, ...comparisons } of inner.predicates) this.#asks([column], kind, comparisons);
    for (const reason of inner.#askedUnknown) this.#askedUnknown.add(reason);
  }

  /** Takes over the body of a function. */
  include(inner: LineageAnalysis): void {
    this.asksWith(inner);
    for (const column of inner.#computedFrom) this.#computedFrom.add(column);
    this.#hasVisibleCalls ||= inner.#hasVisibleCalls;
    this.#hasOwnCalls ||= inner.#hasOwnCalls;
    this.failures += inner.failures;
    this.flows.push(...inner.flows);
    this.effects.push(...inner.effects);
    for (const oid of inner.relations) this.relations.add(oid);
    for (const oid of inner.changed) this.changed.add(oid);
    this.changesOthers ||= inner.changesOthers;
  }

  /** Values go somewhere. Constants do not count. */
  moves(target: FlowTarget, value: Value): void {
    if (!isNothing(value)) this.flows.push({ target, value });
  }
}

/** fetch_search_path and recomputeNamespacePath (namespace.c): what is not listed comes first, pg_temp before pg_catalog. */
export function effectivePath(catalog: Catalog, session: SessionNames): string[] {
  const { searchPath, anyPath } = session;
  const role = currentRole(session);
  if (anyPath !== undefined) return [...catalog.schemas];
  const listed = searchPath.map((name) => (name === '$user' ? role : name));
  const open = listed.filter((name) => name === 'pg_temp' || name === 'pg_catalog' || catalog.isOpen(name, role));
  const implied = ['pg_temp', 'pg_catalog'].filter((name) => !open.includes(name));
  return [...implied, ...open];
}

/** Fields of a node that hold a list of nodes. */
export const listOf = (fields: NodeFields, name: string): readonly unknown[] => {
  const list = fields[name];
  return Array.isArray(list) ? list : [];
};
