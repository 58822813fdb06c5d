/** Columns that are NULL because nothing better is known of them. Owns: which they are, and the sentences that refuse them. */
import {
  type HiddenColumn,
  type HiddenHints,
  type HiddenWords,
  announcementOf,
  hiddenRefusalOf,
} from '@sluice/analysis';
import type { Facts, HiddenReason } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { StatementLineage, Value } from '../lineage/index.js';
import { modeOf } from '@sluice/masking';
import { type MaskedColumns, isStale } from './columns.js';

/** Why nothing is known of a value; undefined where it is followed. */
export function whyNotFollowed(value: Value | undefined, catalog: Catalog): string | undefined {
  if (!value) return 'is not followed';
  return value.unknown ?? (isStale(value.sources, catalog) ? 'reads a column that was dropped' : undefined);
}

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

/** The columns of a statement that would be NULL, as far as that can be told before it runs: types of what is computed are not known. */
export function hiddenAhead(
  lineage: StatementLineage,
  catalog: Catalog,
  masked: MaskedColumns,
  facts: Facts,
): HiddenColumn[] {
  const { outputs, each, unknown } = lineage;
  if (unknown !== undefined) return returnsRows(facts) ? [hiddenColumn('', unknown)] : [];
  const all = [...outputs, ...(each ? [{ ...each, name: '' }] : [])];
  return all.flatMap((output): HiddenColumn[] => {
    const why = whyNotFollowed(output, catalog);
    if (why !== undefined) return [hiddenColumn(output.name, why)];
    return hasNoMask(output, catalog, masked) ? [{ name: output.name, ...UNMASKABLE }] : [];
  });
}

/** A masked column as it is stored, of a type for which there is no mask. */
function hasNoMask({ kind, sources }: Value, catalog: Catalog, masked: MaskedColumns): boolean {
  const [base] = sources;
  const rule = base && masked.get(base);
  if (kind !== 'direct' || !rule || modeOf(rule).type === 'null') return false;
  const found = catalog.relation(base.schema, base.table)?.columns.find((one) => one.base === base);
  return found !== undefined && NO_MASKS.has(found.type);
}

/** As `maskedAs` says of definitions, by the names of information_schema. */
const NO_MASKS: ReadonlySet<string> = new Set(
  (
    'enum set year bit binary varbinary tinyblob blob mediumblob longblob ' +
    'geometry point linestring polygon multipoint multilinestring multipolygon'
  ).split(' '),
);

/** Nothing is known of it, where others are known and have no mask. */
export const isNotFollowed = ({ reason }: HiddenColumn): boolean => reason !== 'computed' && reason !== 'type';

export const hiddenColumn = (name: string, why: string): HiddenColumn => ({ name, reason: reasonOf(why), why });

const SILENT: ReadonlySet<string> = new Set(['define', 'destroy', 'grant', 'session']);
const returnsRows = ({ actions }: Facts): boolean =>
  actions.length === 0 || actions.some(({ effects }) => !effects.every((effect) => SILENT.has(effect)));

export const COMPUTED = {
  reason: 'computed',
  why: 'computes it from masked columns, and its type has no room for their mark',
} as const;
export const UNMASKABLE = { reason: 'type', why: 'shows a masked column of a type that has no mask' } as const;

export const announcement = (columns: readonly HiddenColumn[]): HiddenWords => announcementOf(columns, HINTS);

export const refusalOf = (columns: readonly HiddenColumn[]): Omit<HiddenWords, 'detail'> =>
  hiddenRefusalOf(columns, HINTS);

/** Why a statement is taken to ask or move anything of masked columns, and what helps. */
export const unsureOf = (why: string): { readonly hint: string } => ({
  hint: `The statement ${why}, so it is taken to do anything with masked columns. ${HINTS[reasonOf(why)]}`,
});

const HINTS: HiddenHints = {
  unread_code: 'Select the columns themselves and compute in your program. A view is read.',
  after_code: 'Reset the connection, or connect again, to have it followed.',
  definition: 'Send it again.',
  name: 'Check the name, and write it with its schema.',
  size: 'Send less in one statement.',
  other_values: 'Read the tables themselves: what is not masked in them is shown.',
  construct: 'Write it in another way, or as several statements.',
  dropped: 'Make the temporary table or the variable anew.',
  computed: 'Select the masked column itself, or leave it out of the computation.',
  malformed: 'An administrator who wants NULL there can say so: with: "null".',
  type: 'An administrator who wants NULL there can say so: with: "null".',
};

/** Of single values of a result. */
export const UNREADABLE: HiddenWords = {
  message:
    'NULL stands in for some of these masked values, because their mask does not read them or does not fit their column.',
  detail: 'It reads values as the server writes them, and gives none that the type of the column has no room for.',
  hint: HINTS.malformed,
};
