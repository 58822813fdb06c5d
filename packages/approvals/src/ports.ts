/**
 * What requests for approval need from around them, and how they say no. Owns: the shapes of the store, of the record and of who
 * may still approve. Does not: what becomes of a request, see approvals.ts.
 */
import type { Principal } from '@sluice/contract';
import type { Outcome, ApprovalRequest, ApproverProof, Whole, Word } from './request.js';

/** Where requests are kept: in brief, and once the whole text and values of each. */
export interface Storage {
  /** Those that are pending, or approved and not used, in brief. */
  unfinished(): Promise<ApprovalRequest[]>;
  /** In brief, the newest first. `before`: only those with a lower number. */
  recent(most: number, before?: number): Promise<ApprovalRequest[]>;
  /** With its whole text and values. */
  find(number: number): Promise<ApprovalRequest | undefined>;
  /** Those whose review is open, in brief, the oldest first. */
  reviews(): Promise<ApprovalRequest[]>;
  /** The highest number ever given; 0 when there is none. */
  last(): Promise<number>;
  /** `whole`: with the first save of a request. */
  save(request: ApprovalRequest, whole?: Whole): Promise<void>;
}

/**
 * Something was said or came to an end. Called before it takes effect, so that it can be put on record. 'passed': the outcome of what
 * whoever asked let pass; 'reviewed': somebody else has looked at that.
 */
export type Told = (
  request: ApprovalRequest,
  event: 'requested' | 'escalated' | Word['decision'] | 'revoked' | Outcome | 'passed' | 'used' | 'reviewed',
  who?: { readonly actor: string; readonly reason: string } & Pick<ApproverProof, 'token' | 'makers' | 'key'>,
) => void;

/** What requests stand on, besides where they are kept. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  now(): number;
  /** Who said it, as they are now; undefined: they may not say it any more. */
  standing(word: Word): Principal | undefined;
  /** Stores a request whose approval was taken back and must not come back: `save` is called until it succeeds. */
  keepTaken(number: number, save: () => Promise<void>): Promise<void>;
}

/** A decision that cannot be taken; a sentence for who tried. */
export class ApprovalError extends Error {
  readonly reason: 'missing' | 'closed' | 'forbidden' | 'full';

  constructor(reason: ApprovalError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}
