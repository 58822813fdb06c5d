/**
 * Who has a place at the gateway. Lives here: sessions from being accepted to being logged in, and how many may be either.
 * Does not: why a login is refused (`login.ts`), or which stranger goes (`sockets.ts`).
 */
import type { Socket } from 'node:net';
import { type Config, USUAL_CONNECTIONS } from '@sluice/config';
import type { SessionView } from '@sluice/audit';
import { type SocketLimits, fitting, maxOpenFiles } from './descriptors.js';
import { type Stranger, StrangerSockets } from './sockets.js';

/** For so long a peer may take its last words after a login that came to nothing, in milliseconds. */
const LINGER_MS = 5_000;

export class Places {
  /** What there are descriptors for. */
  readonly limits: SocketLimits;
  /** Sockets of every listener that are not logged in. */
  readonly strangers: StrangerSockets;
  readonly #perPrincipal: number;
  readonly #sessions: ReadonlyMap<string, SessionView>;
  readonly #strangers = new WeakMap<SessionView, Stranger>();

  /** `say` is told when there are fewer descriptors than the limits need. */
  constructor(
    limits: Config['limits'],
    sessions: ReadonlyMap<string, SessionView>,
    say: (level: 'debug' | 'warn', sentence: string) => void,
  ) {
    const fits = fitting(limits, USUAL_CONNECTIONS, maxOpenFiles());
    if (fits.short) say(fits.short.matters ? 'warn' : 'debug', fits.short.says);
    this.limits = fits.limits;
    this.#perPrincipal = limits.sessionsPerPrincipal;
    this.#sessions = sessions;
    this.strangers = new StrangerSockets({ inAll: this.limits.logins, perAddress: limits.loginsPerAddress });
  }

  /** A client that was just accepted: a stranger until it takes a place. */
  accepted(socket: Socket, session: SessionView): void {
    const leave = (): void => {
      session.end({ code: 'too-many-logins' });
      // At once: the last words are with the kernel, and the next flood must not find this socket still open.
      setImmediate(() => socket.destroy());
    };
    this.#strangers.set(session, this.strangers.add(socket, leave));
    // Whoever does not leave when a login is over is cut off, in whatever state it is.
    session.signal.addEventListener('abort', () => {
      if (session.state === 'login') setTimeout(() => socket.destroy(), LINGER_MS).unref();
    });
  }

  /** Somebody has proven who they are by it: its socket is no stranger's any more. */
  known(session: SessionView): void {
    this.#strangers.get(session)?.loggedIn();
  }

  /** Takes a place among the sessions that are logged in. Returns whose limit is reached where there is none. */
  take(session: SessionView, principal: string): 'principal' | 'gateway' | undefined {
    if (session.holder === undefined) {
      const holders = [...this.#sessions.values()].flatMap(({ holder }) => holder ?? []);
      if (holders.filter((holder) => holder === principal).length >= this.#perPrincipal) return 'principal';
      if (holders.length >= this.limits.connections) return 'gateway';
    }
    session.holder = principal;
    this.known(session);
    return undefined;
  }
}
