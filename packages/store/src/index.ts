/** The store: tokens and settings, and what else has a file beside it. Does not: commands, which are in the journal. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely, type Selectable } from 'kysely';
import { Migrator } from 'kysely/migration';
import { AgentStore } from './agents.js';
import { type ApprovalRecord, ApprovalStore } from './approvals.js';
import { ConsoleLoginStore } from './console-logins.js';
import { StoreDialect } from './driver.js';
import { CountStore } from './counts.js';
import { GrantStore } from './grants.js';
import { JudgedFileStore } from './judged-files.js';
import { PinStore } from './pins.js';
import type { StoreError, StoreFaults } from './fault.js';
import { FreezeStore } from './freezes.js';
import { SketchStore } from './sketches.js';
import { TouchStore } from './touches.js';
import { SecurityKeyStore } from './security-keys.js';
import { type Database, MIGRATIONS, type TokensTable } from './schema.js';

export type { AgentRecord, AgentStore } from './agents.js';
export type { ApprovalRecord, ApprovalStore } from './approvals.js';
export type { ConsoleLoginRecord, ConsoleLoginStore } from './console-logins.js';
export {
  type IndexedSession,
  type JournalPosition,
  type IndexChange,
  type SessionFilter,
  SessionIndex,
} from './session-index.js';
export type { CountRecord, CountStore } from './counts.js';
export { CountNotes } from './count-notes.js';
export { StoreError } from './fault.js';
export type { SketchKey, SketchRecord, SketchStore } from './sketches.js';
export type { TouchRecord, TouchStore } from './touches.js';
export type { FreezeRecord, FreezeStore } from './freezes.js';
export { RevocationNotes } from './revocations.js';
export type { GrantStore } from './grants.js';
export type { JudgedFileStore } from './judged-files.js';
export type { PinStore } from './pins.js';
export type { SecurityKeyRecord, SecurityKeyStore } from './security-keys.js';

/** A token as the store keeps it; the same shape as the identity package's `StoredToken`. */
export interface TokenRecord {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly storedKey: string;
  readonly serverKey: string;
  readonly sha256: string;
  readonly sha1: string;
  readonly created: number;
  readonly expires: number | undefined;
  readonly lastUsed: number | undefined;
  readonly revoked: number | undefined;
  readonly connections: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly owner: TokenOwner | undefined;
  readonly parent: string | undefined;
  readonly makers: readonly TokenMaker[];
}

/** Who made a token, and what they showed for it. */
export interface TokenMaker {
  readonly name: string;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly kind?: 'agent';
  readonly by: 'token' | 'issuer';
  readonly token: string;
}

/** Of tokens that were kept before their makers were. */
const NOT_RECORDED: readonly TokenMaker[] = [{ name: '(not recorded)', by: 'token', token: '' }];

/** Whom an identity provider knew when the token was made. */
export interface TokenOwner {
  readonly name: string;
  readonly kind: 'person' | 'agent';
  readonly groups: readonly string[];
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly claims?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Control state: tokens and settings. Commands are not here but in the journal. SQL is kept to what SQLite and PostgreSQL
 * both understand, so that several gateways can share one later.
 */
export class Store {
  readonly agents: AgentStore;
  readonly counts: CountStore;
  readonly sketches: SketchStore;
  readonly touches: TouchStore;
  readonly freezes: FreezeStore;
  readonly consoleLogins: ConsoleLoginStore;
  readonly securityKeys: SecurityKeyStore;
  readonly pins: PinStore;
  readonly grants: GrantStore;
  readonly judgedFiles: JudgedFileStore;
  readonly #db: Kysely<Database>;
  readonly #faults: StoreFaults;

  private constructor(db: Kysely<Database>, faults: StoreFaults) {
    this.#db = db;
    this.#faults = faults;
    this.agents = new AgentStore(db);
    this.counts = new CountStore(db);
    this.sketches = new SketchStore(db);
    this.touches = new TouchStore(db);
    this.freezes = new FreezeStore(db);
    this.consoleLogins = new ConsoleLoginStore(db);
    this.securityKeys = new SecurityKeyStore(db);
    this.pins = new PinStore(db);
    this.grants = new GrantStore(db);
    this.judgedFiles = new JudgedFileStore(db);
  }

  /** Is told of the first write that the disk does not take, and of the first that succeeds behind it (undefined). */
  set onFault(tell: (fault: StoreError | undefined) => void) {
    this.#faults.onChange = tell;
  }

  /**
   * Opens, or makes, the SQLite file and brings its tables up to date. For this user only: it holds verifiers. Rejects with a
   * sentence when it cannot be opened, or was made by a newer version.
   */
  static async open(file: string): Promise<Store> {
    let db: Kysely<Database> | undefined;
    try {
      makeFile(file);
      const dialect = new StoreDialect(file);
      db = new Kysely<Database>({ dialect });
      const provider = { getMigrations: () => Promise.resolve(MIGRATIONS) };
      const { error } = await new Migrator({ db, provider }).migrateToLatest();
      if (error) throw error;
      return new Store(db, dialect.faults);
    } catch (cause) {
      await db?.destroy();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`The store ${file} cannot be opened: ${why}`, { cause });
    }
  }

  close(): Promise<void> {
    return this.#db.destroy();
  }

  /** Requests for approval, in the shape that the approvals package gives them. */
  approvals<Kept extends ApprovalRecord>(): ApprovalStore<Kept> {
    return new ApprovalStore<Kept>(this.#db);
  }

  async tokens(): Promise<TokenRecord[]> {
    return (await this.#db.selectFrom('tokens').selectAll().orderBy('created').execute()).map(fromRow);
  }

  async addToken(token: TokenRecord): Promise<void> {
    await this.#db.insertInto('tokens').values(toRow(token)).execute();
  }

  async revokeToken(id: string, at: number): Promise<void> {
    await this.#db.updateTable('tokens').set({ revoked: at }).where('id', '=', id).execute();
  }

  async touchToken(id: string, at: number): Promise<void> {
    await this.#db.updateTable('tokens').set({ last_used: at }).where('id', '=', id).execute();
  }

  async removeTokens(ids: readonly string[]): Promise<void> {
    // A statement has room for so many parameters.
    for (let at = 0; at < ids.length; at += 500)
      await this.#db
        .deleteFrom('tokens')
        .where('id', 'in', ids.slice(at, at + 500))
        .execute();
  }

  async setting(name: string): Promise<string | undefined> {
    return (await this.#db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst())?.value;
  }

  async setSetting(name: string, value: string): Promise<void> {
    await this.#db
      .insertInto('settings')
      .values({ name, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
  }
}

/** One setting of a store that may be in use, which nothing is done to; undefined where there is no such file or setting. */
export function readSetting(file: string, name: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const db = new SQLite(file, { readonly: true, timeout: 1_000 });
  try {
    const row = db.prepare<[string], { value: string }>('select value from settings where name = ?').get(name);
    return row?.value;
  } finally {
    db.close();
  }
}

/** The mode is set before the first byte is in the file; SQLite gives its journals the same one. */
function makeFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
}

const fromRow = (row: Selectable<TokensTable>): TokenRecord => ({
  id: row.id,
  principal: row.principal,
  name: row.name,
  storedKey: row.stored_key,
  serverKey: row.server_key,
  sha256: row.sha256,
  sha1: row.sha1,
  created: row.created,
  expires: row.expires ?? undefined,
  lastUsed: row.last_used ?? undefined,
  revoked: row.revoked ?? undefined,
  connections: namesIn(row.connections),
  roles: namesIn(row.roles),
  owner: ownerIn(row.owner),
  parent: row.parent ?? undefined,
  makers: makersIn(row.makers),
});

function makersIn(json: string | null): readonly TokenMaker[] {
  const makers: readonly TokenMaker[] = json === null ? NOT_RECORDED : JSON.parse(json);
  return makers;
}

function namesIn(json: string | null): readonly string[] | undefined {
  const names: readonly string[] | undefined = json === null ? undefined : JSON.parse(json);
  return names;
}

function ownerIn(json: string | null): TokenOwner | undefined {
  const owner: TokenOwner | undefined = json === null ? undefined : JSON.parse(json);
  return owner;
}

const toRow = (token: TokenRecord): TokensTable => ({
  id: token.id,
  principal: token.principal,
  name: token.name,
  stored_key: token.storedKey,
  server_key: token.serverKey,
  sha256: token.sha256,
  sha1: token.sha1,
  created: token.created,
  expires: token.expires ?? null,
  last_used: token.lastUsed ?? null,
  revoked: token.revoked ?? null,
  connections: token.connections ? JSON.stringify(token.connections) : null,
  roles: token.roles ? JSON.stringify(token.roles) : null,
  owner: token.owner ? JSON.stringify(token.owner) : null,
  parent: token.parent ?? null,
  makers: JSON.stringify(token.makers),
});
