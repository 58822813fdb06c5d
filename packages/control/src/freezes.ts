/** Routes about who is frozen, and what budgets have left. Owns: who may freeze, thaw and reset whom. Does not: keep either (packages/budgets). */
import { BudgetRow, FreezeRow } from '@sluice/api';
import { actorOf } from '@sluice/audit';
import { type BudgetUse, type Frozen, isBeyondFreezing, isSubject, ownerInWords } from '@sluice/budgets';
import { OPERATOR, ownerOf } from '@sluice/identity';
import { z } from 'zod';
import { NOT_STORED, problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';

const reason = z.string().min(1).max(500);
const Freeze = z.strictObject({
  subject: z
    .string()
    .max(210)
    .describe('user:NAME, agent:NAME, owner:NAME (all agents of a person) or connection:NAME.'),
  reason: reason.describe('Whoever is frozen reads it.'),
});
const Reset = z.strictObject({
  rule: z.string().max(200),
  of: z.string().max(500).optional().describe('As the list names them; absent: of everybody.'),
});

export function freezeRoutes({ app, gateway, caller }: Routes): void {
  const { admissions } = gateway;
  const list = { tags: ['freezes'], summary: 'Who is frozen', response: { 200: z.array(FreezeRow) } };
  const readers = { roles: ['approver', 'admin', 'auditor'], about: 'gateway' } as const;
  app.get('/v1/freezes', { config: readers, schema: list }, (): FreezeRow[] => admissions.all().map(toRow));

  const config = { roles: ['approver', 'admin'], about: 'gateway' } as const;
  const freezing = {
    tags: ['freezes'],
    summary: 'Freeze somebody: sessions end, and logins are refused until somebody else thaws them',
    body: Freeze,
    response: { 200: FreezeRow, ...problems(202, 400, 403, 409) },
  };
  app.post('/v1/freezes', { config, schema: freezing }, async (request, reply) => {
    const { subject, reason: why } = request.body;
    const proven = caller(request);
    if (!isSubject(subject))
      throw new ControlError(
        400,
        `"${subject}" is nobody.`,
        'Write user:NAME, agent:NAME, owner:NAME or connection:NAME.',
      );
    if (isBeyondFreezing(subject))
      throw new ControlError(403, `"${OPERATOR}" cannot be frozen: nobody else could help.`);
    const isOfAgents = subject.startsWith('agent:') || subject.startsWith('owner:');
    if (!isOfAgents && !proven.principal.roles.includes('admin'))
      throw new ControlError(403, 'Approvers freeze agents; people and connections are for admin.');
    const stored = await admissions.freeze(subject, actorOf(proven), why);
    const frozen = admissions.all().find((one) => one.subject === subject);
    return stored && frozen ? toRow(frozen) : reply.code(202).send(NOT_STORED);
  });

  const thawing = {
    tags: ['freezes'],
    summary: 'Thaw somebody',
    params: z.object({ subject: z.string().max(210).describe('As the list names it.') }),
    querystring: z.object({ reason: reason.describe('It is on record.') }),
    response: { 200: FreezeRow, ...problems(403, 404, 503) },
  };
  app.delete('/v1/freezes/:subject', { config, schema: thawing }, async (request): Promise<FreezeRow> => {
    const { subject } = request.params;
    const proven = caller(request);
    const frozen = admissions.all().find((one) => one.subject === subject);
    if (!frozen) throw new ControlError(404, `"${subject}" is not frozen.`, '"sluice freeze ls" lists who is.');
    const { principal, makers } = proven;
    const refused = admissions.refusesThaw(subject, { principal, owner: ownerOf(principal, makers) });
    if (refused !== undefined) throw new ControlError(403, refused);
    try {
      await admissions.thaw(subject, actorOf(proven), request.query.reason);
    } catch {
      throw new ControlError(503, `"${subject}" stays frozen: it cannot be stored that it is not.`, 'Try again.');
    }
    return toRow(frozen);
  });
}

export function budgetRoutes({ app, gateway, caller }: Routes): void {
  const list = {
    tags: ['budgets'],
    summary: 'What of which budget is used up by whom',
    response: { 200: z.array(BudgetRow) },
  };
  const readers = { roles: ['admin', 'auditor'], about: 'gateway' } as const;
  app.get('/v1/budgets', { config: readers, schema: list }, (): BudgetRow[] =>
    gateway.admissions.budgets().map(toBudgetRow),
  );

  const reset = {
    tags: ['budgets'],
    summary: 'Count a budget anew',
    body: Reset,
    response: { 200: z.strictObject({ reset: z.number().describe('Counters.') }), ...problems(403, 404) },
  };
  app.post('/v1/budgets/reset', { config: { roles: ['admin'], about: 'gateway' }, schema: reset }, (request) => {
    const { rule, of } = request.body;
    const proven = caller(request);
    const own = [...gateway.admissions.countersOf(proven.principal, proven.makers)].map(ownerInWords);
    if (proven.principal.name !== OPERATOR && (of === undefined || own.includes(of)))
      throw new ControlError(
        403,
        'What you have used up yourself is given back by somebody else.',
        'Name somebody with --of.',
      );
    const count = gateway.admissions.resetBudget(rule, (owner) => of === undefined || ownerInWords(owner) === of);
    if (count === 0)
      throw new ControlError(
        404,
        `Nothing is used up by rule "${rule}"${of === undefined ? '' : ` of ${of}`}.`,
        '"sluice budgets ls" lists what is.',
      );
    gateway.log.admin(actorOf(proven), 'budget.reset', `${rule} of ${of ?? 'everybody'}`);
    return { reset: count };
  });
}

export const toBudgetRow = ({ rule, unit, owner, by, used, limit, within, free, observed }: BudgetUse): BudgetRow => ({
  rule,
  unit,
  of: ownerInWords(owner),
  ...(by !== '' && { by }),
  used,
  limit,
  within,
  ...(free !== undefined && { free: new Date(free).toISOString() }),
  ...(observed && { observed }),
});

const toRow = ({ subject, since, by, why }: Frozen): FreezeRow => ({
  subject,
  since: new Date(since).toISOString(),
  by,
  reason: why,
});
