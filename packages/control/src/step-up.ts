/**
 * Security keys that approvers show for one decision, and what administrators of the machine do about keys that are lost. Owns: what a
 * signature is bound to. Does not: check it (packages/step-up), or say which requests take one (packages/approvals).
 */
import { SecurityKeyRow } from '@sluice/api';
import type { ApprovalRequest, Word } from '@sluice/approvals';
import { actorOf } from '@sluice/audit';
import type { Proven } from '@sluice/identity';
import { type Bound, type SecurityKey, StepUpError } from '@sluice/step-up';
import { z } from 'zod';
import { problems } from './answers.js';
import type { Controlled } from './controlled.js';
import { ById } from './openapi.js';
import { ControlError, type Routes } from './routes.js';

/** As browsers have it (Web Authentication, level 3, section 5.8). What is in it is looked at where signatures are checked. */
export const Assertion = z.looseObject({ id: z.string().max(1_400) });
/** What a browser needs to have somebody show a key. */
export const KeyQuestion = z.looseObject({ challenge: z.string() });

export interface Decision {
  readonly decision: Word['decision'];
  readonly reason: string;
}

/** The request by its number, the command to the letter and the terms by its digest, those who have to answer, and what is said. */
const boundTo = ({ number, digest, requirements }: ApprovalRequest, { decision, reason }: Decision): Bound => [
  'decide',
  number,
  digest,
  requirements,
  decision,
  reason,
];

/** Where keys are shown. @throws ControlError where there is no console */
export function relyingParty({ approvals }: Pick<Controlled, 'approvals'>): { readonly origin: string } {
  if (approvals.console !== undefined) return { origin: approvals.console };
  throw new ControlError(409, 'Security keys are shown in the console, and there is none.');
}

/** What a browser needs to have the caller show a key for just this decision. */
export const askForKey = (gateway: Controlled, { principal }: Proven, request: ApprovalRequest, decision: Decision) =>
  keysInWords(() => gateway.securityKeys.ask(principal, boundTo(request, decision), relyingParty(gateway)));

/** The key that the caller showed for just this decision. Rejects with a ControlError when they did not. */
export const keyShown = (
  gateway: Controlled,
  { principal }: Proven,
  request: ApprovalRequest,
  decision: Decision,
  assertion: unknown,
): Promise<SecurityKey> =>
  keysInWords(() =>
    gateway.securityKeys.shown(principal, boundTo(request, decision), relyingParty(gateway), assertion),
  );

/** What is wrong with a key is for whoever shows it. */
export async function keysInWords<T>(action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StepUpError) throw new ControlError(403, error.message);
    throw error;
  }
}

/** What everybody is told of a key who looks after the gateway: on record, in its log, and by webhooks. */
export function tellOfKey(gateway: Controlled, proven: Proven, what: 'added' | 'removed', key: SecurityKey): void {
  const { name: owner, issuer } = key.owner;
  gateway.log.admin(actorOf(proven), `key.${what}`, `"${key.name}" (${key.id}) of ${owner}, known by ${issuer}`);
  const by = proven.principal.name;
  gateway.webhooks.send(`key.${what}`, { ...toKeyRow(key), by }, by);
}

export const toKeyRow = ({ id, name, owner, created, lastUsed }: SecurityKey): SecurityKeyRow => ({
  id,
  name,
  owner: owner.name,
  issuer: owner.issuer,
  created: new Date(created).toISOString(),
  ...(lastUsed !== undefined && { lastUsed: new Date(lastUsed).toISOString() }),
});

/** On the control listener alone: whoever has lost their only key cannot show it to have it removed. */
export function securityKeyRoutes({ app, gateway, caller }: Routes): void {
  const config = { about: 'gateway', roles: ['admin'] } as const;
  const list = {
    tags: ['identity'],
    summary: 'Security keys of everybody',
    response: { 200: z.array(SecurityKeyRow) },
  };
  app.get('/v1/security-keys', { config, schema: list }, (): SecurityKeyRow[] =>
    gateway.securityKeys.all().map(toKeyRow),
  );

  const removal = {
    tags: ['identity'],
    summary: 'Remove a security key that somebody has lost',
    description: 'What it approved and has not been used is approved no more.',
    params: ById,
    response: { 200: SecurityKeyRow, ...problems(404) },
  };
  app.delete('/v1/security-keys/:id', { config, schema: removal }, async (request): Promise<SecurityKeyRow> => {
    const key = gateway.securityKeys.all().find(({ id }) => id === request.params.id);
    if (!key) throw new ControlError(404, `There is no security key ${request.params.id}.`);
    const removing = gateway.securityKeys.remove(key.id);
    tellOfKey(gateway, caller(request), 'removed', key);
    await removing;
    return toKeyRow(key);
  });
}
