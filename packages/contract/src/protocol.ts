import type { Duplex } from 'node:stream';
import type { Answer, Refusal } from './decision.js';
import type { Command, ResponseEvent } from './command.js';
import type { MaskedSession } from './masking.js';
import type { Notice } from './reasons.js';
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
  readonly recorded: number;
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

  /**
   * TLS in the middle of a protocol. As 'client' the gateway is the TLS server; as 'upstream' it is the TLS client and
   * has verified the target as its connection demands. Bytes that the stream already holds are taken for TLS.
   */
  secure(stream: Duplex, side: 'client' | 'upstream'): Promise<Secured>;
  /**
   * The ways to prove to be `user`. Unknown users get a challenge that looks the same and never succeeds. In a protocol
   * whose user names are accounts of the target (SSH) `user` is empty: it is whoever the proof belongs to; `account` is
   * the one wished for there, if the client named one.
   */
  login(user: string, connection: string, account?: string): Challenge;
  /**
   * Resolves when it is this client's turn to have the gateway compute its keys, which costs more than to ask for it; or when
   * the client is gone.
   */
  turn(client: Duplex): Promise<void>;
  /** Call once when the target is ready: the login deadline ends and the session is listed as open. */
  opened(): void;
  /** Tells whoever runs the gateway why the client's connection broke, where nobody else would. */
  broke(reason: string): void;
  /** The target's socket. What is written to it leaves only after the journal has this turn's commands. */
  dial(): Promise<Duplex>;
  /**
   * Judges and records one command. An `Answer` at once when nothing has to wait. Without a `patience` a command that
   * people would have to release is refused.
   */
  ask(command: Command, patience?: Patience): Answer | Promise<Answer>;
  /** Records what the client was given. */
  record(event: ResponseEvent): void;
  /** Registers what an out-of-band cancel with this key does. False when the key is taken: choose another. */
  onCancel(key: Uint8Array, cancel: () => Promise<void>): boolean;
  /** Carries out the cancel registered for this key, if there is one. Resolves when it has been delivered. */
  cancel(key: Uint8Array): Promise<void>;
}

/** What a protocol can do for a command that waits for people. */
export interface Patience {
  /**
   * Resolves when all that the client asked for before has been answered. 'skipped': the target would pass over this command
   * because of an earlier error, so nobody needs to be asked about it. 'transaction': what ran before may hold locks.
   */
  settled(): Promise<'idle' | 'transaction' | 'skipped'>;
  /** Tells the client what it waits for. Only once `settled` has resolved. */
  say(notice: Notice): void;
  /** Aborted when the client no longer waits: it cancelled the command, or is gone. The reason says which. */
  readonly signal: AbortSignal;
}

/** Reasons of `Patience.signal`. */
export type Impatience = 'cancelled' | 'gone';

export interface Secured {
  readonly stream: Duplex;
  /** Hash of the server's certificate, for channel binding by `tls-server-end-point` (RFC 5929 section 4). */
  readonly endpoint?: Uint8Array;
  /** The application protocol that ALPN settled on. */
  readonly alpn?: string;
}

/** Ways of a login that a listener can prefer. */
export type LoginWay = 'scram' | 'password' | 'oauth';

/** What a client without a token needs to get one (RFC 8414, RFC 7628 section 3.2.2). */
export interface Discovery {
  /** Of the metadata document of the issuer. */
  readonly url: string;
  /** Parted by blanks. */
  readonly scope: string;
}

/** Ways to prove it; a protocol uses those that it can speak. Each ends in an admission or a refusal. */
export interface Challenge {
  /** The way to use when the client asks for none; absent: SCRAM where the protocol has it. */
  readonly prefers?: LoginWay;
  /** Where a client gets a token of an identity provider; absent: nowhere. */
  readonly discovery?: Discovery | undefined;
  /** What a SCRAM-SHA-256 exchange needs (RFC 5802); the same shape for a user that does not exist. */
  scram(): ScramVerifiers;
  /** A gateway token, in the clear. Only over TLS or loopback. */
  password(secret: string): Promise<Admission | Refusal>;
  /** A token of an identity provider, or of the gateway (RFC 6750). Only over TLS, SSH or loopback. */
  bearer(token: string): Promise<Admission | Refusal>;
  /** Whether a login with this public key would be worth a proof: an SSH wire-format blob (RFC 4253 section 6.6). */
  offers(key: Uint8Array): boolean;
  /** The key or certificate whose private half the client has proven to hold. */
  publicKey(key: Uint8Array): Promise<Admission | Refusal>;
  /** Login in a browser. `show` gives the client the address to open; aborted, nobody waits any more. */
  interactive(show: (text: string) => void, signal: AbortSignal): Promise<Admission | Refusal>;
}

export interface ScramVerifiers {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** One per token of the principal; they share the salt, so that a proof can be tried against each. */
  readonly candidates: readonly ScramCandidate[];
  /** What to say when no candidate fits. Counts the failure. */
  fail(): Promise<Refusal>;
}

export interface ScramCandidate {
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
  /** The proof matched this candidate: may its owner use the connection? */
  admit(): Promise<Admission | Refusal>;
}

/** A proven principal that may use the connection, and what the protocol needs in order to open it. */
export interface Admission {
  readonly type: 'admission';
  readonly principal: string;
  readonly connection: string;
  readonly target: Target;
  /** Present when the connection masks anything. Answers to its commands then come with their masking. */
  readonly masks?: MaskedSession;
  /**
   * Present when people have to agree before the session begins: nothing can be dialled before this has resolved to undefined.
   * `say` tells the client what it waits for; without one it is refused at once, with the number of the request.
   * `gone`: aborted when the client no longer waits.
   */
  readonly release?: (say: ((notice: Notice) => void) | undefined, gone: AbortSignal) => Promise<Refusal | undefined>;
  /** What the proof itself does not permit, whatever the rules say (options of an SSH certificate). */
  readonly without?: readonly ('terminal' | 'forwarding' | 'agent' | 'x11')[];
}

/** How to log in at the target. Never shown to the client, never logged. */
export interface Target {
  readonly host: string;
  readonly user: string;
  /** May come with the dial: read it when the target asks for it. */
  readonly password?: string | undefined;
  readonly database?: string;
  readonly tls: TlsMode;
  readonly ssh?: SshTarget;
  /** What the configuration says under `options` for a protocol in a package of somebody else: free of form, so check it. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What SSH needs to know of a target besides. Keys are in wire format (RFC 4253 section 6.6). */
export interface SshTarget {
  /** Host key algorithms to ask for, best first. */
  readonly hostKeyAlgorithms: readonly string[];
  /** Why this is not the host's key, in a sentence; undefined when it is, or when it is the first one seen. */
  refuses(hostKey: Uint8Array): string | undefined;
  /** The host has proven that it has this key. */
  proven(hostKey: Uint8Array): void;
  /** A private key in a form that OpenSSH writes, and the certificate for it. May be made for this login. */
  readonly key?: () => SshKey;
  /** What reads command lines there. */
  readonly shell: 'sh' | 'bash' | 'opaque';
}

export interface SshKey {
  /** The public half or the certificate, in wire format. */
  readonly blob: Uint8Array;
  /** A signature in wire format, by the algorithm that the host is told (RFC 8332 for RSA). */
  sign(data: Uint8Array, algorithm: string): Uint8Array;
  /** Algorithms to tell the host, best first. */
  readonly algorithms: readonly string[];
}

/** 'require' encrypts without looking at the certificate; 'verify-ca' and 'verify-full' are those of libpq. */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';
