/**
 * How the client of one session proves who it is, and whether that opens the connection. Owns: the challenge, menus,
 * confirmations, and refusals that tell nothing. Does not: know tokens (packages/identity), speak a protocol.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Admission,
  type Challenge,
  type Principal,
  REFUSAL_KINDS,
  type Refusal,
  type RefusalReason,
} from '@sluice/contract';
import { MAX_CANDIDATES, type Proven, TokenError, readLoginName } from '@sluice/identity';
import type { Connection, Listener, Services } from './services.js';
import type { SessionView } from '@sluice/audit';

/** Somebody whose proof was good, however they proved it. */
export interface LoginProof extends Partial<Proven> {
  readonly principal: Principal;
  /** Of SSH, in wire format, or its certificate, and when it was shown. */
  readonly key?: { readonly blob: Uint8Array; readonly at: number };
  readonly without?: NonNullable<Admission['without']>;
  /** The SHA-256 of a client certificate of TLS. */
  readonly certificate?: string;
}

/** Who it is under the configuration in force; undefined: what proved it is worth nothing any more. */
export function currentOf(proof: LoginProof, services: Services, address: string): Principal | undefined {
  if (!proof.key) return services.identity.current(proof);
  // A certificate that has run out since opened its session all the same.
  const again = services.sshIdentities.proven(proof.key.blob, address, proof.key.at);
  return 'principal' in again && again.principal.name === proof.principal.name ? again.principal : undefined;
}

/** For so long the answer to a wrong proof is kept back at most, in milliseconds. Its socket counts meanwhile. */
const MAX_PAUSE_MS = 2_000;
const refusal = (reason: RefusalReason): Refusal => ({ type: 'refusal', reason });

/** What somebody has tried who may not: tripwires count it. */
const OUT_OF_REACH: ReadonlySet<RefusalReason['code']> = new Set(['no-access', 'unknown-account']);

/** Times to choose a machine, and to have a login confirmed, in milliseconds. */
const CHOICE_MS = 120_000;
const CONFIRMATION_MS = 5 * 60_000 + 1_000;

/** The account of the credential, or one of those beside it. */
export const hasAccount = (connection: Connection, account: string): boolean =>
  account === '' || account === connection.credential.user || connection.accounts.includes(account);

const hasAccountOf = (connections: readonly Connection[], name: string, account: string): boolean => {
  const connection = connections.find((one) => one.name === name);
  return connection !== undefined && hasAccount(connection, account);
};

/** Whether somebody may use a connection with what they have shown. */
export function mayReach(services: Services, { principal, connections }: LoginProof, connection: Connection): boolean {
  const scoped = connections === undefined || connections.includes(connection.name);
  return scoped && services.mayUse(principal, connection);
}

/** What a login does with its session. */
export interface LoginSession extends SessionView {
  /** So much time from now on until the login has to be over, in milliseconds. */
  allow(time: number): void;
  begin(proven: LoginProof, connection: Connection, account: string): Admission;
  /** Somebody logs in within the open session; undefined: it is not theirs. */
  again(proven: LoginProof, connection: Connection): Admission | undefined;
}

/** How the client of one session proves who it is, and whether that opens the connection that it asks for. */
export class SessionLogin {
  readonly #session: LoginSession;
  readonly #services: Services;
  readonly #listener: Listener;

  constructor(session: LoginSession, services: Services, listener: Listener) {
    this.#session = session;
    this.#services = services;
    this.#listener = listener;
  }

  /** The ways to prove to be `user`. Unknown users get a challenge that looks the same and never succeeds. */
  challenge(user: string, connection: string, account: string): Challenge {
    const { identity, sshIdentities } = this.#services;
    const { loginLimits } = this.#services;
    // Where a client says who it is by its proof alone (SSH), others behind its address must not wait for its failures.
    const named = user !== '';
    const name = readLoginName(user)?.principal ?? user;
    // Only wrong proofs wait: a right one is of 160 random bits, which nobody has guessed.
    const fail = async (why?: string): Promise<Refusal> => {
      const wait = named ? loginLimits.wait(this.#session.address, name) : 0;
      if (named) loginLimits.failed(this.#session.address, name);
      this.#services.log.loginFailed(this.#session, user, connection, wait > 0 ? 'limit' : 'credentials', why);
      if (wait > 0) {
        await this.#pause(Math.min(wait, MAX_PAUSE_MS));
        return refusal({ code: 'too-many-failures', user: name });
      }
      return refusal({ code: 'wrong-proof', user, tokens: MAX_CANDIDATES });
    };
    const admit = async (proven: LoginProof | undefined): Promise<Admission | Refusal> => {
      if (!proven) return fail();
      if (named) loginLimits.succeeded(this.#session.address, name);
      return this.admit(proven, connection, account);
    };
    // A token says whose it is; a name beside it has to agree.
    const token = async (secret: string): Promise<Admission | Refusal> => {
      try {
        return await admit(await identity.authenticate(secret, user === '' ? undefined : user));
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
        if (error.reason === 'invalid') return fail(error.message);
        this.#services.log.loginFailed(this.#session, user, connection, 'unavailable', error.message);
        return refusal({ code: 'token-uncheckable', why: error.message });
      }
    };
    const { login: prefers } = this.#listener;
    return {
      ...(prefers && { prefers }),
      discovery: this.#services.discovery,
      scram: () => {
        const { salt, iterations, candidates } = identity.scram(user);
        return {
          salt,
          iterations,
          candidates: candidates.map((candidate) => ({
            ...candidate,
            admit: () => admit(identity.proven(candidate.tokenId)),
          })),
          fail: () => fail(),
        };
      },
      mysql: () => ({
        candidates: identity.mysql(user).map(({ tokenId, sha1, sha256 }) => ({
          sha1,
          sha256,
          admit: () => admit(identity.proven(tokenId)),
        })),
        fail: () => fail(),
      }),
      password: token,
      bearer: token,
      offers: (key) => sshIdentities.offers(key, this.#session.address),
      publicKey: (key) => {
        const proof = sshIdentities.proven(key, this.#session.address);
        if ('fault' in proof) return fail(`key: ${proof.fault}`);
        return admit({ ...proof, key: { blob: Buffer.from(key), at: Date.now() } });
      },
      interactive: async (show, signal, client) => {
        const both = AbortSignal.any([signal, this.#session.signal]);
        const waiting = { address: this.#session.address, client, account, connection };
        const begun = this.#services.pendingLogins.begin(waiting, both);
        return begun ? admit(await this.#confirmed(begun, show)) : refusal({ code: 'too-many-browser-logins' });
      },
    };
  }

  /** Somebody has proven who they are: may they begin a session? */
  async admit(proven: LoginProof, name: string, account: string): Promise<Admission | Refusal> {
    const services = this.#services;
    const user = proven.principal.name;
    const refuse = (reason: RefusalReason): Refusal => {
      services.log.loginRefused(this.#session, user, name, REFUSAL_KINDS[reason.code]);
      // Of wrong proofs nobody knows whose they are: whoever could have others frozen by them would. A full disk is nobody's fault.
      const connection = services.connections.get(name);
      if (OUT_OF_REACH.has(reason.code)) services.admissions.trip({ ...proven, connection }, 'failed_logins');
      return refusal(reason);
    };
    const room = services.log.room();
    if (room === 'scarce' || room === 'none') {
      return refuse({ code: 'no-room-to-record' });
    }
    const connection = services.connections.get(name);
    if (!connection || connection.protocol !== this.#session.protocol) {
      if (this.#listener.traits.menu) return this.#menu(proven, name, account);
      if (connection && mayReach(services, proven, connection))
        return refuse({ code: 'other-protocol', connection: name, protocol: connection.protocol });
      return refuse({ code: 'unknown-connection', connection: name });
    }
    if (!mayReach(services, proven, connection)) {
      return refuse({ code: 'no-access', user, connection: name });
    }
    if (!hasAccount(connection, account)) {
      return refuse({ code: 'unknown-account', account, connection: name });
    }
    const frozen = services.admissions.frozen({ ...proven, connection });
    if (frozen) return refuse({ code: 'frozen', subject: frozen.subject, why: frozen.why });
    // Rules, masks and the record are those of one principal at one connection: a choice that is made twice would mix two.
    const { connection: chosen, state, principal } = this.#session;
    // Where clients choose by a menu, they choose once.
    if (chosen && state === 'open' && !this.#listener.traits.menu) {
      const whose = principal?.name ?? '';
      return this.#session.again(proven, connection) ?? refuse({ code: 'another-login', user: whose });
    }
    const full = this.#full(user, name);
    if (full) return full;
    const kept = services.admissions.refusal({ principal: proven.principal, makers: proven.makers, connection });
    if (kept) return refuse(kept);
    if (chosen) return refuse({ code: 'already-chosen', connection: chosen.name });
    return this.#session.begin(proven, connection, account);
  }

  /** Who it is has been proven. There is time to choose. */
  #menu(proven: LoginProof, name: string, account: string): Refusal {
    const own = [...this.#services.connections.values()].filter(
      (one) => one.protocol === this.#session.protocol && mayReach(this.#services, proven, one),
    );
    const full = this.#full(proven.principal.name, name);
    if (full) return full;
    this.#session.allow(CHOICE_MS);
    return {
      ...refusal({ code: 'unknown-connection', connection: name }),
      menu: {
        connections: own.map((one) => one.name),
        choose: async (chosen) => {
          // Meanwhile the token may have been revoked, or the configuration be another.
          const { address } = this.#session;
          const principal = this.#isGood(proven) ? currentOf(proven, this.#services, address) : undefined;
          if (!principal) return refusal({ code: 'access-lost' });
          return this.admit({ ...proven, principal }, chosen, hasAccountOf(own, chosen, account) ? account : '');
        },
      },
    };
  }

  /** Why there is no place for another session; undefined: there is, and this one has it now. */
  #full(user: string, connection: string): Refusal | undefined {
    const { sessions, sessionsPerPrincipal, log } = this.#services;
    const whose = this.#services.takePlace(this.#session, user);
    if (!whose) return undefined;
    log.loginRefused(this.#session, user, connection, 'limit');
    if (whose === 'gateway') return refusal({ code: 'too-many-sessions', sessions });
    return refusal({ code: 'too-many-sessions-of-user', user, sessions: sessionsPerPrincipal });
  }

  /** So many milliseconds, or until the session has to end. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#session.signal }).catch(() => undefined);
  }

  /** Neither revoked nor run out. */
  #isGood({ by, tokenId, expires }: LoginProof): boolean {
    if (by === 'token' && tokenId !== undefined) return this.#services.identity.proven(tokenId) !== undefined;
    return expires === undefined || expires > Date.now();
  }

  /** Shows a code and waits until somebody who is logged in elsewhere has confirmed it. */
  #confirmed(
    begun: { readonly code: string; readonly confirmed: Promise<LoginProof | undefined> },
    show: (text: string) => void,
  ): Promise<LoginProof | undefined> {
    this.#session.allow(CONFIRMATION_MS);
    const { url, console } = this.#services;
    const at = console() ?? url();
    const where = console() === undefined ? ' on the machine of the gateway' : '';
    show(
      `To log in, open ${at}/login/${begun.code} in a browser${where},
or run: ./sluice login confirm ${begun.code}
The code is good for 5 minutes.`,
    );
    return begun.confirmed;
  }
}
