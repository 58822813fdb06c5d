/** A request as the API, webhooks and the command line are told of it. Owns: that form. Does not: decide who sees it. */
import type { ApprovalRow } from '@sluice/api';
import type { ApprovalRequest, Review, Told } from '@sluice/approvals';

/** A request as people and programs are told of it. `page`: its address in the console. */
export const toRow = (request: ApprovalRequest, page?: string): ApprovalRow => ({
  number: request.number,
  kind: request.kind ?? 'command',
  // 'approved' says that others agreed.
  state: request.review && request.state === 'approved' ? 'passed' : request.state,
  principal: request.principal,
  connection: request.connection,
  session: request.session,
  ...(page !== undefined && { page }),
  text: request.text,
  textBytes: request.textBytes ?? Buffer.byteLength(request.text),
  parameters: request.parameters,
  values: request.values ?? request.parameters.length,
  requirements: request.requirements,
  onTimeout: request.onTimeout,
  waits: request.waits,
  transaction: request.transaction,
  ...(request.impact && { impact: request.impact }),
  ...(request.since && { since: request.since }),
  created: iso(request.created),
  expires: iso(request.expires),
  ...(request.closed !== undefined && { closed: iso(request.closed) }),
  ...(request.used !== undefined && { used: iso(request.used) }),
  ...(request.escalated !== undefined && { escalated: iso(request.escalated) }),
  ...(request.review && { review: reviewOf(request.review) }),
  ...(request.why !== undefined && { why: request.why }),
  words: request.words.map(({ by, at, decision, reason, token, makers, key, takenBack }) => ({
    by,
    at: iso(at),
    decision,
    reason,
    ...(token !== undefined && { token }),
    ...(makers && { makers }),
    ...(key !== undefined && { key }),
    ...(takenBack !== undefined && { takenBack: iso(takenBack) }),
  })),
});

const reviewOf = (review: Review): NonNullable<ApprovalRow['review']> =>
  review.state === 'open'
    ? review
    : { ...review, at: iso(review.at), ...(review.makers && { makers: [...review.makers] }) };

/** The type of the message to webhooks; undefined: they are told nothing. */
export function toldAs(event: Parameters<Told>[1]): string | undefined {
  if (event === 'used') return undefined;
  return `approval.${['approve', 'deny', 'revoked'].includes(event) ? 'answered' : event}`;
}

const iso = (time: number): string => new Date(time).toISOString();
