/** The catalog of one target, kept fresh. Owns: when it is read again. Does not: read it (catalog/read.ts). */
import type { Catalog } from '../catalog/catalog.js';
import { completeCatalog, isSame, readCatalog } from '../catalog/read.js';
import { isReadInPart, withNamed } from '../catalog/named.js';
import { CODE_BEHIND_WRITES, type Lineage, loadLineage, splitSearchPath } from '../lineage/index.js';
import { namedIn } from './changed-tables.js';
import { type Lookup, QueryError } from '@sluice/contract';
import { type Changed, changedSince } from '../catalog/changed-since.js';
import { type DefinedNames, DefinitionsUnderWay } from './underway.js';

/** How long a catalog is trusted before it is asked whether it has changed, in milliseconds. */
const TRUSTED_MS = 2_000;
/** A reading that took longer is trusted for twice its time, up to this: or a busy server would be read by every statement. */
const MAX_TRUSTED_MS = 10_000;
/** From which part of that time on it is asked ahead, while statements go on with what is known: then hardly one waits. */
const ASKED_AHEAD = 3 / 4;
/** The same while definitions are missing, because what they read is locked. */
const TRUSTED_INCOMPLETE_MS = 500;
/** Tables that have changed and that nobody has asked about yet: where there are more, they are read ahead, while statements go on. */
const MAX_UNREAD_TABLES = 200;
/** Where still more have changed than can be read so, all is read. */
const MAX_CHANGED_TABLES = 1_000;
const NO_TABLES: ReadonlySet<string> = new Set();

/** What statements of a target mean: its catalog, and the analysis for its version. */
export interface Meaning {
  readonly catalog: Catalog;
  readonly lineage: Lineage;
  /** Where a new session looks names up, as `SHOW search_path` says it. */
  readonly searchPath: string;
}

/**
 * The catalog of one target, read on a connection of the gateway's own, kept, and read again when it has changed: after
 * definitions that went through the gateway before it is asked for again, after others within two seconds. Where only tables have
 * changed whose names are known, only those are read.
 */
export class TargetCatalog {
  readonly #open: () => Promise<Lookup>;
  readonly #readsNothing: readonly string[];
  #side: Lookup | undefined;
  #meaning: Meaning | undefined;
  #checked = 0;
  #trustedMs = TRUSTED_MS;
  /** One of these at a time. */
  #reading: Promise<Meaning> | undefined;
  #readingTables: Promise<void> | undefined;
  #changes = 0;
  /** Names of tables that have changed, and of schemas that have come, and not been read since; those that are being read now. */
  #tables = NO_TABLES;
  #inReading = NO_TABLES;
  /** What sessions define at this target. */
  readonly underWay = new DefinitionsUnderWay();
  /** By `underWay`, the time as of which a catalog has all that had been answered. */
  readonly #asOf = new WeakMap<Meaning, number>();

  /** @param readsNothing functions of which the operator says that they read no tables */
  constructor(open: () => Promise<Lookup>, readsNothing: readonly string[] = []) {
    this.#open = open;
    this.#readsNothing = readsNothing;
  }

  /** At once while what is known is fresh. Rejects when the catalog cannot be read. */
  get(): Meaning | Promise<Meaning> {
    const { fresh } = this;
    if (!fresh) return this.#readAll().then((meaning) => this.#settled(meaning));
    this.#askAhead(fresh);
    return this.#settled(fresh);
  }

  /**
   * Where it fails, the next statement that needs it asks again, and is told. While definitions go on it would have to be read again and
   * again: then statements wait for it, and so do these.
   */
  #askAhead({ catalog }: Meaning): void {
    const isDue = this.#age >= this.#trusted * ASKED_AHEAD;
    if (isDue && !this.#reading && this.#tables.size === 0 && !isReadInPart(catalog))
      void this.#readAll().catch(() => undefined);
  }

  /** The same for a definition for which it does not matter what has become of tables that it does not name. */
  getFor(text: string): Meaning | Promise<Meaning> {
    const { fresh } = this;
    // It changes no rows: what comes to other tables with those does not come to it.
    const pending = [...this.#tables, ...this.#inReading].filter((name) => name !== CODE_BEHIND_WRITES);
    return fresh && (pending.length === 0 || !mayName(text, pending)) ? fresh : this.get();
  }

  /** What is known and trusted, but for tables that have changed and are not read yet. */
  get fresh(): Meaning | undefined {
    return this.#age < this.#trusted ? this.#meaning : undefined;
  }

  /** Where the clock was set back nobody can tell. */
  get #age(): number {
    const age = Date.now() - this.#checked;
    return age < 0 ? Infinity : age;
  }

  get #trusted(): number {
    return (this.#meaning?.catalog.unread ?? 0) > 0 ? TRUSTED_INCOMPLETE_MS : this.#trustedMs;
  }

  /** What was known last, however old: for what cannot go wrong by it, and must not wait. */
  get known(): Meaning | undefined {
    return this.#meaning;
  }

  /** Definitions have changed: what is known does not count any more, or not of tables of these names. */
  changed(tables?: ReadonlySet<string>): void {
    if (tables) this.#tables = new Set([...this.#tables, ...tables]);
    if (tables && this.#tables.size <= MAX_CHANGED_TABLES) {
      if (this.#tables.size > MAX_UNREAD_TABLES) this.#readTablesAhead();
      return;
    }
    this.#checked = 0;
    this.#changes++;
  }

  /** A restore makes thousands, and asks about none of them. */
  #readTablesAhead(): void {
    const { fresh } = this;
    if (fresh && !this.#reading) void this.#readTablesOnce(fresh);
  }

  /** Something may have changed: what is known counts again once it has been asked whether it has. */
  doubted(): void {
    this.#checked = Math.min(this.#checked, 1);
    this.#changes++;
  }

  /** All is read as it is now, and what has changed since that began: what is being read already may be as it was before. */
  async refresh(): Promise<Meaning> {
    await this.#reading?.catch(() => undefined);
    return this.#settled(await this.#readAll());
  }

  /** By `underWay`: all that was answered until then is in it. */
  asOf(meaning: Meaning): number {
    return this.#asOf.get(meaning) ?? 0;
  }

  /** As it is now, as far as these names go: what is being read already may be as it was before. */
  readNow(names: DefinedNames): Promise<Meaning> {
    if (names === 'any') return this.refresh();
    this.changed(names);
    return Promise.resolve(this.get());
  }

  /** What has changed in the catalog since it was read. */
  async changedSince({ catalog }: Meaning): Promise<readonly Changed[]> {
    // One asks the connection at a time.
    for (let busy; (busy = this.#reading ?? this.#readingTables); ) await busy.catch(() => undefined);
    const side = this.#side;
    if (!side) throw new Error('The target cannot be asked.');
    const found = changedSince((text) => side.query(text), catalog.moment);
    this.#readingTables = found.then(
      () => undefined,
      () => undefined,
    );
    void this.#readingTables.then(() => (this.#readingTables = undefined));
    return found;
  }

  #readAll(): Promise<Meaning> {
    this.#reading ??= Promise.resolve(this.#readingTables)
      .then(() => this.#refresh())
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  close(): void {
    this.#side?.close();
    this.#side = undefined;
  }

  /** The same where it has all tables that have changed before now. What is being read may have begun before they did. */
  #settled(meaning: Meaning): Meaning | Promise<Meaning> {
    if (this.#tables.size === 0 && this.#inReading.size === 0) return meaning;
    if (this.#reading) return this.#reading.then((late) => this.#settled(late));
    return this.#readTablesOnce(meaning).then(() => this.get());
  }

  #readTablesOnce(meaning: Meaning): Promise<void> {
    this.#readingTables ??= this.#readTables(meaning).finally(() => {
      this.#readingTables = undefined;
    });
    return this.#readingTables;
  }

  /** Where it is not enough to read tables, or that fails, all has to be read. */
  async #readTables(known: Meaning): Promise<void> {
    const side = this.#side;
    const { now } = this.underWay;
    const names = this.#beginReading();
    const read = side && withNamed((text) => side.query(text), known.catalog, namedIn(names));
    const catalog = await read?.catch(() => undefined);
    this.#inReading = NO_TABLES;
    if (!catalog) return this.changed();
    this.#meaning = { ...known, catalog };
    this.#asOf.set(this.#meaning, now);
  }

  #beginReading(): ReadonlySet<string> {
    this.#inReading = new Set([...this.#inReading, ...this.#tables]);
    this.#tables = NO_TABLES;
    return this.#inReading;
  }

  async #refresh(): Promise<Meaning> {
    for (;;) {
      const [started, changes, { now }] = [Date.now(), this.#changes, this.underWay];
      this.#beginReading();
      const meaning = await this.#read().catch((error: unknown) => {
        this.#inReading = NO_TABLES;
        this.changed();
        throw error;
      });
      this.#inReading = NO_TABLES;
      this.#meaning = meaning;
      this.#asOf.set(meaning, now);
      // What has changed while it was read may not be in it.
      if (changes !== this.#changes) continue;
      this.#checked = started;
      this.#trustedMs = Math.min(Math.max(TRUSTED_MS, 2 * (Date.now() - started)), MAX_TRUSTED_MS);
      return meaning;
    }
  }

  async #read(): Promise<Meaning> {
    const reused = this.#side !== undefined;
    try {
      this.#side ??= await this.#open();
      return await this.#readBy(this.#side);
    } catch (error) {
      // The target itself says no, on a connection that goes on.
      if (error instanceof QueryError) throw error;
      this.close();
      // A connection that has been idle may have been closed meanwhile.
      if (reused) return this.#read();
      throw error;
    }
  }

  async #readBy(side: Lookup): Promise<Meaning> {
    const query = (text: string): ReturnType<Lookup['query']> => side.query(text);
    const known = this.#meaning;
    // After a definition that is known of it has changed for sure.
    if (known && this.#checked > 0 && !isReadInPart(known.catalog) && (await isSame(query, known.catalog.contents))) {
      const catalog = await completeCatalog(query, known.catalog);
      return catalog === known.catalog ? known : { ...known, catalog };
    }
    const lineage = known?.lineage ?? (await loadLineage(side.major));
    const [path] = await query('show search_path');
    const searchPath = path?.[0] ?? '';
    const trust = { readsNothing: this.#readsNothing, path: splitSearchPath(searchPath) };
    return { catalog: await readCatalog(query, lineage.parse, known?.catalog, trust), lineage, searchPath };
  }
}

/** Longer ones the server cuts off, and an array type has one character more than its table. */
const MAX_NAME = 60;
const PLAIN_NAME = /^[a-z0-9$][a-z0-9_$]*$/;

/**
 * Whether a text may name one of these, or what is called after it (`t_id_seq`, `t_pkey`, `_t`). Of what is no table (it has a blank) it
 * may: a schema that has just come decides where names without one are looked up, and a function may stand behind an operator.
 */
function mayName(text: string, names: readonly string[]): boolean {
  const lower = text.toLowerCase();
  const plain = new Set<string>();
  for (const named of names) {
    const name = named.slice(named.lastIndexOf('.') + 1).toLowerCase();
    if (PLAIN_NAME.test(name) && name.length <= MAX_NAME && !named.includes(' ')) plain.add(name);
    else if (named.includes(' ') || /^_|"/.test(name) || name.length > MAX_NAME || lower.includes(name)) return true;
  }
  if (/[uU]&"/.test(text)) return true;
  for (const [word] of lower.matchAll(/[a-z0-9_$]+/g)) {
    const part = word.replace(/^_+/, '').slice(0, MAX_NAME + 1);
    for (let end = part.length; end > 0; end = part.lastIndexOf('_', end - 1))
      if (plain.has(part.slice(0, end))) return true;
  }
  return false;
}
