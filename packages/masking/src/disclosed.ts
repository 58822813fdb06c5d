/**
 * Values that pass, and that budgets of different values count. Owns: what was seen of them in this thread since it was last taken. Does not: count
 * (packages/budgets), or look for values (masks do).
 */
import { type Disclosed, markOf } from '@sluice/contract';
import type { Entity, Finding } from './detectors/finding.js';
import { type Mode, keyed, normalised } from './modes.js';

/** What equal values of all columns and kinds share a mark by. */
const ENTITY = 'DISTINCT';

let marks = new Map<string, Set<number>>();
let uncountable = new Set<string>();

/** A value is about to pass. */
export function discloses(budgets: readonly string[], value: string | Uint8Array, key: Uint8Array): void {
  const digest = keyed({ mode: { type: 'hash' }, key, entity: ENTITY }, value);
  const mark = markOf(digest.readUInt32BE(0), digest.readUInt32BE(4));
  for (const budget of budgets) {
    const known = marks.get(budget);
    if (known) known.add(mark);
    else marks.set(budget, new Set([mark]));
  }
}

/** What `partial` leaves of an address, which still looks like one. */
const PARTIAL_MAIL = /^.(?=[^@]*\*)[-*./() ]+@/u;

/** What was found in a text is about to pass. False: nothing counts it. Spellings of one value count once, and what a mask has left of one does not. */
export function disclosesFound(
  bytes: Buffer,
  { entity, start, end }: Finding,
  { modes, key }: { readonly modes: ReadonlyMap<Entity, Mode>; readonly key: Uint8Array },
): boolean {
  const mode = modes.get(entity);
  const text = bytes.toString('utf8', start, end);
  if (mode?.type !== 'count' || (entity === 'EMAIL' && PARTIAL_MAIL.test(text))) return false;
  discloses(mode.budgets, normalised(text, entity), key);
  return true;
}

/** The same of one that is computed from others, nobody knows from how many. */
export function disclosesSome(budgets: readonly string[]): void {
  for (const budget of budgets) uncountable.add(budget);
}

/** What was seen since this was last called; undefined: nothing. Masks wait for nothing: call it before a call of theirs, and behind it. */
export function takeDisclosed(): Disclosed | undefined {
  if (marks.size + uncountable.size === 0) return undefined;
  const taken = { marks, uncountable };
  marks = new Map();
  uncountable = new Set();
  return taken;
}
