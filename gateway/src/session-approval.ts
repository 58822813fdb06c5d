/**
 * Sessions that people have to agree to. Owns: the question, the wait, and for how long a yes counts. Does not: open the
 * session (session.ts), store requests (packages/approvals).
 */
import { createHmac } from 'node:crypto';
import { ApprovalError, type Approvals, type ApprovalRequest, type Source, requirementOf } from '@sluice/approvals';
import type { SessionApproval } from '@sluice/config';
import type { Notice, Principal, Refusal, RefusalReason } from '@sluice/contract';
import type { ConnectionConfig as Connection } from '@sluice/config';
import { StoreError } from '@sluice/store';
import { askedOf } from './holds.js';

/** How often a client that waits is told so, in milliseconds. */
const REMIND_MS = 30_000;

/** Somebody who wants to open a session on a connection that people have to agree to. */
export interface SessionOpening {
  readonly session: string;
  readonly principal: Principal;
  readonly source: Source;
  readonly connection: Connection;
  readonly approval: SessionApproval;
  /** What it would reach, as whom, and the rules in force, now: see `boundTo` in snapshot.ts. */
  target(): string;
}

/** Tells the client what it waits for; undefined: it cannot be told, and does not wait. */
export type Say = (notice: Notice) => void;

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
  granted(entrance: SessionOpening): boolean {
    return this.#approvals.granted(this.#digest(entrance));
  }

  /** Resolves when the session may begin (undefined) or may not. Whatever goes wrong is a no. `gone`: the client is. */
  async ask(entrance: SessionOpening, say: Say | undefined, gone: AbortSignal): Promise<Refusal | undefined> {
    try {
      return await this.#ask(entrance, say, gone);
    } catch (error) {
      return refused({
        code: 'session-approval-failed',
        ...((error instanceof ApprovalError || error instanceof StoreError) && { why: error.message }),
      });
    }
  }

  async #ask(entrance: SessionOpening, say: Say | undefined, gone: AbortSignal): Promise<Refusal | undefined> {
    const { connection, approval, principal } = entrance;
    const { timeoutMs, window } = approval;
    const held = await this.#approvals.ask({
      kind: 'session',
      session: entrance.session,
      command: 0,
      principal: principal.name,
      source: entrance.source,
      connection: connection.name,
      text: `open sessions on ${connection.name} for ${minutes(window)}`,
      parameters: [],
      digest: this.#digest(entrance),
      requirements: [requirementOf(`approval of ${connection.name}`, approval)],
      timeoutMs,
      window,
      onTimeout: 'deny',
      waits: false,
      transaction: false,
    });
    if (approval.fail || !say) {
      return refused({ code: 'session-approval-needed', connection: connection.name, ...askedOf(held) });
    }
    const tell = (): void => say({ code: 'session-waits', ...askedOf(held) });
    const added = held.onEscalation(() => say({ code: 'approvers-added', ...askedOf(held) }));
    tell();
    const reminder = setInterval(tell, REMIND_MS);
    try {
      const done = await Promise.race([held.outcome, aborted(gone)]);
      if (!done || gone.aborted) return refused({ code: 'client-gone' });
      // Not what the outcome says, but what counts now: there may have been a window, and time has passed.
      if (!this.granted(entrance)) return refused(reasonOf(done));
      if (done.review) say({ code: 'glass-broken', request: held.number, page: held.page });
      return undefined;
    } finally {
      clearInterval(reminder);
      added();
    }
  }

  /** An agreement counts by the terms that it was given by. */
  #digest({ principal, connection, approval, target }: SessionOpening): string {
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
      ...(approval.stepUp ? [approval.stepUp] : []),
      ...(approval.escalate ? [approval.escalate] : []),
      ...(approval.breakGlass ? [['break_glass', ...approval.breakGlass]] : []),
    ]);
    return createHmac('sha256', this.#key).update(bound).digest('base64');
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

const refused = (reason: RefusalReason): Refusal => ({ type: 'refusal', reason });

const minutes = (time: number): string =>
  time % 3_600_000 === 0 ? `${time / 3_600_000} h` : `${Math.max(1, Math.round(time / 60_000))} min`;

function reasonOf({ number: request, state, words, why }: ApprovalRequest): RefusalReason {
  const no = words.find(({ decision }) => decision === 'deny');
  if (state === 'denied' && no) return { code: 'session-denied', request, by: no.by, why: no.reason };
  if (state === 'approved') return { code: 'session-approval-outdated', request };
  if (state === 'expired') return { code: 'session-approval-expired', request };
  return { code: 'session-approval-withdrawn', request, ...(why !== undefined && { why }) };
}
