/**
 * Why values cannot be followed, as words that records and metrics count by. Owns: of which kind each phrase of the lineage is.
 * Does not own the phrases: they stand where something is given up.
 */

export const UNKNOWN_REASONS = [
  'unread_code',
  'after_code',
  'definition',
  'name',
  'size',
  'other_values',
  'construct',
] as const;
export type UnknownReason = (typeof UNKNOWN_REASONS)[number];

/** The first that fits counts. */
const PHRASES: readonly (readonly [RegExp, UnknownReason])[] = [
  [/^stands behind a definition/, 'definition'],
  [/^runs after /, 'after_code'],
  [/^reads a (?:setting that others|temporary table that nobody saw|sequence that a rollback)/, 'after_code'],
  [/^(?:fetches from|executes) "/, 'after_code'],
  [/too (?:large|long) to be followed$|nested too deeply/, 'size'],
  [/^(?:calls|runs code) |runs code|rule or trigger|a rule answers/, 'unread_code'],
  [/that holds values of other tables|^shows the statements/, 'other_values'],
  [/not known$|^uses a name without its schema|^reads a column that its view/, 'name'],
];

/** @param phrase as `Value.unknown` and `StatementLineage.unknown` have it; all others tell of SQL that is not understood */
export const reasonOfPhrase = (phrase: string): UnknownReason =>
  PHRASES.find(([pattern]) => pattern.test(phrase))?.[1] ?? 'construct';

/** Whether a phrase says that the catalog has nothing of that name: then the server will hardly have it either. */
export const isUnknownName = (phrase: string): boolean => phrase.endsWith(', which is not known');

/** What is said of a statement that runs code, as it is said of those that come after it. */
export const afterCode = (phrase: string): string =>
  phrase.startsWith('runs after ') ? phrase : `runs after a statement that ${phrase}`;
