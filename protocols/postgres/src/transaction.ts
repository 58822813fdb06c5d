/**
 * The transaction of a session, as the replies of its target tell. Owns: whether one is open between two ReadyForQuery as well, and which
 * one it is. Does not: judge what runs in it. Pure.
 */
import type { StatementEffect, TransactionState } from '@sluice/contract';

export class Transaction {
  #state: TransactionState['state'] = 'none';
  #number = 0;

  get now(): TransactionState {
    return { state: this.#state, number: this.#number };
  }

  /** ReadyForQuery: I, T or E (55.7). */
  ready(status: string): void {
    if (status === 'I') this.#state = 'none';
    else this.#isOpen(status === 'E' ? 'failed' : 'open');
  }

  /** A statement has completed. */
  completed(effect: StatementEffect | undefined): void {
    if (effect?.type !== 'transaction') return;
    const { kind, chain } = effect;
    if (kind === 'begin' || kind === 'rollback to') return this.#isOpen('open');
    if (kind !== 'commit' && kind !== 'rollback' && kind !== 'prepare') return;
    this.#state = 'none';
    if (chain) this.#isOpen('open');
  }

  #isOpen(state: 'open' | 'failed'): void {
    if (this.#state === 'none') this.#number++;
    this.#state = state;
  }
}
