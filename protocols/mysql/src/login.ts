/**
 * The client's login, packet by packet: which proof is asked for next, and which token it fits. Owns: that exchange, with the
 * sequence of packets the same whether the user exists or not. Does not: read or write, or say what a token is worth.
 *
 * A client begins with a proof for the way that the greeting named, or for its own. If it fits no token it is asked for one of
 * `caching_sha2_password`, and if that fits none either, for the secret itself where nobody can read along: a token of an identity
 * provider has no hash that could have been kept.
 */
import { randomInt } from 'node:crypto';
import type { Admission, Challenge, Refusal } from '@sluice/contract';
import { unexpected } from '@sluice/wire';
import { authSwitch } from './handshake.js';
import { CLEAR, NATIVE, SHA2, nativeFits, newNonce, sha2Fits } from './scramble.js';

/** A packet of a login is at most as long as a token of an identity provider, and a user's name, may be. Bytes. */
export const MAX_LOGIN_BYTES = 64 * 1024;

/** AuthMoreData of `caching_sha2_password`. */
const FAST_OK = Buffer.from([0x01, 0x03]);
const FULL = Buffer.from([0x01, 0x04]);

export type LoginOutcome = Admission | Refusal | 'needs-tls';

/** What comes next: a packet for the client, whose answer is the next proof; or the end. */
export type LoginStep =
  | { readonly type: 'send'; readonly payload: Buffer }
  /** `before`: what the client is sent first when it is let in. */
  | { readonly type: 'end'; readonly outcome: Promise<LoginOutcome>; readonly before?: Buffer };

export interface PluginProof {
  /** Empty: the client names none. */
  readonly plugin: string;
  readonly proof: Buffer;
  /** What the proof was made with. */
  readonly nonce: Buffer;
}

/**
 * How the client comes. Stock clients send a secret in the clear over TLS; over loopback without it only those do that were told
 * to by an option.
 */
export type ConnectionPrivacy = 'tls' | 'loopback' | 'open';

export class LoginExchange {
  readonly #challenge: Challenge;
  readonly #channel: ConnectionPrivacy;
  #expects: 'sha2' | 'secret';
  #nonce = newNonce();

  constructor(challenge: Challenge, channel: ConnectionPrivacy) {
    this.#challenge = challenge;
    this.#channel = channel;
    this.#expects = 'sha2';
  }

  begin({ plugin, proof, nonce }: PluginProof): LoginStep {
    const clear = this.#challenge.prefers === 'password';
    if (clear && this.#channel !== 'open' && plugin !== '') {
      this.#expects = 'secret';
      return { type: 'send', payload: authSwitch(CLEAR, Buffer.alloc(0)) };
    }
    if (plugin === SHA2) return this.#sha2(proof, nonce);
    const verifiers = this.#challenge.mysql();
    // Each is tried, whichever fits: the time must not tell how many tokens there are.
    const [proven] = verifiers.candidates.filter(({ sha1 }) => nativeFits(proof, nonce, sha1));
    if (proven) return { type: 'end', outcome: proven.admit() };
    // Without plug-ins, or where the listener has the old way alone, there is no other one to ask for.
    if (plugin === '' || (plugin === NATIVE && this.#challenge.prefers === 'native'))
      return { type: 'end', outcome: verifiers.fail() };
    return { type: 'send', payload: authSwitch(SHA2, this.#nonce) };
  }

  /** The client's answer to what it was sent. */
  next(payload: Buffer): LoginStep {
    if (this.#expects === 'sha2') return this.#sha2(payload, this.#nonce);
    if (payload.at(-1) !== 0) throw unexpected('a secret has to end in a NUL');
    return { type: 'end', outcome: this.#challenge.password(payload.toString('utf8', 0, payload.length - 1)) };
  }

  #sha2(proof: Buffer, nonce: Buffer): LoginStep {
    const verifiers = this.#challenge.mysql();
    const [proven] = verifiers.candidates.filter(({ sha256 }) => sha2Fits(proof, nonce, sha256));
    if (proven) return { type: 'end', outcome: proven.admit(), before: FAST_OK };
    // Nothing is a proof of the empty secret, which no token is.
    if (proof.length === 0) return { type: 'end', outcome: verifiers.fail() };
    if (this.#channel !== 'tls')
      return { type: 'end', outcome: verifiers.fail().then((refused) => (isWrong(refused) ? 'needs-tls' : refused)) };
    this.#expects = 'secret';
    return { type: 'send', payload: FULL };
  }
}

const isWrong = ({ reason }: Refusal): boolean => reason.code === 'wrong-proof';

/**
 * A number for a connection. Those of the gateway have the top bit set, so that none is mistaken for one of a target, and cannot be
 * guessed by others.
 */
export function newThread(isTaken: (thread: number) => boolean): number {
  for (;;) {
    const thread = 0x8000_0000 + randomInt(1, 0x7fff_ffff);
    if (!isTaken(thread)) return thread;
  }
}
