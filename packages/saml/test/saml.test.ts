/** Answers by SAML, as a provider signs them and as others bend them. Does not: browsers, cookies and people (gateway/test). */
import { randomBytes } from 'node:crypto';
import { SAML } from '@node-saml/node-saml';
import { makeSigningKey } from '@sluice/testkit';
import { type AnswerParts, type SamlIdp, answerXml, signed, signedBoth, startSamlIdp } from '@sluice/testkit/saml-idp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readAnswer } from '../src/answer-text.js';
import { ServiceProvider } from '../src/index.js';

const ORIGIN = 'https://sluice.acme.example';
const MINUTE = 60_000;
const encoded = (xml: string): string => Buffer.from(xml).toString('base64');

let idp: SamlIdp;
let own: ServiceProvider;
const other = makeSigningKey();

beforeAll(async () => {
  idp = await startSamlIdp({ ana: { name: 'Ana', groups: ['engineers', 'dba'], is: '' } });
  own = provider();
});
afterAll(() => idp.close());

const provider = (more = {}): ServiceProvider =>
  new ServiceProvider(
    {
      idp: idp.entityId,
      ssoUrl: idp.ssoUrl,
      certificates: [idp.signing.certificate],
      entityId: `${ORIGIN}/auth/saml/corp/metadata`,
      callback: `${ORIGIN}/auth/saml/corp`,
      clockSkew: MINUTE,
      ...more,
    },
    randomBytes(32),
    10 * MINUTE,
  );

/** What the provider says of ana in answer to a request of now. */
async function parts(more: Partial<AnswerParts> = {}): Promise<AnswerParts> {
  const { url } = await own.request('relay', false);
  return { ...idp.partsFor(url, 'ana'), ...more };
}

/** Why an answer is not believed; `believed` where it is. */
async function verdict(xml: string, by = own): Promise<string> {
  try {
    await by.accept(encoded(xml));
    return 'believed';
  } catch (error) {
    expect((error as Error).name).toBe('SamlError');
    return (error as Error).message;
  }
}

/** Whom node-saml takes it to be about, or why it takes it for nothing. */
async function byLibrary(xml: string): Promise<string | undefined> {
  const saml = new SAML({
    idpCert: idp.signing.certificate,
    issuer: own.settings.entityId,
    callbackUrl: own.settings.callback,
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: true,
  });
  try {
    return (await saml.validatePostResponseAsync({ SAMLResponse: encoded(xml) })).profile?.nameID;
  } catch (error) {
    return (error as Error).message;
  }
}

test('what a provider signs in answer to a request is believed, once', async () => {
  const { url, id } = await own.request('relay', false);
  expect(url.searchParams.get('RelayState')).toBe('relay');
  const form = idp.answer(url, 'ana');
  expect(await own.accept(form.SAMLResponse)).toMatchObject({
    inResponseTo: id,
    subject: 'subject-of-ana',
    attributes: new Map([
      ['login', ['ana']],
      ['groups', ['engineers', 'dba']],
    ]),
  });
  await expect(own.accept(form.SAMLResponse)).rejects.toThrow('it came before');
  // With line breaks, as some providers send it, and another one of the two certificates.
  const later = provider({ certificates: [other.certificate, idp.signing.certificate] });
  const asked = await later.request('relay', false);
  const wrapped = idp.answer(asked.url, 'ana').SAMLResponse.replaceAll(/.{76}/g, '$&\r\n');
  expect((await later.accept(wrapped)).inResponseTo).toBe(asked.id);
});

test('when a login ends is the word of the provider, and one that is over is none', async () => {
  const now = Date.now();
  const sessionEnds = now + 90_000;
  const said = async (more: Partial<AnswerParts>): Promise<string> =>
    verdict(signedBoth(answerXml(await parts(more)), idp.signing));
  const xml = signedBoth(answerXml(await parts({ sessionEnds })), idp.signing);
  expect((await own.accept(encoded(xml))).sessionEnds).toBe(sessionEnds);
  expect(await said({ sessionEnds: now - 1 })).toBe('the login at the provider is over already');
  // Of several the first one counts, wherever it stands; and one that is no time is over.
  const several = answerXml(await parts({ sessionEnds })).replace(
    '<saml:AttributeStatement>',
    `<saml:AuthnStatement AuthnInstant="${new Date(now).toISOString()}" SessionNotOnOrAfter="${new Date(now + 9_000).toISOString()}"><saml:AuthnContext><saml:AuthnContextClassRef>x</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>`,
  );
  expect((await own.accept(encoded(signedBoth(several, idp.signing)))).sessionEnds).toBe(now + 9_000);
  const odd = answerXml(await parts({ sessionEnds })).replace(
    /SessionNotOnOrAfter="[^"]*"/,
    'SessionNotOnOrAfter="soon"',
  );
  expect(await verdict(signedBoth(odd, idp.signing))).toBe('the login at the provider is over already');
});

test('names and groups are taken to the letter', async () => {
  const login = ['ana\u00a0'];
  const groups = [' dba', 'dba\u3000', 'dba\n'];
  const xml = answerXml(await parts({ nameId: 'ana ', attributes: { login, groups } }));
  const said = await own.accept(encoded(signedBoth(xml, idp.signing)));
  expect(said).toMatchObject({
    subject: 'ana ',
    attributes: new Map([
      ['login', login],
      ['groups', groups],
    ]),
  });
});

test('a request asks for a name for good, and anew where that is wanted', async () => {
  const asked = async (fresh: boolean): Promise<string> => {
    idp.partsFor((await own.request('relay', fresh)).url, 'ana');
    return idp.asked.at(-1) ?? '';
  };
  expect(await asked(false)).toContain('Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"');
  expect(await asked(false)).not.toContain('ForceAuthn');
  expect(await asked(true)).toContain('ForceAuthn="true"');
  expect(own.metadata()).toMatch(
    /WantAssertionsSigned="true"[^]*Location="https:\/\/sluice.acme.example\/auth\/saml\/corp"/,
  );
});

describe('signatures', () => {
  test('both are wanted, of the key that was agreed upon', async () => {
    const xml = answerXml(await parts());
    expect(await verdict(xml)).toBe('Invalid document signature');
    expect(await verdict(signed(xml, 'Assertion', idp.signing))).toBe('Invalid document signature');
    expect(await verdict(signed(xml, 'Response', idp.signing))).toBe('Invalid signature');
    expect(await verdict(signedBoth(xml, other))).toMatch(/signature/);
    expect(await verdict(signed(signed(xml, 'Assertion', other), 'Response', idp.signing))).toMatch(/signature/);
    expect(await verdict(signed(signed(xml, 'Assertion', idp.signing), 'Response', other))).toMatch(/signature/);
    expect(await verdict(signedBoth(xml, idp.signing))).toBe('believed');
  });

  test.each([
    ['a name', 'subject-of-ana', 'subject-of-ben'],
    ['a group', '>dba<', '>ops<'],
    ['an audience', 'Audience>https://sluice', 'Audience>https://other'],
    ['a time', /NotOnOrAfter="20/g, 'NotOnOrAfter="30'],
  ])('%s that is changed breaks them', async (_, from, to) => {
    const xml = signedBoth(answerXml(await parts()), idp.signing);
    const changed = xml.replaceAll(from as string, to);
    expect(changed).not.toBe(xml);
    expect(await verdict(changed)).toMatch(/signature|not for this gateway/);
  });

  test('SHA-1 and shared secrets sign nothing', async () => {
    const xml = answerXml(await parts());
    const sha1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1';
    const weak = signed(signed(xml, 'Assertion', idp.signing, sha1), 'Response', idp.signing, sha1);
    expect(await verdict(weak)).toMatch(/^its (SignatureMethod|DigestMethod) is not one that is taken$/);
    const shared = signedBoth(xml, idp.signing).replaceAll(
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      'http://www.w3.org/2000/09/xmldsig#hmac-sha1',
    );
    expect(await verdict(shared)).toBe('its SignatureMethod is not one that is taken');
  });

  /** XSW1 to XSW8 of Somorovsky et al., "On Breaking SAML" (2012), and what comes near: a right answer, and beside it what nobody signed. */
  test('an assertion that nobody signed is not read, wherever it and the signed one stand (wrapping)', async () => {
    const xml = signedBoth(answerXml(await parts()), idp.signing);
    const assertion = /<saml:Assertion[^]*<\/saml:Assertion>/.exec(xml)?.[0] ?? '';
    const evil = assertion
      .replace(/<ds:Signature[^]*<\/ds:Signature>/, '')
      .replace('subject-of-ana', 'subject-of-ben')
      .replace(/ID="_a/, 'ID="_e');
    const signature = /<ds:Signature[^]*?<\/ds:Signature>/.exec(assertion)?.[0] ?? '';
    const inObject = `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${assertion}</ds:Object>`;
    const bare = assertion.replace(signature, '');
    const wrapped = [
      xml.replace(assertion, evil + assertion),
      xml.replace(assertion, assertion + evil),
      xml.replace(assertion, evil.replace('</saml:Assertion>', `${assertion}</saml:Assertion>`)),
      xml.replace(
        assertion,
        evil.replace(
          '</saml:Assertion>',
          `${signature.replace('</ds:Signature>', `${inObject}</ds:Signature>`)}</saml:Assertion>`,
        ),
      ),
      xml.replace(
        assertion,
        evil.replace(
          '</saml:Issuer>',
          `</saml:Issuer>${signature.replace('</ds:Signature>', `<ds:Object>${bare}</ds:Object></ds:Signature>`)}`,
        ),
      ),
      xml.replace(assertion, `<samlp:Extensions>${assertion}</samlp:Extensions>${evil}`),
      xml.replace('<samlp:Status>', `<samlp:Extensions>${evil}</samlp:Extensions><samlp:Status>`),
      `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ${/ID="[^"]*"[^>]*/.exec(xml)?.[0].replace('_r', '_q')}>${evil}${xml}</samlp:Response>`,
      // Two of the same name.
      xml.replace(assertion, evil.replace(/ID="_e/, 'ID="_a') + assertion),
    ];
    for (const [at, one] of wrapped.entries()) {
      expect([at, one === xml]).toEqual([at, false]);
      expect([at, await verdict(one)]).toEqual([at, expect.stringMatching(/several elements/)]);
      // Nor by the library, where nobody has counted before it.
      expect([at, await byLibrary(one)]).not.toContain('subject-of-ben');
    }
    expect(await byLibrary(xml)).toBe('subject-of-ana');
    expect(await verdict(xml)).toBe('believed');
  });

  test.each(['SignedInfo', 'Reference', 'DigestValue', 'SignatureValue'])(
    'a signature has no second %s',
    async (name) => {
      const xml = signedBoth(answerXml(await parts()), idp.signing);
      const [whole = ''] = new RegExp(`<ds:${name}[ >][^]*?</ds:${name}>`).exec(xml) ?? [];
      expect(await verdict(xml.replace(whole, whole + whole))).toBe(`it has several elements ${name}`);
      expect(await verdict(xml)).toBe('believed');
    },
  );

  test('a comment in a name does not cut it (CVE-2017-11427)', async () => {
    const xml = signedBoth(answerXml(await parts({ nameId: 'ben.evil' })), idp.signing);
    expect(await verdict(xml.replace('ben.evil', 'ben<!-- -->.evil'))).toMatch(/a comment/);
    expect(await verdict(xml.replace('ben.evil', 'ben<?x?>.evil'))).toMatch(/a comment/);
    expect(await verdict(xml.replace('ben.evil', '<![CDATA[ben]]>.evil'))).toMatch(/a comment/);
  });
});

describe('what has to be true of it', () => {
  const now = Date.now();
  test.each<[string, Partial<AnswerParts>, RegExp]>([
    ['nobody asked for it', { inResponseTo: '' }, /nobody asked/],
    [
      'another gateway asked for it',
      { inResponseTo: '_1.00000000000000000000000000000000.00000000000000000000000000000000' },
      /nobody asked/,
    ],
    ['it is for another address', { destination: 'https://evil.example/auth/saml/corp' }, /another address/],
    ['its bearer is to show it elsewhere', { recipient: 'https://evil.example/auth/saml/corp' }, /its bearer/],
    ['it is for another audience', { audience: 'https://other.example' }, /audience|not for this gateway/i],
    ['another provider says it', { issuer: 'https://evil.example/idp' }, /another identity provider/],
    ['it has run out', { notOnOrAfter: now - 2 * MINUTE }, /expired|subject confirmation|not good/i],
    ['it is of later', { notBefore: now + 60 * MINUTE }, /not yet|not good/],
    ['it is of before the request', { issued: now - 60 * MINUTE }, /in answer to the request/],
    ['it names somebody for now only', { format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' }, /persistent/],
    ['it names an address', { format: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' }, /persistent/],
    ['it names nobody', { nameId: '  ' }, /names nobody/],
    ['it names somebody at great length', { nameId: 'a'.repeat(300) }, /names nobody/],
  ])('%s', async (_, more, why) => {
    expect(await verdict(signedBoth(answerXml(await parts(more)), idp.signing))).toMatch(why);
  });

  test.each<[string, (xml: string) => string]>([
    ['the conditions', (xml) => xml.replace(/<saml:Conditions[^]*<\/saml:Conditions>/, '')],
    ['the audience', (xml) => xml.replace(/<saml:AudienceRestriction>[^]*<\/saml:AudienceRestriction>/, '')],
    ['the end', (xml) => xml.replaceAll(/ NotOnOrAfter="[^"]*"/g, '')],
    ['the end of its bearer', (xml) => xml.replace(/(Data) NotOnOrAfter="[^"]*"/, '$1')],
    ['the recipient', (xml) => xml.replace(/ Recipient="[^"]*"/, '')],
    ['the request in its confirmation', (xml) => xml.replace(/(Recipient="[^"]*") InResponseTo="[^"]*"/, '$1')],
    ['the method', (xml) => xml.replace('cm:bearer', 'cm:sender-vouches')],
    ['the statement', (xml) => xml.replace(/<saml:AuthnStatement[^]*<\/saml:AuthnStatement>/, '')],
    ['the destination', (xml) => xml.replace(/ Destination="[^"]*"/, '')],
    ['the status', (xml) => xml.replace('status:Success', 'status:Responder')],
    ['the assertion', (xml) => xml.replace(/<saml:Assertion[^]*<\/saml:Assertion>/, '')],
  ])('%s is not left out', async (_, without) => {
    const whole = answerXml(await parts());
    const xml = without(whole);
    expect(xml).not.toBe(whole);
    const both = xml.includes('<saml:Assertion') ? signedBoth(xml, idp.signing) : signed(xml, 'Response', idp.signing);
    expect(await verdict(both)).not.toBe('believed');
  });

  test('an answer that comes late is not taken, and nobody makes names of requests', async () => {
    const xml = signedBoth(answerXml(await parts({ notOnOrAfter: now + 60 * MINUTE })), idp.signing);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * MINUTE });
    try {
      expect(await verdict(xml)).toMatch(/nobody asked/);
    } finally {
      vi.useRealTimers();
    }
    const changed = xml.replaceAll(
      /InResponseTo="_(.)/g,
      (_, first: string) => `InResponseTo="_${first === 'z' ? 'y' : 'z'}`,
    );
    expect(await verdict(changed)).toMatch(/nobody asked/);
    expect(await verdict(xml, provider())).toMatch(/nobody asked/);
  });
});

describe('bytes of strangers', () => {
  const start = '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">';
  test.each<[string, string, RegExp]>([
    ['no base64', '%%%', /base64/],
    ['nothing', '', /base64/],
    ['too long', 'A'.repeat(600_000), /too long/],
    ['not UTF-8', Buffer.from([0x3c, 0xff, 0xfe]).toString('base64'), /UTF-8/],
    ['a document type', encoded(`<!DOCTYPE r [<!ENTITY a "b">]>${start}&a;</samlp:Response>`), /document type/],
    [
      'an entity from elsewhere',
      encoded(`<?xml version="1.0"?><!DOCTYPE r SYSTEM "file:///etc/passwd">${start}`),
      /document type/,
    ],
    ['many parts', encoded(`${start}${'<a>'.repeat(20_000)}`), /too many parts/],
    ['a name with other letters', encoded(`${start}<é:Assertion/>`), /none of SAML/],
    ['an attribute without a value', encoded(`${start}<a b></a></samlp:Response>`), /none of SAML/],
    ['tags that do not fit', encoded(`${start}<a></b></samlp:Response>`), /fit together/],
    ['an entity that nobody defined', encoded(`${start}&a;</samlp:Response>`), /entity/],
    ['characters that do not show', encoded(`${start}\u001b]0;owned\u0007</samlp:Response>`), /do not show/],
    [
      'a tag with a thousand namespaces',
      encoded(`${start}<a ${Array.from({ length: 1_000 }, (_, at) => `xmlns:n${at}="u"`).join(' ')}/>`),
      /too many attributes/,
    ],
    ['depth', encoded(`${start}${'<a>'.repeat(1_000)}`), /parts in parts/],
    ['no response', encoded('<samlp:LogoutRequest/>'), /no response/],
    ['a text', encoded('hello'), /no response/],
    ['an encrypted assertion', encoded(`${start}<saml:EncryptedAssertion/>`), /encrypted/],
  ])('%s', async (_, text, why) => {
    await expect(own.accept(text)).rejects.toThrow(why);
  });

  test('the longest ones cost little, whatever is in them', () => {
    const lengths = [' ', '=', ' =', '<', '<?', 'Algorithm=', 'Algorithm= ', '<a x="', '<ds:Transform '];
    for (const piece of lengths) {
      const text = encoded(piece.repeat(Math.floor(250_000 / piece.length)));
      const began = process.cpuUsage().user;
      expect(() => readAnswer(text)).toThrow();
      expect(() => readAnswer(piece.repeat(300_000 / piece.length))).toThrow();
      expect((process.cpuUsage().user - began) / 1_000).toBeLessThan(3_000);
    }
  });

  test('whoever sends long ones holds up nothing but those behind them', async () => {
    const groups = Array.from({ length: 150 }, (_, at) => `group-${at}`);
    const long = signedBoth(answerXml(await parts({ attributes: { groups } })), idp.signing);
    const forged = long.replace('group-7<', 'group-x<');
    const waiting = Array.from({ length: 25 }, () => verdict(forged));
    // The main thread is free: it reads the next one, and answers others, while they are looked at.
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const refused = (await Promise.all(waiting.slice(20))).map((why) => /too many answers wait/.test(why));
    expect(refused).toEqual([true, true, true, true, true]);
    await waiting[0];
    expect(turns).toBeGreaterThan(3);
    clearInterval(ticking);
    expect(await Promise.all(waiting.slice(0, 20))).toEqual(
      Array.from({ length: 20 }, () => 'Invalid document signature'),
    );
  }, 120_000);

  test('damaged answers fail, in words, and nothing of them is printed', async () => {
    const printed = vi.spyOn(process.stderr, 'write');
    const xml = signedBoth(answerXml(await parts()), idp.signing);
    // The certificate that comes along is not read.
    const [unread = '', others] = [
      /<ds:KeyInfo[^]*?<\/ds:KeyInfo>/.exec(xml)?.[0],
      xml.split(/<ds:KeyInfo[^]*?<\/ds:KeyInfo>/),
    ];
    for (let at = 0; at < xml.length; at += 97) expect(await verdict(xml.slice(0, at))).not.toBe('believed');
    for (const [part, text] of others.entries())
      for (let at = 0; at < text.length; at += 89) {
        const twisted = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
        const all = others.with(part, twisted).join(unread);
        expect([twisted.slice(at - 20, at + 20), await verdict(all)]).not.toContain('believed');
      }
    expect(printed).not.toHaveBeenCalled();
  });
});
