/** Tools of servers of MCP on disk, as they were looked at. Owns: their table. Does not: compare them (packages/mcp-calls). */
import type { Kysely } from 'kysely';
import type { Database, PinsTable } from './schema.js';

export class PinStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  all(): Promise<PinsTable[]> {
    return this.#db.selectFrom('pins').selectAll().execute();
  }

  async remove(connection: string, name: string): Promise<void> {
    await this.#db.deleteFrom('pins').where('connection', '=', connection).where('name', '=', name).execute();
  }

  async save(record: PinsTable): Promise<void> {
    const { pinned, offered, since } = record;
    await this.#db
      .insertInto('pins')
      .values(record)
      .onConflict((conflict) => conflict.columns(['connection', 'name']).doUpdateSet({ pinned, offered, since }))
      .execute();
  }
}
