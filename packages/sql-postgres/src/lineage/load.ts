/**
 * Lineage of texts for one major version, remembered while nothing it depends on changes. Does not: follow statements
 * (statements.ts).
 */
import type { Catalog } from '../catalog/catalog.js';
import { type Grammar, loadGrammarOfDefinitions } from '../grammar.js';
import type { StatementLineage } from './lineage.js';
import type { Overlay, SessionNames } from './session.js';
import { lineageOf } from './statements.js';

/** Lineage is remembered for texts up to this length, in characters, and for this many of them. */
const MAX_REMEMBERED_CHARACTERS = 16 * 1024;
const MAX_REMEMBERED_TEXTS = 2000;

/** Lineage of texts for one major version of PostgreSQL, remembered as long as nothing it depends on has changed. */
export class Lineage {
  /** The grammar, as `readCatalog` needs it. */
  readonly parse: Grammar;
  readonly #remembered = new WeakMap<Catalog, Map<string, readonly StatementLineage[]>>();
  readonly #numbers = new WeakMap<Overlay, number>();
  #next = 0;

  constructor(parse: Grammar) {
    this.parse = parse;
  }

  /**
   * What each statement of a text shows, asks and moves. Never throws: a text that cannot be parsed or followed is one
   * unknown statement.
   */
  of(text: string, catalog: Catalog, session: SessionNames): readonly StatementLineage[] {
    let remembered = this.#remembered.get(catalog);
    if (!remembered) this.#remembered.set(catalog, (remembered = new Map()));
    const key = this.#keyOf(text, session);
    const known = remembered.get(key);
    if (known) return known;
    const lineage = this.#read(text, catalog, session);
    if (text.length > MAX_REMEMBERED_CHARACTERS) return lineage;
    if (remembered.size >= MAX_REMEMBERED_TEXTS) {
      const [oldest] = remembered.keys();
      if (oldest !== undefined) remembered.delete(oldest);
    }
    remembered.set(key, lineage);
    return lineage;
  }

  #read(text: string, catalog: Catalog, session: SessionNames): readonly StatementLineage[] {
    const parsed = this.parse(text);
    if (!parsed.ok) return [unreadable('message' in parsed ? parsed.message : 'is nested too deeply to be analysed')];
    try {
      return lineageOf(parsed.statements, catalog, session);
    } catch {
      return [unreadable('could not be followed')];
    }
  }

  /** Everything that a verdict may depend on, apart from the catalog. Overlays are values: the same one has one number. */
  #keyOf(text: string, session: SessionNames): string {
    const { searchPath, role, user, overlay, initial, anyPath = '', voidParameters = [], complete } = session;
    let number = this.#numbers.get(overlay);
    if (number === undefined) this.#numbers.set(overlay, (number = this.#next++));
    return [
      anyPath,
      searchPath.join('\u0001'),
      role ?? '',
      user,
      initial.searchPath.join('\u0001'),
      initial.user,
      initial.role ?? '',
      number,
      voidParameters.join(),
      complete ? `${complete.prepared} ${complete.cursors}` : '',
      text,
    ].join('\0');
  }
}

/** Lineage for a major version. Rejects for one that there is no grammar for. */
export const loadLineage = async (major: number): Promise<Lineage> =>
  new Lineage(await loadGrammarOfDefinitions(major));

const unreadable = (reason: string): StatementLineage => ({
  statement: '',
  outputs: [],
  unknown: reason,
  returnsRows: true,
  relations: new Set<number>(),
  predicates: [],
  conditionsOnUnknown: [],
  flows: [],
  effects: [],
});
