/** Requests for approval on disk. Owns: their table. Does not: decide anything (packages/approvals). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** A request as the store keeps it: what is searched for in columns, the rest as the approvals package has it. */
export interface ApprovalRecord {
  readonly number: number;
  readonly state: string;
  readonly used?: number;
  /** Of what passed by break-glass. */
  readonly review?: { readonly state: string };
}

/**
 * Requests for approval, which a restart must neither lose nor answer. Each is kept in brief; what may be large (`Whole`) is
 * stored once, beside it, and read for one request at a time.
 */
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

  /** Those whose review is open, in brief, the oldest first. */
  async reviews(): Promise<Kept[]> {
    const open = this.#db.selectFrom('approvals').select('body').where('review', '=', 'open');
    return (await open.orderBy('number').execute()).map((row) => this.#read(row));
  }

  /** In brief, the newest first. `before`: only those with a lower number. */
  async recent(most: number, before = Number.MAX_SAFE_INTEGER): Promise<Kept[]> {
    const rows = await this.#db
      .selectFrom('approvals')
      .select('body')
      .where('number', '<', before)
      .orderBy('number', 'desc')
      .limit(most)
      .execute();
    return rows.map((row) => this.#read(row));
  }

  /** With what is stored beside it. */
  async find(number: number): Promise<Kept | undefined> {
    const row = await this.#db
      .selectFrom('approvals')
      .select(['body', 'whole'])
      .where('number', '=', number)
      .executeTakeFirst();
    const whole: Partial<Kept> = row?.whole ? JSON.parse(row.whole) : {};
    return row && { ...this.#read(row), ...whole };
  }

  async last(): Promise<number> {
    const row = await this.#db
      .selectFrom('approvals')
      .select(({ fn }) => fn.max('number').as('last'))
      .executeTakeFirst();
    return row?.last ?? 0;
  }

  /** `whole`: fields that are kept as they are in the first save, whatever they are in later ones. */
  async save(kept: Kept, whole?: Partial<Kept>): Promise<void> {
    const { state, used = null, review } = kept;
    const row = { state, used, review: review?.state ?? null, body: JSON.stringify(kept) };
    await this.#db
      .insertInto('approvals')
      .values({ number: kept.number, ...row, whole: whole ? JSON.stringify(whole) : null })
      .onConflict((conflict) => conflict.column('number').doUpdateSet(row))
      .execute();
  }

  #read({ body }: { body: string }): Kept {
    const kept: Kept = JSON.parse(body);
    return kept;
  }
}
