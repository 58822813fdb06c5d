/** Sessions as lists have them. Owns: their form and their order. Pure. Does not: say who sees which (sessions.ts). */
import type { SessionRow } from '@sluice/api';
import type { SessionView } from '@sluice/audit';
import type { IndexedSession } from '@sluice/store';

/** Ids of one run of the gateway end with a serial number in base 36: it is longer where it is larger. */
export const isEarlier = (id: string, other: string): boolean =>
  id.length === other.length ? id < other : id.length < other.length;

export const claimOf = (text: string): { name: string; value: string } => {
  const at = text.indexOf('=');
  return { name: text.slice(0, at), value: text.slice(at + 1) };
};

export const hasAll = (own: SessionRow['claims'], claims: readonly { name: string; value: string }[]): boolean =>
  claims.every(({ name, value }) => own && Object.hasOwn(own, name) && own[name]?.includes(value));

export const liveRow = (session: SessionView): SessionRow => ({
  id: session.id,
  state: session.state,
  principal: session.principal?.name ?? '',
  connection: session.connection?.name ?? '',
  protocol: session.protocol,
  client: session.client,
  started: new Date(session.started).toISOString(),
  commands: session.commands,
  denied: session.denied,
  ...claimsOf(session.claims),
});

const claimsOf = (claims: SessionView['claims']): Pick<SessionRow, 'claims'> =>
  claims ? { claims: Object.fromEntries(Object.entries(claims).map(([name, values]) => [name, [...values]])) } : {};

export const recordedRow = ({
  id,
  principal,
  connection,
  protocol,
  client,
  ...session
}: IndexedSession): SessionRow => ({
  id,
  state: 'ended',
  principal,
  connection,
  protocol,
  client,
  started: new Date(session.started).toISOString(),
  ...(session.ended !== undefined && { ended: new Date(session.ended).toISOString() }),
  ...(session.reason !== undefined && { reason: session.reason }),
  commands: session.commands,
  denied: session.denied,
  ...claimsOf(session.claims),
});
