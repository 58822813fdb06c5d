/** Sketches of how many different values somebody was shown, on disk. Owns: their table. Does not: count (packages/budgets). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

export interface SketchKey {
  readonly owner: string;
  readonly what: string;
  /** Minutes since 1970. */
  readonly slot: number;
}

/** What was shown of something to somebody from one minute on. */
export interface SketchRecord extends SketchKey {
  /** See `Sketch` of packages/budgets. */
  readonly sketch: Uint8Array;
}

export class SketchStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async all(): Promise<SketchRecord[]> {
    const rows = await this.#db.selectFrom('sketches').selectAll().execute();
    return rows.map((row) => ({ ...row, sketch: Buffer.from(row.sketch, 'base64') }));
  }

  /** Keeps these in place of those before, all or none. */
  async save(records: readonly SketchRecord[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const record of records) {
        const sketch = Buffer.from(record.sketch).toString('base64');
        await db
          .insertInto('sketches')
          .values({ ...record, sketch })
          .onConflict((conflict) => conflict.columns(['owner', 'what', 'slot']).doUpdateSet({ sketch }))
          .execute();
      }
    });
  }

  /** Forgets these, all or none. */
  async drop(records: readonly SketchKey[]): Promise<void> {
    if (records.length === 0) return;
    await this.#db.transaction().execute(async (db) => {
      for (const { owner, what, slot } of records)
        await db
          .deleteFrom('sketches')
          .where('owner', '=', owner)
          .where('what', '=', what)
          .where('slot', '=', slot)
          .execute();
    });
  }

  /** Forgets those that begin before a minute. */
  async purge(slot: number): Promise<void> {
    await this.#db.deleteFrom('sketches').where('slot', '<', slot).execute();
  }
}
