/** Which tables principals have touched, on disk, by hashes of their names. Owns: its table. Does not: look at commands (packages/budgets). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

export interface TouchRecord {
  readonly owner: string;
  readonly connection: string;
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export class TouchStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  all(): Promise<TouchRecord[]> {
    return this.#db.selectFrom('touches').selectAll().execute();
  }

  /** All or none; what is kept already stays as it is. */
  async add(records: readonly TouchRecord[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const record of records)
        await db
          .insertInto('touches')
          .values(record)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
    });
  }
}
