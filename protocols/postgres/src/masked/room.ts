/**
 * Rows that have a room to themselves, and the words for those that are not rows. Does not: share the memory out
 * (packages/masking).
 */
import { type RowRoom, Unmasked } from '@sluice/contract';

/** Of rows that are not of the shape that the target said they have. `why`: a phrase that says nothing of their values. */
export const malformed = (why: string): Unmasked => Unmasked.because(why);

/** Room that is shared with nobody, as of rows that have been put together elsewhere. `limit`: as of `RowRoom`, in bytes. */
export function ownRoom(limit = Infinity): RowRoom {
  const nothing = (): void => undefined;
  return {
    limit,
    held: 0,
    wait: undefined,
    isMasking: false,
    admit: nothing,
    arrived: nothing,
    left: nothing,
    moved: nothing,
    clear: nothing,
    look(bytes) {
      if (bytes > limit)
        throw Unmasked.because(`the values of a row that a mask looks at have more than ${limit} bytes`);
    },
  };
}
