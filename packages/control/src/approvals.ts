/** Routes about requests for approval. Owns: who sees and decides which. Does not: outcomes (packages/approvals). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApprovalRow } from '@sluice/api';
import {
  ApprovalError,
  type ApprovalRequest,
  type ApproverProof,
  isKeptFrom,
  mayHaveAsked,
  saysSomething,
  withoutPreview,
} from '@sluice/approvals';
import type { Principal } from '@sluice/contract';
import { type Proven, nameOf, notOwnWord } from '@sluice/identity';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { peopleLogIn } from '@sluice/config';
import type { Controlled } from './controlled.js';
import { shownOf } from '@sluice/audit';
import { toRow } from './approval-row.js';
import { maySeeOthers, maySeeRequest } from './events.js';
import { NOT_STORED, problems } from './answers.js';
import { ControlError, type Routes, type TokenScope, admit } from './routes.js';
import { Assertion, KeyQuestion, askForKey, keyShown } from './step-up.js';

/** Requests in an answer at most, and how many are looked at for those that the caller may see. */
const MAX_ROWS = 200;
const MAX_LOOKED_AT = 1_000;
/** Read from the store at a time, at least. */
const MIN_PAGE = 50;
const Query = z.object({
  state: z.enum(['pending']).optional().describe('Only those that wait for an answer.'),
  review: z.enum(['open']).optional().describe('Only those that passed by break-glass and are to be looked at.'),
  limit: z.coerce.number().int().min(1).max(MAX_ROWS).default(50),
  before: z.coerce.number().int().positive().optional().describe('Only those with a lower number: the next page.'),
  principal: z.string().max(1_000).optional().describe('Only those of this one.'),
  each: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_ROWS)
    .optional()
    .describe('Of those that wait at most so many of one principal, the newest, so that nobody fills the list alone.'),
});
const Says = z
  .strictObject({ reason: z.string().trim().max(1000).default('').describe('A denial needs one.') })
  .prefault({});
/** With what a security key signed for it, where one is wanted. */
const Decides = z
  .strictObject({
    reason: z.string().trim().max(1000).default('').describe('A denial needs one.'),
    assertion: Assertion.optional().describe('What a security key signed for this decision, as a browser has it.'),
  })
  .prefault({});
/** What is passed by break-glass, or reviewed, takes a reason. */
const reasoned = z.string().trim().max(1000).refine(saysSomething, { error: 'a reason in words is needed' });
const Passes = z.strictObject({
  reason: reasoned.describe(
    'Why it cannot wait, in words: it goes on record, and to everybody who looks after the gateway.',
  ),
  assertion: Assertion.optional().describe('What a security key signed for this, as a browser has it.'),
});
const Reviews = z.strictObject({ reason: reasoned.describe('What came of looking at it, in words.') });
const Asks = z.strictObject({
  decision: z.enum(['approve', 'deny', 'break-glass']),
  reason: z.string().trim().max(1000).default('').describe('To the letter as it is sent then.'),
});
const ByNumber = z.object({
  number: z.coerce.number('a request is named by its number').int().positive(),
});
/** In place of an answer that its client does not have. */
const KEPT = 'An answer that others have to read first. It comes to who asked for it, if they release it.';
const STATUS = { missing: 404, closed: 409, forbidden: 403, full: 503 } as const;

/** Requests for approval: read by approvers, auditors and administrators; decided by approvers whom the rules name. People see their own. */
export function approvalRoutes({ app, gateway, caller, scope }: Routes): void {
  // Their texts are long: whoever asks for them all the time gets half of the time.
  const about = { config: { about: 'connections', inTurn: true } } as const;
  const shown = (request: ApprovalRequest): ApprovalRow => toRow(request, gateway.approvals.pageOf(request.number));
  /** What it differs from may be somebody else's, which is for those who may see that; an answer is not for who waits for it. */
  const shownTo = (principal: Principal, { since, ...request }: ApprovalRequest): ApprovalRow =>
    shown({
      ...(maySeeOthers(principal) && !mayHaveAsked(principal, request) ? request : withoutPreview(request)),
      ...(since && maySeeOthers(principal) && { since }),
      ...(isKeptFrom(principal, request) && { text: KEPT, textBytes: Buffer.byteLength(KEPT) }),
    });
  const list = {
    tags: ['approvals'],
    summary: 'Requests that the caller may see, the newest first',
    description: 'Of texts and values these have the start; one request has the whole of them.',
    querystring: Query,
    response: { 200: z.array(ApprovalRow) },
  };
  app.get('/v1/approvals', { ...about, schema: list }, async (request): Promise<ApprovalRow[]> => {
    const { principal } = caller(request);
    const found = await visible(gateway, principal, scope(request), request.query);
    return found.map((one) => shownTo(principal, one));
  });

  /** The request that a call is about, if it is within reach of what the caller shows. */
  const named = async (request: FastifyRequest, number: number): Promise<ApprovalRequest | undefined> => {
    const found = await gateway.approvals.find(number);
    const within = scope(request);
    if (found && maySeeRequest(caller(request).principal, found)) admit(within, found.connection);
    return found;
  };

  /** The same, for those who may know of it. Rejects with a ControlError for others, whether there is one or not. */
  const known = async (request: FastifyRequest, number: number): Promise<ApprovalRequest> => {
    const found = await named(request, number);
    if (found && maySeeRequest(caller(request).principal, found)) return found;
    throw new ControlError(404, `There is no request ${number}.`, '"sluice approvals ls" lists them.');
  };

  /** @throws ControlError where what is said with this proof may be somebody else's word */
  const ownWord = (proven: Proven): void => {
    const fault = notOwnWord(proven, peopleLogIn(gateway.config));
    if (fault !== undefined)
      throw new ControlError(403, fault, 'Log in yourself: "sluice login", or have a token made by the operator.');
  };

  const one = {
    tags: ['approvals'],
    summary: 'One request',
    params: ByNumber,
    response: { 200: ApprovalRow, ...problems(403, 404) },
  };
  app.get('/v1/approvals/:number', { ...about, schema: one }, async (request): Promise<ApprovalRow> => {
    const found = await known(request, request.params.number);
    return shownTo(caller(request).principal, found);
  });

  for (const says of ['approve', 'deny'] as const) {
    const schema = {
      tags: ['approvals'],
      summary: says === 'approve' ? 'Approve a request' : 'Deny a request',
      description: 'Counts where a rule names the caller as approver, and the request is not their own.',
      params: ByNumber,
      body: Decides,
      response: { 200: ApprovalRow, ...problems(404, 409, 503) },
    };
    const config = { roles: ['approver'], ...about.config } as const;
    app.post(`/v1/approvals/:number/${says}`, { config, schema }, async (request): Promise<ApprovalRow> => {
      const proven = caller(request);
      const { number } = request.params;
      const { reason, assertion } = request.body;
      if (says === 'deny' && reason === '') throw new ControlError(400, 'A denial needs a reason.');
      const asked = await named(request, number);
      ownWord(proven);
      const decision = { decision: says, reason };
      const signed = asked && assertion && (await keyShown(gateway, proven, asked, decision, assertion));
      const proof = { ...shownBy(proven), ...(signed && { key: signed.id }) };
      return shownTo(
        proven.principal,
        await inWords(gateway.approvals.decide(number, proven.principal, says, reason, proof)),
      );
    });
  }

  const pass = {
    tags: ['approvals'],
    summary: 'Pass a request of your own at once (break-glass)',
    description:
      'Counts where each rule that holds it names the caller in "break_glass". Everybody is told, and a review is open until somebody else closes it.',
    params: ByNumber,
    body: Passes,
    response: { 200: ApprovalRow, ...problems(404, 409, 503) },
  };
  const passing = { roles: ['user'], ...about.config } as const;
  app.post('/v1/approvals/:number/break-glass', { config: passing, schema: pass }, async (request) => {
    const proven = caller(request);
    const { number } = request.params;
    const { reason, assertion } = request.body;
    const asked = await known(request, number);
    ownWord(proven);
    if (!gateway.log.recording)
      throw new ControlError(503, 'The record cannot be written at the moment, so nothing passes by break-glass.');
    const decision = { decision: 'break-glass', reason } as const;
    const signed = assertion && (await keyShown(gateway, proven, asked, decision, assertion));
    const proof = { ...shownBy(proven), ...(signed && { key: signed.id }) };
    return shownTo(
      proven.principal,
      await inWords(gateway.approvals.breakGlass(number, proven.principal, reason, proof)),
    );
  });

  const review = {
    tags: ['approvals'],
    summary: 'Close the review of a request that passed by break-glass',
    description: 'By an approver of its rules, an administrator or an auditor, and never by whoever passed it.',
    params: ByNumber,
    body: Reviews,
    response: { 200: ApprovalRow, ...problems(404, 409) },
  };
  const reviewing = { roles: ['approver', 'admin', 'auditor'], ...about.config } as const;
  app.post('/v1/approvals/:number/review', { config: reviewing, schema: review }, async (request) => {
    const proven = caller(request);
    const { number } = request.params;
    await named(request, number);
    ownWord(proven);
    const { reason } = request.body;
    return shownTo(
      proven.principal,
      await inWords(gateway.approvals.closeReview(number, proven.principal, reason, shownBy(proven))),
    );
  });

  const question = {
    tags: ['approvals'],
    summary: 'What a security key has to sign for a decision about a request',
    description:
      'For navigator.credentials.get of a page of the console. It is for this request, decision and reason, once, within two minutes.',
    params: ByNumber,
    body: Asks,
    response: { 200: KeyQuestion, ...problems(404, 409) },
  };
  const asking = { roles: ['approver', 'user'], ...about.config } as const;
  app.post('/v1/approvals/:number/question', { config: asking, schema: question }, async (request) => {
    const { number } = request.params;
    const proven = caller(request);
    const asked = await known(request, number);
    return { ...(await askForKey(gateway, proven, asked, request.body)) };
  });

  const revocation = {
    tags: ['approvals'],
    summary: 'Take an approval back',
    description:
      'Whoever approved or passed a request takes that back, administrators all of a request. What has not been used is withdrawn.',
    params: ByNumber,
    body: Says,
    response: { 200: ApprovalRow, ...problems(202, 404, 409, 503) },
  };
  const config = { roles: ['approver', 'admin', 'user'], ...about.config } as const;
  app.post('/v1/approvals/:number/revoke', { config, schema: revocation }, async (request, reply) => {
    const proven = caller(request);
    const { principal } = proven;
    const { number } = request.params;
    await known(request, number);
    const all = principal.roles.includes('admin');
    const { approvals, revocations } = gateway;
    const taken = await inWords(approvals.takeBack(number, principal, request.body.reason, all, shownBy(proven)));
    return revocations.isStored(`approval:${number}`) ? shownTo(principal, taken) : reply.code(202).send(NOT_STORED);
  });
}

/** A page of those that the caller may see. */
async function visible(
  { approvals }: Controlled,
  principal: Principal,
  within: TokenScope,
  { state, review, limit, before, principal: of, each = Infinity }: z.infer<typeof Query>,
): Promise<ApprovalRequest[]> {
  const sees = (one: ApprovalRequest): boolean =>
    (of ?? one.principal) === one.principal && within(one.connection) && maySeeRequest(principal, one);
  if (review !== undefined)
    return approvals
      .reviews()
      .filter((one) => one.number < (before ?? Infinity) && sees(one))
      .toReversed()
      .slice(0, limit);
  // However many were asked after it.
  if (state === 'pending') {
    const waiting = approvals.waiting().filter((one) => one.number < (before ?? Infinity) && sees(one));
    return fewOfEach(waiting, each).slice(0, limit);
  }
  const found: ApprovalRequest[] = [];
  let next = before;
  const size = Math.max(limit, MIN_PAGE);
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT && found.length < limit; lookedAt += size) {
    const page = await approvals.recent(size, next);
    found.push(...page.filter(sees));
    next = page.at(-1)?.number;
    if (page.length < size) break;
    // The store answers at once: others have their turn between two pages.
    await nextTurn();
  }
  return found.slice(0, limit);
}

/** In the same order, no more than `most` of one principal. */
function fewOfEach(requests: readonly ApprovalRequest[], most: number): ApprovalRequest[] {
  const counts = new Map<string, number>();
  return requests.filter(({ principal, source }) => {
    const key = nameOf({ name: principal, issuer: source?.issuer });
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count <= most;
  });
}

async function inWords<T>(deciding: Promise<T>): Promise<T> {
  try {
    return await deciding;
  } catch (error) {
    if (error instanceof ApprovalError) throw new ControlError(STATUS[error.reason], error.message);
    throw error;
  }
}

const shownBy = ({ tokenId, makers, claimed }: Proven): ApproverProof => ({
  ...shownOf(tokenId, makers),
  ...(claimed && { claimed }),
});
