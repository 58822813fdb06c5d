/**
 * The catalogs of the targets whose connections mask anything, one for all sessions of a connection. Owns: which session gets
 * which. Does not: read them (catalogs.ts).
 */
import type { PlanAhead } from '@sluice/analysis';
import type { AppliedMask, Facts, Lookup, SqlCommand } from '@sluice/contract';
import type { LargeRows } from '@sluice/masking';
import { TargetCatalog } from './catalogs.js';
import type { Unfit } from './backend.js';
import { type MaskListener, MySqlMaskSession } from './session.js';

/** What masks need to know of a connection. */
export interface MySqlMaskedConnection {
  readonly name: string;
  /** What the configuration says of a pooler before the server; by transaction there is none for MySQL. */
  readonly pooled: 'session' | 'transaction' | undefined;
  /** Opens a connection of the gateway's own to the target. */
  open(): Promise<Lookup>;
}

/** What masks need of the world outside. */
export interface MySqlOutside {
  /** Told of a column that a mask names and the target does not have, once. */
  missing(connection: string, column: string): void;
  /** Told why sessions of a connection are refused, once. */
  unfit(connection: string, unfit: Unfit): void;
  /** Told how many cells were given another value. */
  count(cells: number): void;
}

export class MySqlMaskTargets {
  readonly #outside: MySqlOutside;
  readonly #key: Uint8Array;
  readonly #rows: LargeRows;
  readonly #catalogs = new Map<string, TargetCatalog>();
  /** Of targets that are no longer asked for; sessions from before may still use them. */
  readonly #retired: TargetCatalog[] = [];
  readonly #warned = new Set<string>();

  /** `key`: for pseudonyms. `rows`: memory of long rows, which all sessions share. */
  constructor(outside: MySqlOutside, key: Uint8Array, rows: LargeRows) {
    this.#outside = outside;
    this.#key = key;
    this.#rows = rows;
  }

  /** What masks follow of a new session. */
  session(connection: MySqlMaskedConnection): MySqlMaskSession {
    const { name } = connection;
    return this.#sessionOf(connection, {
      onUnmatched: (patterns) => this.#unmatched(name, patterns),
      onUnfit: (unfit) => this.#unfit(name, unfit),
      count: (cells) => this.#outside.count(cells),
    });
  }

  /** The columns of a statement that would be NULL in a new session. The catalog of the target is read for it; nothing is run there. */
  async hiddenAhead(
    connection: MySqlMaskedConnection,
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
  ): Promise<PlanAhead> {
    return this.#sessionOf(connection, NOBODY).plan(command, facts, masks, 'tell');
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

  #sessionOf({ name, pooled, open }: MySqlMaskedConnection, told: MaskListener): MySqlMaskSession {
    let catalog = this.#catalogs.get(name);
    if (!catalog) this.#catalogs.set(name, (catalog = new TargetCatalog(open)));
    const settings = { key: this.#key, rows: this.#rows, pooled: pooled === 'session' ? pooled : undefined };
    return new MySqlMaskSession(catalog, settings, told);
  }

  #unfit(connection: string, unfit: Unfit): void {
    const key = `${connection} ${unfit.message}`;
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#outside.unfit(connection, unfit);
  }

  #unmatched(connection: string, patterns: readonly string[]): void {
    for (const column of patterns) {
      const key = `${connection} ${column}`;
      if (this.#warned.has(key)) continue;
      this.#warned.add(key);
      this.#outside.missing(connection, column);
    }
  }
}

const NOBODY: MaskListener = { onUnmatched: () => undefined, onUnfit: () => undefined, count: () => undefined };
