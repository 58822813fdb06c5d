/** Logins of the console on disk. Owns: their table. Does not: secrets of cookies, of which only digests come here. */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** Somebody who is logged in to the console. Times are milliseconds since 1970. */
export interface ConsoleLoginRecord {
  /** SHA-256 of the cookie's secret, base64url. */
  readonly digest: string;
  /** Who it is, as JSON: their name here, and what their issuer said of them. */
  readonly who: string;
  /** What they showed, as it is on record. */
  readonly proof: string;
  readonly created: number;
  readonly used: number;
  readonly expires: number;
}

export class ConsoleLoginStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Those that are not over, the oldest first. The others are removed. */
  async current(now: number): Promise<ConsoleLoginRecord[]> {
    await this.#db.deleteFrom('console_logins').where('expires', '<=', now).execute();
    return this.#db.selectFrom('console_logins').selectAll().orderBy('created').execute();
  }

  async add(login: ConsoleLoginRecord): Promise<void> {
    await this.#db
      .insertInto('console_logins')
      .values({ ...login })
      .execute();
  }

  async touch(digest: string, at: number): Promise<void> {
    await this.#db.updateTable('console_logins').set({ used: at }).where('digest', '=', digest).execute();
  }

  async remove(digest: string): Promise<void> {
    await this.#db.deleteFrom('console_logins').where('digest', '=', digest).execute();
  }
}
