/**
 * A command that waits for people. Owns: the patience that the gate is given, whether the wait has begun, and how it is lost. Does
 * not: know what is owed to the client, which each conversation does for itself.
 */
import type { Impatience, Notice, Patience } from '@sluice/contract';

export type Settled = Awaited<ReturnType<Patience['settled']>>;

/** What a conversation does for a wait. */
export interface Waiter {
  /** Has the target send what it owes. False: the session is over. */
  hurry(): boolean;
  /** Undefined while something is owed to the client. */
  settled(): Settled | undefined;
  /** Tells the client what it waits for, where the protocol can. */
  say(notice: Notice): void;
}

export class Waiting {
  readonly #waiter: Waiter;
  /** A command waits for people, or for what came before it so that people can be asked. */
  #wait: { readonly settled: PromiseWithResolvers<Settled>; ready: boolean } | undefined;
  #impatience: AbortController | undefined;
  #over = false;
  /** One for all commands of the conversation: they are asked about one by one. */
  readonly patience: Patience;

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
    const signal = (): AbortSignal => (this.#impatience ??= new AbortController()).signal;
    this.patience = {
      settled: () => this.#begin(),
      say: (notice) => {
        if (!this.#over && this.#wait?.ready) waiter.say(notice);
      },
      get signal() {
        return signal();
      },
    };
  }

  /** The command that was asked about has its answer. */
  answered(): void {
    this.#wait = undefined;
    this.#impatience = undefined;
  }

  /** Something has been answered: it may have been the last that was owed. */
  settle(): void {
    if (!this.#wait || this.#wait.ready) return;
    const settled = this.#waiter.settled();
    if (settled === undefined) return;
    this.#wait.ready = true;
    this.#wait.settled.resolve(settled);
  }

  /** The client cancels the command that waits. False: none does, so that what runs at the target is meant. */
  cancel(): boolean {
    if (!this.#wait?.ready) return false;
    this.#lose('cancelled');
    return true;
  }

  /** The session is over. */
  end(): void {
    this.#over = true;
    if (this.#wait || this.#impatience) this.#lose('gone');
  }

  #begin(): Promise<Settled> {
    const settled = Promise.withResolvers<Settled>();
    this.#wait = { settled, ready: false };
    // Behind the bytes of this chunk that pass.
    queueMicrotask(() => {
      if (!this.#over && this.#waiter.hurry()) return this.settle();
      settled.resolve('skipped');
    });
    return settled.promise;
  }

  #lose(why: Impatience): void {
    this.#wait?.settled.resolve('skipped');
    (this.#impatience ??= new AbortController()).abort(why);
  }
}
