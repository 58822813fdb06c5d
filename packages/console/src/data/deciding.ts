/** Who may decide about what, as far as a page can tell. Does not: decide it: the gateway does, each time. Pure. */
import type { ApprovalRow, WhoAmI } from '@sluice/api';

const isOwn = (row: ApprovalRow, who: WhoAmI): boolean => row.principal.toLowerCase() === who.name.toLowerCase();

/** Whether a list of approvers names somebody. */
export const isNamed = (approvers: readonly string[], who: WhoAmI): boolean =>
  approvers.some((entry) => {
    const name = entry.slice(entry.indexOf(':') + 1);
    return entry.startsWith('group:') ? who.groups.includes(name) : name === who.name;
  });

/** Why somebody does not decide about a request; undefined: they may. */
export function whyNot(row: ApprovalRow, who: WhoAmI): string | undefined {
  if (row.state !== 'pending') return undefined;
  if (isOwn(row, who))
    return mayPass(row, who)
      ? 'You asked this yourself: somebody else decides. Where it cannot wait, you may pass it, and are reviewed.'
      : 'You asked this yourself: somebody else has to decide.';
  if (!who.roles.includes('approver')) return 'You see this, and do not decide: you are no approver.';
  const named = row.requirements.some(({ approvers }) => isNamed(approvers, who));
  if (!named) return 'You see this, and do not decide: the rule names other approvers.';
  const said = row.words.some(
    (word) => word.by === who.name && word.decision === 'approve' && word.takenBack === undefined,
  );
  return said ? 'You have approved this; others have to as well.' : undefined;
}

/** Requirements that too few have approved by now. */
const left = (row: ApprovalRow): ApprovalRow['requirements'] =>
  row.requirements.filter(({ count }) => approvedBy(row).length < count);

/** Whether somebody may let pass what they asked themselves (break-glass). */
export const mayPass = (row: ApprovalRow, who: WhoAmI): boolean =>
  row.state === 'pending' &&
  isOwn(row, who) &&
  who.roles.includes('user') &&
  left(row).every(({ breakGlass = [] }) => isNamed(breakGlass, who));

export const passesWithKey = (row: ApprovalRow): boolean => left(row).some(({ stepUp }) => stepUp !== undefined);

/** Whether somebody may close the review of what somebody else let pass. */
export const mayReview = (row: ApprovalRow, who: WhoAmI): boolean =>
  row.review?.state === 'open' &&
  !isOwn(row, who) &&
  (who.roles.includes('admin') ||
    who.roles.includes('auditor') ||
    (who.roles.includes('approver') && row.requirements.some(({ approvers }) => isNamed(approvers, who))));

export const mayDecide = (row: ApprovalRow, who: WhoAmI): boolean =>
  row.state === 'pending' && whyNot(row, who) === undefined;

/** Approvals that count, of one requirement, by name: the gateway counts people, and is right where this is not. */
export const approvedBy = (row: ApprovalRow): string[] => [
  ...new Set(
    row.words.flatMap((word) => (word.decision === 'approve' && word.takenBack === undefined ? [word.by] : [])),
  ),
];
