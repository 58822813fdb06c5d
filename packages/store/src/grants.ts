/** Grants of people on disk. Owns: their table. Does not: read them: they are encrypted (packages/grants). */
import type { Kysely } from 'kysely';
import type { Database, GrantsTable } from './schema.js';

export class GrantStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  all(): Promise<GrantsTable[]> {
    return this.#db.selectFrom('grants').selectAll().orderBy('since').execute();
  }

  async save(record: GrantsTable): Promise<void> {
    const { principal, since, sealed } = record;
    await this.#db
      .insertInto('grants')
      .values(record)
      .onConflict((conflict) => conflict.columns(['connection', 'owner']).doUpdateSet({ principal, since, sealed }))
      .execute();
  }

  async remove(connection: string, owner: string): Promise<void> {
    await this.#db.deleteFrom('grants').where('connection', '=', connection).where('owner', '=', owner).execute();
  }
}
