/**
 * An identity provider that speaks SAML 2.0, for tests: made-up people, no passwords, on loopback. It says whatever a test has it say, and
 * signs that with samlify.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inflateRawSync } from 'node:zlib';
import { SamlLib } from 'samlify';
import { type SigningKey, makeSigningKey } from './certificates.js';
import { type IssuerPeople, choosePage } from './issuer-pages.js';

/** All that an answer says. Times are milliseconds since 1970. */
export interface AnswerParts {
  readonly id: string;
  readonly issuer: string;
  readonly inResponseTo: string;
  readonly destination: string;
  readonly recipient: string;
  readonly audience: string;
  readonly nameId: string;
  readonly format: string;
  readonly issued: number;
  readonly authenticated: number;
  readonly notBefore: number;
  readonly notOnOrAfter: number;
  /** Absent: it says nothing of it. */
  readonly sessionEnds?: number;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** What a browser carries from the provider to where it came from. */
export interface AnswerForm {
  readonly action: string;
  readonly SAMLResponse: string;
  readonly RelayState: string;
}

export interface SamlIdp {
  readonly entityId: string;
  readonly ssoUrl: string;
  readonly signing: SigningKey;
  /** What it has been asked, as XML. */
  readonly asked: readonly string[];
  /** What it says of somebody in answer to a request, by the address that a browser was sent to. */
  partsFor(request: URL, person: string): AnswerParts;
  /** The same, signed, as a form. */
  answer(request: URL, person: string, more?: Partial<AnswerParts>): AnswerForm;
  close(): Promise<void>;
}

const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const MINUTE_MS = 60_000;

/** An answer before it is signed. */
export function answerXml(parts: AnswerParts): string {
  const iso = (time: number): string => new Date(time).toISOString();
  const attributes = Object.entries(parts.attributes).map(
    ([name, values]) =>
      `<saml:Attribute Name="${escaped(name)}">${values.map((one) => `<saml:AttributeValue>${escaped(one)}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  );
  const issuer = `<saml:Issuer>${escaped(parts.issuer)}</saml:Issuer>`;
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r${parts.id}" Version="2.0" IssueInstant="${iso(parts.issued)}" Destination="${escaped(parts.destination)}" InResponseTo="${escaped(parts.inResponseTo)}">${issuer}<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><saml:Assertion ID="_a${parts.id}" Version="2.0" IssueInstant="${iso(parts.issued)}">${issuer}<saml:Subject><saml:NameID Format="${escaped(parts.format)}">${escaped(parts.nameId)}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="${iso(parts.notOnOrAfter)}" Recipient="${escaped(parts.recipient)}" InResponseTo="${escaped(parts.inResponseTo)}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${iso(parts.notBefore)}" NotOnOrAfter="${iso(parts.notOnOrAfter)}"><saml:AudienceRestriction><saml:Audience>${escaped(parts.audience)}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="${iso(parts.authenticated)}" SessionIndex="_s${parts.id}"${parts.sessionEnds === undefined ? '' : ` SessionNotOnOrAfter="${iso(parts.sessionEnds)}"`}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion></samlp:Response>`;
}

/** Signs a part of an answer. `algorithm`: as XML Signature names it. */
export function signed(
  xml: string,
  what: 'Assertion' | 'Response',
  { key, certificate }: SigningKey,
  algorithm = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
): string {
  const response = "/*[local-name(.)='Response']";
  const path = what === 'Response' ? response : `${response}/*[local-name(.)='Assertion']`;
  return SamlLib.constructSAMLSignature({
    rawSamlMessage: xml,
    referenceTagXPath: path,
    privateKey: key,
    signatureAlgorithm: algorithm,
    signingCert: certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ''),
    isBase64Output: false,
    signatureConfig: {
      prefix: 'ds',
      location: { reference: `${path}/*[local-name(.)='Issuer']`, action: 'after' },
    },
  } as Parameters<typeof SamlLib.constructSAMLSignature>[0]);
}

/** As providers do it: the assertion first, and the answer with it. */
export const signedBoth = (xml: string, key: SigningKey): string =>
  signed(signed(xml, 'Assertion', key), 'Response', key);

export async function startSamlIdp(people: IssuerPeople): Promise<SamlIdp> {
  const signing = makeSigningKey();
  const asked: string[] = [];
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
  await promise;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const entityId = `${url}/metadata`;
  const partsFor = (request: URL, person: string): AnswerParts => {
    const xml = inflateRawSync(Buffer.from(request.searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
    asked.push(xml);
    const of = (pattern: RegExp): string => pattern.exec(xml)?.[1] ?? '';
    const now = Date.now();
    const callback = of(/AssertionConsumerServiceURL="([^"]*)"/);
    return {
      id: randomBytes(16).toString('hex'),
      issuer: entityId,
      inResponseTo: of(/\sID="([^"]*)"/),
      destination: callback,
      recipient: callback,
      audience: of(/<saml:Issuer[^>]*>([^<]*)</),
      nameId: `subject-of-${person}`,
      format: PERSISTENT,
      issued: now,
      authenticated: now,
      notBefore: now - MINUTE_MS,
      notOnOrAfter: now + 5 * MINUTE_MS,
      attributes: { login: [person], groups: people[person]?.groups ?? [] },
    };
  };
  const answer: SamlIdp['answer'] = (request, person, more = {}) => {
    const parts = { ...partsFor(request, person), ...more };
    return {
      action: parts.destination,
      SAMLResponse: Buffer.from(signedBoth(answerXml(parts), signing)).toString('base64'),
      RelayState: request.searchParams.get('RelayState') ?? '',
    };
  };
  server.on('request', (request, response) => {
    const at = new URL(request.url ?? '/', url);
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      const account = new URLSearchParams(body).get('account') ?? '';
      const page =
        request.method === 'POST' ? formPage(answer(at, account)) : choosePage(`${at.pathname}${at.search}`, people);
      response.end(page);
    });
  });
  return {
    entityId,
    ssoUrl: `${url}/sso`,
    signing,
    asked,
    partsFor,
    answer,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Sends itself, as the pages of providers do. */
const formPage = ({ action, ...fields }: AnswerForm): string => `<!doctype html>
<form method="post" action="${escaped(action)}">
${Object.entries(fields)
  .map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`)
  .join('\n')}
<button>Continue</button>
</form>
<script>document.forms[0].submit()</script>`;

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
