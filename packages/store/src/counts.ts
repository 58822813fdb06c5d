/** What is counted by the hour, on disk. Owns: its table. Does not: count (packages/budgets). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** How much of something somebody has used in one hour. */
export interface CountRecord {
  readonly owner: string;
  readonly what: string;
  /** Hours since 1970. */
  readonly hour: number;
  readonly amount: number;
}

/** Counts that a restart must not forget. */
export class CountStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Those of an hour and later ones. */
  since(hour: number): Promise<CountRecord[]> {
    return this.#db.selectFrom('counts').selectAll().where('hour', '>=', hour).execute();
  }

  /** Keeps new counts in place of the ones before, all or none. */
  async save(records: readonly CountRecord[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const record of records) {
        await db
          .insertInto('counts')
          .values(record)
          .onConflict((conflict) => conflict.columns(['owner', 'what', 'hour']).doUpdateSet({ amount: record.amount }))
          .execute();
      }
    });
  }

  /** Forgets the hours before one. */
  async purge(hour: number): Promise<void> {
    await this.#db.deleteFrom('counts').where('hour', '<', hour).execute();
  }
}
