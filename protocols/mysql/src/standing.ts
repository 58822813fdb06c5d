/**
 * Whether a command has run by the definitions that it was judged by. Owns: the wait for that, before anything of an answer is taken up. Does
 * not: find it out (`PacketMasking.stands`), nor keep bytes meanwhile (target-half.ts).
 */
import type { OwedAnswer, Shared } from './shared.js';

export class Standing {
  readonly #port: Shared['port'];
  readonly #again: () => void;
  #state: 'nothing' | 'waits' | 'known' = 'nothing';
  /** It has run by others: what the client is told in place of rows. */
  changed: string | undefined;

  /** `again`: what has come is to be taken up now. */
  constructor(port: Shared['port'], again: () => void) {
    this.#port = port;
    this.#again = again;
  }

  /** It is being found out: nothing is read meanwhile. */
  get waits(): boolean {
    return this.#state === 'waits';
  }

  /** Asked before each packet that is no row. False: it has to wait. */
  isKnown({ reply, state }: OwedAnswer): boolean {
    const isKnown = this.#state === 'known';
    this.#state = 'nothing';
    if (isKnown || !state?.masking || !reply.begins) return true;
    const found = state.masking.stands();
    if (!found) return true;
    this.#state = 'waits';
    this.#port.later(found, (changed) => {
      this.#state = 'known';
      this.changed = changed;
      this.#again();
    });
    return false;
  }

  /** The answer is over. */
  over(): void {
    this.changed = undefined;
  }
}
