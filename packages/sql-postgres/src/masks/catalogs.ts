/** The catalog of one target, kept fresh. Owns: when it is read again. Does not: read it (catalog/read.ts). */
import type { Catalog } from '../catalog/catalog.js';
import { catalogVersion, completeCatalog, readCatalog } from '../catalog/read.js';
import { type Lineage, loadLineage } from '../lineage/index.js';
import { type Lookup, QueryError } from '@sluice/contract';

/** How long a catalog is trusted before it is asked whether it has changed, in milliseconds. */
const TRUSTED_MS = 2_000;
/** The same while definitions are missing, because what they read is locked. */
const TRUSTED_INCOMPLETE_MS = 500;

/** What statements of a target mean: its catalog, and the analysis for its version. */
export interface Meaning {
  readonly catalog: Catalog;
  readonly lineage: Lineage;
  /** Where a new session looks names up, as `SHOW search_path` says it. */
  readonly searchPath: string;
}

/**
 * The catalog of one target, read on a connection of the gateway's own, kept, and read again when it has changed: after
 * definitions that went through the gateway at once, after others within two seconds.
 */
export class TargetCatalog {
  readonly #open: () => Promise<Lookup>;
  #side: Lookup | undefined;
  #meaning: Meaning | undefined;
  #checked = 0;
  #reading: Promise<Meaning> | undefined;
  #changes = 0;

  constructor(open: () => Promise<Lookup>) {
    this.#open = open;
  }

  /** At once while what is known is fresh. Rejects when the catalog cannot be read. */
  get(): Meaning | Promise<Meaning> {
    const trusted = (this.#meaning?.catalog.unread ?? 0) > 0 ? TRUSTED_INCOMPLETE_MS : TRUSTED_MS;
    if (this.#meaning && Date.now() - this.#checked < trusted) return this.#meaning;
    return this.refresh();
  }

  /** What was known last, however old: for what cannot go wrong by it, and must not wait. */
  get known(): Meaning | undefined {
    return this.#meaning;
  }

  /** Definitions have changed: what is known does not count any more. */
  changed(): void {
    this.#checked = 0;
    this.#changes++;
  }

  refresh(): Promise<Meaning> {
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  close(): void {
    this.#side?.close();
    this.#side = undefined;
  }

  async #refresh(): Promise<Meaning> {
    for (;;) {
      const [started, changes] = [Date.now(), this.#changes];
      const meaning = await this.#read();
      this.#meaning = meaning;
      // What has changed while it was read may not be in it.
      if (changes !== this.#changes) continue;
      this.#checked = started;
      return meaning;
    }
  }

  async #read(): Promise<Meaning> {
    const reused = this.#side !== undefined;
    try {
      this.#side ??= await this.#open();
      return await this.#readBy(this.#side);
    } catch (error) {
      // The target itself says no, on a connection that goes on.
      if (error instanceof QueryError) throw error;
      this.close();
      // A connection that has been idle may have been closed meanwhile.
      if (reused) return this.#read();
      throw error;
    }
  }

  async #readBy(side: Lookup): Promise<Meaning> {
    const query = (text: string): ReturnType<Lookup['query']> => side.query(text);
    const known = this.#meaning;
    if (known && (await catalogVersion(query)) === known.catalog.version) {
      const catalog = await completeCatalog(query, known.catalog);
      return catalog === known.catalog ? known : { ...known, catalog };
    }
    const lineage = known?.lineage ?? (await loadLineage(side.major));
    const [path] = await query('show search_path');
    return { catalog: await readCatalog(query, lineage.parse, known?.catalog), lineage, searchPath: path?.[0] ?? '' };
  }
}
