/**
 * Whether a statement means at the target what it was judged to mean. The target settles by which definitions a statement runs when it has
 * the locks that it needs, which may be long after it was sent. Owns: when that is looked at, and what counts as the same. Does not own:
 * what is on its way (`underway.ts`), reading the catalog (`catalogs.ts`), nor what waits meanwhile (protocols/postgres).
 */
import { isDeepStrictEqual } from 'node:util';
import { type Effect, type Facts, Outdated } from '@sluice/contract';
import { type StatementLineage, isSchemaName } from '../lineage/index.js';
import { lastParts } from '../written-names.js';
import type { Meaning, TargetCatalog } from './catalogs.js';
import { type RuledColumns, touches } from './columns.js';
import { namesOf } from './defined.js';
import { actionsOf } from './effects.js';
import { TRANSACTION_CONTROL, isTransactionControl } from './followed.js';
import { type Reached, callsFunctions, mayReach, reachedBy } from './reached.js';
import type { UnderWay } from './underway.js';

/**
 * A statement that was answered later than this after it was judged may have waited for somebody whose definitions do not pass the gateway,
 * in milliseconds. Then the catalog is asked, which costs the server next to nothing while nothing has changed.
 */
const SLOW_MS = 500;

/** How a text was judged. */
export interface Judged {
  readonly text: string;
  readonly facts: Facts;
  readonly meaning: Meaning;
  /** What its statements do; undefined where nothing is known of them. */
  readonly lineage: readonly StatementLineage[] | undefined;
  readonly columns: RuledColumns;
  /** The same text by another catalog, in the session as it was. */
  again(meaning: Meaning): Pick<Judged, 'meaning' | 'lineage' | 'columns'>;
  /** The catalog is asked where it was slow: not where it may have taken the last process that a pooler gives the gateway. */
  readonly asksWhenSlow: boolean;
  /** For what is looked up while the session has a process of the target to itself. */
  inTime<T>(lookup: Promise<T>): Promise<T>;
}

/** A time by the clock, in milliseconds, and by `underWay`. */
interface Moment {
  readonly at: number;
  readonly asOf: number;
}

export class Standing {
  readonly #catalog: TargetCatalog;
  readonly #owner: object;
  readonly #judged: Judged;
  /** As of when it was judged. */
  readonly #since: Moment;
  /** As of when single statements stand that were looked at again. */
  #stood: Map<number, Moment> | undefined;
  /** The last look at the catalog: what the statements of the text mean by it. */
  #looked: (Moment & { readonly late: ReturnType<Judged['again']> }) | undefined;
  #reached: Reached | undefined;
  #calls: boolean | undefined;
  /** Statements that the definitions of now mean otherwise, and that have nothing to do with masks by any of them. */
  #late: Map<number, ReturnType<Judged['again']>> | undefined;
  #fallen: Set<number> | undefined;

  /** @param owner the session, as `underWay` knows it */
  constructor(catalog: TargetCatalog, owner: object, judged: Judged) {
    this.#catalog = catalog;
    this.#owner = owner;
    this.#judged = judged;
    this.#since = { at: performance.now(), asOf: catalog.asOf(judged.meaning) };
  }

  /** See `Masking.stands`. */
  check(statement: number, goesOn: boolean): Promise<void> | undefined {
    const { at, asOf } = this.#stood?.get(statement) ?? this.#standsAsLooked(statement) ?? this.#since;
    const isSlow = !goesOn && this.#judged.asksWhenSlow && performance.now() - at > SLOW_MS;
    if (!isSlow && this.#catalog.underWay.isSettled(asOf)) return undefined;
    if (!this.#matters(statement)) return undefined;
    const meanwhile = this.#meanwhile(asOf);
    // Tables and views it has locked by now.
    if (goesOn && !(meanwhile.some(definesFunctions) && this.#callsFunctions)) return undefined;
    return meanwhile.length > 0 || isSlow ? this.#lookAgain(statement, asOf, meanwhile, isSlow) : undefined;
  }

  /**
   * Definitions of others that it may reach may have taken effect since it was judged. Schemas decide what names mean: the end of a
   * transaction has none, and the code that runs with it counts as code.
   */
  get isInDoubt(): boolean {
    const meanwhile = this.#meanwhile(this.#since.asOf);
    if (!isTransactionControl(this.#judged.facts)) return meanwhile.length > 0;
    const reached = this.#reached ?? 'any';
    return meanwhile.some(
      ({ names }) => names === 'any' || [...names].some((name) => !isSchemaName(name) && mayReach(reached, name)),
    );
  }

  /** It ran by other definitions than it was judged by: what it did is not known. */
  hasFallen(statement: number): boolean {
    return this.#fallen?.has(statement) === true;
  }

  /** By which definitions it may have run besides those that it was judged by. */
  late(statement: number): ReturnType<Judged['again']> | undefined {
    return this.#late?.get(statement);
  }

  /** A text of thousands of statements is not read anew for each: what was looked at for one counts for those that mean the same by it. */
  #standsAsLooked(statement: number): Moment | undefined {
    const looked = this.#looked;
    if (!looked || !this.#isSame(statement, looked.late)) return undefined;
    (this.#stood ??= new Map()).set(statement, looked);
    return looked;
  }

  /** What is not followed is NULL whatever it means, and of what shows and moves nothing it does not matter. */
  #matters(statement: number): boolean {
    const { facts, lineage, columns } = this.#judged;
    const own = actionsOf(facts, statement);
    const isSettled = own.every(
      ({ verb, effects }) => SETTLED.has(verb) || effects.every((effect) => DEFINES.has(effect)),
    );
    if (own.length > 0 && isSettled) return false;
    const one = lineage?.[statement];
    return columns.guarded.size === 0 || (one !== undefined && one.unknown === undefined);
  }

  #meanwhile(asOf: number): readonly UnderWay[] {
    const found = this.#catalog.underWay.since(asOf, this.#owner);
    if (found.length === 0) return found;
    const { text, meaning } = this.#judged;
    const reached = (this.#reached ??= reachedBy(text, meaning.catalog));
    return found.filter(({ names }) => names === 'any' || [...names].some((name) => mayReach(reached, name)));
  }

  get #callsFunctions(): boolean {
    const { text, meaning } = this.#judged;
    return (this.#calls ??= callsFunctions(text, meaning.catalog));
  }

  async #lookAgain(statement: number, asOf: number, meanwhile: readonly UnderWay[], isSlow: boolean): Promise<void> {
    const began = performance.now();
    try {
      const meaning = await this.#judged.inTime(
        this.#catalog.readNow(isSlow || !meanwhile.every(({ tablesOnly }) => tablesOnly) ? 'any' : namesOf(meanwhile)),
      );
      const last = this.#looked?.late;
      const late = last?.meaning === meaning ? last : this.#judged.again(meaning);
      // What is locked now nobody else has changed since this one has read it; before that, somebody of this gateway may have.
      const isUnread = late.lineage?.some(({ unread }) => unread !== undefined) === true;
      const stands = isUnread
        ? meanwhile.length === 0
        : !(await this.#wasOtherwise(meaning, asOf)) && this.#isSame(statement, late);
      if (!stands) throw new Outdated(CHANGED, this.#remains(statement));
      const now = { at: began, asOf: this.#catalog.asOf(meaning) };
      (this.#stood ??= new Map()).set(statement, now);
      // Statements that have not been looked at may have run between any two definitions since the text was judged.
      if (!isUnread && (asOf === this.#since.asOf || !isTwice(this.#meanwhile(this.#since.asOf))))
        this.#looked = { ...now, late };
    } catch (error) {
      (this.#fallen ??= new Set()).add(statement);
      throw error instanceof Outdated ? error : new Outdated(UNKNOWN, meanwhile.length > 0 && this.#remains(statement));
    }
  }

  /** It may have run by definitions that are gone again: between two of them, or within a code that commits. */
  async #wasOtherwise(meaning: Meaning, asOf: number): Promise<boolean> {
    const { meaning: before, text } = this.#judged;
    const reached = [this.#reached ?? reachedBy(text, before.catalog), reachedBy(text, meaning.catalog)];
    const isReached = (name: string): boolean => reached.some((one) => mayReach(one, name));
    const meanwhile = this.#catalog.underWay
      .since(asOf, this.#owner)
      .filter(({ names }) => names === 'any' || [...names].some(isReached));
    if (!isTwice(meanwhile)) return false;
    const named = meanwhile.flatMap(({ names }) => (names === 'any' ? [] : [...names]));
    if (named.some((name) => isReached(name) && !isThere(meaning, name))) return true;
    // All rows of the catalog are the very same.
    if (meaning.catalog.version === before.catalog.version) return false;
    const changed = await this.#judged.inTime(this.#catalog.changedSince(before));
    return changed.some(
      ({ name, column }) =>
        name === '' || (isReached(name) && (column === undefined || isReached('*') || isReached(column))),
    );
  }

  #isSame(statement: number, late: ReturnType<Judged['again']>): boolean {
    const { lineage, columns, meaning } = this.#judged;
    const [before, now] = [lineage?.[statement], late.lineage?.[statement]];
    if (!before || !now) return columns.guarded.size === 0 && late.columns.guarded.size === 0;
    if (isDeepStrictEqual(comparable(before), comparable(now))) return isMaskedAlike(before, columns, late.columns);
    const isUntouched =
      before.unknown === undefined &&
      now.unknown === undefined &&
      before.effects.length + now.effects.length === 0 &&
      !touches(before, columns.guarded, meaning.catalog) &&
      !touches(now, late.columns.guarded, late.meaning.catalog);
    if (isUntouched) (this.#late ??= new Map()).set(statement, late);
    return isUntouched;
  }

  /** It has changed something that its transaction may still commit. */
  #remains(statement: number): boolean {
    return actionsOf(this.#judged.facts, statement).some(({ effects }) => effects.some((effect) => effect !== 'read'));
  }
}

/** One of them may have taken back what another one did. */
const isTwice = (definitions: readonly UnderWay[]): boolean =>
  definitions.length > 1 || definitions.some(({ names }) => names === 'any');

const CHANGED = 'Definitions that this statement uses changed while it waited at the target.';
const UNKNOWN = 'Whether definitions that this statement uses have changed while it ran could not be found out.';

/** They show nothing of what there is, and move nothing of it. */
const SETTLED: ReadonlySet<string> = new Set([
  ...TRANSACTION_CONTROL,
  'prepare transaction',
  'lock table',
  'set',
  'reset',
]);

/** Code that goes on may define anything at any time, and is looked at when it is over. */
const definesFunctions = ({ names, functions, at }: UnderWay): boolean =>
  functions.size > 0 || (names === 'any' && at !== undefined);

/** What only defines shows nothing, and is read by the definitions of when it is used. */
const DEFINES: ReadonlySet<Effect> = new Set(['define', 'grant', 'destroy']);

function isThere({ catalog }: Meaning, name: string): boolean {
  const names = lastParts(name.replace(/^function /, ''));
  return (
    names.some((one) => catalog.relationsNamed(one).length > 0 || catalog.routinesNamed(one).length > 0) ||
    catalog.types.some((type) => names.includes(type.name))
  );
}

/** Of which reading of the catalog it is does not matter. */
const comparable = (lineage: StatementLineage): StatementLineage => ({
  ...lineage,
  effects: lineage.effects.map((effect) => {
    if (effect.type === 'cursor') {
      const { version: _, ...cursor } = effect.cursor;
      return { ...effect, cursor };
    }
    if (effect.type !== 'relation') return effect;
    const { version: _, ...relation } = effect.relation;
    return { ...effect, relation };
  }),
});

/** A mask that has come since counts; one that is gone is put on all the same. */
function isMaskedAlike(
  { outputs, flows, predicates }: StatementLineage,
  before: RuledColumns,
  now: RuledColumns,
): boolean {
  const columns = new Set([
    ...outputs.flatMap(({ sources }) => [...sources]),
    ...flows.flatMap(({ value }) => [...value.sources]),
    ...predicates.map(({ column }) => column),
  ]);
  return [...columns].every((column) => {
    const mask = now.guarded.get(column);
    return mask === undefined || isDeepStrictEqual(mask, before.guarded.get(column));
  });
}
