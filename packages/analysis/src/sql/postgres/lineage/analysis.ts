import type { Fields } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn } from '../catalog/objects.js';
import type { Effect } from './effects.js';
import type { Flow, Predicate, Target } from './lineage.js';
import type { Session } from './session.js';
import { type Value, isNothing } from './value.js';

/** Thrown where not even the number of columns can be told. The message is a phrase: why. */
export class Unsure extends Error {
  override readonly name = 'Unsure';
}

/** How deep views, functions and EXECUTE may call each other. */
const DEEPEST = 40;
/** How many queries one statement may come to: recursive queries and functions are read again and again. */
const BUDGET = 5_000;
/** MaxTupleAttributeNumber (htup_details.h): the server returns no more columns. */
const WIDEST = 1664;

/** What is collected while one statement is read. */
export class Analysis {
  readonly catalog: Catalog;
  readonly session: Session;
  readonly flows: Flow[] = [];
  readonly effects: Effect[] = [];
  readonly depth: number;
  readonly #budget: { left: number };
  readonly #asked = new Map<BaseColumn, Set<Predicate['kind']>>();
  #path: readonly string[] | undefined;

  /** @param caller whose statement this is part of: both spend from one budget */
  constructor(catalog: Catalog, session: Session, caller?: Analysis) {
    const depth = caller ? caller.depth + 1 : 0;
    if (depth > DEEPEST) throw new Unsure('is nested too deeply to be followed');
    this.#budget = caller ? caller.#budget : { left: BUDGET };
    this.catalog = catalog;
    this.session = session;
    this.depth = depth;
  }

  /** The schemas in which names without one are looked up, in order. `pg_temp` is this session's. */
  get path(): readonly string[] {
    return (this.#path ??= effectivePath(this.catalog, this.session));
  }

  get predicates(): Predicate[] {
    return [...this.#asked].flatMap(([column, kinds]) => [...kinds].map((kind) => ({ column, kind })));
  }

  /** Counts a query. @throws Unsure where there have been too many, or it has too many columns */
  spend(columns = 0): void {
    if (--this.#budget.left < 0 || columns > WIDEST) throw new Unsure('is too large to be followed');
  }

  /** A condition looks at these values. */
  asks(value: Value, kind: Predicate['kind']): void {
    for (const column of value.sources) {
      const kinds = this.#asked.get(column);
      if (kinds) kinds.add(kind);
      else this.#asked.set(column, new Set([kind]));
    }
  }

  /** Values go somewhere. Constants do not count. */
  moves(target: Target, value: Value): void {
    if (!isNothing(value)) this.flows.push({ target, value });
  }
}

/** fetch_search_path and recomputeNamespacePath (namespace.c): what is not listed comes first, pg_temp before pg_catalog. */
function effectivePath(catalog: Catalog, { searchPath, role, anyPath }: Session): string[] {
  if (anyPath !== undefined) return [...catalog.schemas];
  const listed = searchPath.map((name) => (name === '$user' ? role : name));
  const open = listed.filter((name) => name === 'pg_temp' || name === 'pg_catalog' || catalog.isOpen(name, role));
  const implied = ['pg_temp', 'pg_catalog'].filter((name) => !open.includes(name));
  return [...implied, ...open];
}

/** Fields of a node that hold a list of nodes. */
export const listOf = (fields: Fields, name: string): readonly unknown[] => {
  const list = fields[name];
  return Array.isArray(list) ? list : [];
};
