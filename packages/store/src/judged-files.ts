/** Files of calls of models that were let through, on disk. Owns: their table. Does not: judge them (packages/judging). */
import type { Kysely } from 'kysely';
import type { Database, JudgedFilesTable } from './schema.js';

export class JudgedFileStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  all(): Promise<JudgedFilesTable[]> {
    return this.#db.selectFrom('judged_files').selectAll().execute();
  }

  async save(record: JudgedFilesTable): Promise<void> {
    const { connection: _, principal: __, file: ___, ...rest } = record;
    await this.#db
      .insertInto('judged_files')
      .values(record)
      .onConflict((conflict) => conflict.columns(['connection', 'principal', 'file']).doUpdateSet(rest))
      .execute();
  }

  async remove({
    connection,
    principal,
    file,
  }: Pick<JudgedFilesTable, 'connection' | 'principal' | 'file'>): Promise<void> {
    await this.#db
      .deleteFrom('judged_files')
      .where('connection', '=', connection)
      .where('principal', '=', principal)
      .where('file', '=', file)
      .execute();
  }
}
