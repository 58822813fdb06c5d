/**
 * Who passes what they asked themselves at once, and who closes the review of that. Owns: both, with a sentence for each no. Does not: keep
 * or store anything (approvals.ts). Pure.
 */
import type { Principal } from '@sluice/contract';
import { ApprovalError } from './ports.js';
import {
  type ApprovalRequest,
  type Approver,
  type ApproverProof,
  type ReleaseQuestion,
  type Requirement,
  askerOf,
  mayBeSame,
  names,
  satisfied,
} from './request.js';

/** A reason says something: blanks, dots and what does not show do not. */
export const saysSomething = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

/** Whether somebody is surely the person who asked. Where it is not known for sure, nobody passes. */
function isAsker(asked: ReleaseQuestion, who: Principal): boolean {
  const asker = askerOf(asked);
  if (who.kind !== 'person' || asker.issuer !== who.issuer) return false;
  const known = asker.subject !== undefined && who.subject !== undefined;
  return known ? asker.subject === who.subject : asker.name === who.name;
}

/** Requirements that nobody has satisfied so far: those that are passed by. */
const leftOf = (asked: ReleaseQuestion, approved: readonly Approver[]): Requirement[] =>
  asked.requirements.filter((one) => !satisfied({ ...asked, requirements: [one] }, approved));

/** Whether whoever asked passes it with a security key only. */
const passesWithKey = ({ requirements }: Pick<ReleaseQuestion, 'requirements'>): boolean =>
  requirements.some(({ stepUp }) => stepUp !== undefined);

/** @throws ApprovalError where somebody may not pass a request by break-glass */
export function admitPassing(
  request: ApprovalRequest,
  approved: readonly Approver[],
  who: Principal,
  { key }: ApproverProof,
): void {
  const { number } = request;
  const no = (message: string): ApprovalError => new ApprovalError('forbidden', message);
  if (!isAsker(request, who))
    throw no(`Request ${number} is not yours: whoever asked passes it by break-glass, in person, and nobody for them.`);
  const left = leftOf(request, approved);
  const closed = left.find(({ breakGlass = [] }) => !names(breakGlass, who));
  if (closed)
    throw no(`Rule "${closed.rule}" lets "${who.name}" not pass by break-glass: its approvers have to answer.`);
  if (key === undefined && passesWithKey({ requirements: left }))
    throw no(`Request ${number} is passed with a security key, in the console.`);
}

/** Whether somebody may close the review of what somebody else passed: an approver that the rule names, or who oversees the gateway. */
export function mayReview(request: ApprovalRequest, who: Principal): boolean {
  if (who.kind !== 'person' || mayBeSame(askerOf(request), who)) return false;
  if (request.source?.makers?.some((maker) => mayBeSame(maker, who))) return false;
  if (who.roles.includes('admin') || who.roles.includes('auditor')) return true;
  return who.roles.includes('approver') && request.requirements.some(({ approvers }) => names(approvers, who));
}

/** @throws ApprovalError where somebody may not close the review of a request */
export function admitReview(request: ApprovalRequest, who: Principal): void {
  if (mayReview(request, who)) return;
  const own = mayBeSame(askerOf(request), who);
  throw new ApprovalError(
    'forbidden',
    own
      ? 'Nobody closes the review of what they passed themselves.'
      : `"${who.name}" does not close the review of request ${request.number}: an approver of the rule, an administrator or an auditor does, in person.`,
  );
}
