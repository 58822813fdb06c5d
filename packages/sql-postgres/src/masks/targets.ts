/** The catalogs of the targets whose connections mask anything. Owns: one for all sessions of a connection. */
import type { MaskPlan } from '@sluice/analysis';
import type { AppliedMask, Facts, Lookup, SqlCommand } from '@sluice/contract';
import { LargeRows } from '@sluice/masking';
import type { Pooled, Unfit } from './backend.js';
import { TargetCatalog } from './catalogs.js';
import { type MaskListener, MaskSession } from './session.js';

/** How often the same reason is told of the same connection, in milliseconds. */
const TELL_AGAIN_MS = 60_000;

/** What masks need to know of a connection. */
export interface MaskedConnection {
  readonly name: string;
  /** The role at the target. */
  readonly user: string;
  readonly pooled?: Pooled;
  /** Opens a connection of the gateway's own to the target. */
  open(): Promise<Lookup>;
}

/** What masks need of the world outside. */
export interface Outside {
  /** Told of a column that a mask names and the target does not have. */
  missing(connection: string, column: string): void;
  /** Told why sessions of a connection are refused or ended, once a minute for each reason. */
  unfit(connection: string, unfit: Unfit): void;
  /** Told how many cells were given another value. */
  count(cells: number): void;
}

/** The catalogs of the targets whose connections mask anything, one for all sessions of a connection. */
export class MaskTargets {
  readonly #outside: Outside;
  readonly #key: Uint8Array;
  readonly #rows: LargeRows;
  readonly #catalogs = new Map<string, TargetCatalog>();
  /** Of targets that are no longer asked for; sessions from before may still use them. */
  readonly #retired: TargetCatalog[] = [];
  readonly #warned = new Set<string>();
  /** When `unfit` was last told, by connection and reason. */
  readonly #told = new Map<string, number>();

  /** `rows`: memory that long rows of all sessions may take together, in bytes. */
  constructor(outside: Outside, key: Uint8Array, rows: number) {
    this.#rows = new LargeRows({ bytes: rows });
    this.#outside = outside;
    this.#key = key;
  }

  /** What masks follow of a new session. */
  session(connection: MaskedConnection): MaskSession {
    const { name } = connection;
    return this.#sessionOf(connection, {
      onUnmatched: (patterns) => this.#unmatched(name, patterns),
      onUnfit: (unfit) => this.#unfit(name, unfit),
      count: (cells) => this.#outside.count(cells),
    });
  }

  /**
   * The columns of a statement that would be NULL in a new session, because nothing better is known of them; and why a pooler
   * would not get it. The catalog of the target is read for it, and nothing is run there. Rejects when it cannot be read.
   */
  async hiddenAhead(
    connection: MaskedConnection,
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
  ): Promise<Pick<MaskPlan, 'hidden' | 'refusal'>> {
    return this.#sessionOf(connection, NOBODY).plan(command, facts, masks, 'tell');
  }

  #sessionOf({ name, user, pooled, open }: MaskedConnection, told: MaskListener): MaskSession {
    let catalog = this.#catalogs.get(name);
    if (!catalog) this.#catalogs.set(name, (catalog = new TargetCatalog(open)));
    return new MaskSession(catalog, { user, pooled, key: this.#key, rows: this.#rows }, told);
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

  /** A program that tries again all the time writes no line each time. */
  #unfit(connection: string, unfit: Unfit): void {
    const key = `${connection} ${unfit.message}`;
    const now = performance.now();
    if (now - (this.#told.get(key) ?? -Infinity) < TELL_AGAIN_MS) return;
    this.#told.set(key, now);
    this.#outside.unfit(connection, unfit);
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

const NOBODY: MaskListener = { onUnmatched: () => undefined, onUnfit: () => undefined, count: () => undefined };
