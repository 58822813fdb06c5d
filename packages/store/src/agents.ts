/** Agents that have enrolled, and hashes of the tokens that admit new ones. Owns: their tables. */
import type { Kysely } from 'kysely';
import type { Database } from './schema.js';

/** An agent that has enrolled. Times are milliseconds since 1970. */
export interface AgentRecord {
  readonly id: string;
  /** What `via` calls it. Several may serve one name. */
  readonly name: string;
  /** Ed25519, 32 bytes, base64. */
  readonly publicKey: string;
  readonly enrolled: number;
  readonly lastSeen: number | undefined;
  readonly revoked: number | undefined;
}

/** The agents of a gateway, and the one-time tokens that admit new ones, of which only hashes are kept. */
export class AgentStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async all(): Promise<AgentRecord[]> {
    const rows = await this.#db.selectFrom('agents').selectAll().orderBy('enrolled').execute();
    return rows.map(({ id, name, public_key, enrolled, last_seen, revoked }) => ({
      id,
      name,
      publicKey: public_key,
      enrolled,
      lastSeen: last_seen ?? undefined,
      revoked: revoked ?? undefined,
    }));
  }

  async addToken(token: { hash: string; name: string; expires: number }): Promise<void> {
    await this.#db
      .insertInto('agent_tokens')
      .values({ ...token, used: null })
      .execute();
  }

  /** Uses a token up and keeps the agent, both or neither. Returns its name; undefined when the token is no good (any more). */
  enrol(hash: string, agent: { id: string; publicKey: string }, now: number): Promise<string | undefined> {
    return this.#db.transaction().execute(async (db) => {
      const used = await db
        .updateTable('agent_tokens')
        .set({ used: now })
        .where('hash', '=', hash)
        .where('used', 'is', null)
        .where('expires', '>', now)
        .returning('name')
        .executeTakeFirst();
      if (!used) return undefined;
      const { name } = used;
      await db
        .insertInto('agents')
        .values({ id: agent.id, name, public_key: agent.publicKey, enrolled: now, last_seen: now, revoked: null })
        .execute();
      return name;
    });
  }

  async revoke(id: string, at: number): Promise<void> {
    await this.#db.updateTable('agents').set({ revoked: at }).where('id', '=', id).execute();
  }

  async seen(id: string, at: number): Promise<void> {
    await this.#db.updateTable('agents').set({ last_seen: at }).where('id', '=', id).execute();
  }
}
