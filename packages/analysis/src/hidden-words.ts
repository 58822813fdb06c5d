/**
 * What is said of columns that are NULL because nothing better is known of them. Owns: the sentences. Does not: which columns those are,
 * nor what helps in a language, which that language says.
 */
import type { HiddenCounts, HiddenReason } from '@sluice/contract';
import type { HiddenColumn } from './language.js';

/** Sentences for the client. */
export interface HiddenWords {
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
}

/** What somebody can do, in a sentence, by reason. */
export type HiddenHints = Readonly<Record<HiddenReason, string>>;

/** What is said with a result in which some columns are NULL. */
export const announcementOf = (columns: readonly HiddenColumn[], hints: HiddenHints): HiddenWords => ({
  message: `NULL stands in for the values of ${listed(columns)}, because they come from masked columns or may do so.`,
  detail: reasons(columns),
  hint: hintsFor(columns, hints),
});

/** What is said in place of a result in which some columns would be NULL. */
export const hiddenRefusalOf = (columns: readonly HiddenColumn[], hints: HiddenHints): Omit<HiddenWords, 'detail'> => ({
  message: `This was not run, because NULL would stand in for the values of ${listed(columns)}. ${reasons(columns)}`,
  hint: hintsFor(columns, hints),
});

export function hiddenCountsOf(hidden: readonly HiddenColumn[]): HiddenCounts {
  const counts: Partial<Record<HiddenReason, number>> = {};
  for (const { reason } of hidden) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function reasons(columns: readonly HiddenColumn[]): string {
  const names = Map.groupBy(columns, ({ why }) => why);
  const lines = [...names].map(([why, of]) => {
    const about = names.size === 1 ? '' : `${listed(of)}: `;
    return `${about}${about === '' ? 'The' : 'the'} statement ${why.slice(0, MAX_PHRASE_CHARACTERS)}.`;
  });
  return lines.slice(0, MAX_REASONS).join(' ');
}

const hintsFor = (columns: readonly HiddenColumn[], hints: HiddenHints): string =>
  [...new Set(columns.map(({ reason }) => hints[reason]))].join(' ');

function listed(columns: readonly HiddenColumn[]): string {
  const names = [...new Set(columns.map(({ name }) => name))];
  if (names.includes('')) return 'its result';
  const shown = names.slice(0, MAX_NAMES).map((name) => `"${name.slice(0, MAX_NAME_CHARACTERS)}"`);
  const more = names.length > MAX_NAMES ? [`${names.length - MAX_NAMES} more`] : [];
  const all = [...shown, ...more];
  const last = all.pop() ?? '';
  return `${names.length === 1 ? 'column' : 'columns'} ${all.length === 0 ? last : `${all.join(', ')} and ${last}`}`;
}

const MAX_NAMES = 5;
const MAX_REASONS = 5;
const MAX_NAME_CHARACTERS = 63;
const MAX_PHRASE_CHARACTERS = 300;
