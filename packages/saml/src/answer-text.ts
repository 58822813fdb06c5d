/**
 * What an answer has to look like before an XML parser has it. Owns: its size, and that nothing is in it which two readers could take for
 * different things. Does not: signatures, or what it says (provider.ts). Pure.
 */
import { SamlError } from './error.js';

/** The longest answer, as XML. A thousand groups are below half of it, where their names are not long. */
export const MAX_ANSWER_BYTES = 192 * 1024;
/** Tags of it, opening and closing, and how deep they are in each other. */
const MAX_TAGS = 8_000;
const MAX_DEPTH = 50;
/** Of one tag, its names of namespaces among them. */
const MAX_ATTRIBUTES = 30;

/**
 * SHA-1 signs nothing any more, and a shared secret is none of a provider's. Names are those of XML Signature 1.1 (section 6) and RFC
 * 9231.
 */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  SignatureMethod: [
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  ],
  DigestMethod: ['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512'],
  CanonicalizationMethod: ['http://www.w3.org/2001/10/xml-exc-c14n#'],
  Transform: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', 'http://www.w3.org/2001/10/xml-exc-c14n#'],
};

/** How often an element may be there, wherever it stands: a second one is how signatures are wrapped. */
const COUNTS: Readonly<Record<string, number>> = {
  Response: 1,
  Assertion: 1,
  Subject: 1,
  NameID: 1,
  // Which of several in one signature is looked at, readers have differed about (CVE-2025-29774).
  Signature: 2,
  SignedInfo: 2,
  Reference: 2,
  DigestValue: 2,
  SignatureValue: 2,
};

/** An answer that may be looked at. Nothing of it is believed yet. */
export interface AnswerText {
  readonly xml: string;
  /** Attributes of its first element, and of the first `StatusCode`; empty where they are not there. */
  readonly destination: string;
  readonly inResponseTo: string;
  readonly status: string;
}

/**
 * The XML of an answer as a form has it: base64 (SAML 2.0 Bindings, section 3.5.4).
 *
 * @throws SamlError unless one response with one assertion may be in it
 */
export function readAnswer(encoded: string): AnswerText {
  if (encoded.length > (MAX_ANSWER_BYTES / 3) * 4 * 1.1) throw new SamlError('it is too long');
  if (!/^[A-Za-z0-9+/=\s]+$/.test(encoded)) throw new SamlError('it is no base64');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length > MAX_ANSWER_BYTES) throw new SamlError('it is too long');
  const xml = decoded(bytes).replace(/^<\?xml[^<>?]*\?>/, '');
  // No document type, so no entities; and no comments, which split a text for some readers and not for others.
  if (xml.includes('<!') || xml.includes('<?'))
    throw new SamlError('it has a document type, a comment, or another part that answers have no need of');
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x08\v\f\x0e-\x1f\x7f-\x9f]/.test(xml)) throw new SamlError('it has characters that do not show');
  if (xml.replaceAll(/&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\dA-Fa-f]{1,6});/g, '').includes('&'))
    throw new SamlError('it has an entity that is not defined');
  const tags = tagsOf(xml);
  const opened = tags.filter(({ closes }) => !closes);
  for (const [name, most] of Object.entries(COUNTS))
    if (opened.filter((tag) => tag.name === name).length > most) throw new SamlError(`it has several elements ${name}`);
  if (opened.some(({ name }) => name.startsWith('Encrypted')))
    throw new SamlError(
      'parts of it are encrypted, which is not read here: have the provider sign it and not encrypt it',
    );
  if (opened[0]?.name !== 'Response') throw new SamlError('it is no response');
  for (const { name, rest } of opened) checkAlgorithm(name, rest);
  const [{ rest }] = opened as [Tag];
  const status = opened.find(({ name }) => name === 'StatusCode')?.rest ?? '';
  return {
    xml,
    destination: attributeIn(rest, 'Destination'),
    inResponseTo: attributeIn(rest, 'InResponseTo'),
    status: attributeIn(status, 'Value'),
  };
}

/** As it is written: nothing that is looked for has an `&` in it. */
const attributeIn = (rest: string, name: string): string =>
  new RegExp(`\\s${name}\\s*=\\s*(["'])([^"'<>]*)\\1`).exec(rest)?.[2] ?? '';

interface Tag {
  /** Without its prefix. */
  readonly name: string;
  readonly closes: boolean;
  /** Its attributes, as they are written. */
  readonly rest: string;
}

/** A tag behind its `<`: a slash, a name, attributes with their values, a slash. */
const TAG =
  /^(\/?)((?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*))((?:\s+[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/;

/**
 * Nothing but a tag begins with `<`, neither in texts nor in attributes. What is not well formed is not left to a parser, which would have
 * an opinion of its own.
 */
function tagsOf(xml: string): Tag[] {
  const parts = xml.split('<', MAX_TAGS + 2);
  if (parts.length > MAX_TAGS + 1) throw new SamlError('it has too many parts');
  const open: string[] = [];
  return parts.slice(1).map((part) => {
    const [whole, slash, full = '', name, rest = '', empty] = TAG.exec(part) ?? [];
    if (whole === undefined || name === undefined || (slash !== '' && (rest !== '' || empty !== '')))
      throw new SamlError('a tag in it is none of SAML');
    if (rest.split('=', MAX_ATTRIBUTES + 2).length > MAX_ATTRIBUTES + 1)
      throw new SamlError('a tag in it has too many attributes');
    if (slash !== '' && open.pop() !== full) throw new SamlError('its tags do not fit together');
    if (slash === '' && empty === '' && open.push(full) > MAX_DEPTH)
      throw new SamlError('it has parts in parts in parts');
    return { name, closes: slash !== '', rest };
  });
}

function checkAlgorithm(name: string, rest: string): void {
  const known = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;
  if (!known) return;
  // It is the only one, so that it cannot stand in the value of another attribute.
  const [, , named = ''] = /^\s+Algorithm\s*=\s*(["'])([^"'<>]*)\1$/.exec(rest) ?? [];
  if (!known.includes(named)) throw new SamlError(`its ${name} is not one that is taken`);
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SamlError('it is not UTF-8');
  }
}
