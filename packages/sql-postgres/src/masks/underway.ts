/**
 * Definitions of sessions of this gateway that may take effect at a target, and what others do meanwhile that could not be taken back. Owns:
 * from when until when that is, by a clock that counts them. Does not own: what a catalog knows of them (`catalogs.ts`), nor which statements
 * they matter to (`standing.ts`, `turns.ts`).
 */

/** What it may define: names as `Overlay.defined` has them, or it is not known. */
export type DefinedNames = ReadonlySet<string> | 'any';

/** Definitions of one command. */
export interface Defined {
  readonly names: DefinedNames;
  /** It has defined tables alone, which can be read by their names. */
  readonly tablesOnly: boolean;
  /** Names of relations among them, also where there may be more: without schemas. */
  readonly named: ReadonlySet<string>;
  /** The same of functions: whoever runs one goes on with it as it was. */
  readonly functions: ReadonlySet<string>;
  /** Relations that nobody reads meanwhile, for the target locks them: as they are written. */
  readonly locked: ReadonlySet<string>;
}

/** From when it is sent until it has been answered, the target may put it into effect at any time. */
export interface UnderWay extends Defined {
  /** The session that sent it: what that sends itself, the target handles in order. */
  readonly owner: object;
  /** When it was answered, by `now`. */
  readonly at?: number;
}

/** A statement that runs by itself, and moves values where they stay. */
export interface Moving {
  readonly owner: object;
  /** Whether what is defined is among what it means, and not settled yet. */
  reaches(defined: Defined): boolean;
  /** Has the target cancel it. */
  stop(): void;
}

interface Ended extends UnderWay {
  readonly at: number;
}

/** What is kept of those that were answered. Whoever asks for an earlier time than that gets one that may have defined anything. */
const MAX_ENDED = 2_000;

export class DefinitionsUnderWay {
  readonly #open = new Set<UnderWay>();
  /** In transactions that are not over. */
  readonly #held = new Set<UnderWay>();
  readonly #moving = new Set<Moving>();
  /** In the order of their answers. */
  #ended: Ended[] = [];
  #forgottenUntil = 0;
  #now = 0;
  #next = Promise.withResolvers<void>();

  /** A time, behind all that were answered before and before all that will be. */
  get now(): number {
    return this.#now;
  }

  begin(defined: Defined, owner: object): UnderWay {
    const one = { ...defined, owner };
    this.#open.add(one);
    return one;
  }

  /** The target has answered: whoever reads the catalog from now on meets what became of it. */
  end(one: UnderWay): void {
    if (!this.#open.delete(one)) return;
    this.#ended.push({ ...one, at: ++this.#now });
    this.#changed();
    if (this.#ended.length <= MAX_ENDED) return;
    const kept = this.#ended.slice(MAX_ENDED / 2);
    this.#forgottenUntil = this.#ended[MAX_ENDED / 2 - 1]?.at ?? 0;
    this.#ended = kept;
  }

  /** A transaction has defined something that others do not see before its end. */
  hold(defined: Defined, owner: object): UnderWay {
    const one = { ...defined, owner };
    this.#held.add(one);
    return one;
  }

  release(one: UnderWay): void {
    if (this.#held.delete(one)) this.#changed();
  }

  moves(one: Moving): void {
    this.#moving.add(one);
  }

  moved(one: Moving): void {
    if (this.#moving.delete(one)) this.#changed();
  }

  /** Nothing at all may have taken effect since a time. */
  isSettled(time: number): boolean {
    return this.#now <= time && this.#open.size === 0;
  }

  /** Nobody defines anything, and nothing runs that somebody who does would have to mind. */
  get isQuiet(): boolean {
    return this.#open.size + this.#held.size + this.#moving.size === 0;
  }

  /** Those of others that may have taken effect since a time, in no order. */
  since(time: number, owner: object): readonly UnderWay[] {
    if (this.isSettled(time)) return NONE;
    const found: UnderWay[] = [];
    for (const one of this.#open) if (one.owner !== owner) found.push(one);
    for (let at = this.#ended.length - 1; at >= 0; at--) {
      const one = this.#ended[at] as Ended;
      if (one.at <= time) break;
      if (one.owner !== owner) found.push(one);
    }
    if (time < this.#forgottenUntil) found.push({ ...ANY, owner: this });
    return found;
  }

  /** Whether others define something that is not over. */
  isDefined(owner: object, matters: (one: UnderWay, isSent: boolean) => boolean): boolean {
    for (const one of this.#open) if (one.owner !== owner && matters(one, true)) return true;
    for (const one of this.#held) if (one.owner !== owner && matters(one, false)) return true;
    return false;
  }

  /** What others move by what is defined. */
  movingBy(defined: Defined, owner: object): readonly Moving[] {
    return [...this.#moving].filter((one) => one.owner !== owner && one.reaches(defined));
  }

  /** Resolves when something of all this is over, after so many milliseconds, or when the signal is aborted. */
  async next(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const stop = (): void => resolve();
    signal.addEventListener('abort', stop);
    if (signal.aborted) resolve();
    await Promise.race([this.#next.promise, promise]);
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }

  #changed(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }
}

const NONE: readonly UnderWay[] = [];
const NO_NAMES: ReadonlySet<string> = new Set();
/** Whatever it is. */
export const ANY: Defined = { names: 'any', tablesOnly: false, named: NO_NAMES, functions: NO_NAMES, locked: NO_NAMES };
