/** Guesses at masked columns on disk. Owns: their table. Does not: count (packages/budgets). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** With how many values a person has compared a masked column in one hour. */
export interface GuessRecord {
  readonly person: string;
  readonly column: string;
  /** Hours since 1970. */
  readonly hour: number;
  readonly count: number;
}

/** Guesses at masked columns, which a restart must not forget. */
export class GuessStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Those of an hour and later ones. */
  async since(hour: number): Promise<GuessRecord[]> {
    const rows = await this.#db.selectFrom('guesses').selectAll().where('hour', '>=', hour).execute();
    return rows.map(({ masked_column: column, ...row }) => ({ ...row, column }));
  }

  /** Keeps new counts in place of the ones before, all or none. */
  async save(records: readonly GuessRecord[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const { person, column, hour, count } of records) {
        await db
          .insertInto('guesses')
          .values({ person, masked_column: column, hour, count })
          .onConflict((conflict) => conflict.columns(['person', 'masked_column', 'hour']).doUpdateSet({ count }))
          .execute();
      }
    });
  }

  /** Forgets the hours before one. */
  async purge(hour: number): Promise<void> {
    await this.#db.deleteFrom('guesses').where('hour', '<', hour).execute();
  }
}
