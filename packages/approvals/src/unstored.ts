/** Outcomes that the storage did not take, until it does. Does not: decide anything. */
import type { ApprovalRequest } from './request.js';

/** Requests whose outcome counts and is stored nowhere yet: the storage has them as they were before. */
export class UnstoredOutcomes {
  readonly #requests = new Map<number, ApprovalRequest>();

  add(request: ApprovalRequest): void {
    this.#requests.set(request.number, request);
  }

  /** A stored request, in brief, as it is by now. */
  now(stored: ApprovalRequest): ApprovalRequest {
    return this.#requests.get(stored.number) ?? stored;
  }

  /** Tries to store them, until one fails. Never rejects. */
  async store(save: (request: ApprovalRequest) => Promise<void>): Promise<void> {
    for (const [number, request] of this.#requests) {
      try {
        await save(request);
      } catch {
        return;
      }
      this.#requests.delete(number);
    }
  }
}
