/**
 * Columns that are NULL in every row because nothing better is known of them. Owns: which they are and why, and the
 * sentences that say so. Does not own the masks (`editors.ts`), nor what is told before a statement runs (`ahead.ts`). What is
 * said depends on the statement and the catalog, never on a value.
 */
import { hash } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.js';
import { type Output, REDEFINED, isUnknownName, reasonOfPhrase } from '../lineage/index.js';
import {
  type HiddenColumn,
  type HiddenHints,
  type HiddenWords,
  type MaskPlan,
  announcementOf,
  hiddenCountsOf,
  hiddenRefusalOf,
} from '@sluice/analysis';
import type { HiddenColumns } from '@sluice/contract';
import { type ColumnMask, isMaskable, isMarkable } from '@sluice/masking';
import { isStale } from './columns.js';
import { hidesPart } from './parts.js';

/** Why nothing is known of the values of an output; undefined where they are followed. */
export function whyNotFollowed(output: Output | undefined, catalog: Catalog, unfollowed: string): string | undefined {
  if (!output) return unfollowed;
  return output.unknown ?? (isStale(output, catalog) ? DROPPED : undefined);
}

/** @param why why nothing is known of its values, where that is so */
export function hiddenBy(
  mask: ColumnMask | undefined,
  name: string,
  why: string | undefined,
): HiddenColumn | undefined {
  if (!mask) return undefined;
  if (mask.type === 'null') return why === undefined ? { name, ...COMPUTED } : notFollowed(name, why);
  if (mask.type === 'parts') return hidesPart(mask.parts) ? { name, ...COMPUTED } : undefined;
  if (mask.type === 'counted') return hiddenBy(mask.inner, name, why);
  if (mask.type === 'plan') return undefined;
  if (mask.type === 'detect' || mask.options.mode.type === 'null') return undefined;
  if (mask.type === 'column') return isMaskable(mask.of, mask.format) ? undefined : { name, ...UNMASKABLE };
  return isMarkable(mask.of, mask.format) ? undefined : { name, ...COMPUTED };
}

export const notFollowed = (name: string, why: string): HiddenColumn => ({
  name,
  reason: why === DROPPED || why === REDEFINED ? 'dropped' : reasonOfPhrase(why),
  why,
});

const DROPPED = 'reads a column that was dropped';
const COMPUTED = {
  reason: 'computed',
  why: 'computes it from masked columns, and its type has no room for their mark',
} as const;
const UNMASKABLE = { reason: 'type', why: 'shows a masked column of a type that has no mask' } as const;

export const announcement = (columns: readonly HiddenColumn[]): HiddenWords => announcementOf(columns, HINTS);

export const refusalOf = (columns: readonly HiddenColumn[]): NonNullable<MaskPlan['refusal']> => ({
  ...hiddenRefusalOf(columns, HINTS),
  ...(columns.some(({ why }) => isUnknownName(why)) && { unknownName: true }),
});

/** Why a statement is taken to ask anything of masked columns, and what helps. */
export const unsureOf = (why: string): NonNullable<MaskPlan['unsure']> => ({
  hint: `The statement ${why}, so it is taken to do anything with masked columns. ${HINTS[reasonOfPhrase(why)]}`,
  ...(isUnknownName(why) && { unknownName: true }),
});

const HINTS: HiddenHints = {
  unread_code:
    'Select the columns themselves and compute in your program. A function in LANGUAGE sql is read, and so is a view.',
  after_code:
    'Send it once the code has been answered, outside its transaction. What the code may have written to is followed again once it is empty or made anew (TRUNCATE, SET, DEALLOCATE, CLOSE, DISCARD ALL).',
  definition: 'Commit first, or send what comes behind the definition in a text of its own.',
  name: 'Check the name, and write it with its schema.',
  size: 'Send less in one statement.',
  other_values: 'Read the tables themselves: what is not masked in them is shown.',
  construct: 'Write it in another way, or as several statements.',
  dropped: 'Make the cursor, the temporary table or view, or the prepared statement anew.',
  computed: 'Select the masked column itself, or leave it out of the computation.',
  malformed:
    'Ask for dates and intervals in a style that masks read: SET datestyle TO ISO; SET intervalstyle TO postgres.',
  type: 'An administrator who wants NULL there can say so: with: "null".',
};

const UNREADABLE: HiddenWords = {
  message: 'NULL stands in for some of these masked values, because they are of no form that their mask reads.',
  detail: 'It reads what the server writes by its own settings, dates in ISO style and intervals in that of postgres.',
  hint: HINTS.malformed,
};

/** How many statement shapes of a session are kept as told; beyond it the oldest may be told once more. */
const MAX_TOLD_SHAPES = 200;
/** How much of a text counts for its shape: to go through more would take time from others. */
const MAX_SHAPE_CHARACTERS = 64 * 1024;

/** Tells each statement shape of a session once. */
export class Announcer {
  readonly #told = new Set<string>();

  /** Where the client was told the same of a statement of this shape there is no notice. */
  tell(text: string, hidden: readonly HiddenColumn[]): HiddenColumns {
    return this.#once(text, { columns: hiddenCountsOf(hidden), notice: announcement(hidden) });
  }

  /** Of single values in a result, whichever they were. */
  tellUnreadable(text: string): HiddenColumns {
    return this.#once(text, { columns: { malformed: 1 }, notice: UNREADABLE });
  }

  #once(text: string, { columns, notice }: Required<HiddenColumns>): HiddenColumns {
    const key = hash(
      'sha256',
      `${shapeOf(text.slice(0, MAX_SHAPE_CHARACTERS))}\0${notice.message}\0${notice.detail}`,
      'base64',
    );
    if (this.#told.has(key)) return { columns };
    const [oldest] = this.#told;
    if (this.#told.size >= MAX_TOLD_SHAPES && oldest !== undefined) this.#told.delete(oldest);
    this.#told.add(key);
    return { columns, notice };
  }
}

/**
 * The text without its constants, and lists of them as one. Where it mistakes a name for a constant, what differs in that name
 * only is told once: good enough for this, and for nothing else.
 */
const shapeOf = (text: string): string =>
  text.replaceAll(/'[^']*'|(?<!\w)\$?\d+(?:\.\d+)?/g, '?').replaceAll(/\?(?:[\s,]*\?)+/g, '?');
