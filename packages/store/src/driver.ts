/** SQLite for Kysely such that a locked file stops nobody. Owns: who writes when. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteDialect,
} from 'kysely';
import { StoreFaults, storeError } from './fault.js';

/** How long a write is tried again while another process has the file locked, and the pauses between, in milliseconds. */
const BUSY_DEADLINE_MS = 60_000;
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 250;
/** What is still waiting when the store is closed may try for this long. */
const CLOSING_MS = 2_000;

/**
 * SQLite for Kysely, such that a file which another process has locked (a backup, a shell) stops nobody: SQLite itself
 * would wait inside the call, and the event loop with it. Writes and transactions take turns and try again; what only
 * reads has a connection of its own, which a writer elsewhere does not hold up (write-ahead log).
 */
export class StoreDialect extends SqliteDialect {
  readonly #file: string;
  /** Whether writes succeed. */
  readonly faults = new StoreFaults();

  constructor(file: string) {
    super({ database: () => Promise.reject(new Error('the driver opens the file')) });
    this.#file = file;
  }

  override createDriver(): Driver {
    return new StoreDriver(this.#file, this.faults);
  }

  override createAdapter(): SqliteAdapter {
    return new StoreAdapter();
  }
}

class StoreAdapter extends SqliteAdapter {
  /** Otherwise whoever reads would wait for whoever waits to write. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class StoreDriver implements Driver {
  readonly faults: StoreFaults;
  readonly #file: string;
  #writer: SQLite.Database | undefined;
  #reader: SQLite.Database | undefined;
  /** The last of those who wait to write; each begins when the one before it is done. */
  #turn: Promise<void> = Promise.resolve();
  #closing: number | undefined;

  constructor(file: string, faults: StoreFaults) {
    this.#file = file;
    this.faults = faults;
  }

  async init(): Promise<void> {
    const writer = (this.#writer = new SQLite(this.#file, { timeout: 0 }));
    await this.patiently(() => writer.pragma('journal_mode = WAL'));
    writer.pragma('synchronous = FULL');
    this.#reader = new SQLite(this.#file, { timeout: 0 });
  }

  acquireConnection(): Promise<StoreConnection> {
    const { writer, reader } = { writer: this.#writer, reader: this.#reader };
    if (!writer || !reader) return Promise.reject(new Error('The store is closed.'));
    return Promise.resolve(new StoreConnection(this, writer, reader));
  }

  async beginTransaction(connection: StoreConnection): Promise<void> {
    connection.release = await this.takeTurn();
    try {
      await this.patiently(() => connection.run(CompiledQuery.raw('begin immediate')));
    } catch (error) {
      connection.endTurn();
      throw error;
    }
  }

  async commitTransaction(connection: StoreConnection): Promise<void> {
    // A reader in the middle of the file may keep a commit waiting. It is given up by `rollbackTransaction`.
    await this.patiently(() => connection.run(CompiledQuery.raw('commit')));
    connection.endTurn();
  }

  rollbackTransaction(connection: StoreConnection): Promise<void> {
    // One that could not begin has nothing to take back.
    if (!connection.release) return Promise.resolve();
    try {
      // A full disk has SQLite take it back by itself.
      if (connection.inTransaction) connection.run(CompiledQuery.raw('rollback'));
    } finally {
      connection.endTurn();
    }
    return Promise.resolve();
  }

  releaseConnection(connection: StoreConnection): Promise<void> {
    connection.endTurn();
    return Promise.resolve();
  }

  async destroy(): Promise<void> {
    this.#closing = performance.now();
    // What was asked for in this turn of the event loop has not queued up yet.
    await nextTurn();
    await this.#turn;
    this.#writer?.close();
    this.#reader?.close();
    this.#writer = this.#reader = undefined;
  }

  /** Resolves when it is the caller's turn to write, with what ends it. */
  async takeTurn(): Promise<() => void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    return resolve;
  }

  /** Tries until the file is not locked. Rejects with SQLite's own error after the deadline. */
  async patiently<T>(act: () => T): Promise<T> {
    const started = performance.now();
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      try {
        return act();
      } catch (error) {
        if (!isBusy(error) || performance.now() > this.#deadline(started)) throw error;
      }
      await sleep(pause);
    }
  }

  #deadline(started: number): number {
    const own = started + BUSY_DEADLINE_MS;
    return this.#closing === undefined ? own : Math.min(own, this.#closing + CLOSING_MS);
  }
}

class StoreConnection implements DatabaseConnection {
  /** Ends the turn of the transaction that this connection is in. */
  release: (() => void) | undefined;
  readonly #driver: StoreDriver;
  readonly #writer: SQLite.Database;
  readonly #reader: SQLite.Database;

  constructor(driver: StoreDriver, writer: SQLite.Database, reader: SQLite.Database) {
    this.#driver = driver;
    this.#writer = writer;
    this.#reader = reader;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.release) return this.run(query);
    if (SelectQueryNode.is(query.query)) return this.#driver.patiently(() => runOn<R>(this.#reader, query));
    const done = await this.#driver.takeTurn();
    try {
      return await this.#driver.patiently(() => this.run<R>(query));
    } finally {
      done();
    }
  }

  // eslint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('The store does not stream.');
  }

  get inTransaction(): boolean {
    return this.#writer.inTransaction;
  }

  /** @throws StoreError where the disk takes no write */
  run<R>(query: CompiledQuery): QueryResult<R> {
    const { faults } = this.#driver;
    try {
      const result = runOn<R>(this.#writer, query);
      // What is in a transaction is not on the disk before its end.
      if (!this.inTransaction) faults.wrote(undefined);
      return result;
    } catch (error) {
      const fault = storeError(error);
      if (!fault) throw error;
      faults.wrote(fault);
      throw fault;
    }
  }

  endTurn(): void {
    this.release?.();
    this.release = undefined;
  }
}

function runOn<R>(database: SQLite.Database, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const statement = database.prepare(sql);
  if (statement.reader) return { rows: statement.all(parameters) as R[] };
  const { changes, lastInsertRowid } = statement.run(parameters);
  return { insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes), rows: [] };
}

const isBusy = (error: unknown): boolean => error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_BUSY');
