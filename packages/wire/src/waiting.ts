/**
 * A command that waits for people. Owns: the waiter that the gate is given, whether the wait has begun, and how it is lost. Does
 * not: know what is owed to the client, which each conversation does for itself.
 */
import type { WaitEnded, Notice, TransactionState, Waiter } from '@sluice/contract';

export type DeliveredState = Awaited<ReturnType<Waiter['answersDelivered']>>;

/** What a conversation does for a wait. */
export interface WaitingConversation {
  /** Has the target send what it owes. False: the session is over. */
  hurry(): boolean;
  /** Undefined while something is owed to the client. */
  answersDelivered(): DeliveredState | undefined;
  /** See `Waiter.transaction`. Absent: the protocol does not follow transactions. */
  transaction?(): TransactionState;
  /** Tells the client what it waits for, where the protocol can. */
  say(notice: Notice): void;
}

export class CommandWait {
  readonly #conversation: WaitingConversation;
  /** A command waits for people, or for what came before it so that people can be asked. */
  #wait: { readonly delivered: PromiseWithResolvers<DeliveredState>; ready: boolean } | undefined;
  #ending: AbortController | undefined;
  #over = false;
  /** One for all commands of the conversation: they are asked about one by one. */
  readonly waiter: Waiter;

  constructor(conversation: WaitingConversation) {
    this.#conversation = conversation;
    const signal = (): AbortSignal => (this.#ending ??= new AbortController()).signal;
    this.waiter = {
      answersDelivered: () => this.#begin(),
      ...(conversation.transaction && { transaction: conversation.transaction }),
      say: (notice) => {
        if (!this.#over && this.#wait?.ready) conversation.say(notice);
      },
      get signal() {
        return signal();
      },
    };
  }

  /** The command that was asked about has its answer. */
  answered(): void {
    this.#wait = undefined;
    this.#ending = undefined;
  }

  /** Something has been answered: it may have been the last that was owed. */
  checkDelivered(): void {
    if (!this.#wait || this.#wait.ready) return;
    const state = this.#conversation.answersDelivered();
    if (state === undefined) return;
    this.#wait.ready = true;
    this.#wait.delivered.resolve(state);
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
    if (this.#wait || this.#ending) this.#lose('gone');
  }

  #begin(): Promise<DeliveredState> {
    const delivered = Promise.withResolvers<DeliveredState>();
    this.#wait = { delivered, ready: false };
    // Behind the bytes of this chunk that pass.
    queueMicrotask(() => {
      if (!this.#over && this.#conversation.hurry()) return this.checkDelivered();
      delivered.resolve('skipped');
    });
    return delivered.promise;
  }

  #lose(why: WaitEnded): void {
    this.#wait?.delivered.resolve('skipped');
    (this.#ending ??= new AbortController()).abort(why);
  }
}
