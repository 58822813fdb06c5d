import { setTimeout as sleep } from 'node:timers/promises';
import type { Admission, Challenge, Principal, Refusal } from '@sluice/contract';
import { MAX_CANDIDATES, type Proven, TokenError, readLoginName } from '@sluice/identity';
import type { Connection, Listener, Services } from './services.js';
import type { Session } from './session.js';

/** Somebody whose proof was good, however they proved it. */
export interface Proof extends Partial<Proven> {
  readonly principal: Principal;
  /** Of SSH, in wire format, or its certificate, and when it was shown. */
  readonly key?: { readonly blob: Uint8Array; readonly at: number };
  readonly without?: NonNullable<Admission['without']>;
}

/** Who it is under the configuration in force; undefined: what proved it is worth nothing any more. */
export function currentOf(proof: Proof, services: Services, address: string): Principal | undefined {
  if (!proof.key) return services.identity.current(proof);
  // A certificate that has run out since opened its session all the same.
  const again = services.sshIdentities.proven(proof.key.blob, address, proof.key.at);
  return 'principal' in again && again.principal.name === proof.principal.name ? again.principal : undefined;
}

/** What a wrong proof gets to read, whoever it is from. */
const WRONG =
  'The password is a token: "sluice login" gets one, or an administrator makes one with "sluice token create". ' +
  `Of more than ${MAX_CANDIDATES} tokens the newer ones are named: NAME+ID, as "sluice token ls" has it.`;
/** For so long the answer to a wrong proof is kept back at most, in milliseconds. Its socket counts meanwhile. */
const MAX_PAUSE_MS = 2_000;
const BUSY: Refusal = {
  type: 'refusal',
  reason: 'limit',
  message: 'Too many logins wait to be confirmed in a browser, from your address or in all',
  hint: 'Confirm or end one of them, or log in with a token.',
};

/** Times to choose a machine, and to have a login confirmed, in milliseconds. */
const CHOICE = 120_000;
const CONFIRMATION = 5 * 60_000 + 1_000;

/** The account of the credential, or one of those beside it. */
export const hasAccount = (connection: Connection, account: string): boolean =>
  account === '' || account === connection.credential.user || connection.accounts.includes(account);

const hasAccountOf = (connections: readonly Connection[], name: string, account: string): boolean => {
  const connection = connections.find((one) => one.name === name);
  return connection !== undefined && hasAccount(connection, account);
};

/** How the client of one session proves who it is, and whether that opens the connection that it asks for. */
export class Login {
  readonly #session: Session;
  readonly #services: Services;
  readonly #listener: Listener;

  constructor(session: Session, services: Services, listener: Listener) {
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
        const message = `too many failed logins of "${name}" from your address, and this one was wrong too`;
        return { type: 'refusal', reason: 'limit', message, hint: 'A right token logs in at any time.' };
      }
      return {
        type: 'refusal',
        reason: 'credentials',
        message: `password authentication failed for user "${user}"`,
        hint: WRONG,
      };
    };
    const admit = async (proven: Proof | undefined): Promise<Admission | Refusal> => {
      if (!proven) return fail();
      if (named) loginLimits.succeeded(this.#session.address, name);
      return this.#admit(proven, connection, account);
    };
    // A token says whose it is; a name beside it has to agree.
    const token = async (secret: string): Promise<Admission | Refusal> => {
      try {
        return await admit(await identity.authenticate(secret, user === '' ? undefined : user));
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
        if (error.reason === 'invalid') return fail(error.message);
        this.#services.log.loginFailed(this.#session, user, connection, 'unavailable', error.message);
        return {
          type: 'refusal',
          reason: 'unavailable',
          message: `this token cannot be checked now: ${error.message}`,
          hint: 'Try again in a minute, or use a gateway token.',
        };
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
      password: token,
      bearer: token,
      offers: (key) => sshIdentities.offers(key, this.#session.address),
      publicKey: (key) => {
        const proof = sshIdentities.proven(key, this.#session.address);
        if ('fault' in proof) return fail(`key: ${proof.fault}`);
        return admit({ ...proof, key: { blob: Buffer.from(key), at: Date.now() } });
      },
      interactive: async (show, signal) => {
        const both = AbortSignal.any([signal, this.#session.signal]);
        const begun = this.#services.pendingLogins.begin(this.#session.address, both);
        return begun ? admit(await this.#confirmed(begun, show)) : BUSY;
      },
    };
  }

  async #admit(proven: Proof, name: string, account: string): Promise<Admission | Refusal> {
    const services = this.#services;
    const user = proven.principal.name;
    const refuse = (reason: Refusal['reason'], message: string, hint: string): Refusal => {
      services.log.loginRefused(this.#session, user, name, reason);
      return { type: 'refusal', reason, message, hint };
    };
    const room = services.log.room();
    if (room === 'scarce' || room === 'none') {
      return refuse(
        'unavailable',
        'there is no room to record another session',
        'What is left is for sessions that are open. An administrator finds more under /readyz.',
      );
    }
    const connection = services.connections.get(name);
    if (!connection || connection.protocol !== this.#session.protocol) {
      if (this.#listener.traits.menu) return this.#menu(proven, name, account);
      return refuse(
        'connection',
        `connection "${name}" does not exist`,
        'The database name is the name of a connection in the configuration of the gateway.',
      );
    }
    if (!this.#mayUse(proven, connection)) {
      return refuse(
        'access',
        `"${user}" may not use connection "${name}"`,
        'Ask an administrator of the gateway for access.',
      );
    }
    if (!hasAccount(connection, account)) {
      return refuse('access', `"${account}" is no account of connection "${name}"`, 'Leave it out, or have it added.');
    }
    const full = this.#full(user, name);
    if (full) return full;
    // Rules, masks and the record are those of one connection: a choice that is made twice would mix two.
    const chosen = this.#session.connection;
    if (chosen) return refuse('limit', `"${chosen.name}" was chosen already`, 'Connect again for another one.');
    return this.#session.begin(proven, connection, account);
  }

  /** Who it is has been proven. There is time to choose. */
  #menu(proven: Proof, name: string, account: string): Refusal {
    const own = [...this.#services.connections.values()].filter(
      (one) => one.protocol === this.#session.protocol && this.#mayUse(proven, one),
    );
    const full = this.#full(proven.principal.name, name);
    if (full) return full;
    this.#session.allow(CHOICE);
    return {
      type: 'refusal',
      reason: 'connection',
      message: name === '' ? '' : `There is no machine "${name}" that you may reach`,
      menu: {
        connections: own.map((one) => one.name),
        choose: async (chosen) => {
          // Meanwhile the token may have been revoked, or the configuration be another.
          const { address } = this.#session;
          const principal = this.#isGood(proven) ? currentOf(proven, this.#services, address) : undefined;
          if (!principal)
            return { type: 'refusal', reason: 'credentials', message: 'You may no longer use this gateway' };
          return this.#admit({ ...proven, principal }, chosen, hasAccountOf(own, chosen, account) ? account : '');
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
    const own = whose === 'principal';
    return {
      type: 'refusal',
      reason: 'limit',
      message: own
        ? `"${user}" has ${sessionsPerPrincipal} sessions open, which is the most there may be`
        : `${sessions} sessions are open at the gateway, which is the most there may be`,
      hint: own
        ? 'Close one, or have limits.sessions_per_principal raised.'
        : 'Try again later, or have limits.connections raised.',
    };
  }

  /** So many milliseconds, or until the session has to end. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#session.signal }).catch(() => undefined);
  }

  /** Neither revoked nor run out. */
  #isGood({ by, tokenId, expires }: Proof): boolean {
    if (by === 'token' && tokenId !== undefined) return this.#services.identity.proven(tokenId) !== undefined;
    return expires === undefined || expires > Date.now();
  }

  #mayUse({ principal, connections }: Proof, connection: Connection): boolean {
    const scoped = connections === undefined || connections.includes(connection.name);
    return scoped && this.#services.mayUse(principal, connection);
  }

  /** Shows a code and waits until somebody who is logged in elsewhere has confirmed it. */
  #confirmed(
    begun: { readonly code: string; readonly confirmed: Promise<Proof | undefined> },
    show: (text: string) => void,
  ): Promise<Proof | undefined> {
    this.#session.allow(CONFIRMATION);
    const { url } = this.#services;
    show(
      `To log in, open ${url()}/login/${begun.code} in a browser on the machine of the gateway,
or run: ./sluice login confirm ${begun.code}
The code is good for 5 minutes.`,
    );
    return begun.confirmed;
  }
}
