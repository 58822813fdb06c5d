/**
 * The contract: a `Protocol` knows bytes, the `Gate` knows people, rules and the record. Owns: these two, what passes between
 * them by name, and the doors that lead to a gate. Does not: the words of SQL, SSH, HTTP and logins, which have files beside it.
 */
import type { Duplex } from 'node:stream';
import type { Answer } from './decision.js';
import type { Command } from './command.js';
import type { HttpHead, HttpProof, HttpTarget, OwnAnswer, OwnRequest, Route } from './http.js';
import type { Admission, Challenge, Refusal } from './login.js';
import type { Notice } from './reasons.js';
import type { ResponseEvent } from './response.js';
import type { Dialect, TextRange } from './sql.js';
import type { Words } from './words.js';

/** The version of this contract. A protocol that names another one stops the start. */
export const CONTRACT = 1;

/** One wire protocol. Third parties ship one of these in a package of their own. */
export interface Protocol {
  readonly name: string;
  readonly contract: typeof CONTRACT;
  /**
   * Serves one accepted client until it is gone. Rejects only on a defect of the protocol itself: whatever a peer does
   * wrong is answered in the protocol's own words and ends in a resolved promise.
   */
  serve(client: Duplex, gate: Gate): Promise<void>;
  /**
   * Makes what was recorded of one answer readable: the data of its events, in order, but for that of streams. Absent: there is
   * nothing else than streams. Called in a thread of its own, which has loaded the protocol once more.
   */
  replay?(data: Uint8Array): Replayed;
}

/** A recorded answer, readable. */
export interface Replayed {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** What was said besides: notices, errors. */
  readonly messages: readonly string[];
  /** Data that was copied, as text. */
  readonly copied: readonly string[];
}

/** Bounds that a protocol keeps. Sizes are bytes, times are milliseconds. */
export interface Limits {
  /** The largest client message that is read whole (a statement, a set of bound parameters). */
  readonly message: number;
  /** What of one result is recorded; beyond it only counts are. */
  readonly recordedAnswer: number;
  /** What a terminal may show from one line that is typed to the next: all of it is recorded, and beyond it the terminal ends. */
  readonly terminal: number;
  /** From the target's accepting the connection to its being ready. */
  readonly upstreamLogin: number;
}

/** All that a protocol knows of the rest of the system. One per client connection. */
export interface Gate {
  /** Aborted when the session must end now; `reason` is an `Ending`. */
  readonly signal: AbortSignal;
  /** Aborted when the session should end at its next idle moment; `reason` is an `Ending`. */
  readonly draining: AbortSignal;
  readonly limits: Limits;
  /** Sentences for codes, for a protocol that has none of its own. A `Deny` has its sentence with it. */
  readonly words: Words;
  /** Whether TLS can be offered to clients. */
  readonly tls: boolean;
  /** Whether a login without TLS has to be refused, in protocols that have TLS of their own. */
  readonly requireTls: boolean;
  /** Whether a secret may be asked for without TLS (the client is on this machine). */
  readonly loopback: boolean;
  /** On listeners of protocols whose requests each say who they are from. */
  readonly entrance?: Entrance;

  /**
   * TLS in the middle of a protocol. As 'client' the gateway is the TLS server; as 'upstream' it is the TLS client and
   * has verified the target as its connection demands. Bytes that the stream already holds are taken for TLS. `alpn`: what this
   * side speaks, best first; absent: what the protocol always speaks.
   */
  secure(stream: Duplex, side: 'client' | 'upstream', alpn?: readonly string[]): Promise<Secured>;
  /**
   * The ways to prove to be `user`. Unknown users get a challenge that looks the same and never succeeds. In a protocol
   * whose user names are accounts of the target (SSH) `user` is empty: it is whoever the proof belongs to; `account` is
   * the one wished for there, if the client named one.
   */
  login(user: string, connection: string, account?: string): Challenge;
  /** Whether there is a connection of this name by this protocol. For protocols in which it can be named in several places. */
  hasConnection?(name: string): boolean;
  /**
   * Resolves when it is this client's turn to have the gateway compute its keys, which costs more than to ask for it; or when
   * the client is gone.
   */
  turn(client: Duplex): Promise<void>;
  /**
   * Call when the target is ready: the login deadline ends and the session is listed as open. Again behind each further login at the
   * target: what it took is forgotten. `process`: what the target calls the process that serves the session, where it says so.
   */
  opened(process?: number): void;
  /** Tells whoever runs the gateway why the client's connection broke, where nobody else would. */
  broke(reason: string): void;
  /**
   * Tells whoever runs the gateway why the target could not be used: reached, spoken to, logged in at. `reason` is what the client
   * is told, and holds no secret.
   */
  targetFailed(reason: string): void;
  /**
   * A connection to the target of its own, each time. What is written to it leaves only after the journal has this turn's commands.
   * Whoever closes the session closes what it dialled: the protocol, when `signal` is aborted.
   */
  dial(): Promise<Duplex>;
  /**
   * Judges and records one command. An `Answer` at once when nothing has to wait. Without a `waiter` a command that
   * people would have to release is refused.
   */
  ask(command: Command, waiter?: Waiter): Answer | Promise<Answer>;
  /**
   * Where the statements of a text begin and end, for protocols that send each alone. See `Language.split`. Absent, or undefined:
   * nobody can tell, so that the text is one command.
   */
  split?(text: string, dialect: Dialect): readonly TextRange[] | undefined;
  /** Records what the client was given. */
  record(event: ResponseEvent): void;
  /** False: nothing can be recorded at the moment. For protocols that record an answer behind its last byte. Absent: `record` tells. */
  readonly isRecording?: boolean;
  /** Registers what an out-of-band cancel with this key does. False when the key is taken: choose another. */
  onCancel(key: Uint8Array, cancel: () => Promise<void>): boolean;
  /** Carries out the cancel registered for this key, if there is one. Resolves when it has been delivered. */
  cancel(key: Uint8Array): Promise<void>;
}

/**
 * The door of a listener whose requests each say who they are from. `Gate.entrance`, one per socket. A `Gate` that has one has
 * no principal: all but `secure`, `turn`, `broke`, `signal`, `draining`, `limits` and `words` is for the gates of visits.
 */
export interface Entrance {
  /** Where a request goes by its host and its path as sent: the host name first, then the longest prefix; or what the port is for. */
  route(host: string, path: string): Route | undefined;
  /**
   * Whoever the proofs belong to, at the connection of the route. At once where they are known, which is the hot path. The same
   * principal, connection and address get the same `Visit` object for as long as it lasts: key a pool by it. Without any proof, with
   * a wrong one, and with a route that does not exist the refusal is the same `wrong-proof`; once somebody is proven, a refusal
   * for an unknown route or one of no access has a `menu` with the connections they may use.
   *
   * @param route undefined: there is none
   * @param proofs all that the request shows; proofs that differ are refused (`proofs-differ`)
   */
  enter(route: Route | undefined, proofs: readonly HttpProof[]): Visit | Refusal | Promise<Visit | Refusal>;
  /** Answers a request to a path of the gateway's own (`OWN_PATH`, `TOOLS_PATH`), or says that nobody has come in. Never rejects. */
  own(request: OwnRequest): Promise<OwnAnswer | Refusal>;
}

/** What one principal does at one connection from one address, by however many sockets and streams: a session. */
export interface Visit {
  readonly admission: Admission & { readonly target: { readonly http: HttpTarget } };
  /**
   * Of the visit. `dial` may be called for as many connections to the target as a pool holds, and command ids count up within the
   * visit, whatever socket they came by. When `signal` is aborted every request in flight ends, and the pool is closed.
   */
  readonly gate: Gate;
  /** The next id for a command. */
  nextId(): number;
  /**
   * Whether the verdict on such a request can hang on its body, by the rules in force, so that it has to be read whole before it is
   * asked about: `body` is then 'whole', or 'stream' where it is longer than `limits.message`, which the gate refuses.
   */
  needsBody(head: HttpHead): boolean;
}

/** What a protocol can do for a command that waits for people. */
export interface Waiter {
  /**
   * Resolves when all that the client asked for before has been answered. 'skipped': the target would pass over this command
   * because of an earlier error, so nobody needs to be asked about it. 'transaction': what ran before may hold locks.
   */
  answersDelivered(): Promise<'idle' | 'transaction' | 'skipped'>;
  /**
   * The transaction that is open at the target, or the last one that was, as of the replies that have come: behind `answersDelivered`
   * there are no others. Absent: nobody can tell.
   */
  transaction?(): TransactionState;
  /** Tells the client what it waits for. Only once `answersDelivered` has resolved. Absent: the client can be told nothing before its answer. */
  say?(notice: Notice): void;
  /**
   * So many milliseconds it waits at most; absent: as long as it takes. After that the command is refused with `approval-needed`,
   * the request stays open, and the identical command passes once when it has been approved. 0: it does not wait at all.
   */
  readonly maxWaitMs?: number;
  /** Aborted when the client no longer waits: it cancelled the command, or is gone. The reason says which. */
  readonly signal: AbortSignal;
}

/**
 * A transaction that nothing but its client ends: `none` where each statement is committed by itself. `number` counts those of the
 * session, so that one is told from the next.
 */
export interface TransactionState {
  readonly state: 'none' | 'open' | 'failed';
  readonly number: number;
  /** The innermost that is there. */
  readonly savepoint?: Savepoint | undefined;
}

/** A savepoint, with those that were there when it was made. What has run behind it may be taken back later. */
export interface Savepoint {
  readonly name: string;
  readonly outer: Savepoint | undefined;
  /** By a ROLLBACK TO it: what runs behind that runs behind another savepoint of the same name. */
  readonly isTakenBack: boolean;
}

/** Reasons of `Waiter.signal`. */
export type WaitEnded = 'cancelled' | 'gone';

export interface Secured {
  readonly stream: Duplex;
  /** Hash of the server's certificate, for channel binding by `tls-server-end-point` (RFC 5929 section 4). */
  readonly endpoint?: Uint8Array;
  /** The application protocol that ALPN settled on. */
  readonly alpn?: string;
  /** The host that the client asked for (SNI, RFC 6066 section 3), lower case. */
  readonly servername?: string;
  /** The client's certificate, DER, where it showed one that a CA of the configuration vouches for. */
  readonly certificate?: Uint8Array;
}
