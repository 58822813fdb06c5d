/**
 * The transaction of a session, as the replies of its target tell. Owns: whether one is open between two ReadyForQuery as well, which
 * one it is, and its savepoints. Does not: judge what runs in it. Pure.
 */
import type { Savepoint, StatementEffect, TransactionEffect, TransactionState } from '@sluice/contract';

/** Of one transaction. Where there have been more, nothing of it is taken for taken back any more. */
const MAX_SAVEPOINTS = 10_000;

interface OwnSavepoint extends Savepoint {
  readonly outer: OwnSavepoint | undefined;
  readonly depth: number;
  isTakenBack: boolean;
}

export class Transaction {
  #state: TransactionState['state'] = 'none';
  #number = 0;
  #savepoint: OwnSavepoint | undefined;
  /** There are more of them than are followed. */
  #isLost = false;

  get now(): TransactionState {
    return { state: this.#state, number: this.#number, savepoint: this.#savepoint };
  }

  /** ReadyForQuery: I, T or E (55.7). */
  ready(status: string): void {
    if (status === 'I') this.#isOver();
    else this.#isOpen(status === 'E' ? 'failed' : 'open');
  }

  /** A statement has completed, whatever becomes of others in its text. */
  completed(effect: StatementEffect | undefined): void {
    if (effect?.type !== 'transaction') return;
    const { kind, chain } = effect;
    if (kind === 'begin' || kind === 'rollback to') this.#isOpen('open');
    if (kind === 'commit' || kind === 'rollback' || kind === 'prepare') this.#isOver();
    else this.#saved(effect);
    if (chain) this.#isOpen('open');
  }

  #saved({ kind, savepoint: name = '' }: TransactionEffect): void {
    if (this.#isLost || kind === 'begin') return;
    if (kind === 'savepoint') return this.#made(name, this.#savepoint);
    let found = this.#savepoint;
    while (found && found.name !== name) found = found.outer;
    if (!found) return;
    this.#savepoint = found.outer;
    if (kind !== 'rollback to') return;
    found.isTakenBack = true;
    this.#made(name, found.outer);
  }

  #made(name: string, outer: OwnSavepoint | undefined): void {
    const depth = (outer?.depth ?? 0) + 1;
    this.#isLost = depth > MAX_SAVEPOINTS;
    this.#savepoint = this.#isLost ? undefined : { name, outer, depth, isTakenBack: false };
  }

  #isOver(): void {
    this.#state = 'none';
    this.#savepoint = undefined;
    this.#isLost = false;
  }

  #isOpen(state: 'open' | 'failed'): void {
    if (this.#state === 'none') this.#number++;
    this.#state = state;
  }
}
