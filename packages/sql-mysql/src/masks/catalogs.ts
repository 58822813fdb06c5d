/** The catalog of one target, kept and read again when it has changed. Owns: when. Does not: how it is read (catalog/read.ts). */
import { type Lookup, QueryError } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { readCatalog } from '../catalog/read.js';

/** How long a catalog is trusted before it is asked whether it has changed, in milliseconds. */
const TRUSTED_MS = 2_000;

/** Read on a connection of the gateway's own: after definitions that went through the gateway at once, after others within two seconds. */
export class TargetCatalog {
  readonly #open: () => Promise<Lookup>;
  #lookup: Lookup | undefined;
  #catalog: Catalog | undefined;
  #checked = 0;
  #reading: Promise<Catalog> | undefined;
  #changes = 0;

  constructor(open: () => Promise<Lookup>) {
    this.#open = open;
  }

  /** At once while what is known is fresh. Rejects when the catalog cannot be read. */
  get(): Catalog | Promise<Catalog> {
    const age = Date.now() - this.#checked;
    // Where the clock was set back nobody can tell.
    if (this.#catalog && age >= 0 && age < TRUSTED_MS) return this.#catalog;
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** What was known last, however old: for what cannot go wrong by it, and must not wait. */
  get known(): Catalog | undefined {
    return this.#catalog;
  }

  /** Definitions have changed: what is known does not count any more. */
  changed(): void {
    this.#checked = 0;
    this.#changes++;
  }

  close(): void {
    this.#lookup?.close();
    this.#lookup = undefined;
  }

  async #refresh(): Promise<Catalog> {
    for (;;) {
      const [started, changes] = [Date.now(), this.#changes];
      const catalog = await this.#read();
      this.#catalog = catalog;
      // What has changed while it was read may not be in it.
      if (changes !== this.#changes) continue;
      this.#checked = started;
      return catalog;
    }
  }

  async #read(): Promise<Catalog> {
    const isReused = this.#lookup !== undefined;
    try {
      const lookup = (this.#lookup ??= await this.#open());
      return await readCatalog((text) => lookup.query(text), this.#catalog);
    } catch (error) {
      // The target itself says no, on a connection that goes on.
      if (error instanceof QueryError) throw error;
      this.close();
      // A connection that has been idle may have been closed meanwhile.
      if (isReused) return this.#read();
      throw error;
    }
  }
}
