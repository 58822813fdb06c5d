/**
 * What people have allowed the gateway at targets. Owns: whose each grant is, that it is kept encrypted, renewed in time, and gone when somebody takes
 * it back. Does not: ask an issuer (issuer.ts), or know who may use a connection.
 */
import type { GrantStore } from '@sluice/store';
import { GrantError, GrantUnavailable } from './errors.js';
import { type GrantAttempt, type GrantSettings, type GrantTokens, begin, finish, renew, revoke } from './issuer.js';
import { seal, unseal } from './sealed.js';

/** A token is renewed when it has so much time left, in milliseconds. */
const RENEWED_BEFORE_MS = 30_000;
/** After an issuer could not be asked it is left alone for so long, in milliseconds. */
const PAUSE_MS = 2_000;
/** What was shown to a target is hidden in what it answers for so long after it was replaced or taken back, in milliseconds. */
const HIDDEN_MS = 60 * 60_000;
/** Tokens of before that are hidden for one person at one target: those shown last. */
const MAX_HIDDEN = 16;

/** A grant as people see it. */
export interface GrantRow {
  readonly connection: string;
  /** Whose it is: a name that stays the same. */
  readonly owner: string;
  /** How they were called then. */
  readonly principal: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

interface Entry {
  readonly row: GrantRow;
  sealed: string;
  /** As it was read, and for which settings. */
  open: { readonly bound: string; readonly tokens: GrantTokens } | undefined;
  under: Promise<string> | undefined;
  failed: number;
}

/** A token of before, which requests that are under way may still show. */
interface Hidden {
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class Grants {
  readonly #store: GrantStore;
  readonly #key: Uint8Array;
  readonly #entries = new Map<string, Entry>();
  readonly #hidden = new Map<string, readonly Hidden[]>();
  /** The last write to the store of each grant, which the next one waits for. */
  readonly #writes = new Map<string, Promise<void>>();
  readonly #unsaved: (error: Error) => void;

  private constructor(store: GrantStore, key: Uint8Array, unsaved: (error: Error) => void) {
    this.#store = store;
    this.#key = key;
    this.#unsaved = unsaved;
  }

  /** `key`: 32 bytes, kept apart from the store. `unsaved`: is told what the store could not keep. */
  static async open(store: GrantStore, key: Uint8Array, unsaved: (error: Error) => void): Promise<Grants> {
    const grants = new Grants(store, key, unsaved);
    for (const { sealed, ...row } of await store.all()) grants.#entries.set(nameOf(row), entryOf(row, sealed));
    return grants;
  }

  /** The oldest first. */
  all(): GrantRow[] {
    return Array.from(this.#entries.values(), ({ row }) => row);
  }

  has(connection: string, owner: string): boolean {
    return this.#entries.has(nameOf({ connection, owner }));
  }

  /** Where to send somebody, who has proven to be `owner`. Rejects with a GrantError. */
  begin(
    settings: GrantSettings,
    at: Pick<GrantAttempt, 'connection' | 'owner' | 'redirect'>,
  ): ReturnType<typeof begin> {
    return begin(settings, at);
  }

  /** They are back, and have proven the same again. `query`: with which. Rejects with a GrantError, and with what the store throws. */
  async finish(settings: GrantSettings, attempt: GrantAttempt, query: string, principal: string): Promise<GrantRow> {
    const tokens = await finish(settings, attempt, query);
    const { connection, owner } = attempt;
    const row = { connection, owner, principal, since: Date.now() };
    const bound = boundTo(connection, settings);
    const entry = entryOf(row, seal(this.#key, owner, bound, JSON.stringify(tokens)));
    entry.open = { bound, tokens };
    const before = this.#put(row, entry);
    try {
      await this.#write(row);
    } catch (error) {
      if (this.#entries.get(nameOf(row)) === entry) this.#put(row, before);
      throw error;
    }
    return row;
  }

  /**
   * The token of one person, at once where it is good for a while. Undefined: there is none, and they have to be asked. Rejects with a
   * GrantUnavailable.
   */
  token(settings: GrantSettings, connection: string, owner: string): string | undefined | Promise<string | undefined> {
    const entry = this.#entries.get(nameOf({ connection, owner }));
    const tokens = entry && this.#read(entry, settings);
    if (!entry || !tokens) return undefined;
    if (tokens.until - RENEWED_BEFORE_MS > Date.now()) return tokens.access;
    if (tokens.refresh === undefined) return tokens.until > Date.now() ? tokens.access : undefined;
    if (Date.now() - entry.failed < PAUSE_MS) return Promise.reject(new GrantUnavailable(LATER));
    entry.under ??= this.#renew(entry, settings, tokens).finally(() => {
      entry.under = undefined;
    });
    return entry.under.catch((error: unknown) => {
      if (error instanceof GrantUnavailable || !(error instanceof GrantError)) throw error;
      return undefined;
    });
  }

  /** What must not come back from the target: tokens of this person, and those of before that requests may still show. */
  secrets(connection: string, owner: string): readonly string[] {
    const name = nameOf({ connection, owner });
    const { access = '', refresh = '' } = this.#entries.get(name)?.open?.tokens ?? {};
    const own = [access, refresh].filter((one) => one !== '');
    const hidden = this.#hidden.get(name);
    if (!hidden) return own;
    const now = Date.now();
    const left = hidden.filter(({ until }) => until > now);
    if (left.length === 0) this.#hidden.delete(name);
    return [...own, ...left.map(({ secret }) => secret)];
  }

  /** The target does not take this token any more: the next request has another one, or its owner is asked. */
  refused(settings: GrantSettings, connection: string, owner: string, access: string): void {
    const entry = this.#entries.get(nameOf({ connection, owner }));
    const tokens = entry && this.#read(entry, settings);
    if (!entry || !tokens || tokens.access !== access || entry.open === undefined) return;
    entry.open = { ...entry.open, tokens: { ...tokens, until: 0 } };
  }

  /** Forgets it at once. `settings`: where it was given, which is told. False: there is none. Rejects when the store still has it. */
  async revoke(settings: GrantSettings | undefined, connection: string, owner: string): Promise<boolean> {
    const row = { connection, owner };
    const entry = this.#entries.get(nameOf(row));
    if (!entry) return false;
    const tokens = settings && this.#read(entry, settings);
    this.#put(row, undefined);
    await this.#write(row);
    if (settings && tokens) void revoke(settings, tokens);
    return true;
  }

  /** Returns what was in its place, whose tokens stay hidden. */
  #put(row: Pick<GrantRow, 'connection' | 'owner'>, entry: Entry | undefined): Entry | undefined {
    const name = nameOf(row);
    const before = this.#entries.get(name);
    if (before?.open) this.#hide(name, before.open.tokens);
    if (entry) this.#entries.set(name, entry);
    else this.#entries.delete(name);
    return before;
  }

  #hide(name: string, { access, refresh }: GrantTokens): void {
    const now = Date.now();
    const until = now + HIDDEN_MS;
    const secrets = refresh === undefined ? [access] : [access, refresh];
    const known = (this.#hidden.get(name) ?? []).filter((one) => one.until > now && !secrets.includes(one.secret));
    this.#hidden.set(name, [...known, ...secrets.map((secret) => ({ secret, until }))].slice(-MAX_HIDDEN));
  }

  /** The store is given what is true by then, so that no write of before undoes a later one. Rejects with what the store throws. */
  #write(row: Pick<GrantRow, 'connection' | 'owner'>): Promise<void> {
    const name = nameOf(row);
    const writing = (this.#writes.get(name) ?? Promise.resolve()).then(() => {
      const entry = this.#entries.get(name);
      return entry
        ? this.#store.save({ ...entry.row, sealed: entry.sealed })
        : this.#store.remove(row.connection, row.owner);
    });
    const settled = writing
      .catch(() => undefined)
      .then(() => {
        if (this.#writes.get(name) === settled) this.#writes.delete(name);
      });
    this.#writes.set(name, settled);
    return writing;
  }

  #read(entry: Entry, settings: GrantSettings): GrantTokens | undefined {
    const { connection, owner } = entry.row;
    const bound = boundTo(connection, settings);
    if (entry.open?.bound === bound) return entry.open.tokens;
    const text = unseal(this.#key, owner, bound, entry.sealed);
    if (text === undefined) return undefined;
    const tokens = JSON.parse(text) as GrantTokens;
    entry.open = { bound, tokens };
    return tokens;
  }

  async #renew(entry: Entry, settings: GrantSettings, before: GrantTokens): Promise<string> {
    const { row } = entry;
    const isCurrent = (): boolean => this.#entries.get(nameOf(row)) === entry;
    try {
      const tokens = await renew(settings, before);
      if (!isCurrent()) {
        // Where there is another one of this person, an issuer may end that as well: it is left to its time.
        if (this.#entries.has(nameOf(row))) throw new GrantUnavailable(REPLACED);
        void revoke(settings, tokens);
        throw new GrantError('The grant was taken back.');
      }
      const bound = boundTo(row.connection, settings);
      this.#hide(nameOf(row), before);
      entry.open = { bound, tokens };
      entry.sealed = seal(this.#key, row.owner, bound, JSON.stringify(tokens));
      await this.#write(row).catch(this.#unsaved);
      return tokens.access;
    } catch (error) {
      if (error instanceof GrantUnavailable) entry.failed = Date.now();
      else if (isCurrent()) {
        this.#put(row, undefined);
        await this.#write(row).catch(this.#unsaved);
      }
      throw error;
    }
  }
}

const REPLACED = 'Your grant was given anew at this moment: try again.';
const LATER = 'The issuer of this grant cannot be asked at the moment.';

const nameOf = ({ connection, owner }: Pick<GrantRow, 'connection' | 'owner'>): string =>
  JSON.stringify([connection, owner]);

const entryOf = (row: GrantRow, sealed: string): Entry => ({
  row,
  sealed,
  open: undefined,
  under: undefined,
  failed: 0,
});

/** A grant for one target, by one client, is good for no other one that a connection may lead to later. */
const boundTo = (connection: string, { clientId, issuer, scope, resource }: GrantSettings): string =>
  JSON.stringify([connection, clientId, issuer ?? '', scope ?? '', resource]);
