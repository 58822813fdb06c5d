/**
 * Marks of values, by which it is counted how many different ones there were: the first 53 bits of a keyed hash, so that without the key nobody
 * can try values. Does not: count (packages/budgets), or hash (packages/masking). Pure.
 */

/** Of the second half of 64 bits. */
const LOW_BITS = 21;
/** Bits of a mark: a number holds no more exactly. */
export const MARK_BITS = 32 + LOW_BITS;

/** The mark of a hash, of which these are the first 64 bits. */
export const markOf = (high: number, low: number): number => high * 2 ** LOW_BITS + (low >>> (32 - LOW_BITS));

export const isMark = (mark: unknown): mark is number => Number.isSafeInteger(mark) && (mark as number) >= 0;
