/**
 * What a statement would do, for those who decide about it: how long the gateway looks at the target for it, and how many looks there
 * are at a time. Does not own: what is asked there, which is for each language.
 */
import type { Facts, Lookup } from '@sluice/contract';
import type { Impact } from './request.js';

/** How long all looks for one statement may take together, in milliseconds. */
const MAX_ESTIMATE_MS = 2_000;
/** Beyond that, approvers decide without. */
const MAX_ESTIMATES_AT_ONCE = 4;

const CHANGES: ReadonlySet<string> = new Set(['write', 'destroy', 'define']);

/** A table that a statement changes, and by which verb. */
export interface ChangedTable {
  readonly verb: string;
  readonly name: string;
}

let running = 0;

/**
 * @param sameNames names mean to the gateway's connection what they mean to the session
 * @param look asks the target
 * @returns undefined for a statement that changes nothing; never rejects
 */
export async function estimated(
  facts: Facts,
  sameNames: boolean,
  open: () => Promise<Lookup>,
  look: (lookup: Lookup, changed: readonly ChangedTable[]) => Promise<Impact>,
): Promise<Impact | undefined> {
  const changed = changedBy(facts);
  if (changed.length === 0) return undefined;
  if (!sameNames) return nothing(OTHER_NAMES);
  return lookedAt(open, (lookup) => look(lookup, changed));
}

export const OTHER_NAMES = 'the session has changed what names mean';

/**
 * A look at the target, for those who decide: bounded in time, and in how many there are at a time.
 *
 * @returns why not, where it took too long or failed; never rejects
 */
export async function lookedAt(
  open: () => Promise<Lookup>,
  look: (lookup: Lookup) => Promise<Impact>,
): Promise<Impact> {
  if (running >= MAX_ESTIMATES_AT_ONCE) return nothing('too many statements are being looked at');
  running++;
  return looked(open, look, MAX_ESTIMATE_MS).finally(() => running--);
}

/** The same, bounded in time alone: whoever calls it says how many there are at a time. */
export async function looked(
  open: () => Promise<Lookup>,
  look: (lookup: Lookup) => Promise<Impact>,
  mostMs: number,
): Promise<Impact> {
  let lookup: Lookup | undefined;
  const late = Promise.withResolvers<Impact>();
  const timer = setTimeout(() => late.resolve(nothing('the target took too long')), mostMs);
  let over = false;
  const asked = async (): Promise<Impact> => {
    lookup = await open();
    // Nobody waits for it any more, and nobody else would close it.
    if (over) return (lookup.close(), nothing('too late'));
    return look(lookup);
  };
  try {
    return await Promise.race([asked(), late.promise]);
  } catch (error) {
    return nothing(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    over = true;
    lookup?.close();
  }
}

const nothing = (unknown: string): Impact => ({ tables: [], unknown });

const changedBy = ({ actions }: Facts): ChangedTable[] =>
  actions.flatMap(({ verb, resources, effects }) =>
    effects.some((effect) => CHANGES.has(effect))
      ? resources
          .filter(({ type, access }) => type === 'table' && access !== 'read')
          .map(({ name }) => ({ verb, name }))
      : [],
  );
