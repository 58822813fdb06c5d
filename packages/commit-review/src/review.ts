/**
 * Changes that people look at before they are committed (`hold_commit`), in one session. Owns: that such a change runs in a transaction
 * only, and that the COMMIT of that transaction waits for them. Does not: ask them, or read commands.
 */
import type {
  AppliedHold,
  DenyReason,
  Facts,
  ResponseEnd,
  Savepoint,
  SqlCommand,
  StatementEffect,
  TransactionState,
  Waiter,
} from '@sluice/contract';
import { ReviewedChanges, type ShownCommand } from './changes.js';

/** What rules say of a command. */
export interface ReviewedFacts {
  readonly facts: Facts;
  /** The rules that have people look at what it changes; empty: none. */
  readonly holds: readonly AppliedHold[];
}

/** What becomes of a command that concerns a review. */
export type Entered =
  | { readonly type: 'pass' }
  | { readonly type: 'refuse'; readonly reason: DenyReason }
  /** People have to release it: it commits these. */
  | { readonly type: 'ask'; readonly holds: readonly AppliedHold[]; readonly changes: ReviewedChanges };

interface OpenTransaction {
  readonly number: number;
  readonly changes: ReviewedChanges;
  readonly holds: Map<string, AppliedHold>;
  timer: NodeJS.Timeout | undefined;
  /** The innermost when the last of its changes was let through. */
  savepoint: Savepoint | undefined;
}

const openTransaction = (number: number): OpenTransaction => ({
  number,
  changes: new ReviewedChanges(),
  holds: new Map(),
  timer: undefined,
  savepoint: undefined,
});

/** Node's timers know no longer wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const openMsOf = ({ holds }: OpenTransaction): number =>
  Math.min(...[...holds.values()].map(({ transaction }) => transaction?.openMs ?? MAX_TIMER_MS));

const PASS: Entered = { type: 'pass' };
const no = (code: 'cancelled' | 'review-needs-transaction' | 'review-stands-alone'): Entered => ({
  type: 'refuse',
  reason: { code },
});

/** The reviews of one session. Which transaction a change belongs to is what the target has said, never what was sent. */
export class CommitReview {
  readonly #onLate: () => void;
  #open: OpenTransaction | undefined;

  /** `onLate`: a transaction with such changes is open for too long, and has to be ended. */
  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  /** It changes something that people look at, or may commit such a thing. */
  concerns({ facts, holds }: ReviewedFacts): boolean {
    return holds.length > 0 || (this.#open !== undefined && facts.statements.some(commits));
  }

  /** Behind all answers that are due. What passes is followed by `ran`. */
  async enter({ facts, holds }: ReviewedFacts, waiter: Waiter): Promise<Entered> {
    if (holds.length > 0 && facts.statements.some(ends)) return no('review-stands-alone');
    if ((await waiter.answersDelivered()) === 'skipped' || waiter.signal.aborted) return no('cancelled');
    const now = waiter.transaction?.();
    if (this.#open?.number !== now?.number) this.#forget();
    if (holds.length > 0) return now ? this.#change(facts, holds, now, waiter) : no('review-needs-transaction');
    const open = this.#open;
    if (!open || !now || open.changes.count === 0 || isRolledBack(now, facts)) return PASS;
    const asked = [...open.holds.values()];
    this.#late(open, waiter, Math.min(...asked.map(({ timeoutMs }) => timeoutMs)) + openMsOf(open));
    return { type: 'ask', holds: asked, changes: open.changes };
  }

  #change(facts: Facts, holds: readonly AppliedHold[], now: TransactionState, waiter: Waiter): Entered {
    const begins = facts.statements[0];
    const isBegun = begins?.type === 'transaction' && begins.kind === 'begin';
    if (now.state === 'none' && !isBegun) return no('review-needs-transaction');
    const number = now.state === 'none' ? now.number + 1 : now.number;
    if (this.#open?.number !== number) this.#forget();
    const open = (this.#open ??= openTransaction(number));
    open.savepoint = now.savepoint;
    for (const hold of holds) open.holds.set(hold.rule, hold);
    if (!open.timer) this.#late(open, waiter, openMsOf(open));
    return PASS;
  }

  /** It has been let through. */
  ran(command: SqlCommand, { facts, holds }: ReviewedFacts, shown: ShownCommand): void {
    const open = this.#open;
    if (!open || command.phase !== 'run' || holds.length === 0) return;
    // Before or behind a savepoint that its own text makes or goes back to: that it is taken back nobody can say of it.
    const isWhole = facts.statements.every(({ type }) => type !== 'transaction');
    open.changes.ran(command, facts, shown, isWhole ? open.savepoint : undefined);
  }

  ended(event: ResponseEnd): void {
    this.#open?.changes.ended(event);
  }

  /** The session is over, and with it its transaction. */
  closed(): void {
    this.#forget();
  }

  /** From now on it has so many milliseconds. */
  #late(open: OpenTransaction, waiter: Waiter, milliseconds: number): void {
    clearTimeout(open.timer);
    const over = (): void => {
      const now = waiter.transaction?.();
      if (this.#open === open && now?.number === open.number && now.state !== 'none') this.#onLate();
    };
    open.timer = setTimeout(over, Math.min(milliseconds, MAX_TIMER_MS)).unref();
  }

  #forget(): void {
    clearTimeout(this.#open?.timer);
    this.#open = undefined;
  }
}

const commits = (effect: StatementEffect): boolean =>
  effect.type === 'transaction' && (effect.kind === 'commit' || effect.kind === 'prepare');

/** What has failed is rolled back, whatever its client says, unless the text itself goes back to a savepoint first. */
const isRolledBack = ({ state }: TransactionState, { statements }: Facts): boolean =>
  state === 'none' ||
  (state === 'failed' && !statements.some((effect) => effect.type === 'transaction' && effect.kind === 'rollback to'));

const ends = (effect: StatementEffect): boolean =>
  commits(effect) || (effect.type === 'transaction' && effect.kind === 'rollback');
