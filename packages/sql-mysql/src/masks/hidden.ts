/** Columns that are NULL because nothing better is known of them. Owns: which they are, and the sentences that refuse them. */
import type { HiddenColumn } from '@sluice/analysis';
import type { Facts, HiddenReason } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { StatementLineage } from '../lineage/index.js';
import { whyNotFollowed } from './editors.js';

/** Of each phrase of the lineage of which kind it is. The first that fits counts; all others tell of SQL that is not understood. */
const REASONS: readonly (readonly [RegExp, HiddenReason])[] = [
  [/^runs after |^reads a table that may be|^executes /, 'after_code'],
  [/too large to be followed$|nested too deeply/, 'size'],
  [/^calls |runs code/, 'unread_code'],
  [/values of others?\b|values of other tables/, 'other_values'],
  [/was dropped$/, 'dropped'],
  [/not known$|^uses a name without its schema/, 'name'],
];

const reasonOf = (why: string): HiddenReason => REASONS.find(([pattern]) => pattern.test(why))?.[1] ?? 'construct';

/** The columns of a statement that would be NULL, as far as that can be told before it runs. */
export function hiddenAhead(lineage: StatementLineage, catalog: Catalog, facts: Facts): HiddenColumn[] {
  const { outputs, each, unknown } = lineage;
  if (unknown !== undefined) return returnsRows(facts) ? [hiddenColumn('', unknown)] : [];
  const named = outputs.map((output) => ({ name: output.name, why: whyNotFollowed(output, catalog) }));
  const all = each ? [...named, { name: '', why: whyNotFollowed(each, catalog) }] : named;
  return all.flatMap(({ name, why }) => (why === undefined ? [] : [hiddenColumn(name, why)]));
}

export const hiddenColumn = (name: string, why: string): HiddenColumn => ({ name, reason: reasonOf(why), why });

const SILENT: ReadonlySet<string> = new Set(['define', 'destroy', 'grant', 'session']);
const returnsRows = ({ actions }: Facts): boolean =>
  actions.length === 0 || actions.some(({ effects }) => !effects.every((effect) => SILENT.has(effect)));

const MAX_NAMES = 5;

/** What is said in place of a result in which some columns would be NULL. */
export function refusalOf(columns: readonly HiddenColumn[]): { message: string; hint: string } {
  const names = [...new Set(columns.map(({ name }) => name))];
  const shown = names.slice(0, MAX_NAMES).map((name) => `"${name.slice(0, 63)}"`);
  const listed = names.includes('') ? 'its result' : `${names.length === 1 ? 'column' : 'columns'} ${shown.join(', ')}`;
  const reasons = [...new Set(columns.map(({ why }) => why.slice(0, 300)))].slice(0, MAX_NAMES);
  return {
    message: `This was not run, because NULL would stand in for the values of ${listed}. The statement ${reasons.join('; it ')}.`,
    hint: 'Select the columns themselves and compute in your program, or write it in another way.',
  };
}
