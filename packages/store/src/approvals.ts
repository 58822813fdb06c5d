import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** A request as the store keeps it: what is searched for in columns, the rest as the approvals package has it. */
export interface ApprovalRecord {
  readonly number: number;
  readonly state: string;
  readonly used?: number;
}

/** Requests for approval, which a restart must neither lose nor answer. */
export class ApprovalStore<Kept extends ApprovalRecord = ApprovalRecord> {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async unfinished(): Promise<Kept[]> {
    const rows = await this.#db
      .selectFrom('approvals')
      .select('body')
      .where('state', 'in', ['pending', 'approved'])
      .where('used', 'is', null)
      .orderBy('number')
      .execute();
    return rows.map((row) => this.#read(row));
  }

  async recent(most: number): Promise<Kept[]> {
    const rows = await this.#db.selectFrom('approvals').select('body').orderBy('number', 'desc').limit(most).execute();
    return rows.map((row) => this.#read(row));
  }

  async find(number: number): Promise<Kept | undefined> {
    const row = await this.#db.selectFrom('approvals').select('body').where('number', '=', number).executeTakeFirst();
    return row && this.#read(row);
  }

  async last(): Promise<number> {
    const row = await this.#db
      .selectFrom('approvals')
      .select(({ fn }) => fn.max('number').as('last'))
      .executeTakeFirst();
    return row?.last ?? 0;
  }

  async save(kept: Kept): Promise<void> {
    const row = { state: kept.state, used: kept.used ?? null, body: JSON.stringify(kept) };
    await this.#db
      .insertInto('approvals')
      .values({ number: kept.number, ...row })
      .onConflict((conflict) => conflict.column('number').doUpdateSet(row))
      .execute();
  }

  #read({ body }: { body: string }): Kept {
    const kept: Kept = JSON.parse(body);
    return kept;
  }
}
