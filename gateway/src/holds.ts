import { createHmac } from 'node:crypto';
import {
  type Approvals,
  type Impact,
  type Requirement,
  type Source,
  ApprovalError,
  type Request,
} from '@sluice/approvals';
import {
  type AppliedHold,
  type Command,
  type Deny,
  type DenyReason,
  type Impatience,
  type Noun,
  type Parameter,
  type Patience,
  denyInWords,
} from '@sluice/contract';
import { redactSecrets } from '@sluice/recording';

/** How often a client that waits is told so, in milliseconds. */
const REMIND = 30_000;
/** Of each bound value, what approvers see. Characters. */
const SHOWN = 1000;

/** A command that waits, and what it is bound to besides itself. */
export interface Holding {
  readonly session: string;
  readonly principal: string;
  readonly source: Source;
  readonly connection: string;
  /** What it acts on, as whom, and the rules in force: an approval is bound to that too, see `boundTo` in live.ts. */
  readonly target: string;
  readonly command: Command;
  /** What the names stand for that it executes. */
  readonly executed: Readonly<Record<string, string>>;
  /** Without secrets. */
  readonly text: string;
  readonly holds: readonly AppliedHold[];
  /** Else it is refused at once, with the number of its request. */
  readonly waits: boolean;
  /** What the session has changed that could give the command another meaning. */
  readonly state: string;
  readonly patience: Patience;
  readonly draining: AbortSignal;
  /** What the command would do, for approvers. Never rejects. */
  impact(): Promise<Impact | undefined>;
}

/** Has people asked about commands. */
export class Holds {
  readonly #approvals: Approvals;
  readonly #key: Uint8Array;
  readonly #showsValues: boolean;

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
        ...(error instanceof ApprovalError && { why: error.message }),
      });
    }
  }

  async #release(holding: Holding): Promise<Deny | undefined> {
    const { patience, holds, draining, waits } = holding;
    // Read now: values are views of memory that is read into again.
    const digest = this.#digest(holding);
    const parameters = this.#shown(holding.command);
    const behind = this.#behind(holding);
    const before = await patience.settled();
    if (before === 'skipped' || patience.signal.aborted) return lost(holding);
    if (await this.#approvals.use({ digest })) return undefined;
    const impact = await holding.impact();
    const held = await this.#approvals.ask({
      session: holding.session,
      command: holding.command.id,
      principal: holding.principal,
      source: holding.source,
      connection: holding.connection,
      text: holding.text + behind,
      parameters,
      digest,
      requirements: holds.map(({ rule, approvers, count }): Requirement => ({ rule, approvers, count })),
      within: Math.min(...holds.map(({ within }) => within)),
      unanswered: holds.every(({ unanswered }) => unanswered === 'allow') ? 'allow' : 'deny',
      waits,
      transaction: before === 'transaction',
      ...(impact && { impact }),
    });
    const { number } = held;
    if (!waits) {
      return refused(holding, { code: 'approval-needed', request: number, approvers: approversOf(holding) });
    }
    const stop = (): void =>
      this.#approvals.withdraw(number, WHY[patience.signal.reason as Impatience](nounOf(holding.command)));
    const drain = (): void => this.#approvals.withdraw(number, 'the gateway is shutting down');
    const say = (): void =>
      patience.say?.({
        code: 'command-waits',
        request: number,
        rules: holds.map(({ rule }) => rule),
        approvers: approversOf(holding),
      });
    patience.signal.addEventListener('abort', stop);
    draining.addEventListener('abort', drain);
    const reminder = setInterval(say, REMIND);
    try {
      if (patience.signal.aborted) stop();
      if (draining.aborted) drain();
      say();
      const done = await held.outcome;
      if (patience.signal.aborted) return lost(holding);
      if (done.state === 'approved' && (await this.#approvals.use({ number }))) {
        return patience.signal.aborted ? lost(holding) : undefined;
      }
      if (done.state === 'expired' && done.unanswered === 'allow') return undefined;
      return refused(holding, reasonOf(done));
    } finally {
      clearInterval(reminder);
      patience.signal.removeEventListener('abort', stop);
      draining.removeEventListener('abort', drain);
    }
  }

  /** Of the exact command, by which terms it may pass, who sends it where, and what the session makes of it. */
  #digest({ principal, source, connection, target, command, executed, state, holds }: Holding): string {
    const sql = command.type === 'sql' ? command : undefined;
    const values = sql?.parameters?.map(({ type, format, value }) => [type, format, value && hex(value)]);
    const { id: _, ...rest } = command;
    const words = sql ? [command.type, command.text] : [command.type, rest];
    const { issuer = null, subject = null } = source;
    const who = [principal, issuer, subject];
    const where = [connection, target, state];
    const bound = [termsOf(holds), who, where, ...words, values ?? null, executed];
    return createHmac('sha256', this.#key).update(JSON.stringify(bound)).digest('base64');
  }

  /** What SQL-level EXECUTE would run: its own text says a name only. */
  #behind({ executed }: Holding): string {
    return Object.entries(executed)
      .map(([name, text]) => `\n-- ${name}: ${redactSecrets(text, this.#key)}`)
      .join('');
  }

  #shown(command: Command): string[] {
    const values = (command.type === 'sql' && command.parameters) || [];
    return values.map((parameter) => (this.#showsValues ? shown(parameter) : '(not shown)'));
  }
}

/** What has to be satisfied, by which rules: an approval by other terms is another approval. */
export const termsOf = (holds: readonly AppliedHold[]): string =>
  JSON.stringify(holds.map(({ rule, approvers, count }) => [rule, approvers, count]));

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

const shown = ({ value, format }: Parameter): string =>
  value === null ? 'NULL' : (format === 'text' ? Buffer.from(value).toString() : `\\x${hex(value)}`).slice(0, SHOWN);

const WHY: Readonly<Record<Impatience, (noun: Noun) => string>> = {
  cancelled: (noun) => `the client cancelled the ${noun}`,
  gone: () => 'the client is gone',
};

const approversOf = ({ holds }: Holding): string =>
  holds.map(({ count, approvers }) => `${count} of ${approvers.join(', ')}`).join(' and ');

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

function reasonOf({ number: request, state, words, why }: Request): DenyReason {
  const no = words.find(({ says }) => says === 'deny');
  if (state === 'denied' && no) return { code: 'approval-denied', request, by: no.by, why: no.reason };
  if (state === 'expired') return { code: 'approval-expired', request };
  return { code: 'approval-withdrawn', request, ...(why !== undefined && { why }) };
}
