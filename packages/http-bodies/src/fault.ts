/** Why a body must not pass. Owns: the sentences. */
import { Unmasked } from '@sluice/contract';

/** A body that masks cannot be applied to. */
export class BodyUnmasked extends Unmasked {
  /** A phrase of which the body is the subject. */
  readonly why: string;

  constructor(why: string) {
    super(`something is masked in these answers, and this one ${why}, so it does not pass`);
    this.why = why;
  }
}

export const unmasked = (why: string): BodyUnmasked => new BodyUnmasked(why);
