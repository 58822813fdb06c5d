import type { PostgresConnection } from '@sluice/config';
import type { Facts, SqlCommand } from '@sluice/contract';
import type { AppliedMask, CompiledPolicy } from '@sluice/guardrails';
import type { Connection } from '../services.js';
import type { Side } from '@sluice/postgres';
import { TargetCatalog } from './catalogs.js';
import { MaskSession, type Plan } from './session.js';

/** What masks need of the world outside. */
export interface Outside {
  /** A connection of the gateway's own to a target. */
  open(connection: Connection): Promise<Side>;
  /** Told of a column that a mask names and the target does not have. */
  missing(connection: string, column: string): void;
  /** Told how many cells were given another value. */
  count(cells: number): void;
}

/** The catalogs of the targets whose connections mask anything, one for all sessions of a connection. */
export class MaskTargets {
  readonly #outside: Outside;
  readonly #key: Uint8Array;
  readonly #catalogs = new Map<string, TargetCatalog>();
  /** Of targets that are no longer asked for; sessions from before may still use them. */
  readonly #retired: TargetCatalog[] = [];
  readonly #warned = new Set<string>();

  constructor(outside: Outside, key: Uint8Array) {
    this.#outside = outside;
    this.#key = key;
  }

  /** What masks follow of a new session; undefined on a connection that masks no rows. */
  session(connection: Connection, policy: CompiledPolicy | undefined): MaskSession | undefined {
    const { name } = connection;
    if (connection.protocol !== 'postgres' || !policy?.masks) return undefined;
    return this.#sessionOf(
      connection,
      (patterns) => this.#unmatched(name, patterns),
      (cells) => this.#outside.count(cells),
    );
  }

  /**
   * The columns of a statement that would be NULL in a new session, because nothing better is known of them; and why a pooler
   * would not get it. Reads the catalog of the target and runs nothing else there. Rejects when it cannot be read.
   */
  async hiddenAhead(
    connection: PostgresConnection,
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
  ): Promise<Pick<Plan, 'hidden' | 'refusal'>> {
    const session = this.#sessionOf(connection, nobody, nobody);
    return session.plan(command, facts, masks, 'tell');
  }

  #sessionOf(
    connection: PostgresConnection,
    onUnmatched: (patterns: readonly string[]) => void,
    count: (cells: number) => void,
  ): MaskSession {
    const { name, credential, target } = connection;
    let catalog = this.#catalogs.get(name);
    if (!catalog) this.#catalogs.set(name, (catalog = new TargetCatalog(() => this.#outside.open(connection))));
    return new MaskSession(catalog, credential.user, this.#key, onUnmatched, count, target.pooled);
  }

  /** Another configuration: `same` says of a connection whether it leads where it did. */
  reconfigured(same: (connection: string) => boolean): void {
    this.#warned.clear();
    for (const [name, catalog] of this.#catalogs) {
      if (same(name)) continue;
      this.#catalogs.delete(name);
      this.#retired.push(catalog);
    }
  }

  close(): void {
    for (const catalog of [...this.#catalogs.values(), ...this.#retired]) catalog.close();
  }

  /** A mask that fits no column is most likely a slip of the pen, and what it was meant for is not masked. */
  #unmatched(connection: string, patterns: readonly string[]): void {
    for (const column of patterns) {
      const key = `${connection} ${column}`;
      if (this.#warned.has(key)) continue;
      this.#warned.add(key);
      this.#outside.missing(connection, column);
    }
  }
}

const nobody = (): void => undefined;
