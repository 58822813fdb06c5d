/**
 * What can be told of a statement before it runs: which of its columns would be NULL. Owns: that question. Does not own: the
 * masks and reasons of results that come (`editors.ts`, `hidden.ts`).
 */
import type { Output, StatementLineage } from '../lineage/index.js';
import type { Facts, HiddenReason, SqlCommand } from '@sluice/contract';
import { type EditorRules, maskOf } from './editors.js';
import type { HiddenColumn } from '@sluice/analysis';
import { hiddenBy, notFollowed, whyNotFollowed } from './hidden.js';
import { typeOf } from './types.js';

/**
 * The columns of a text that would be NULL because nothing better is known of them, as far as that can be told before it runs.
 *
 * @param lineage undefined where nothing is known of the text
 * @param followed the text as if nothing had been defined that others do not see; undefined where it is too long
 */
export function hiddenAhead(
  { text, phase, parameters }: SqlCommand,
  facts: Facts,
  lineage: readonly StatementLineage[] | undefined,
  followed: readonly StatementLineage[] | undefined,
  rules: EditorRules,
): HiddenColumn[] {
  const { unfollowed } = rules;
  if (!followed) return mayReturnRows(text, facts) ? [notFollowed('', unfollowed)] : [];
  return followed.flatMap((whole, statement): HiddenColumn[] => {
    const one = lineage?.[statement];
    if (!one || one.unknown !== undefined) {
      const returnsRows = (one ?? whole).returnsRows ?? whole.outputs.length > 0;
      return returnsRows ? [notFollowed('', one?.unknown ?? unfollowed)] : [];
    }
    // By the extended protocol rows of rules do not come (PortalRunMulti in pquery.c).
    if (one.answered !== undefined && phase === 'run' && !parameters) return [notFollowed('', one.answered)];
    return one.outputs.flatMap((output) => hiddenOutput(rules, output) ?? []);
  });
}

/** What is computed of an unknown type may have room for a mark: the target will say. */
function hiddenOutput(rules: EditorRules, output: Output): HiddenColumn | undefined {
  const { catalog } = rules.meaning;
  const why = whyNotFollowed(output, catalog, rules.unfollowed);
  if (why !== undefined) return notFollowed(output.name, why);
  if ((output.type ?? 0) === 0) return undefined;
  return hiddenBy(maskOf(rules, output, typeOf(catalog, output.type ?? 0), 'text'), output.name, undefined);
}

/** Of a text that is too long to be followed: what only writes answers with rows if it says RETURNING. */
const mayReturnRows = (text: string, { actions }: Facts): boolean =>
  /returning/i.test(text) ||
  actions.length === 0 ||
  actions.some(
    ({ depth, verb, effects }) => depth === 0 && !WRITES.has(verb) && !effects.every((one) => SILENT.has(one)),
  );

const WRITES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'merge']);
const SILENT: ReadonlySet<string> = new Set(['define', 'destroy', 'grant', 'session']);

/** What a mask leaves by itself refuses nothing, whether it is NULL or not. */
export const isNotFollowed = ({ reason }: HiddenColumn): boolean => !OF_MASKS.has(reason);
const OF_MASKS: ReadonlySet<HiddenReason> = new Set(['computed', 'type', 'malformed']);
