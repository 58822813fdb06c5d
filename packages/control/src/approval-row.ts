/** A request as the API, webhooks and the command line are told of it. Owns: that form. Does not: decide who sees it. */
import type { ApprovalRow } from '@sluice/api';
import type { ApprovalRequest } from '@sluice/approvals';

/** A request as people and programs are told of it. `page`: its address in the console. */
export const toRow = (request: ApprovalRequest, page?: string): ApprovalRow => ({
  number: request.number,
  kind: request.kind ?? 'command',
  state: request.state,
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

const iso = (time: number): string => new Date(time).toISOString();
