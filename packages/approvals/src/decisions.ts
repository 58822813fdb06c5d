/** What people say of a request, and who may. Owns: the form of a word, a sentence for each no. Does not: keep or store anything (approvals.ts). Pure. */
import type { Principal } from '@sluice/contract';
import { ApprovalError } from './ports.js';
import {
  type ApprovalRequest,
  type Approver,
  type ApproverProof,
  type Word,
  askerOf,
  mayBeSame,
  mayRelease,
  needsKey,
} from './request.js';

/** Who approves and takes it back in turn comes to an end. */
const MAX_WORDS = 100;

/**
 * `approving`: who has approved it by now.
 *
 * @throws ApprovalError where it is not theirs to say, or not any more
 */
export function admitWord(
  request: ApprovalRequest,
  approving: readonly Approver[],
  who: Principal,
  decision: Extract<Word['decision'], 'approve' | 'deny'>,
  { key }: ApproverProof,
): void {
  const { number, source, words } = request;
  const no = (message: string): ApprovalError => new ApprovalError('forbidden', message);
  const over = (message: string): ApprovalError => new ApprovalError('closed', message);
  if (mayBeSame(askerOf(request), who)) throw no('Nobody decides about a request of their own.');
  if (source?.makers?.some((maker) => mayBeSame(maker, who)))
    throw no(
      'This was asked with a token that you made, or by a login that you confirmed: somebody else has to decide.',
    );
  if (!mayRelease(request, who)) throw no(`"${who.name}" is not among the approvers of request ${number}.`);
  if (key === undefined && needsKey(request, who))
    throw no(`Request ${number} is decided with a security key, in the console.`);
  if (decision === 'approve' && approving.some((one) => mayBeSame(one, who)))
    throw over(`"${who.name}" has approved request ${number} already.`);
  if (words.length >= MAX_WORDS)
    throw over(`Request ${number} was approved and taken back too often: it has to be asked anew.`);
}

/** `at`: milliseconds since 1970. */
export const wordOf = (
  who: Principal,
  decision: Word['decision'],
  reason: string,
  shown: ApproverProof,
  at: number,
): Word => ({
  by: who.name,
  at,
  decision,
  reason,
  who,
  ...sourceOf(shown),
  ...(shown.claimed && { claimed: shown.claimed }),
});

/** With what it was said, as far as that is known. */
export const sourceOf = ({ key, token, makers }: ApproverProof): Pick<ApproverProof, 'key' | 'token' | 'makers'> => ({
  ...(key !== undefined && { key }),
  ...(token !== undefined && { token }),
  ...(makers && { makers }),
});
