/**
 * What goes to the client, in order, while some of it waits to be judged. Owns: who is waited for, and how much is kept meanwhile. Does not:
 * know what is in it.
 */
import type { ProposalAnswer, ProposedCall, Propose } from '@sluice/contract';
import { joined, unmasked } from '@sluice/http-bodies';
import type { Given, Later, ModelEvent } from './follower.js';

/** Kept while a call is judged. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

const UNJUDGED: ProposalAnswer = {
  type: 'deny',
  rule: 'gateway',
  message: 'It could not be judged.',
};

export class Queue {
  readonly #propose: Propose;
  readonly #write: (event: ModelEvent) => Buffer;
  #items: (Given | Buffer)[] = [];
  #keptBytes = 0;
  /** Answers to the calls of the first item, while it waits for them, or until it goes. */
  #answers: { readonly of: Later; readonly answers: readonly ProposalAnswer[] } | undefined;
  /** Resolves when the first item may go. */
  waits: Promise<void> | undefined;

  constructor(propose: Propose, write: (event: ModelEvent) => Buffer) {
    this.#propose = propose;
    this.#write = write;
  }

  /** `size`: bytes that these came as. @throws Unmasked where too much is kept */
  add(given: readonly (Given | Buffer)[], size: number): void {
    this.#items.push(...given);
    if (this.waits) this.#keptBytes += size;
    if (this.#keptBytes > MAX_KEPT_BYTES)
      throw unmasked(`has more than ${MAX_KEPT_BYTES} bytes behind a call that is judged`);
  }

  /** What may go now. */
  take(): Buffer {
    const out: Buffer[] = [];
    while (!this.waits) {
      const first = this.#items.shift();
      if (!first) break;
      if (Buffer.isBuffer(first)) out.push(first);
      else if (first.type === 'event') out.push(this.#write(first));
      else if (!this.#give(first)) this.#items.unshift(first);
    }
    if (!this.waits) this.#keptBytes = 0;
    return joined(out);
  }

  /** Puts in its place what comes of it; false: it waits. */
  #give(later: Later): boolean {
    const known = this.#answers?.of === later ? this.#answers.answers : this.#ask(later);
    if (!known) return false;
    this.#answers = undefined;
    this.#items.unshift(...later.give(known));
    return true;
  }

  #ask(later: Later): readonly ProposalAnswer[] | undefined {
    const answers = later.calls.map((call) => this.#asked(call));
    if (!answers.some((one) => one instanceof Promise)) return answers as ProposalAnswer[];
    this.waits = Promise.all(answers.map((one) => Promise.resolve(one))).then((all) => {
      this.#answers = { of: later, answers: all };
      this.waits = undefined;
    });
    return undefined;
  }

  /** Whatever goes wrong is a no. */
  #asked(call: ProposedCall): ProposalAnswer | Promise<ProposalAnswer> {
    try {
      const answer = this.#propose(call);
      return answer instanceof Promise ? answer.catch(() => UNJUDGED) : answer;
    } catch {
      return UNJUDGED;
    }
  }
}
