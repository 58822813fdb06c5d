/** Logins: how somebody proves who they are, and what they get then. Types only. */
import type { MaskedPackets, MaskedSession } from './masking.js';
import type { Notice, RefusalReason } from './reasons.js';
import type { Target } from './target.js';

/** Ways of a login that a listener can prefer. */
export type LoginWay = 'scram' | 'password' | 'oauth' | 'sha2' | 'native';

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
  /** What the logins of MySQL need that hash a scramble with the secret; the same shape for a user that does not exist. */
  mysql(): MySqlVerifiers;
  /** A gateway token, in the clear. Only over TLS or loopback. */
  password(secret: string): Promise<Admission | Refusal>;
  /** A token of an identity provider, or of the gateway (RFC 6750). Only over TLS, SSH or loopback. */
  bearer(token: string): Promise<Admission | Refusal>;
  /** Whether a login with this public key would be worth a proof: an SSH wire-format blob (RFC 4253 section 6.6). */
  offers(key: Uint8Array): boolean;
  /** The key or certificate whose private half the client has proven to hold. */
  publicKey(key: Uint8Array): Promise<Admission | Refusal>;
  /** Login in a browser. `show` gives the client the address to open; aborted, nobody waits any more. */
  interactive(show: (text: string) => void, signal: AbortSignal, client: string): Promise<Admission | Refusal>;
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

export interface MySqlVerifiers {
  /** One per token of the principal: an answer to one scramble can be tried against each. */
  readonly candidates: readonly MySqlCandidate[];
  /** What to say when no candidate fits. Counts the failure. */
  fail(): Promise<Refusal>;
}

export interface MySqlCandidate {
  /** SHA1(SHA1(secret)), for `mysql_native_password`. */
  readonly sha1: Uint8Array;
  /** SHA256(SHA256(secret)), for `caching_sha2_password`. */
  readonly sha256: Uint8Array;
  /** The answer matched this candidate: may its owner use the connection? */
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
  /** The same for answers in packets of MySQL. */
  readonly packetMasks?: MaskedPackets;
  /**
   * Present when people have to agree before the session begins: nothing can be dialled before this has resolved to undefined.
   * `say` tells the client what it waits for; without one it is refused at once, with the number of the request.
   * `gone`: aborted when the client no longer waits.
   */
  readonly release?: (say: ((notice: Notice) => void) | undefined, gone: AbortSignal) => Promise<Refusal | undefined>;
  /** What the proof itself does not permit, whatever the rules say (options of an SSH certificate). */
  readonly without?: readonly ('terminal' | 'forwarding' | 'agent' | 'x11')[];
}

/** A login that did not succeed. */
export interface Refusal {
  readonly type: 'refusal';
  readonly reason: RefusalReason;
  /** Who it is has been proven, and only where to is missing: what they may reach. */
  readonly menu?: Menu;
}

export interface Menu {
  readonly connections: readonly string[];
  choose(connection: string): Promise<Admission | Refusal>;
}
