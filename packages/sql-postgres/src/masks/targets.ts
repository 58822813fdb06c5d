/** The catalogs of the targets whose connections mask anything. Owns: one for all sessions of a connection. */
import type { NamesAtTarget, PlanAhead } from '@sluice/analysis';
import type { AppliedMask, Facts, Lookup, SqlCommand } from '@sluice/contract';
import type { LargeRows } from '@sluice/masking';
import type { Pooled, Unfit } from './backend.js';
import { type Meaning, TargetCatalog } from './catalogs.js';
import { splitSearchPath } from '../lineage/index.js';
import { coveredNames, namingNothing } from '../trusted-names.js';
import { type MaskListener, MaskSession } from './session.js';

/** How often the same reason is told of the same connection, in milliseconds. */
const TELL_AGAIN_MS = 60_000;

/** What masks need to know of a connection. */
export interface MaskedConnection {
  readonly name: string;
  /** The role at the target. */
  readonly user: string;
  readonly pooled?: Pooled;
  /** The entries of `functions.trusted`, and those of which it says that they read no tables. */
  readonly trusted?: readonly string[];
  readonly readsNothing?: readonly string[] | undefined;
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
  /** Told of an entry of `functions.trusted` that no function of the target fits. */
  untrusted(connection: string, entry: string): void;
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

  /** `rows`: memory of long rows, which all sessions share. */
  constructor(outside: Outside, key: Uint8Array, rows: LargeRows) {
    this.#rows = rows;
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
  ): Promise<PlanAhead> {
    return this.#sessionOf(connection, NOBODY).plan(command, facts, masks, 'tell');
  }

  /** What is asked of the target about names in statements; undefined where nobody has trusted a function. */
  names(connection: MaskedConnection): NamesAtTarget | undefined {
    const { name, trusted = [] } = connection;
    if (trusted.length === 0) return undefined;
    const among = ({ catalog, searchPath }: Meaning, names: readonly string[]): Set<string> => {
      const path = splitSearchPath(searchPath);
      this.#untrusted(name, namingNothing(catalog, path, trusted));
      return coveredNames(catalog, path, trusted, names);
    };
    return {
      trusted: (names) => {
        const meaning = this.#catalogOf(connection).get();
        return meaning instanceof Promise ? meaning.then((late) => among(late, names)) : among(meaning, names);
      },
    };
  }

  #sessionOf(connection: MaskedConnection, told: MaskListener): MaskSession {
    const { user, pooled } = connection;
    return new MaskSession(this.#catalogOf(connection), { user, pooled, key: this.#key, rows: this.#rows }, told);
  }

  #catalogOf({ name, open, readsNothing }: MaskedConnection): TargetCatalog {
    let catalog = this.#catalogs.get(name);
    if (!catalog) this.#catalogs.set(name, (catalog = new TargetCatalog(open, readsNothing)));
    return catalog;
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

  /** What is meant is most likely something else, which is refused. */
  #untrusted(connection: string, entries: readonly string[]): void {
    for (const entry of entries) {
      const key = `${connection} functions.trusted ${entry}`;
      if (this.#warned.has(key)) continue;
      this.#warned.add(key);
      this.#outside.untrusted(connection, entry);
    }
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
