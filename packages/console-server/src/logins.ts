/**
 * Who is logged in to the console. Owns: that a cookie stands for somebody, until nobody has used it for a while, its time is over, they
 * log out, or their issuer is configured otherwise. Does not: how they logged in (login-routes.ts).
 *
 * Of the cookie only a digest is kept. Who somebody is, and with which roles, is asked of the directory each time.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Principal } from '@sluice/contract';
import { type Directory, type Proven, samePerson } from '@sluice/identity';
import type { ConsoleLoginRecord, ConsoleLoginStore } from '@sluice/store';

/** Of the secret in the cookie. */
const SECRET_BYTES = 32;
/** Logins at a time, of one person and of all: the oldest goes. */
const MAX_LOGINS_OF_ONE = 20;
const MAX_LOGINS = 20_000;
/** That somebody used it is stored at most this often, in milliseconds. */
const TOUCH_MS = 60_000;
/** For so long after they showed their issuer anew who they are somebody may do what asks for that, in milliseconds. */
const FRESH_MS = 5 * 60_000;

interface Login {
  readonly digest: string;
  /** Their name here, and what their issuer said of them. */
  readonly name: string;
  readonly claimed: Omit<Principal, 'roles'>;
  /** By which settings of their issuer. */
  readonly under: string;
  readonly proof: string;
  readonly expires: number;
  /** Until when it counts as one of just now, in milliseconds since 1970. A restart forgets it. */
  readonly freshUntil: number;
  used: number;
  stored: number;
  /** Answers that go on, which end with the login. */
  readonly streams: Set<ServerResponse>;
}

/** A digest of the settings that an issuer has now; undefined: there is none of this name. */
export type SettingsOf = (issuer: string) => string | undefined;

export interface LoginTimes {
  /** Milliseconds. */
  readonly idle: number;
  readonly session: number;
}

export class ConsoleLogins {
  readonly #store: ConsoleLoginStore;
  readonly #times: LoginTimes;
  readonly #settingsOf: SettingsOf;
  /** By digest, the oldest first. */
  readonly #logins = new Map<string, Login>();

  private constructor(
    store: ConsoleLoginStore,
    times: LoginTimes,
    settingsOf: SettingsOf,
    kept: readonly ConsoleLoginRecord[],
  ) {
    this.#store = store;
    this.#times = times;
    this.#settingsOf = settingsOf;
    for (const { who, used, ...one } of kept) {
      // Those of before settings were kept end.
      const { name, claimed, under = '' }: Pick<Login, 'name' | 'claimed'> & { under?: string } = JSON.parse(who);
      const rest = { used, stored: used, freshUntil: 0, streams: new Set<ServerResponse>() };
      this.#logins.set(one.digest, { ...one, name, claimed, under, ...rest });
    }
  }

  static async open(store: ConsoleLoginStore, times: LoginTimes, settingsOf: SettingsOf): Promise<ConsoleLogins> {
    return new ConsoleLogins(store, times, settingsOf, await store.current(Date.now()));
  }

  /**
   * Keeps who has proven it. Resolves to the secret for their cookie, which is told this once. Rejects when it cannot be stored. `fresh`:
   * their issuer asked them anew. `ends`: when it is over at the latest, in milliseconds since 1970.
   */
  async begin(
    { claimed, principal: { name }, tokenId: proof }: Proven,
    fresh = false,
    ends = Number.POSITIVE_INFINITY,
  ): Promise<string> {
    const under = this.#settingsOf(claimed?.issuer ?? '');
    if (!claimed || under === undefined) throw new Error('only people of an issuer log in to the console');
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const now = Date.now();
    const login: Login = {
      digest: digestOf(secret),
      name,
      claimed,
      under,
      proof,
      expires: Math.min(now + this.#times.session, ends),
      freshUntil: fresh ? now + FRESH_MS : 0,
      used: now,
      stored: now,
      streams: new Set(),
    };
    const { digest, expires } = login;
    const who = JSON.stringify({ name, claimed, under });
    await this.#store.add({ digest, who, proof, created: now, used: now, expires });
    this.#logins.set(digest, login);
    const own = [...this.#logins.values()].filter((one) => samePerson(one.claimed, claimed));
    const [oldest] = this.#logins.values();
    if (own.length > MAX_LOGINS_OF_ONE && own[0]) this.#forget(own[0]);
    else if (this.#logins.size > MAX_LOGINS && oldest) this.#forget(oldest);
    return secret;
  }

  /** Whose cookie it is, as they are now. Undefined: nobody's, or nobody's any more. */
  find(
    secret: string | undefined,
    identity: Directory,
  ): { readonly login: string; readonly proven: Proven } | undefined {
    const login = secret === undefined ? undefined : this.#logins.get(digestOf(secret));
    if (!login) return undefined;
    if (this.#isOver(login)) {
      this.#forget(login);
      return undefined;
    }
    const { name, claimed, proof, expires, digest } = login;
    // Neither the roles nor the groups of the configuration are kept: those of now count.
    const principal = identity.current({ principal: { ...claimed, name, roles: [] }, claimed });
    if (!principal) return undefined;
    const endsSessions = identity.issuers?.get(claimed.issuer ?? '')?.endsSessions ?? false;
    return {
      login: digest,
      proven: {
        by: 'issuer',
        principal,
        claimed,
        tokenId: proof,
        makers: [],
        connections: undefined,
        expires,
        endsSessions,
      },
    };
  }

  /** Whether their issuer asked them who they are within the last minutes. */
  isFresh(digest: string): boolean {
    return (this.#logins.get(digest)?.freshUntil ?? 0) > Date.now();
  }

  /** Somebody did something: the time in which they do nothing begins anew. */
  touch(digest: string): void {
    const login = this.#logins.get(digest);
    if (!login) return;
    login.used = Date.now();
    if (login.used - login.stored < TOUCH_MS) return;
    login.stored = login.used;
    // A restart would end it a little too soon: nobody fails for that.
    this.#store.touch(digest, login.used).catch(() => undefined);
  }

  /** An answer that goes on ends with the login. */
  follow(digest: string, answer: ServerResponse): void {
    const streams = this.#logins.get(digest)?.streams;
    streams?.add(answer);
    answer.once('close', () => streams?.delete(answer));
  }

  /** It counts no more from now on. Rejects when that cannot be stored, so that a restart would bring it back. */
  end(digest: string): Promise<void> {
    const login = this.#logins.get(digest);
    this.#logins.delete(digest);
    for (const answer of login?.streams ?? []) answer.destroy();
    return this.#store.remove(digest);
  }

  /** Ends those whose time is over. Called every few seconds. */
  look(): void {
    for (const login of this.#logins.values()) if (this.#isOver(login)) this.#forget(login);
  }

  /** One that is over stays so, whatever the store says: its time is stored, and so is by which settings it was begun. */
  #forget({ digest }: Login): void {
    this.end(digest).catch(() => undefined);
  }

  #isOver({ expires, used, claimed, under }: Login): boolean {
    const now = Date.now();
    if (expires <= now || used + this.#times.idle <= now) return true;
    // Other settings may mean other people by the same names.
    return this.#settingsOf(claimed.issuer ?? '') !== under;
  }
}

/** The secret has 256 random bits, so that one hash will do. */
const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
