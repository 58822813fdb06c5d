/**
 * Who is told of what happens. Owns: the readers, and who may know of which request. Does not: send it to anybody (event-stream.ts).
 */
import type { Principal } from '@sluice/contract';
import { type ApprovalRequest, askerOf } from '@sluice/approvals';
import { samePerson } from '@sluice/identity';

type Reader = (request: ApprovalRequest) => void;

/** Who is told, and of what. One for each gateway. */
export class Events {
  readonly #readers = new Set<Reader>();

  /** A request was asked, answered or closed. */
  approval(request: ApprovalRequest): void {
    for (const tell of this.#readers) tell(request);
  }

  /** Returns what forgets it. */
  listen(reader: Reader): () => void {
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }
}

/** Whether somebody sees a request: their own, or any with one of these roles. */
export const maySeeRequest = (principal: Principal, request: ApprovalRequest): boolean =>
  samePerson(askerOf(request), principal) || maySeeOthers(principal);

/** Whether somebody sees the requests of others. */
export const maySeeOthers = ({ roles }: Principal): boolean =>
  roles.some((role) => ['approver', 'admin', 'auditor'].includes(role));
