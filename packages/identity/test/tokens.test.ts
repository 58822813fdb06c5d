import { exportSPKI, importJWK, SignJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Claims, FakeIssuer, URL, newKey, refusal } from './issuer.js';

const key = await newKey('one');
const other = await newKey('one');
let issuer: FakeIssuer;

beforeEach(() => {
  issuer = new FakeIssuer();
  issuer.keys = [key.jwk];
});

const NEVER = /^invalid: /;
const seconds = (): number => Math.floor(issuer.now / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token of the issuer stands for whom it names, with its groups and the claims that are asked for', async () => {
  const token = await issuer.token(key, { groups: ['engineers', 'dba'], department: 'eng', salary: 1 });
  const { principal, expires } = await issuer.issuers({}, ['department']).verify(token);
  expect(principal).toEqual({
    name: 'ana',
    kind: 'person',
    groups: ['engineers', 'dba'],
    issuer: 'corp',
    subject: 'ana',
    claims: { department: ['eng'] },
  });
  expect(expires).toBe(issuer.now + 300_000);
});

test.each(['RS256', 'PS256', 'ES256', 'Ed25519'])('signatures by %s are checked', async (algorithm) => {
  const signer = await newKey('it', algorithm);
  issuer.keys = [signer.jwk];
  expect(await refusal(issuer.issuers(), await issuer.token(signer))).toBe('taken');
  const forger = await newKey('it', algorithm);
  expect(await refusal(issuer.issuers(), await issuer.token(forger))).toMatch(/signature verification failed/);
});

describe('signatures that are none', () => {
  test('another key with the same kid', async () => {
    expect(await refusal(issuer.issuers(), await issuer.token(other))).toMatch(/signature verification failed/);
  });

  test.each(['none', 'None', 'NONE'])('alg "%s"', async (alg) => {
    const bare = `${encode({ alg, kid: 'one' })}.${encode(issuer.claims())}`;
    for (const token of [`${bare}.`, `${bare}.AA`, bare]) expect(await refusal(issuer.issuers(), token)).toMatch(NEVER);
  });

  test('HS256 with the public key as the secret', async () => {
    const rsa = await newKey('rsa', 'RS256');
    issuer.keys = [rsa.jwk];
    const pem = await exportSPKI((await importJWK(rsa.jwk, 'RS256', { extractable: true })) as CryptoKey);
    for (const secret of [pem, JSON.stringify(rsa.jwk)]) {
      const forged = await new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'HS256', kid: 'rsa' })
        .sign(Buffer.from(secret));
      expect(await refusal(issuer.issuers(), forged)).toMatch(NEVER);
    }
  });

  test('a shared secret that the issuer publishes by mistake', async () => {
    issuer.keys = [{ kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url'), kid: 'oct', alg: 'HS256' }, key.jwk];
    const forged = await new SignJWT(issuer.claims())
      .setProtectedHeader({ alg: 'HS256', kid: 'oct' })
      .sign(Buffer.alloc(32, 7));
    expect(await refusal(issuer.issuers(), forged)).toMatch(NEVER);
  });

  test('an algorithm that is not on the list', async () => {
    expect(await refusal(issuer.issuers({ algorithms: ['RS256'] }), await issuer.token(key))).toMatch(NEVER);
  });

  test.each([
    ['jwk', (): object => ({ jwk: other.jwk })],
    ['jku', (): object => ({ jku: 'https://evil.example/keys' })],
    ['x5u', (): object => ({ x5u: 'https://evil.example/cert' })],
    ['x5c', (): object => ({ x5c: ['MIIB'] })],
  ])('the key that the header brings along by %s', async (_, header) => {
    expect(await refusal(issuer.issuers(), await issuer.token(other, {}, header()))).toMatch(/signature/);
    expect(issuer.fetched.filter((url) => !url.startsWith(URL))).toEqual([]);
  });

  test.each(['../../etc/passwd', 'https://evil.example/k', "one' or '1'='1", '\u0000', 'one\n'])(
    'a kid such as %j names no key, and is fetched from nowhere',
    async (kid) => {
      expect(await refusal(issuer.issuers(), await issuer.token(other, {}, { kid }))).toMatch(NEVER);
      expect(new Set(issuer.fetched)).toEqual(new Set([`${URL}/.well-known/openid-configuration`, `${URL}/keys`]));
    },
  );

  test('an extension that is critical and not known (RFC 7515 section 4.1.11)', async () => {
    const token = `${encode({ alg: 'ES256', kid: 'one', crit: ['exp2'], exp2: 1 })}.${encode(issuer.claims())}.AAAA`;
    expect(await refusal(issuer.issuers(), token)).toMatch(NEVER);
    const long = `${encode({ alg: 'ES256', crit: ['x'.repeat(5000)] })}.${encode(issuer.claims())}.AAAA`;
    expect((await refusal(issuer.issuers(), long)).length).toBeLessThan(220);
  });

  test('a part that was changed afterwards', async () => {
    const [header, , signature] = (await issuer.token(key)).split('.');
    const token = `${header}.${encode(issuer.claims({ sub: 'root' }))}.${signature}`;
    expect(await refusal(issuer.issuers(), token)).toMatch(/signature/);
  });
});

describe('claims that will not do', () => {
  test.each<[string, () => Claims, RegExp]>([
    ['expired', () => ({ exp: seconds() - 61 }), /"exp"/],
    ['without an end', () => ({ exp: undefined }), /"exp"/],
    ['with an end that is a text', () => ({ exp: '9999999999' }), /"exp"/],
    ['not yet valid', () => ({ nbf: seconds() + 61 }), /"nbf"/],
    ['of the future', () => ({ iat: seconds() + 61 }), /"iat"/],
    ['for somebody else', () => ({ aud: 'billing' }), /"aud"/],
    ['for nobody', () => ({ aud: undefined }), /"aud"/],
    ['for several, and asked for by nobody', () => ({ aud: ['sluice', 'billing'] }), /"azp"/],
    ['asked for by another', () => ({ aud: ['sluice', 'billing'], azp: 'billing' }), /"azp"/],
    ['of another issuer', () => ({ iss: 'https://evil.example' }), /issuer is not one of ours/],
    ['of an issuer that looks the same', () => ({ iss: `${URL}/` }), /issuer is not one of ours/],
    ['of no issuer', () => ({ iss: undefined }), /issuer is not one of ours/],
    ['about nobody', () => ({ sub: undefined }), /"sub"/],
    ['about nothing', () => ({ sub: '' }), /"sub"/],
    ['about a number', () => ({ sub: 7 }), /"sub"|claim/],
  ])('a token %s', async (_, changes, why) => {
    const said = await refusal(issuer.issuers(), await issuer.token(key, changes()));
    expect(said).toMatch(NEVER);
    expect(said).toMatch(why);
  });

  test('clocks may differ by the skew, and no more', async () => {
    const near = { exp: seconds() - 59, nbf: seconds() - 300, iat: seconds() + 59 };
    expect(await refusal(issuer.issuers(), await issuer.token(key, near))).toBe('taken');
    expect(await refusal(issuer.issuers({ clockSkew: 0 }), await issuer.token(key, near))).toMatch(NEVER);
  });

  test('a token made for another purpose', async () => {
    for (const typ of ['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'entity-statement+jwt'])
      expect(await refusal(issuer.issuers(), await issuer.token(key, {}, { typ }))).toMatch(/"typ"/);
    for (const typ of ['JWT', 'at+jwt'])
      expect(await refusal(issuer.issuers(), await issuer.token(key, {}, { typ }))).toBe('taken');
  });

  test('required claims must have one of their values, each with its own type', async () => {
    const issuers = issuer.issuers({ require: { hd: ['acme.example'], internal: [true] } });
    const said = async (changes: Claims): Promise<string> => refusal(issuers, await issuer.token(key, changes));
    expect(await said({ hd: 'acme.example', internal: true })).toBe('taken');
    expect(await said({ hd: 'evil.example', internal: true })).toMatch(/"hd"/);
    expect(await said({ hd: 'acme.example', internal: 'true' })).toMatch(/"internal"/);
    expect(await said({ internal: true })).toMatch(/"hd"/);
  });

  test('authorized parties, where they are named, have to have asked for it', async () => {
    const issuers = issuer.issuers({ authorizedParties: ['sluice-cli'] });
    expect(await refusal(issuers, await issuer.token(key, { azp: 'sluice-cli' }))).toBe('taken');
    expect(await refusal(issuers, await issuer.token(key, { azp: 'other' }))).toMatch(/"azp"/);
    expect(await refusal(issuers, await issuer.token(key))).toMatch(/"azp"/);
  });

  test('what is too long is not looked at', async () => {
    const token = await issuer.token(key, { junk: 'x'.repeat(16 * 1024) });
    expect(await refusal(issuer.issuers(), token)).toBe('invalid: it is too long');
    expect(issuer.fetched).toEqual([]);
  });

  test.each(['', 'a.b.c', '..', 'a.b', 'a'.repeat(100), 'a.e30.c', 'eyJ.eyJ.eyJ'])('%j is no token', async (text) => {
    expect(await refusal(issuer.issuers(), text)).toMatch(NEVER);
  });
});

describe('names', () => {
  const name = async (claim: string, changes: Claims): Promise<string> => {
    const issuers = issuer.issuers({ principal: { claim, prefix: '' } });
    const token = await issuer.token(key, changes);
    return issuers.verify(token).then(
      ({ principal }) => principal.name,
      (error: Error) => error.message,
    );
  };

  test.each(['auth0|5f7c', 'repo:acme/shop:ref:refs/heads/main', 'ana+db@acme.example', '00u1a2b3', 'a/b=c~d-e'])(
    '%s is one',
    async (sub) => expect(await name('sub', { sub })).toBe(sub),
  );

  test.each(['ana\nadmin', 'ana\u0000', 'ana ben', "ana'--", '*', '-c', 'аna', 'ana\u202e', '"ana"', 'x'.repeat(256)])(
    '%j is none',
    async (sub) => expect(await name('sub', { sub })).toMatch(/names nobody|cannot be the name/),
  );

  test('an e-mail address counts only when the issuer has verified it', async () => {
    const email = 'ana@acme.example';
    expect(await name('email', { email, email_verified: true })).toBe(email);
    for (const email_verified of [false, undefined, 'true', 1])
      expect(await name('email', { email, email_verified })).toBe('"email" is not verified');
  });

  test('one claim does not stand in for another', async () => {
    expect(await name('preferred_username', {})).toBe('"preferred_username" is missing');
  });
});

describe('groups', () => {
  const groups = async (claim: string, changes: Claims): Promise<readonly string[] | string> =>
    issuer
      .issuers({ groups: { claim, prefix: 'corp:' } })
      .verify(await issuer.token(key, changes))
      .then(
        ({ principal }) => principal.groups,
        (error: Error) => error.message,
      );

  test.each<[string, string, Claims, string[]]>([
    ['a list', 'groups', { groups: ['a', 'b', 'a'] }, ['corp:a', 'corp:b']],
    ['one text', 'groups', { groups: 'a b' }, ['corp:a b']],
    ['nested', 'realm_access.roles', { realm_access: { roles: ['a'] } }, ['corp:a']],
    ['a name with dots', 'https://acme.example/groups', { 'https://acme.example/groups': ['a'] }, ['corp:a']],
    [
      'dots, then nested',
      'https://acme.example/auth.groups',
      { 'https://acme.example/auth': { groups: ['a'] } },
      ['corp:a'],
    ],
    ['missing: none', 'groups', {}, []],
    ['null: none', 'groups', { groups: null }, []],
    ['no texts: none', 'groups', { groups: [1, { name: 'a' }, ['a'], ''] }, []],
    ['an object: none', 'groups', { groups: { admin: true } }, []],
    ['of the prototype: none', 'constructor.name', {}, []],
    ['of the prototype, too', '__proto__', {}, []],
  ])('%s', async (_, claim, changes, expected) => expect(await groups(claim, changes)).toEqual(expected));

  test('more than anybody has', async () => {
    expect(await groups('groups', { groups: Array.from({ length: 1001 }, (__, at) => `g${at}`) })).toMatch(
      /too (many|long)/,
    );
  });
});

test('names of one issuer are not those of another', async () => {
  const { Issuers } = await import('../src/index.js');
  const { settings } = await import('./issuer.js');
  const ci = { name: 'ci', url: 'https://ci.example', principal: { claim: 'sub', prefix: 'ci:' } };
  const issuers = new Issuers([settings(), settings(ci)], { fetch: issuer.fetch, now: () => issuer.now });
  expect(await refusal(issuers, await issuer.token(key, { sub: 'ci:deploy' }))).toMatch(/those of another issuer/);
  expect(await refusal(issuers, await issuer.token(key, { sub: 'deploy' }))).toBe('taken');
});
