/** Who is frozen, on disk. Owns: its table. Does not: freeze anybody (packages/budgets). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

export interface FreezeRecord {
  /** `user:NAME`, `agent:NAME`, `agent:NAME of OWNER`, `owner:NAME` or `connection:NAME`. */
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly by: string;
  readonly why: string;
}

export class FreezeStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async all(): Promise<FreezeRecord[]> {
    const rows = await this.#db.selectFrom('freezes').selectAll().orderBy('since').execute();
    return rows.map(({ subject, since, frozen_by: by, why }) => ({ subject, since, by, why }));
  }

  async save({ subject, since, by, why }: FreezeRecord): Promise<void> {
    const row = { subject, since, frozen_by: by, why };
    await this.#db
      .insertInto('freezes')
      .values(row)
      .onConflict((conflict) => conflict.column('subject').doUpdateSet(row))
      .execute();
  }

  async remove(subject: string): Promise<void> {
    await this.#db.deleteFrom('freezes').where('subject', '=', subject).execute();
  }
}
