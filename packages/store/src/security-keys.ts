/** Security keys of people on disk. Owns: their table. Does not: check what they sign (packages/step-up). */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** A key that somebody has registered. Times are milliseconds since 1970. */
export interface SecurityKeyRecord {
  /** As its maker names it: base64url. */
  readonly id: string;
  readonly owner: { readonly name: string; readonly issuer: string; readonly subject: string };
  /** What its owner calls it. */
  readonly name: string;
  /** COSE. */
  readonly publicKey: Uint8Array;
  /** Signatures that it says it has made; 0: it does not count them. */
  readonly counter: number;
  /** How a browser reaches it. */
  readonly transports: readonly string[];
  readonly created: number;
  readonly lastUsed: number | undefined;
}

export class SecurityKeyStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async all(): Promise<SecurityKeyRecord[]> {
    const rows = await this.#db.selectFrom('security_keys').selectAll().orderBy('created').execute();
    return rows.map(({ owner, public_key, transports, last_used, ...row }) => ({
      ...row,
      owner: JSON.parse(owner) as SecurityKeyRecord['owner'],
      publicKey: Buffer.from(public_key, 'base64'),
      transports: JSON.parse(transports) as string[],
      lastUsed: last_used ?? undefined,
    }));
  }

  async add({ owner, publicKey, transports, lastUsed, ...key }: SecurityKeyRecord): Promise<void> {
    await this.#db
      .insertInto('security_keys')
      .values({
        ...key,
        owner: JSON.stringify(owner),
        public_key: Buffer.from(publicKey).toString('base64'),
        transports: JSON.stringify(transports),
        last_used: lastUsed ?? null,
      })
      .execute();
  }

  /** It signed something. */
  async used(id: string, counter: number, at: number): Promise<void> {
    await this.#db.updateTable('security_keys').set({ counter, last_used: at }).where('id', '=', id).execute();
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('security_keys').where('id', '=', id).execute();
  }
}
