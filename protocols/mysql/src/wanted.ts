/** Which connection a client means, by how it introduces itself. Pure. Does not: say whether it may use that one. */
import type { Gate } from '@sluice/contract';
import type { HandshakeResponse } from './handshake.js';

export interface WantedConnection {
  readonly user: string;
  readonly connection: string;
  /** To be used at the target; undefined: the connection's own. */
  readonly database: string | undefined;
}

/**
 * `USER%CONNECTION`; else its database, where a connection has that name; else the listener's. Where the listener has none, the
 * database is taken for a connection, so that its name is in what the client is told.
 */
export function whereTo(
  { user, database }: Pick<HandshakeResponse, 'user' | 'database'>,
  fallback: string | undefined,
  gate: Pick<Gate, 'hasConnection'>,
): WantedConnection {
  const at = user.lastIndexOf('%');
  if (at >= 0) return { user: user.slice(0, at), connection: user.slice(at + 1), database };
  const named = database !== undefined && (fallback === undefined || gate.hasConnection?.(database) === true);
  return named ? { user, connection: database, database: undefined } : { user, connection: fallback ?? '', database };
}
