/** Why a body must not pass. Owns: the sentences. */
import { Unmasked } from '@sluice/contract';

/** `why`: a phrase of which the body is the subject. */
export const unmasked = (why: string): Unmasked =>
  new Unmasked(`something is masked in these answers, and this one ${why}, so it does not pass`);
