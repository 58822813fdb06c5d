/**
 * Visits by HTTP: what somebody does at a connection from one address, by however many sockets. Owns: which there are, who is kept out
 * of another one, and when one that nobody uses ends. Does not: read proofs, or judge requests.
 */
import type { Admission, HttpHead, Gate, HttpTarget, Principal, Refusal, Visit } from '@sluice/contract';
import type { SessionView } from '@sluice/audit';
import type { Connection, Listener, Services } from '../services.js';
import { SessionLogin, type LoginProof, mayReach } from '../login.js';
import { boundTo } from '../snapshot.js';
import type { Session } from '../session.js';
import { proofKey } from './proofs.js';

/** After so long without a request a visit is over, in milliseconds. Its sockets stay, and the next request begins another. */
export const VISIT_IDLE_MS = 5 * 60_000;
/** Whoever's visit an administrator ends stays out for so long, if they say nothing else. Seconds. */
export const DEFAULT_KEEP_OUT_S = 60;
/** Entries beyond that are forgotten, the oldest first. */
const MAX_BARS = 10_000;

interface Bar {
  readonly until: number;
  /** That somebody was kept out is on record once. */
  told: boolean;
}

/** Where a visit is from. */
export interface Caller {
  readonly listener: Listener;
  /** `host:port`, and the host alone. */
  readonly client: string;
  readonly address: string;
  readonly loopback: boolean;
}

/** The socket that a request came by. */
export interface Threshold extends SessionView {
  readonly caller: Caller;
  readonly loopback: boolean;
  /** Somebody has proven who they are by it. Returns why there is no room for another socket of theirs. */
  proven(principal: string): Refusal | undefined;
}

/** Makes a session that has no socket of its own, which is listed and ends like any other. */
export type NewSession = (caller: Caller) => Session;

export class Visits {
  readonly #services: Services;
  readonly #newSession: NewSession;
  readonly #open = new Map<string, OpenVisit>();
  /** Those that begin: requests that come meanwhile get the same one. */
  readonly #beginning = new Map<string, Promise<Visit | Refusal>>();
  readonly #bars = new Map<string, Bar>();
  #barrings = 0;

  constructor(services: Services, newSession: NewSession) {
    this.#services = services;
    this.#newSession = newSession;
  }

  /** The visit of this principal, at once where there is one. `connection` need not exist. */
  enter(proof: LoginProof, connection: string, caller: Caller): Visit | Refusal | Promise<Visit | Refusal> {
    const barred = this.#bars.size > 0 ? this.#barred(proof.principal, connection, caller) : undefined;
    if (barred) return barred;
    const key = JSON.stringify([proofKey(proof), connection, caller.address, caller.listener.connection ?? '']);
    const open = this.#open.get(key);
    if (open?.usable === true) return open;
    const under = this.#beginning.get(key);
    if (under) return under;
    const beginning = this.#begin(key, proof, connection, caller).finally(() => this.#beginning.delete(key));
    this.#beginning.set(key, beginning);
    return beginning;
  }

  /** Grows when somebody is kept out: until then, whoever could enter can. */
  get generation(): number {
    return this.#barrings;
  }

  /** An administrator has ended a visit: the token of its owner is still good, and so is the next request. */
  keepOut(principal: string, connection: string, seconds: number): void {
    const key = JSON.stringify([principal, connection]);
    this.#barrings++;
    this.#bars.delete(key);
    this.#bars.set(key, { until: Date.now() + seconds * 1000, told: false });
    const [oldest] = this.#bars.keys();
    if (this.#bars.size > MAX_BARS && oldest !== undefined) this.#bars.delete(oldest);
  }

  async #begin(key: string, proof: LoginProof, name: string, caller: Caller): Promise<Visit | Refusal> {
    const session = this.#newSession(caller);
    const drop = (refusal: Refusal): Refusal => {
      session.end({ code: 'idle' });
      return refusal;
    };
    const refused = await unreleased(this.#services, session, proof, this.#services.connections.get(name));
    if (refused) return drop(refused);
    const admission = await new SessionLogin(session, this.#services, caller.listener).admit(proof, name, '');
    if (admission.type === 'refusal') return drop(admission);
    session.opened();
    const { http } = admission.target;
    if (!http) throw new Error(`connection "${name}" is none by HTTP`);
    const visit = new OpenVisit({ ...admission, target: { ...admission.target, http } }, session);
    this.#open.set(key, visit);
    session.signal.addEventListener('abort', () => {
      if (this.#open.get(key) === visit) this.#open.delete(key);
    });
    return visit;
  }

  #barred(principal: Principal, connection: string, { client, address }: Caller): Refusal | undefined {
    const key = JSON.stringify([principal.name, connection]);
    const bar = this.#bars.get(key);
    if (!bar) return undefined;
    const seconds = Math.ceil((bar.until - Date.now()) / 1000);
    if (seconds <= 0) {
      this.#bars.delete(key);
      return undefined;
    }
    if (!bar.told)
      this.#services.log.admin(principal.name, 'session.barred', `${connection} from ${client || address}`);
    bar.told = true;
    return { type: 'refusal', reason: { code: 'barred', user: principal.name, connection, seconds } };
  }
}

/**
 * Has people asked about sessions that they have to agree to first, unless they have. Nobody can be told that they wait: each is told so at once.
 * Undefined: there is nobody to be asked.
 */
export async function unreleased(
  services: Services,
  { id: session, signal }: Pick<Session, 'id' | 'signal'>,
  proof: LoginProof,
  connection: Connection | undefined,
): Promise<Refusal | undefined> {
  const { sessionApprovals } = services;
  if (!connection?.approval || !mayReach(services, proof, connection)) return undefined;
  // Who is frozen is told so by the login, and nobody is asked about them.
  if (services.admissions.frozen({ ...proof, connection })) return undefined;
  const { principal, tokenId: token, makers = [] } = proof;
  const { issuer, subject } = principal;
  const source = { issuer, subject, token, makers };
  const target = (): string => boundTo(connection, '', connection);
  const opening = { session, principal, source, connection, approval: connection.approval, target };
  return sessionApprovals.granted(opening) ? undefined : sessionApprovals.ask(opening, undefined, signal);
}

export class OpenVisit implements Visit {
  readonly admission: Admission & { readonly target: { readonly http: HttpTarget } };
  readonly #session: Session;
  #last = 0;

  constructor(admission: OpenVisit['admission'], session: Session) {
    this.admission = admission;
    this.#session = session;
  }

  get gate(): Gate {
    return this.#session;
  }

  /** Neither over nor of a configuration that is in force no more. */
  get usable(): boolean {
    return !this.#session.signal.aborted && !this.#session.outdated;
  }

  nextId(): number {
    return ++this.#last;
  }

  needsBody(head: HttpHead): boolean {
    return this.#session.needsBody(head);
  }
}
