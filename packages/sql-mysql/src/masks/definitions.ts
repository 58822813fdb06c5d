/**
 * In which order definitions and statements may have reached a target. Owns: which definitions of all sessions are under way, and which
 * have been answered lately. Does not: read what they have made of the catalog (catalogs.ts).
 */
import type { Facts, SqlCommand } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';

/** Definitions that are remembered behind their answer. A statement that is older than all of them is taken to have met any. */
const MAX_ANSWERED = 10_000;

/** What is defined. */
export interface Defined {
  /** `Catalog.keyOf` of relations; 'any': whatever there is. */
  readonly names: ReadonlySet<string> | 'any';
  /** It may make something else of a name than that was, and not only add to it. */
  readonly remakes: boolean;
}

/** One that the target may have taken up. */
export interface Definition extends Defined {
  /** When it was sent. */
  readonly begun: Moment;
  /** When it was answered; undefined: it was not yet. */
  answered: number | undefined;
}

/** They stand for all that is not remembered. */
const FORGOTTEN: Definition = { names: 'any', remakes: true, begun: 0, answered: 0 };
const ALSO_FORGOTTEN: Definition = { ...FORGOTTEN };

/** A point in the order of all that is sent and answered; never: nothing is known by it. */
export type Moment = number;
export const NEVER: Moment = -1;

export class Definitions {
  #now: Moment = 0;
  readonly #open = new Set<Definition>();
  /** By the order of their answers. */
  #answered: Definition[] = [];
  /** All that were answered up to here are forgotten. */
  #forgotten: Moment = 0;

  /** Another one whenever a definition is sent or answered. */
  get now(): Moment {
    return this.#now;
  }

  /** One may take effect at any time. */
  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /** It is sent. */
  begin(defined: Defined): Definition {
    const made: Definition = { ...defined, begun: ++this.#now, answered: undefined };
    this.#open.add(made);
    return made;
  }

  /** The target has said what came of it. False: that was known. */
  end(definition: Definition): boolean {
    if (!this.#open.delete(definition)) return false;
    definition.answered = ++this.#now;
    this.#answered.push(definition);
    if (this.#answered.length <= MAX_ANSWERED) return true;
    this.#forgotten = this.#answered[MAX_ANSWERED / 2 - 1]?.answered ?? this.#forgotten;
    this.#answered = this.#answered.slice(MAX_ANSWERED / 2);
    return true;
  }

  /**
   * Those that may have taken effect since, and define what is read.
   *
   * @param reads `Catalog.keyOf` of relations
   */
  since(moment: Moment, reads: ReadonlySet<string>, own: Definition | undefined): readonly Definition[] {
    const found: Definition[] = moment < this.#forgotten ? [FORGOTTEN, ALSO_FORGOTTEN] : [];
    const look = (one: Definition): void => {
      if (one !== own && meets(one, reads)) found.push(one);
    };
    for (const one of this.#open) look(one);
    for (let at = this.#answered.length - 1; at >= 0; at--) {
      const one = this.#answered[at] as Definition;
      if ((one.answered ?? 0) <= moment) break;
      look(one);
    }
    return found;
  }
}

/** What a statement may define for others; undefined: nothing. */
export function definedBy(
  { actions, executes }: Facts,
  { dialect, text }: SqlCommand,
  catalog: Catalog,
): Defined | undefined {
  if (!actions.some(defines)) return undefined;
  const defining = actions.filter(defines);
  // Code that nobody has read may do so as well, and mostly defines nothing: it cannot count as if it did.
  const isCode = defining.every(({ effects }) => !effects.some(isDefining));
  const adds = executes === undefined && !MOVING.test(text) && defining.every(({ verb }) => ADDING.has(verb));
  const remakes = !isCode && !adds;
  if (isCode || executes !== undefined) return { names: 'any', remakes };
  const database = dialect.name === 'mysql' ? dialect.database : undefined;
  const names = new Set<string>();
  for (const { effects, resources } of defining) {
    const made = resources.filter(({ access }) => access === 'define' || access === 'destroy');
    // A routine, a trigger, a database: what reads by it is not listed.
    if (effects.includes('unknown') || made.length === 0 || made.some(({ type }) => type !== 'table'))
      return { names: 'any', remakes };
    for (const { name } of made) for (const key of keysOf(name, database, catalog)) names.add(key);
  }
  return { names, remakes };
}

function meets({ names }: Defined, reads: ReadonlySet<string>): boolean {
  if (names === 'any') return true;
  for (const name of names) if (reads.has(name)) return true;
  return false;
}

const isDefining = (effect: string): boolean => effect === 'define' || effect === 'destroy';

const ADDING: ReadonlySet<string> = new Set(['alter table', 'create index', 'drop index']);
/** Words without which ALTER TABLE computes no column, and gives neither columns nor rows another name. */
const MOVING = /\b(?:as|generated|rename|change|exchange|convert)\b/i;

/** Functions cannot define anything: the servers refuse them what would commit. Procedures can. */
const defines = ({ effects, unknownFunctions, verb }: Facts['actions'][number]): boolean =>
  (effects.some(isDefining) && verb !== 'truncate') ||
  (effects.includes('unknown') && (unknownFunctions === undefined || verb === 'call'));

/** A dot may stand in a name, or before one. */
function keysOf(name: string, database: string | undefined, catalog: Catalog): string[] {
  const keys = database === undefined ? [] : [catalog.keyOf(database, name)];
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1))
    keys.push(catalog.keyOf(name.slice(0, at), name.slice(at + 1)));
  return keys;
}
