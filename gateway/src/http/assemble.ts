/** Puts together what the sockets of HTTP share. Owns: what becomes of a visit's session when it ends. Does not: list sessions. */
import type { Approvals } from '@sluice/approvals';
import type { Ending, OwnAnswer, OwnRequest } from '@sluice/contract';
import { type Places, ProvenSockets } from '@sluice/strangers';
import type { Services } from '../services.js';
import type { Session } from '../session.js';
import { TokenExchange } from './exchange.js';
import { OwnPaths, type ToolAnswers } from './own.js';
import { resourceMetadata } from './metadata.js';
import type { HttpComponents } from './components.js';
import { Proofs } from './proofs.js';
import { type Caller, DEFAULT_KEEP_OUT_S, Visits } from './visits.js';

/** The sessions of a gateway, which lists those of visits as well. */
export interface VisitSessions {
  begin(caller: Caller): Session;
  over(session: Session): void;
}

export function assembleHttp(
  services: Services,
  { sessions, approvals, places }: { sessions: VisitSessions; approvals: Approvals; places: Places },
  tools: ToolAnswers,
): HttpComponents {
  const visits = new Visits(services, (caller) => {
    const session = sessions.begin(caller);
    const ended = (): void => {
      const reason = session.signal.reason as Ending;
      const { principal, connection } = session;
      if (reason.code === 'ended-by-administrator' && principal && connection)
        visits.keepOut(principal.name, connection.name, reason.keptOut ?? DEFAULT_KEEP_OUT_S);
      // Its protocol ends what is in flight first, and has that recorded.
      setImmediate(() => sessions.over(session));
    };
    session.signal.addEventListener('abort', ended, { once: true });
    return session;
  });
  const metadata = (asked: OwnRequest): OwnAnswer | undefined => resourceMetadata(asked, services.identity);
  const own = new OwnPaths(approvals, new TokenExchange(services), { tools, metadata });
  return { visits, proofs: new Proofs(services), own, sockets: new ProvenSockets(places) };
}
