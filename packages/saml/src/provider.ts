/**
 * The gateway as a service provider of SAML 2.0. Owns: requests for a login, what has to be true of an answer, and what it says then. Does
 * not: whom it describes (packages/identity), or the browser's part (packages/console-server).
 *
 * Signatures are checked by node-saml, in a thread (verifier.ts). What is read here is what it says was signed.
 */
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';
import { readAnswer } from './answer-text.js';
import { SamlError } from './error.js';
import { RequestNames, SeenAssertions } from './requests.js';
import { type Element, assertionOf } from './signatures.js';

/** One identity provider. Times are milliseconds. */
export interface SamlSettings {
  /** Its entity ID, as its answers have it in `Issuer`. */
  readonly idp: string;
  /** Where it logs people in (HTTP-Redirect binding). */
  readonly ssoUrl: string;
  /** PEM. An answer is signed by one of them. */
  readonly certificates: readonly string[];
  /** What the gateway is called there. */
  readonly entityId: string;
  /** Where the browser comes back to with the answer (HTTP-POST binding). */
  readonly callback: string;
  readonly clockSkew: number;
}

/** What a provider says of somebody. Signed by it, for us, for one request of ours, and seen for the first time. */
export interface SamlAnswer {
  /** The request that it answers. Whether that was made in the same browser is for the caller to find out. */
  readonly inResponseTo: string;
  /** The assertion's own. */
  readonly id: string;
  /** A persistent name identifier: of one person, for this gateway, and never given to another (SAML 2.0 Core, section 8.3.7). */
  readonly subject: string;
  /** By their name. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
  /** When they showed the provider who they are, in milliseconds since 1970. */
  readonly authenticated: number;
  /** When a login by this ends at the latest, in milliseconds since 1970; absent: the provider leaves that to us. */
  readonly sessionEnds?: number;
}

const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success';
const MAX_SUBJECT_CHARACTERS = 255;
/** How long an assertion may be good at most, and so how long it is remembered, in milliseconds. */
const MAX_LIFE_MS = 3_600_000;
export class ServiceProvider {
  readonly settings: SamlSettings;
  readonly #names: RequestNames;
  readonly #seen = new SeenAssertions();

  /** `key`: tells our requests from those of others. `life`: how long somebody may take at the provider, in milliseconds. */
  constructor(settings: SamlSettings, key: Uint8Array, life: number) {
    this.settings = settings;
    this.#names = new RequestNames(key, life);
  }

  /** Where to send a browser. `relay`: comes back with the answer. `fresh`: the provider asks who it is, whoever was logged in there. */
  async request(relay: string, fresh: boolean): Promise<{ readonly url: URL; readonly id: string }> {
    const id = this.#names.next(Date.now());
    const saml = this.#saml({ generateUniqueId: () => id, forceAuthn: fresh });
    return { url: new URL(await saml.getAuthorizeUrlAsync(relay, undefined, {})), id };
  }

  /** What an answer says, as a form has it. Rejects with a SamlError. It is believed once. */
  async accept(encoded: string): Promise<SamlAnswer> {
    const text = readAnswer(encoded);
    const now = Date.now();
    // Before any signature is computed: what nobody asked for is not looked at.
    const asked = this.#names.read(text.inResponseTo, now);
    if (asked === undefined) throw new SamlError('nobody asked for it here, or it took too long');
    if (text.status !== SUCCESS) throw new SamlError('it says that the login failed');
    if (text.destination !== this.settings.callback) throw new SamlError('it is for another address');
    const assertion = await assertionOf({ ...this.settings, xml: text.xml });
    const until = this.#inTime(assertion, asked, now);
    this.#forUs(assertion, text.inResponseTo, now);
    const answer = this.#said(assertion, text.inResponseTo, now);
    if (!this.#seen.add(answer.id, until + this.settings.clockSkew, now)) throw new SamlError('it came before');
    return answer;
  }

  /** What the administrator of a provider is given. */
  metadata(): string {
    return this.#saml({}).generateServiceProviderMetadata(null);
  }

  #saml(more: { readonly generateUniqueId?: () => string; readonly forceAuthn?: boolean }): SAML {
    const { idp, ssoUrl, certificates, entityId, callback } = this.settings;
    return new SAML({
      entryPoint: ssoUrl,
      idpCert: [...certificates],
      idpIssuer: idp,
      issuer: entityId,
      callbackUrl: callback,
      identifierFormat: PERSISTENT,
      wantAssertionsSigned: true,
      wantAuthnResponseSigned: true,
      disableRequestedAuthnContext: true,
      // Names of requests say for themselves whether they are ours: nothing is kept that whoever comes could fill.
      validateInResponseTo: ValidateInResponseTo.never,
      ...more,
    });
  }

  /** Conditions have to be there (section 2.5.1). Until when they hold, in milliseconds since 1970. */
  #inTime(assertion: Element, asked: number, now: number): number {
    const { clockSkew } = this.settings;
    const [conditions] = within(assertion, 'Conditions');
    const until = timeIn(conditions, 'NotOnOrAfter');
    const from =
      conditions?.$?.['NotBefore'] === undefined ? Number.NEGATIVE_INFINITY : timeIn(conditions, 'NotBefore');
    if (!(now < until + clockSkew) || !(from - clockSkew <= now)) throw new SamlError('it is not good at this time');
    const issued = timeIn(assertion, 'IssueInstant');
    if (!(issued >= asked - clockSkew && issued <= now + clockSkew))
      throw new SamlError('it was not made in answer to the request');
    return Math.min(until, now + MAX_LIFE_MS);
  }

  /** Section 4.1.4.3 of the profiles: by whom, for whom, at which address, in answer to what. */
  #forUs(assertion: Element, inResponseTo: string, now: number): void {
    const { idp, entityId, callback, clockSkew } = this.settings;
    if (textOf(within(assertion, 'Issuer')[0]) !== idp) throw new SamlError('it is of another identity provider');
    const audiences = within(within(assertion, 'Conditions')[0], 'AudienceRestriction');
    const isOurs = (one: Element): boolean => within(one, 'Audience').some((audience) => textOf(audience) === entityId);
    if (audiences.length === 0 || !audiences.every(isOurs)) throw new SamlError('it is not for this gateway');
    const [subject] = within(assertion, 'Subject');
    const confirmed = within(subject, 'SubjectConfirmation').some((one) => {
      const [data] = within(one, 'SubjectConfirmationData');
      return (
        one.$?.['Method'] === BEARER &&
        data?.$?.['Recipient'] === callback &&
        data.$['InResponseTo'] === inResponseTo &&
        // A bearer's has none (section 4.1.4.2).
        data.$['NotBefore'] === undefined &&
        now < timeIn(data, 'NotOnOrAfter') + clockSkew
      );
    });
    if (!confirmed) throw new SamlError('it does not say that its bearer is who it is about');
  }

  #said(assertion: Element, inResponseTo: string, now: number): SamlAnswer {
    const [name] = within(within(assertion, 'Subject')[0], 'NameID');
    if (name?.$?.['Format'] !== PERSISTENT)
      throw new SamlError('it names nobody for good: the format of its name identifier has to be "persistent"');
    const subject = textOf(name);
    if (subject === '' || subject.length > MAX_SUBJECT_CHARACTERS)
      throw new SamlError('its name identifier names nobody');
    const id = assertion.$?.['ID'];
    const [statement] = within(assertion, 'AuthnStatement');
    const authenticated = timeIn(statement, 'AuthnInstant');
    if (id === undefined || Number.isNaN(authenticated)) throw new SamlError('it does not say when somebody logged in');
    const sessionEnds = endOf(assertion, now);
    const attributes = attributesOf(assertion);
    return { inResponseTo, id, subject, attributes, authenticated, ...(sessionEnds !== undefined && { sessionEnds }) };
  }
}

/** The first end that it names (SAML 2.0 Core, section 2.7.2). @throws SamlError where it is over */
function endOf(assertion: Element, now: number): number | undefined {
  const ends = within(assertion, 'AuthnStatement')
    .filter((one) => one.$?.['SessionNotOnOrAfter'] !== undefined)
    .map((one) => timeIn(one, 'SessionNotOnOrAfter'));
  if (ends.length === 0) return undefined;
  const first = Math.min(...ends);
  if (!(now < first)) throw new SamlError('the login at the provider is over already');
  return first;
}

/** Values of one name in several places are put together. */
function attributesOf(assertion: Element): ReadonlyMap<string, readonly string[]> {
  const attributes = new Map<string, string[]>();
  for (const statement of within(assertion, 'AttributeStatement'))
    for (const one of within(statement, 'Attribute')) {
      const name = one.$?.['Name'];
      const values = within(one, 'AttributeValue').map(textOf);
      if (name !== undefined) attributes.set(name, [...(attributes.get(name) ?? []), ...values]);
    }
  return attributes;
}

/** Elements of one name in another. */
const within = (element: Element | undefined, name: string): readonly Element[] => {
  const found = element?.[name];
  return Array.isArray(found) ? (found as Element[]) : [];
};

/** To the letter: for a provider, a name with a blank at its end may be another one. */
const textOf = (element: Element | undefined): string => (typeof element?._ === 'string' ? element._ : '');

/** Milliseconds since 1970; NaN where there is none, which is neither before nor after anything. */
const timeIn = (element: Element | undefined, name: string): number => Date.parse(element?.$?.[name] ?? '');
