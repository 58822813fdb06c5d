/**
 * Commands that wait for people. Owns: the question to the approvers, the wait, and the last look before a command passes. Does
 * not: store requests (packages/approvals), judge (judge.ts).
 */
import { createHmac } from 'node:crypto';
import {
  type Approvals,
  type Held,
  type Impact,
  type Source,
  ApprovalError,
  type ApprovalRequest,
  requirementOf,
} from '@sluice/approvals';
import {
  type AppliedHold,
  type Asked,
  type Command,
  type Deny,
  type DenyReason,
  type WaitEnded,
  type Noun,
  type Waiter,
  denyInWords,
} from '@sluice/contract';
import { type ReviewedChanges, shownValue } from '@sluice/commit-review';
import { comparisonOf, meaningOf } from '@sluice/http-requests';
import { redactSecrets } from '@sluice/recording';
import { StoreError } from '@sluice/store';

/** How often a client that waits is told so, in milliseconds. */
const REMIND_MS = 30_000;

/** A command that waits, and what it is bound to besides itself. */
export interface Holding {
  readonly session: string;
  readonly principal: string;
  readonly source: Source;
  readonly connection: string;
  /** What it acts on, as whom, and the rules in force: an approval is bound to that too, see `boundTo` in snapshot.ts. */
  readonly target: string;
  readonly command: Command;
  /** What makes two of them the same one, where that is not all of the command. */
  readonly meaning?: unknown;
  /** What the names stand for that it executes. */
  readonly executed: Readonly<Record<string, string>>;
  /** Without secrets. */
  readonly text: string;
  readonly holds: readonly AppliedHold[];
  /** Else it is refused at once, with the number of its request. */
  readonly waits: boolean;
  /**
   * Of a request that its client repeats: how long its request for approval outlives the last client that waited for it, in
   * milliseconds. Undefined: it goes with the client.
   */
  readonly linger?: number | undefined;
  /** What the session has changed that could give the command another meaning. */
  readonly state: string;
  readonly waiter: Waiter;
  readonly draining: AbortSignal;
  /** Of a COMMIT: what it commits. */
  readonly changes?: ReviewedChanges | undefined;
  /** Looks whether it is in the way of others for too long, and says why it waits no longer then. Returns what ends that. */
  watch?(withdraw: (why: string) => void): () => void;
  /** What the command would do, for approvers. `isOpen`: its session is in a transaction. Never rejects. */
  impact(isOpen: boolean): Promise<Impact | undefined>;
}

/** Has people asked about commands. */
export class Holds {
  readonly #approvals: Approvals;
  readonly #key: Uint8Array;
  readonly #showsValues: boolean;
  /** Clients that wait for a request which may outlive them, by its number, and when it goes if none comes back. */
  readonly #waiting = new Map<number, { readonly clients: number; readonly timer: NodeJS.Timeout | undefined }>();

  /** `key` keeps digests from saying anything about the texts. `showsValues`: bound values may be stored. */
  constructor(approvals: Approvals, key: Uint8Array, showsValues: boolean) {
    this.#approvals = approvals;
    this.#key = key;
    this.#showsValues = showsValues;
  }

  /** Resolves when the command may pass (undefined) or may not. Whatever goes wrong is a no. */
  async release(holding: Holding): Promise<Deny | undefined> {
    try {
      return await this.#release(holding);
    } catch (error) {
      return refused(holding, {
        code: 'nobody-could-be-asked',
        ...((error instanceof ApprovalError || error instanceof StoreError) && { why: error.message }),
      });
    }
  }

  async #release(holding: Holding): Promise<Deny | undefined> {
    const { waiter, holds, draining, linger } = holding;
    // Whoever repeats a request meets the one that is open, and is no further one for approvers.
    const waits = holding.waits && linger === undefined;
    // Read now: values are views of memory that is read into again.
    const digest = this.#digest(holding);
    const parameters = this.#shown(holding.command);
    const written = holding.text + this.executedInWords(holding.executed);
    const before = await waiter.answersDelivered();
    if (before === 'skipped' || waiter.signal.aborted) return lost(holding);
    if (await this.#approvals.use({ digest })) return undefined;
    const impact = await holding.impact(before === 'transaction');
    const asked = {
      session: holding.session,
      command: holding.command.id,
      principal: holding.principal,
      source: holding.source,
      connection: holding.connection,
      text: holding.changes?.behind(written, this.#showsValues) ?? written,
      parameters,
      digest,
      requirements: holds.map((hold) => requirementOf(hold.rule, hold)),
      timeoutMs: Math.min(...holds.map(({ timeoutMs }) => timeoutMs)),
      onTimeout: holds.every(({ onTimeout }) => onTimeout === 'allow') ? 'allow' : 'deny',
      waits,
      transaction: before === 'transaction',
      ...(holding.command.type === 'answer' && { answer: true as const }),
      ...(impact && { impact }),
    } as const;
    const held = await this.#approvals.ask(asked, comparisonOf(holding.command, asked.text));
    const { number } = held;
    if (linger !== undefined && holding.waits) return this.#lingering(holding, held, linger);
    if (!waits) return refused(holding, { code: 'approval-needed', ...askedOf(held) });
    const stop = (): void =>
      this.#approvals.abandon(number, WHY[waiter.signal.reason as WaitEnded](nounOf(holding.command)));
    const drain = (): void => this.#approvals.withdraw(number, DRAINING);
    const say = (): void =>
      waiter.say?.({ code: 'command-waits', rules: holds.map(({ rule }) => rule), ...askedOf(held) });
    const added = held.onEscalation(() => waiter.say?.({ code: 'approvers-added', ...askedOf(held) }));
    waiter.signal.addEventListener('abort', stop);
    draining.addEventListener('abort', drain);
    const reminder = setInterval(say, REMIND_MS);
    const unwatch = holding.watch?.((why) => this.#approvals.withdraw(number, why));
    try {
      if (waiter.signal.aborted) stop();
      if (draining.aborted) drain();
      say();
      const done = await held.outcome;
      if (waiter.signal.aborted) return lost(holding);
      if (done.state === 'approved' && (await this.#approvals.use({ number }))) {
        if (waiter.signal.aborted) return lost(holding);
        if (done.review) waiter.say?.({ code: 'glass-broken', request: number, page: held.page });
        return undefined;
      }
      if (done.state === 'expired' && done.onTimeout === 'allow') return undefined;
      return refused(holding, reasonOf(done));
    } finally {
      clearInterval(reminder);
      unwatch?.();
      added();
      waiter.signal.removeEventListener('abort', stop);
      draining.removeEventListener('abort', drain);
    }
  }

  /**
   * Waits for as long as the client does. Its request stays open after `waiter.within`, and for `linger` after the last one that waited
   * has hung up. What is approved passes once, for whoever waits first.
   */
  async #lingering(holding: Holding, held: Held, linger: number): Promise<Deny | undefined> {
    const { waiter, draining, holds } = holding;
    const { number } = held;
    this.#attached(number);
    // Whoever can be told nothing before the answer has no `say`.
    const rules = holds.map(({ rule }) => rule);
    waiter.say?.({ code: 'command-waits', rules, ...askedOf(held) });
    const ended = await firstOf(held.outcome, waiter, draining);
    this.#detached(number, ended === 'gone' ? linger : undefined);
    if (ended === 'gone') return lost(holding);
    if (ended === 'later') return refused(holding, { code: 'approval-needed', ...askedOf(held) });
    if (ended === 'drain') return refused(holding, { code: 'approval-withdrawn', request: number, why: DRAINING });
    if (ended.state === 'approved') {
      if (await this.#approvals.use({ number })) return undefined;
      return refused(holding, { code: 'approval-withdrawn', request: number, why: USED });
    }
    if (ended.state === 'expired' && ended.onTimeout === 'allow') return undefined;
    return refused(holding, reasonOf(ended));
  }

  #attached(number: number): void {
    const known = this.#waiting.get(number);
    if (known?.timer) clearTimeout(known.timer);
    this.#waiting.set(number, { clients: (known?.clients ?? 0) + 1, timer: undefined });
  }

  /** `linger`: it hung up. Else it was answered, and what it was told still counts. */
  #detached(number: number, linger: number | undefined): void {
    const clients = (this.#waiting.get(number)?.clients ?? 1) - 1;
    if (clients > 0) return void this.#waiting.set(number, { clients, timer: undefined });
    if (linger === undefined) return void this.#waiting.delete(number);
    const timer = setTimeout(() => {
      this.#waiting.delete(number);
      this.#approvals.withdraw(number, WHY.gone('command'));
    }, linger).unref();
    this.#waiting.set(number, { clients, timer });
  }

  /** Of the exact command, by which terms it may pass, who sends it where, and what the session makes of it. */
  #digest({
    principal,
    source,
    connection,
    target,
    command,
    meaning,
    executed,
    state,
    holds,
    changes,
  }: Holding): string {
    const sql = command.type === 'sql' ? command : undefined;
    const values = sql?.parameters?.map(({ type, format, value }) => [type, format, value && hex(value)]);
    const words =
      command.type === 'sql' ? [command.type, command.text] : [command.type, meaning ?? meaningWithoutId(command)];
    const { issuer = null, subject = null } = source;
    const who = [principal, issuer, subject];
    const where = [connection, target, state];
    const bound = [
      termsOf(holds),
      who,
      where,
      ...words,
      values ?? null,
      executed,
      ...(changes ? [changes.digest] : []),
    ];
    return createHmac('sha256', this.#key).update(JSON.stringify(bound)).digest('base64');
  }

  /** What SQL-level EXECUTE would run: its own text says a name only. */
  executedInWords(executed: Readonly<Record<string, string>>): string {
    return Object.entries(executed)
      .map(([name, text]) => `\n-- ${name}: ${redactSecrets(text, this.#key)}`)
      .join('');
  }

  #shown(command: Command): string[] {
    const values = (command.type === 'sql' && command.parameters) || [];
    return values.map((parameter) => (this.#showsValues ? shownValue(parameter) : '(not shown)'));
  }
}

/** What has to be satisfied, by which rules: an approval by other terms is another approval. */
export const termsOf = (holds: readonly AppliedHold[]): string =>
  JSON.stringify(holds.map((hold) => requirementOf(hold.rule, hold)));

function meaningWithoutId(command: Exclude<Command, { type: 'sql' }>): unknown {
  if (command.type === 'request') return meaningOf(command);
  if (command.type === 'answer') return command.sha256;
  const { id: _, ...rest } = command;
  return rest;
}

/** What happens first: an outcome, or that the client waits no longer, or that nobody should. */
async function firstOf(
  outcome: Promise<ApprovalRequest>,
  { signal, maxWaitMs }: Waiter,
  draining: AbortSignal,
): Promise<ApprovalRequest | 'gone' | 'later' | 'drain'> {
  const { promise, resolve } = Promise.withResolvers<ApprovalRequest | 'gone' | 'later' | 'drain'>();
  const gone = (): void => resolve('gone');
  const drain = (): void => resolve('drain');
  signal.addEventListener('abort', gone);
  draining.addEventListener('abort', drain);
  const timer = maxWaitMs === undefined ? undefined : setTimeout(() => resolve('later'), maxWaitMs);
  if (signal.aborted) gone();
  if (draining.aborted) drain();
  outcome.then(resolve, drain);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', gone);
    draining.removeEventListener('abort', drain);
  }
}

const DRAINING = 'the gateway is shutting down';
const USED = 'another one that is identical has used its approval';

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

const WHY: Readonly<Record<WaitEnded, (noun: Noun) => string>> = {
  cancelled: (noun) => `the client cancelled the ${noun}`,
  gone: () => 'the client is gone',
};

/** What whoever waits is told of the request, as it is now. */
export const askedOf = ({ number: request, page, approvers }: Held): Asked => ({
  request,
  page,
  approvers: approvers(),
});

const nounOf = ({ type }: Command): Noun => (type === 'sql' ? 'statement' : 'command');

/** The gateway itself says no to a command. */
export const denied = (command: Command, reason: DenyReason, rule = 'gateway'): Deny => ({
  type: 'deny',
  rule,
  ...denyInWords(reason, nounOf(command)),
  reason,
});

const refused = ({ command, holds }: Holding, reason: DenyReason): Deny => denied(command, reason, holds[0]?.rule);

/** The client waits no longer. */
const lost = (holding: Holding): Deny => refused(holding, { code: 'cancelled' });

function reasonOf({ number: request, state, words, why }: ApprovalRequest): DenyReason {
  const no = words.find(({ decision }) => decision === 'deny');
  if (state === 'denied' && no) return { code: 'approval-denied', request, by: no.by, why: no.reason };
  if (state === 'expired') return { code: 'approval-expired', request };
  return { code: 'approval-withdrawn', request, ...(why !== undefined && { why }) };
}
