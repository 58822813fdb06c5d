/**
 * Files of calls that were let through to a provider, which keeps them: by whom, by which rules, and what they have taken from budgets. Owns:
 * that a batch is made of no other file. Does not: judge one (model-files.ts), or keep it on disk (packages/store).
 */
import type { Charge } from '@sluice/budgets';

/** A file as it is kept. */
export interface JudgedFile {
  readonly connection: string;
  /** Who answers for it, and who has sent it: rules see the latter. */
  readonly person: string;
  readonly principal: string;
  /** As its provider calls it. */
  readonly file: string;
  /** The path that all of its lines ask for. */
  readonly endpoint: string;
  /** Fingerprint of the rules that it was judged by. */
  readonly rules: string;
  /** 'counted': one batch may be made of it, which budgets have room for; 'used': that has been made. */
  readonly state: 'free' | 'counted' | 'used';
  /** When it was let through, in milliseconds since 1970. */
  readonly since: number;
}

export type FileKey = Pick<JudgedFile, 'connection' | 'principal' | 'file'>;

/** Where they are kept. */
export interface JudgedFileStore {
  all(): Promise<readonly JudgedFile[]>;
  save(file: JudgedFile): Promise<void>;
  remove(file: FileKey): Promise<void>;
}

/** Providers keep such a file for a month. */
const KEPT_MS = 31 * 24 * 3_600_000;
/** Of one person, and of all: beyond that the oldest is forgotten, so that it has to be sent once more. */
const MAX_FILES_OF_ONE = 1_000;
const MAX_FILES = 20_000;
/** Files with answers whose batch is known. */
const MAX_OUTPUTS = 20_000;

interface Entry {
  file: JudgedFile;
  /** What it has taken, until it is known what it has used up. Forgotten with the process. */
  charges: readonly Charge[];
}

export class JudgedFiles {
  readonly #store: JudgedFileStore;
  readonly #failed: (error: Error) => void;
  /** In the order in which they came. */
  readonly #files = new Map<string, Entry>();
  readonly #owned = new Map<string, number>();
  /** By connection and the file with the answers: the file with the calls. */
  readonly #inputs = new Map<string, string>();

  private constructor(store: JudgedFileStore, failed: (error: Error) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /** `failed`: is told when something cannot be kept. */
  static async open(store: JudgedFileStore, failed: (error: Error) => void): Promise<JudgedFiles> {
    const files = new JudgedFiles(store, failed);
    const all = [...(await store.all())].sort((one, other) => one.since - other.since);
    for (const file of all) files.#add(file, []);
    return files;
  }

  find(key: FileKey): JudgedFile | undefined {
    const found = this.#files.get(keyOf(key));
    return found && found.file.since > Date.now() - KEPT_MS ? found.file : undefined;
  }

  /** The provider has taken it, and calls it so. */
  note(file: JudgedFile, charges: readonly Charge[]): void {
    this.#add(file, charges);
    this.#store.save(file).catch(this.#failed);
  }

  /** A batch is made of one that was counted for one batch, or is not, after all. */
  mark(key: FileKey, state: 'counted' | 'used'): void {
    const entry = this.#files.get(keyOf(key));
    if (!entry || entry.file.state === 'free') return;
    entry.file = { ...entry.file, state };
    this.#store.save(entry.file).catch(this.#failed);
  }

  /** The answers to the calls of a file are in another one. */
  answers(key: FileKey, output: string): void {
    const input = keyOf(key);
    if (!this.#files.has(input)) return;
    if (this.#inputs.size >= MAX_OUTPUTS) this.#inputs.delete(this.#inputs.keys().next().value ?? '');
    this.#inputs.set(outputKey(key.connection, output), input);
  }

  /** What the answers in a file say that they have used up counts in place of what was taken for them, once. */
  settle(connection: string, output: string, used: { readonly input: number; readonly output: number }): void {
    const input = this.#inputs.get(outputKey(connection, output));
    const entry = input === undefined ? undefined : this.#files.get(input);
    const [charge, another] = entry?.charges ?? [];
    // Of several models nobody can say here which has used what: what was taken counts.
    if (!entry || !charge || another) return;
    entry.charges = [];
    charge.used(used);
    charge.end();
  }

  #add(file: JudgedFile, charges: readonly Charge[]): void {
    const key = keyOf(file);
    this.#forget(key);
    this.#files.set(key, { file, charges });
    const owned = (this.#owned.get(file.person) ?? 0) + 1;
    this.#owned.set(file.person, owned);
    if (owned > MAX_FILES_OF_ONE) this.#forgetOldest(file.person);
    else if (this.#files.size > MAX_FILES) this.#forgetOldest(this.#largest());
  }

  #forgetOldest(person: string): void {
    for (const [key, entry] of this.#files) {
      if (entry.file.person !== person) continue;
      this.#forget(key);
      this.#store.remove(entry.file).catch(this.#failed);
      return;
    }
  }

  #forget(key: string): void {
    const entry = this.#files.get(key);
    if (!entry) return;
    this.#files.delete(key);
    const { person } = entry.file;
    const left = (this.#owned.get(person) ?? 1) - 1;
    if (left > 0) this.#owned.set(person, left);
    else this.#owned.delete(person);
  }

  /** Whoever has the most makes room for others. */
  #largest(): string {
    let largest = '';
    for (const [person, count] of this.#owned)
      if (largest === '' || count > (this.#owned.get(largest) ?? 0)) largest = person;
    return largest;
  }
}

const keyOf = ({ connection, principal, file }: FileKey): string => JSON.stringify([connection, principal, file]);
const outputKey = (connection: string, output: string): string => JSON.stringify([connection, output]);
