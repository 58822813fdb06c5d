/** What is collected while one statement is read. Owns: the sums, and how much one statement may cost. Does not: reading anything. */
import type { Catalog } from '../catalog/catalog.js';
import { type BaseColumn, isOfServer } from '../catalog/objects.js';
import type { SqlReading } from '../reading.js';
import { readingOf } from '../reading.js';
import type { Flow, Predicate, FlowTarget } from './lineage.js';
import type { SessionEffect, SessionNames } from './session.js';
import { NOTHING, type Value, isNothing, unknown } from './value.js';

/** Thrown where not even the number of columns can be told. The message is a phrase: why. */
export class Unsure extends Error {
  override readonly name = 'Unsure';
}

/** How deep views and EXECUTE may call each other. */
const MAX_DEPTH = 40;
/** How many queries one statement may come to: recursive queries and views are read again and again. */
const MAX_QUERIES = 5_000;
/** How many columns and relations are gone through, one by one. */
const MAX_VISITS = 4_000_000;
/** To make one value of several costs as much for each of them as to go through so many. */
const VISITS_PER_MERGE = 16;
/** MAX_FIELDS of the servers (sql/unireg.h): no result has more columns. */
const MAX_COLUMNS = 4096;

interface ColumnQuestions {
  readonly kinds: Set<Predicate['kind']>;
  values: number;
}

export class LineageAnalysis {
  readonly catalog: Catalog;
  readonly session: SessionNames;
  readonly flows: Flow[] = [];
  readonly effects: SessionEffect[] = [];
  /** What is in rows that are written: a message about one that cannot be may have it. */
  readonly rows: Value[] = [];
  /** `Catalog.keyOf` of relations that were looked for. */
  readonly reads = new Set<string>();
  readonly depth: number;
  readonly #left: { queries: number; visits: number };
  readonly #questions = new Map<BaseColumn, ColumnQuestions>();
  readonly #askedUnknown = new Set<string>();
  readonly #looked = new Set<BaseColumn>();
  #lookedUnknown: string | undefined;
  readonly #lookedInViews = new Set<BaseColumn>();

  /** What `?` stands for, where an EXECUTE says it: values of variables. */
  parameters: readonly Value[] = [];
  /** Of the rows of constants of the statement not all are in its tree. */
  fewerRows = false;

  /** @param caller whose statement this is part of: both spend from one budget */
  constructor(catalog: Catalog, session: SessionNames, caller?: LineageAnalysis) {
    this.depth = caller ? caller.depth + 1 : 0;
    if (this.depth > MAX_DEPTH) throw new Unsure('is nested too deeply to be followed');
    this.#left = caller ? caller.#left : { queries: MAX_QUERIES, visits: MAX_VISITS };
    this.catalog = catalog;
    this.session = session;
  }

  /** How the server's own texts are read. */
  get reading(): SqlReading {
    return readingOf(this.catalog.dialect);
  }

  get predicates(): Predicate[] {
    return [...this.#questions].flatMap(([column, { kinds, values }]) =>
      [...kinds].map((kind) => ({ column, kind, values: kind === 'equality' ? values : 0 })),
    );
  }

  get conditionsOnUnknown(): readonly string[] {
    return [...this.#askedUnknown];
  }

  /** Counts a query. @throws Unsure where there have been too many, or it has too many columns */
  spend(columns = 0): void {
    this.visit(columns * VISITS_PER_MERGE);
    if (--this.#left.queries < 0 || columns > MAX_COLUMNS) throw new Unsure('is too large to be followed');
  }

  /** Counts columns and relations that are gone through. @throws Unsure where they have been too many */
  visit(count: number): void {
    if ((this.#left.visits -= count) < 0) throw new Unsure('is too large to be followed');
  }

  /** A value decides which rows there are, how many, or in which order; `values`: with how many constants it is compared. */
  asks({ sources, unknown }: Value, kind: Predicate['kind'], values = 0): void {
    if (unknown !== undefined) this.#askedUnknown.add(unknown);
    for (const column of sources) {
      let asked = this.#questions.get(column);
      if (!asked) this.#questions.set(column, (asked = { kinds: new Set(), values: 0 }));
      asked.kinds.add(kind);
      asked.values += values;
    }
  }

  /** A value is computed or fetched, whether anything shows it or not: messages and plans may have it. */
  looksAt({ sources, unknown }: Value): void {
    this.#lookedUnknown ??= unknown;
    for (const column of sources) this.#looked.add(column);
  }

  /** Columns that a view has and the statement does not name: plans may have them, where the view is read before the statement. */
  looksIntoView(columns: ReadonlySet<BaseColumn>): void {
    for (const column of columns) this.#lookedInViews.add(column);
  }

  get looked(): Value {
    if (this.#looked.size === 0 && this.#lookedUnknown === undefined) return NOTHING;
    const reason = this.#lookedUnknown;
    return { sources: new Set(this.#looked), kind: 'derived', ...(reason !== undefined && { unknown: reason }) };
  }

  get lookedInViews(): ReadonlySet<BaseColumn> {
    return this.#lookedInViews;
  }

  /** What another has collected is part of this. */
  includes(other: LineageAnalysis): void {
    for (const { column, kind, values } of other.predicates)
      this.asks({ sources: new Set([column]), kind: 'direct' }, kind, values);
    for (const reason of other.conditionsOnUnknown) this.#askedUnknown.add(reason);
    this.flows.push(...other.flows);
    this.effects.push(...other.effects);
    this.rows.push(...other.rows);
    for (const one of other.reads) this.reads.add(one);
    this.looksAt(other.looked);
    this.looksIntoView(other.lookedInViews);
  }

  moves(target: FlowTarget, value: Value): void {
    if (!isNothing(value)) this.flows.push({ target, value });
  }

  /** A variable is written to; `kept`: it may keep what it had. */
  assigns(name: string, value: Value, kept: boolean): void {
    this.effects.push({ type: 'variable', name, value, kept });
  }

  /**
   * Code that nobody read runs. Where no code of the server makes temporary tables or writes to variables, it can still have written
   * to settings.
   */
  runsCode(schema: string | undefined, reason: string): void {
    const after = `runs after a statement that ${reason}`;
    const reaches = this.catalog.contents.codeReachesSession || isOfServer(schema ?? this.session.database ?? '');
    this.effects.push(reaches ? { type: 'code', reason: after } : { type: 'store', value: unknown(after) });
  }

  /** A setting, LAST_INSERT_ID or a sequence is given a value. */
  stores(target: FlowTarget, value: Value): void {
    if (isNothing(value)) return;
    this.moves(target, value);
    this.effects.push({ type: 'store', value });
  }
}
