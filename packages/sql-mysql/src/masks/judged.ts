/**
 * By which definitions a statement was judged, and whether it has run by them: a target fixes that when it takes a statement up, which may be
 * long after it was sent. Owns: the comparison. Does not: what becomes of the answer (session.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import type { MySqlDialect, TextDigest } from '@sluice/contract';
import type { SessionEffect, SessionNames, StatementLineage } from '../lineage/index.js';
import type { Meaning, TargetCatalog } from './catalogs.js';
import { TRUSTED_MS } from './catalogs.js';
import type { Defined, Definition } from './definitions.js';
import { effectsUnfollowed, follow } from './follow.js';

/** What a statement was followed by. */
export interface FollowedStatement {
  readonly text: string;
  readonly digest: TextDigest | undefined;
  readonly dialect: MySqlDialect;
  readonly session: SessionNames;
  readonly lineage: StatementLineage | undefined;
  /** Some rule masks or counts something for whoever sent it. */
  readonly isRuled: boolean;
}

const CHANGED =
  'Something that this statement reads was defined anew while it waited, so nothing of its answer is shown. Run it again.';
const NOT_ASKED =
  'Something that this statement reads may have been defined anew while it waited, and the target could not be asked what, so nothing of its answer is shown. Run it again.';

/** A phrase of which the statement is the subject. */
const DEFINED_ANEW = 'reads what was defined anew while it waited';

const NOTHING_READ: ReadonlySet<string> = new Set();

export class Judged {
  readonly #targets: TargetCatalog;
  readonly #statement: FollowedStatement;
  /** What it defines itself. */
  readonly #defined: Defined | undefined;
  #meaning: Meaning;
  #own: Definition | undefined;
  #sent = 0;
  /** It has run by other definitions, or nobody knows: this is what it may have done to the session. */
  changed: readonly SessionEffect[] | undefined;

  constructor(targets: TargetCatalog, meaning: Meaning, statement: FollowedStatement, defined: Defined | undefined) {
    this.#targets = targets;
    this.#meaning = meaning;
    this.#statement = statement;
    this.#defined = defined;
  }

  /** The target may take it up from now on. Returns whether it defines anything. */
  sent(): boolean {
    this.#sent = Date.now();
    if (!this.#defined || this.#own) return false;
    this.#own = this.#targets.definitions.begin(this.#defined);
    // What it changes itself it does not meet.
    if (this.#meaning.moment === this.#own.begun - 1) this.#meaning = { ...this.#meaning, moment: this.#own.begun };
    return true;
  }

  /**
   * The target begins to answer, or begins another result: by now it has taken up what comes.
   *
   * @returns undefined: it was judged by the definitions that it has run by. Otherwise that is found out: a sentence where it was not
   */
  stands(): Promise<string | undefined> | undefined {
    const { definitions } = this.#targets;
    if (!this.#statement.isRuled) return undefined;
    // Definitions from elsewhere are found by time alone, and what it has made itself is none of them.
    const isOld = !this.#own && Date.now() - this.#sent >= TRUSTED_MS;
    if (definitions.now === this.#meaning.moment && !isOld) return undefined;
    if (!isOld && this.#met(this.#statement.lineage).length === 0) return undefined;
    return this.#judgeAgain().then((why) => {
      if (why === undefined) return undefined;
      const { session, text, digest, dialect } = this.#statement;
      this.changed = effectsUnfollowed(this.#meaning.catalog, session, text, digest, dialect, DEFINED_ANEW);
      return why;
    });
  }

  /** The answer is over. */
  ended(): void {
    if (this.#own) this.#targets.answered(this.#own);
  }

  /** Nobody hears the answer any more. @param thread the target's number of the connection */
  unheard(thread: number | undefined): void {
    if (this.#own) this.#targets.unheard(this.#own, thread);
  }

  /** Definitions that it may have run by, and was not judged by. */
  #met(lineage: StatementLineage | undefined): readonly Definition[] {
    return this.#targets.definitions.since(this.#meaning.from, lineage?.reads ?? NOTHING_READ, this.#own);
  }

  async #judgeAgain(): Promise<string | undefined> {
    const { lineage, session, text, digest, dialect } = this.#statement;
    let now: Meaning;
    try {
      now = await this.#targets.again();
    } catch {
      return NOT_ASKED;
    }
    const followed =
      now.catalog === this.#meaning.catalog ? lineage : follow(now.catalog, session, text, digest, dialect);
    if (!isSame(lineage, followed)) return CHANGED;
    // Of two, one may have taken back what the other has done before: it looks the same then, and has run by neither.
    const met = new Set([...this.#met(lineage), ...this.#met(followed)].filter(({ remakes }) => remakes));
    if (met.size > 1) return CHANGED;
    this.#meaning = now;
    return undefined;
  }
}

/** The same is shown, asked, moved and left in the session. */
function isSame(one: StatementLineage | undefined, other: StatementLineage | undefined): boolean {
  if (!one || !other) return one === other;
  return one === other || isDeepStrictEqual({ ...one, reads: undefined }, { ...other, reads: undefined });
}
