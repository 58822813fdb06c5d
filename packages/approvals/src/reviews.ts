/**
 * What passed by break-glass and nobody else has looked at yet. Owns: which reviews are open, and closing each once. Does not: say who may
 * (break-glass.ts), or let anything pass (approvals.ts).
 */
import type { Principal } from '@sluice/contract';
import { admitReview } from './break-glass.js';
import type { OpenRequest } from './open-requests.js';
import { ApprovalError, type Storage, type Told } from './ports.js';
import { type ApprovalRequest, type ApproverProof, askerOf, mayBeSame } from './request.js';

/** Open reviews of one person: whoever always passes by break-glass comes to an end. */
const MAX_OPEN_REVIEWS_OF_ONE = 100;

export class OpenReviews {
  readonly #storage: Storage;
  readonly #tell: Told;
  readonly #now: () => number;
  /** Some of them are open requests still. */
  readonly #entries = new Map<number, OpenRequest>();

  constructor(storage: Storage, tell: Told, now: () => number) {
    this.#storage = storage;
    this.#tell = tell;
    this.#now = now;
  }

  add(entry: OpenRequest): void {
    this.#entries.set(entry.request.number, entry);
  }

  /** In brief, the oldest first. */
  all(): ApprovalRequest[] {
    return Array.from(this.#entries.values(), ({ request }) => request);
  }

  /** @throws ApprovalError when too many of what somebody passed are open */
  admit(who: Principal): void {
    if (this.all().filter((one) => mayBeSame(askerOf(one), who)).length < MAX_OPEN_REVIEWS_OF_ONE) return;
    throw new ApprovalError(
      'closed',
      `${MAX_OPEN_REVIEWS_OF_ONE} reviews of what you passed are open: somebody else has to close some of them first.`,
    );
  }

  /**
   * Resolves once it is stored; undefined: there is none of this number.
   *
   * @throws ApprovalError when it is not theirs to say; whatever the storage throws: the review is open then
   */
  async close(
    number: number,
    who: Principal,
    reason: string,
    { token, makers }: ApproverProof,
  ): Promise<ApprovalRequest | undefined> {
    const entry = this.#entries.get(number);
    if (!entry) return undefined;
    admitReview(entry.request, who);
    const source = { ...(token !== undefined && { token }), ...(makers && { makers }) };
    const closed = { state: 'closed', by: who.name, at: this.#now(), reason, ...source } as const;
    entry.request = { ...entry.request, review: closed };
    this.#entries.delete(number);
    this.#tell(entry.request, 'reviewed', { actor: who.name, reason, ...source });
    try {
      await this.#storage.save(entry.request);
    } catch (error) {
      entry.request = { ...entry.request, review: { state: 'open' } };
      this.#entries.set(number, entry);
      throw error;
    }
    return entry.request;
  }
}
