import { createHmac } from 'node:crypto';
import { ApprovalError, type Approvals, type Request, type Source } from '@sluice/approvals';
import type { SessionApproval } from '@sluice/config';
import type { Principal, Refusal } from '@sluice/contract';
import type { ConnectionConfig as Connection } from '@sluice/config';

/** How often a client that waits is told so, in milliseconds. */
const REMIND = 30_000;

/** Somebody who wants to open a session on a connection that people have to agree to. */
export interface Entrance {
  readonly session: string;
  readonly principal: Principal;
  readonly source: Source;
  readonly connection: Connection;
  readonly approval: SessionApproval;
  /** What it would reach, as whom, and the rules in force, now: see `boundTo` in live.ts. */
  target(): string;
}

/** Tells the client a sentence while it waits; undefined: it cannot be told, and does not wait. */
export type Say = (text: string, hint?: string) => void;

/**
 * Has people asked before a session begins. What they agreed to is good for this principal on this connection for as long as
 * the configuration says, also after a restart. A request outlives the client that made it: who comes back meets the same one.
 */
export class SessionApprovals {
  readonly #approvals: Approvals;
  readonly #key: Uint8Array;

  /** `key` keeps digests from saying anything about whom they are of. */
  constructor(approvals: Approvals, key: Uint8Array) {
    this.#approvals = approvals;
    this.#key = key;
  }

  /** Whether people have agreed already. */
  granted(entrance: Entrance): boolean {
    return this.#approvals.granted(this.#digest(entrance));
  }

  /** Resolves when the session may begin (undefined) or may not. Whatever goes wrong is a no. `gone`: the client is. */
  async ask(entrance: Entrance, say: Say | undefined, gone: AbortSignal): Promise<Refusal | undefined> {
    try {
      return await this.#ask(entrance, say, gone);
    } catch (error) {
      return refused(error instanceof ApprovalError ? error.message : 'Nobody could be asked about this session.');
    }
  }

  async #ask(entrance: Entrance, say: Say | undefined, gone: AbortSignal): Promise<Refusal | undefined> {
    const { connection, approval, principal } = entrance;
    const { approvers, count, within, window } = approval;
    const { number, outcome } = await this.#approvals.ask({
      kind: 'session',
      session: entrance.session,
      command: 0,
      principal: principal.name,
      source: entrance.source,
      connection: connection.name,
      text: `open sessions on ${connection.name} for ${minutes(window)}`,
      parameters: [],
      digest: this.#digest(entrance),
      requirements: [{ rule: `approval of ${connection.name}`, approvers, count }],
      within,
      window,
      unanswered: 'deny',
      waits: false,
      transaction: false,
    });
    const how = `${count} of ${approvers.join(', ')} can agree: sluice approvals approve ${number}`;
    if (approval.fail || !say) {
      return refused(
        `Sessions on "${connection.name}" need an approval: request ${number}.`,
        `Log in again once it is approved. ${how}`,
      );
    }
    const tell = (): void =>
      say(`This session waits for an approval: request ${number}.`, `${how}. You may leave and log in again later.`);
    tell();
    const reminder = setInterval(tell, REMIND);
    try {
      const done = await Promise.race([outcome, aborted(gone)]);
      if (!done || gone.aborted) return refused('The client is gone.');
      // Not what the outcome says, but what counts now: there may have been a window, and time has passed.
      return this.granted(entrance) ? undefined : refused(sentence(done));
    } finally {
      clearInterval(reminder);
    }
  }

  /** An agreement counts by the terms that it was given by. */
  #digest({ principal, connection, approval, target }: Entrance): string {
    const { name, issuer = null, subject = null } = principal;
    const bound = JSON.stringify([
      'session',
      name,
      issuer,
      subject,
      connection.name,
      approval.approvers,
      approval.count,
      target(),
    ]);
    return createHmac('sha256', this.#key).update(bound).digest('base64');
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

const refused = (message: string, hint = 'Ask the approvers of this connection.'): Refusal => ({
  type: 'refusal',
  reason: 'access',
  message,
  hint,
});

const minutes = (time: number): string =>
  time % 3_600_000 === 0 ? `${time / 3_600_000} h` : `${Math.max(1, Math.round(time / 60_000))} min`;

function sentence({ number, state, words, why }: Request): string {
  const no = words.find(({ says }) => says === 'deny');
  if (state === 'denied' && no) return `Request ${number} was denied by ${no.by}: ${no.reason}`;
  if (state === 'approved')
    return `Request ${number} was approved, and counts no more: the connection, its rules or who may approve have changed.`;
  if (state === 'expired') return `Nobody answered request ${number} in time.`;
  return `Request ${number} was withdrawn: ${why ?? 'its approval could not be used'}.`;
}
