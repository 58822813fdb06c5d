/**
 * Security keys of people (Web Authentication, level 3). Owns: who has which, and whether something was signed by one of theirs for what
 * they are about to do. Does not: say who may have or show one (packages/console-server, packages/control), or store them
 * (packages/store).
 *
 * Formats and signatures are checked by SimpleWebAuthn.
 */
import { type Person, samePerson } from '@sluice/identity';
import type { SecurityKeyRecord, SecurityKeyStore } from '@sluice/store';
import {
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { type Bound, QUESTION_MS, Questions } from './questions.js';

/** Keys of one person. */
const MAX_KEYS = 10;

/** ES256, EdDSA and RS256, as COSE numbers them: what keys have. */
const ALGORITHMS = [-7, -8, -257];

export type SecurityKey = SecurityKeyRecord;
/** Somebody whom an identity provider knows. */
export type KeyOwner = SecurityKeyRecord['owner'];

/** Where keys are shown: a key belongs to the domain that it was registered at. */
export interface RelyingParty {
  /** `https://sluice.acme.example` */
  readonly origin: string;
}

/** A key that is not taken, in a sentence for who shows it. */
export class StepUpError extends Error {}

export class SecurityKeys {
  readonly #store: SecurityKeyStore;
  readonly #questions = new Questions();
  readonly #keys: Map<string, SecurityKey>;

  private constructor(store: SecurityKeyStore, keys: readonly SecurityKey[]) {
    this.#store = store;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  static async open(store: SecurityKeyStore): Promise<SecurityKeys> {
    return new SecurityKeys(store, await store.all());
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /**
   * Whether it can have signed something then, in milliseconds since 1970, and counts still. Who makes a key chooses its id: one that was
   * removed may have been registered since, by anybody.
   */
  hasSince(id: string, then: number): boolean {
    return (this.#keys.get(id)?.created ?? Infinity) <= then;
  }

  all(): SecurityKey[] {
    return [...this.#keys.values()];
  }

  of(person: Person): SecurityKey[] {
    return this.all().filter(({ owner }) => samePerson(owner, person));
  }

  /** What a browser needs to have a key made. `about`: see `Bound`. @throws StepUpError when there are too many */
  newKey(owner: KeyOwner, about: Bound, { origin }: RelyingParty): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const own = this.of(owner);
    if (own.length >= MAX_KEYS) throw new StepUpError(`You have ${own.length} keys, which is the most there may be.`);
    return generateRegistrationOptions({
      rpName: 'Sluice',
      rpID: new URL(origin).hostname,
      userName: owner.name,
      challenge: this.#questions.ask(personOf(owner), about),
      timeout: QUESTION_MS,
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS,
      excludeCredentials: own.map(descriptorOf),
      authenticatorSelection: { residentKey: 'discouraged', userVerification: 'required' },
    });
  }

  /** Keeps a key that a browser has had made. Rejects with a StepUpError when it is none, or not for what was asked. */
  async add(
    owner: KeyOwner,
    about: Bound,
    { origin }: RelyingParty,
    response: unknown,
    name: string,
  ): Promise<SecurityKey> {
    const before = this.of(owner).length;
    const checked = await inWords(() =>
      verifyRegistrationResponse({
        response: response as RegistrationResponseJSON,
        expectedChallenge: (given) => this.#questions.take(personOf(owner), about, given),
        expectedOrigin: origin,
        expectedRPID: new URL(origin).hostname,
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      }),
    );
    if (!checked.verified) throw new StepUpError('This key could not be checked.');
    const { id, publicKey, counter, transports = [] } = checked.registrationInfo.credential;
    if (this.has(id)) throw new StepUpError('This key is registered already.');
    // One that came meanwhile would have had to allow it.
    if (this.of(owner).length !== before) throw new StepUpError('Another key of yours was registered meanwhile.');
    const created = Date.now();
    const key = { id, owner, name, publicKey, counter, transports, created, lastUsed: undefined };
    this.#keys.set(id, key);
    try {
      await this.#store.add(key);
    } catch (error) {
      this.#keys.delete(id);
      throw error;
    }
    return key;
  }

  /** It counts no more when this returns. Rejects when that cannot be stored, so that a restart would bring it back. */
  remove(id: string): Promise<void> {
    this.#keys.delete(id);
    return this.#store.remove(id);
  }

  /** What a browser needs to have somebody show one of their keys. @throws StepUpError when they have none */
  ask(person: Person, about: Bound, { origin }: RelyingParty): Promise<PublicKeyCredentialRequestOptionsJSON> {
    const own = this.of(person);
    if (own.length === 0) throw new StepUpError('You have no security key: register one under your name.');
    return generateAuthenticationOptions({
      rpID: new URL(origin).hostname,
      challenge: this.#questions.ask(personOf(person), about),
      timeout: QUESTION_MS,
      allowCredentials: own.map(descriptorOf),
      userVerification: 'required',
    });
  }

  /** The key that signed just this, which counts once. Rejects with a StepUpError when none of theirs did. */
  async shown(person: Person, about: Bound, { origin }: RelyingParty, response: unknown): Promise<SecurityKey> {
    const { id } = response as { readonly id?: unknown };
    const key = this.of(person).find((one) => one.id === id);
    if (!key) throw new StepUpError('This is none of your security keys.');
    const { publicKey, counter } = key;
    const checked = await inWords(() =>
      verifyAuthenticationResponse({
        response: response as AuthenticationResponseJSON,
        expectedChallenge: (given) => this.#questions.take(personOf(person), about, given),
        expectedOrigin: origin,
        expectedRPID: new URL(origin).hostname,
        credential: { id: key.id, publicKey: new Uint8Array(publicKey), counter },
        requireUserVerification: true,
      }),
    );
    // Meanwhile it may have been removed.
    if (!checked.verified || !this.has(key.id)) throw new StepUpError('Your key did not sign this.');
    const { newCounter } = checked.authenticationInfo;
    const now = Date.now();
    const used = { ...key, counter: newCounter, lastUsed: now };
    this.#keys.set(key.id, used);
    // A counter that is not stored is a counter of before: a copy of the key is told a little later.
    await this.#store.used(key.id, newCounter, now).catch(() => undefined);
    return used;
  }
}

const personOf = ({ name, issuer, subject }: Person): string =>
  JSON.stringify(subject === undefined ? [name] : [issuer, subject]);

const descriptorOf = ({ id, transports }: SecurityKey): { id: string; transports: AuthenticatorTransport[] } => ({
  id,
  transports: [...transports] as AuthenticatorTransport[],
});

/** What a library says of bytes that somebody sent is for them. */
async function inWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new StepUpError(`Your key did not sign this: ${(error as Error).message.slice(0, 200)}.`, { cause: error });
  }
}
