/** Who is known to the gateway, as it last saw them. Owns: where that is gathered from. Does not: know it (packages/identity). */
import { PersonRow } from '@sluice/api';
import type { Principal } from '@sluice/contract';
import { type Person, isOperator, nameOf } from '@sluice/identity';
import { z } from 'zod';
import type { Routes } from './routes.js';

export function peopleRoute({ app, gateway }: Routes): void {
  const schema = {
    tags: ['identity'],
    summary: 'People and agents as the gateway last saw them',
    description:
      'Those of the configuration, those of issuers who have proven who they are since the start of the gateway, and those who have a token.',
    response: { 200: z.array(PersonRow) },
  };
  const config = { roles: ['admin', 'auditor'], about: 'gateway', inTurn: true } as const;
  app.get('/v1/people', { config, schema }, (): PersonRow[] => {
    const sessions = counted([...gateway.sessions.values()].flatMap(({ principal }) => principal ?? []));
    const now = Date.now();
    const good = gateway.identity
      .tokens()
      .filter(({ revoked, expires }) => revoked === undefined && (expires === undefined || expires > now));
    const tokens = counted(good.map((token) => gateway.identity.personOf(token)));
    return gateway.identity
      .known()
      .filter(({ principal }) => !isOperator(principal))
      .map(({ principal, seen }) => toRow(principal, seen, { sessions, tokens }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** How many there are of each. */
function counted(people: readonly Person[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const one of people) counts.set(nameOf(one), (counts.get(nameOf(one)) ?? 0) + 1);
  return counts;
}

const toRow = (
  principal: Principal,
  seen: number | undefined,
  { sessions, tokens }: Readonly<Record<'sessions' | 'tokens', ReadonlyMap<string, number>>>,
): PersonRow => ({
  name: principal.name,
  kind: principal.kind,
  groups: [...principal.groups],
  roles: [...principal.roles],
  ...(principal.issuer !== undefined && { issuer: principal.issuer }),
  ...(principal.subject !== undefined && { subject: principal.subject }),
  ...(seen !== undefined && { seen: new Date(seen).toISOString() }),
  sessions: sessions.get(nameOf(principal)) ?? 0,
  tokens: tokens.get(nameOf(principal)) ?? 0,
});
