/** Security keys, as a browser shows them. Owns: what the browser is asked. Does not: check what they sign: the gateway does. */
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { ApprovalRow, SecurityKeyRow, WhoAmI } from '@sluice/api';
import { queryOptions } from '@tanstack/react-query';
import { ApiError, ask, send } from './api.js';
import { isNamed } from './deciding.js';

/** Whether somebody decides about a request with a security key only. */
export const needsKey = (row: ApprovalRow, who: WhoAmI): boolean =>
  row.requirements.some(({ approvers, stepUp }) => stepUp !== undefined && isNamed(approvers, who));

/** What a key of one's own signs for a decision: this one, with this reason, and no other. */
export async function signDecision(
  number: number,
  decision: 'approve' | 'deny' | 'break-glass',
  reason: string,
): Promise<unknown> {
  const question = await send<PublicKeyCredentialRequestOptionsJSON>('POST', `/v1/approvals/${number}/question`, {
    decision,
    reason,
  });
  return shown(question);
}

export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) =>
    ask<{ readonly keys: readonly SecurityKeyRow[]; readonly fresh: boolean }>('/auth/keys', signal),
});

interface Question {
  readonly make?: PublicKeyCredentialCreationOptionsJSON;
  readonly show?: PublicKeyCredentialRequestOptionsJSON;
}

export async function addKey(name: string): Promise<SecurityKeyRow> {
  const { make, show } = await send<Question>('POST', '/auth/keys/question', { to: 'add', name });
  const assertion = show && (await shown(show));
  const { startRegistration } = await import('@simplewebauthn/browser');
  const made = make && (await inWords(() => startRegistration({ optionsJSON: make })));
  return send('POST', '/auth/keys', { name, made, ...(assertion !== undefined && { assertion }) });
}

export async function removeKey(id: string): Promise<SecurityKeyRow> {
  const { show } = await send<Question>('POST', '/auth/keys/question', { to: 'remove', id });
  return send('POST', '/auth/keys/remove', { id, assertion: show && (await shown(show)) });
}

async function shown(question: PublicKeyCredentialRequestOptionsJSON): Promise<unknown> {
  const { startAuthentication } = await import('@simplewebauthn/browser');
  return inWords(() => startAuthentication({ optionsJSON: question }));
}

/** Browsers do not say more than this, so that pages learn nothing about keys. */
async function inWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch {
    throw new ApiError(0, {
      message: 'No security key was shown.',
      hint: 'Touch a key that is registered here, or try again: there are two minutes.',
    });
  }
}
