/**
 * Names that have changed at a target and have not been read since. Owns: which these are, and whether a text may name one. Does not own: when
 * they are read (`catalogs.ts`), nor which names a definition changes (`changed-tables.ts`).
 */
import { CODE_BEHIND_WRITES } from '../lineage/index.js';

/** Longer ones the server cuts off, and an array type has one character more than its table. */
const MAX_NAME = 60;
const PLAIN_NAME = /^[a-z0-9$][a-z0-9_$]*$/;

/** Of tables, and of other things as `changedNames` writes them. Each costs when it comes, and not for every text that is looked through. */
export class PendingNames {
  #unread = new Set<string>();
  readonly #inReading = new Set<string>();
  /** Of both: names as they stand in a text, but for their schema. */
  #plain = new Set<string>();
  /** Of both: parts of texts that may be names, where that is all that can be said. */
  #odd = new Set<string>();
  /** Of both: one that any text may mean. */
  #isAny = false;

  /** How many have changed and are not being read. */
  get unread(): number {
    return this.#unread.size;
  }

  get isEmpty(): boolean {
    return this.#unread.size === 0 && this.#inReading.size === 0;
  }

  add(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#unread.has(name)) continue;
      this.#unread.add(name);
      this.#see(name);
    }
  }

  /** They are being read from now on. Returns all that are. */
  begin(): ReadonlySet<string> {
    for (const name of this.#unread) this.#inReading.add(name);
    this.#unread = new Set();
    return this.#inReading;
  }

  /** What was being read has been, or nobody waits for it any more. */
  end(): void {
    this.#inReading.clear();
    this.#plain = new Set();
    this.#odd = new Set();
    this.#isAny = false;
    for (const name of this.#unread) this.#see(name);
  }

  /**
   * Whether a definition that changes no rows may name one of these, or what is called after it (`t_id_seq`, `t_pkey`, `_t`). Of what is no
   * table (it has a blank) it may: a schema that has just come decides where names without one are looked up, and a function may stand behind
   * an operator.
   */
  mayBeNamedIn(text: string): boolean {
    if (this.#isAny) return true;
    if (this.#plain.size + this.#odd.size === 0) return false;
    const lower = text.toLowerCase();
    for (const name of this.#odd) if (lower.includes(name)) return true;
    if (/[uU]&"/.test(text)) return true;
    for (const [word] of lower.matchAll(/[a-z0-9_$]+/g)) {
      const part = word.replace(/^_+/, '').slice(0, MAX_NAME + 1);
      for (let end = part.length; end > 0; end = part.lastIndexOf('_', end - 1))
        if (this.#plain.has(part.slice(0, end))) return true;
    }
    return false;
  }

  #see(named: string): void {
    // What comes to other tables with rows does not come to what changes none.
    if (named === CODE_BEHIND_WRITES) return;
    const name = named.slice(named.lastIndexOf('.') + 1).toLowerCase();
    if (named.includes(' ') || /^_|"/.test(name) || name.length > MAX_NAME) this.#isAny = true;
    else if (PLAIN_NAME.test(name)) this.#plain.add(name);
    else this.#odd.add(name);
  }
}
