/**
 * Targets by HTTP that want to know people: each request shows the grant of whoever sends it. Owns: that nobody shows another one’s, and what
 * somebody without a grant is told. Does not: get grants, or keep them (packages/grants).
 */
import type { ConnectionConfig } from '@sluice/config';
import { CredentialError, GrantNeeded, type Outgoing } from '@sluice/contract';
import { type GrantSettings, GrantUnavailable, type Grants } from '@sluice/grants';
import type { TargetCredential } from './target-credential.js';

/** Grants as those need them who send requests. */
export interface GrantSource {
  readonly grants: Grants;
  /** Where people give a grant for a connection; undefined: nowhere. */
  page(connection: string): string | undefined;
}

/** `owner`: see `personOf` (packages/budgets). */
export function grantCredential(
  { grants, page }: GrantSource,
  { name }: Pick<ConnectionConfig, 'name'>,
  settings: GrantSettings,
  owner: string,
): TargetCredential {
  const needed = (): never => {
    throw new GrantNeeded({ code: 'grant-needed', connection: name, page: page(name) });
  };
  const shown = (request: Outgoing, token: string | undefined): Outgoing => {
    if (token === undefined) return needed();
    const others = request.headers.filter(([header]) => header.toLowerCase() !== 'authorization');
    return { target: request.target, headers: [...others, ['Authorization', `Bearer ${token}`]] };
  };
  return {
    authorise: (request) => {
      const token = grants.token(settings, name, owner);
      if (!(token instanceof Promise)) return shown(request, token);
      return token.then(
        (late) => shown(request, late),
        (cause: unknown) => {
          const words =
            cause instanceof GrantUnavailable ? cause.message : 'Your grant cannot be renewed at the moment.';
          throw new CredentialError(words, { cause });
        },
      );
    },
    secrets: () => grants.secrets(name, owner),
    refused: ({ headers }) => {
      const sent = headers.find(([header]) => header.toLowerCase() === 'authorization')?.[1] ?? '';
      grants.refused(settings, name, owner, sent.replace(/^Bearer /, ''));
    },
  };
}
