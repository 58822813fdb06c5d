import { ApprovalError, type Request } from '@sluice/approvals';
import type { ApprovalRow } from '@sluice/cli';
import type { Principal } from '@sluice/contract';
import { z } from 'zod';
import { problems } from './answers.js';
import { ApprovalRow as Row } from './schemas.js';
import { ControlError, type Routes, admit } from './server.js';

const MOST = 200;
const Says = z
  .strictObject({ reason: z.string().trim().max(1000).default('').describe('A denial needs one.') })
  .prefault({});
const ByNumber = z.object({
  number: z.coerce.number('a request is named by its number').int().positive(),
});
const STATUS = { missing: 404, closed: 409, forbidden: 403, full: 503 } as const;

/** Requests for approval: read by approvers, auditors and administrators; decided by approvers whom the rules name. People see their own. */
export function approvalRoutes({ app, gateway, caller, scope }: Routes): void {
  const about = { config: { about: 'connections' } } as const;
  const list = {
    tags: ['approvals'],
    summary: `Of the last ${MOST} requests, those that the caller may see`,
    response: { 200: z.array(Row) },
  };
  app.get('/v1/approvals', { ...about, schema: list }, async (request): Promise<ApprovalRow[]> => {
    const { principal } = caller(request);
    const within = scope(request);
    return (await gateway.approvals.recent(MOST))
      .filter((one) => within(one.connection) && maySee(principal, one))
      .map(toRow);
  });

  const one = {
    tags: ['approvals'],
    summary: 'One request',
    params: ByNumber,
    response: { 200: Row, ...problems(404) },
  };
  app.get('/v1/approvals/:number', { ...about, schema: one }, async (request): Promise<ApprovalRow> => {
    const { principal } = caller(request);
    const { number } = request.params;
    const found = await gateway.approvals.find(number);
    if (!found || !maySee(principal, found))
      throw new ControlError(404, `There is no request ${number}.`, '"sluice approvals ls" lists them.');
    admit(scope(request), found.connection);
    return toRow(found);
  });

  for (const says of ['approve', 'deny'] as const) {
    const schema = {
      tags: ['approvals'],
      summary: says === 'approve' ? 'Approve a request' : 'Deny a request',
      description: 'Counts where a rule names the caller as approver, and the request is not their own.',
      params: ByNumber,
      body: Says,
      response: { 200: Row, ...problems(404, 409, 503) },
    };
    const config = { roles: ['approver'], about: 'connections' } as const;
    app.post(`/v1/approvals/:number/${says}`, { config, schema }, async (request): Promise<ApprovalRow> => {
      const { principal } = caller(request);
      const { reason } = request.body;
      if (says === 'deny' && reason === '') throw new ControlError(400, 'A denial needs a reason.');
      const found = await gateway.approvals.find(request.params.number);
      if (found) admit(scope(request), found.connection);
      try {
        return toRow(await gateway.approvals.decide(request.params.number, principal, says, reason));
      } catch (error) {
        if (error instanceof ApprovalError) throw new ControlError(STATUS[error.reason], error.message);
        throw error;
      }
    });
  }
}

const maySee = ({ name, roles }: Principal, request: Request): boolean =>
  request.principal === name || roles.some((role) => ['approver', 'admin', 'auditor'].includes(role));

/** A request as people and programs are told of it. */
export const toRow = (request: Request): ApprovalRow => ({
  number: request.number,
  kind: request.kind ?? 'command',
  state: request.state,
  principal: request.principal,
  connection: request.connection,
  session: request.session,
  text: request.text,
  parameters: request.parameters,
  requirements: request.requirements,
  unanswered: request.unanswered,
  waits: request.waits,
  transaction: request.transaction,
  ...(request.impact && { impact: request.impact }),
  created: iso(request.created),
  expires: iso(request.expires),
  ...(request.closed !== undefined && { closed: iso(request.closed) }),
  ...(request.used !== undefined && { used: iso(request.used) }),
  ...(request.why !== undefined && { why: request.why }),
  words: request.words.map((word) => ({ ...word, at: iso(word.at) })),
});

const iso = (time: number): string => new Date(time).toISOString();
