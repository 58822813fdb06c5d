import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates, makeSigningKey } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Config, describeProblem, parseConfig } from '../src/index.js';

const parse = (text: string) => parseConfig(text, { file: '/etc/sluice.yaml', env: {} });

function good(text: string): Config {
  const loaded = parse(text);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'));
  return loaded.config;
}

const bad = (text: string): string[] => {
  const loaded = parse(text);
  return loaded.ok ? [] : loaded.problems.map(({ path, message }) => `${path}: ${message}`);
};

const CORP = 'issuer: "https://login.acme.example", audience: sluice';

test('an issuer needs its address and the audience of its tokens, and has safe defaults', () => {
  expect(good(`issuers: { corp: { ${CORP} } }`).issuers.get('corp')).toEqual({
    name: 'corp',
    url: 'https://login.acme.example',
    audience: ['sluice'],
    login: undefined,
    console: undefined,
    scopes: ['openid', 'profile', 'email'],
    kind: 'person',
    principal: { claim: 'sub', prefix: '' },
    groups: { claim: undefined, prefix: '' },
    require: {},
    authorizedParties: undefined,
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
    clockSkew: 60_000,
    keysMaxAge: 24 * 3_600_000,
    tokens: 12 * 3_600_000,
    endsSessions: false,
    record: [],
  });
  expect(bad('issuers: { corp: { issuer: "https://a.example" } }')).toEqual([
    'issuers.corp.audience: write one audience or a list of them.',
  ]);
});

describe('what is not taken for an issuer', () => {
  test.each([
    ['http://login.acme.example'],
    ['https://user@login.acme.example'],
    ['https://login.acme.example/?tenant=1'],
    ['login.acme.example'],
    ['http://127.0.0.1.acme.example'],
  ])('%s', (url) => {
    expect(bad(`issuers: { corp: { issuer: "${url}", audience: s } }`)).toEqual([
      `issuers.corp.issuer: "${url}" is not the address of an issuer.`,
    ]);
  });

  test('plain http on loopback is', () => {
    for (const host of ['127.0.0.1:9000', 'localhost:9000', '[::1]:9000'])
      expect(bad(`issuers: { dev: { issuer: "http://${host}", audience: s } }`)).toEqual([]);
  });
});

test('signatures with a shared secret, or none, cannot be allowed', () => {
  for (const algorithm of ['HS256', 'none'])
    expect(bad(`issuers: { corp: { ${CORP}, algorithms: [${algorithm}] } }`)).toHaveLength(1);
  expect(bad(`issuers: { corp: { ${CORP}, clock_skew: 6m } }`)).toEqual([
    'issuers.corp.clock_skew: more than 5m would keep old tokens alive.',
  ]);
});

test('an issuer that signs for everybody needs a required claim', () => {
  const github = 'issuer: "https://token.actions.githubusercontent.com", audience: sluice';
  expect(bad(`issuers: { github: { ${github} } }`)).toEqual([
    'issuers.github.require: this issuer signs tokens for everybody.',
  ]);
  expect(good(`issuers: { github: { ${github}, require: { repository_owner: acme } } }`).issuers.size).toBe(1);
});

test('two issuers cannot give the same names', () => {
  const two = (more: string): string[] =>
    bad(`issuers: { a: { ${CORP} }, b: { issuer: "https://b.example", audience: s${more} } }`);
  expect(two('')).toEqual(['issuers.b.principal_prefix: names of "b" could be names of "a".']);
  expect(two(', principal_prefix: "ci:"')).toEqual([]);
});

test('groups, people and claims of a provider are known to nobody here; without a provider they are slips', () => {
  const access = (entry: string): string => `
connections:
  shop:
    protocol: postgres
    target: { host: db }
    credential: { user: u }
    access: ["${entry}"]
    approval: { approvers: ["group:dba"] }`;
  expect(bad(`issuers: { corp: { ${CORP} } }${access('claim:department=eng')}`)).toEqual([]);
  expect(bad(`issuers: { corp: { ${CORP} } }${access('claim:department')}`)).toEqual([
    'connections.shop.access[0]: "claim:department" asks for nothing.',
  ]);
  expect(bad(access('claim:department=eng'))).toEqual([
    'connections.shop.access[0]: only tokens of an issuer have claims.',
    'connections.shop.approval.approvers[0]: no principal is in a group "dba".',
  ]);
});

test('groups of two issuers are not one namespace by accident', () => {
  const other = CORP.replace('login.acme', 'other');
  const two = (groups: string): string =>
    `issuers: { corp: { ${CORP}, groups: groups }, other: { ${other}, principal_prefix: "o:"${groups} } }`;
  expect(bad(two(', groups: roles'))).toEqual(['issuers.other.groups: groups of "other" could be groups of "corp".']);
  expect(bad(two(', groups: roles, groups_prefix: "o:"'))).toEqual([]);
  expect(bad(two(''))).toEqual([]);
});

test('a principal can be tied to what an issuer calls somebody', () => {
  const tied = good(`issuers: { corp: { ${CORP} } }\nprincipals: { ana: { issuer: corp, subject: "00u1" } }`);
  expect(tied.principals.get('ana')).toMatchObject({ issuer: 'corp', subject: '00u1' });
  expect(bad('principals: { ana: { issuer: corp } }')).toEqual(['principals.ana.issuer: there is no issuer "corp".']);
  expect(bad('principals: { ana: { subject: x } }')).toEqual([
    'principals.ana.subject: "subject" says nothing without "issuer".',
  ]);
});

test('roles are given by lists', () => {
  const { roles } = good(`issuers: { corp: { ${CORP} } }\nroles: { approver: ["group:dba"], admin: ["user:ana"] }`);
  expect(roles).toEqual({ approver: ['group:dba'], admin: ['user:ana'] });
  expect(bad('roles: { owner: ["group:dba"] }')[0]).toContain('roles.owner');
});

describe('an issuer that speaks SAML', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-saml-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(() => {
    writeFileSync(join(folder, 'idp.pem'), makeSigningKey().certificate);
    const { certificate, remove } = makeCertificates();
    writeFileSync(join(folder, 'ec.pem'), certificate);
    remove();
    writeFileSync(join(folder, 'text.pem'), 'hello');
  });
  const at = (more: string, console = 'listeners: { console: { tls: off } }\n'): string =>
    `${console}issuers: { okta: { ${more} } }`;
  const saml = (more = '', certificate = 'idp.pem'): string =>
    `saml: { idp: "https://okta.example/exk1", sso_url: "https://okta.example/sso", certificate: ${certificate}${more} }`;
  const loaded = (text: string) => parseConfig(text, { file: join(folder, 'sluice.yaml'), env: {} });
  const wrong = (text: string): string[] => {
    const read = loaded(text);
    return read.ok ? [] : read.problems.map(({ path, message }) => `${path}: ${message}`);
  };

  test('has people and groups as others have', () => {
    const read = loaded(at(`${saml()}, principal: login, groups: groups`));
    expect(read.ok && read.config.issuers.get('okta')).toMatchObject({
      kind: 'person',
      principal: { claim: 'login', prefix: '' },
      groups: { claim: 'groups', prefix: '' },
      saml: { idp: 'https://okta.example/exk1', ssoUrl: 'https://okta.example/sso', entityId: undefined },
    });
    expect(wrong(at(saml(', entity_id: sluice', '[idp.pem, idp.pem]')))).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    ['no console', at(saml(), ''), /issuers\.okta\.saml: nobody can log in by it/],
    ['settings of tokens', at(`${saml()}, client_id: x, scopes: [a]`), /"client_id" has no meaning with "saml"/],
    ['programs', at(`${saml()}, kind: agent`), /programs do not log in by SAML/],
    ['plain http', at(saml().replace('https://okta.example/sso', 'http://okta.example/sso')), /write an https address/],
    ['a text', at(saml('', 'text.pem')), /it is no certificate/],
    ['a key of another kind', at(saml('', 'ec.pem')), /no RSA key/],
    ['no file', at(saml('', 'none.pem')), /there is no such file/],
    ['neither', at('principal: sub'), /"issuer" is missing/],
  ])('%s', (_, text, why) => {
    expect(wrong(text).join('\n')).toMatch(why);
  });
});

test.each<[string, string, string, RegExp | undefined]>([
  ['at a name', 'external_url: "http://localhost:7440"', 'approvers: ["group:dba"]', undefined],
  ['at a number', '', 'approvers: ["group:dba"]', /no security key to an address that is a number/],
  ['without a console', 'none', 'approvers: ["group:dba"]', /there is no console/],
  [
    'for programs',
    'external_url: "http://localhost:7440"',
    'approvers: ["agent:bot"]',
    /"agent:bot" has no security key/,
  ],
  [
    'unanswered',
    'external_url: "http://localhost:7440"',
    'approvers: ["group:dba"], on_timeout: allow',
    /would pass without a security key/,
  ],
])('a security key is asked for %s', (_, console, hold, why) => {
  const listener = console === 'none' ? '' : `listeners: { console: { tls: off${console && `, ${console}`} } }\n`;
  const found = bad(`${listener}issuers: { corp: { ${CORP}, client_id: sluice } }
policies: { p: [{ rule: r, hold: { ${hold}, step_up: webauthn } }] }`);
  if (why) expect(found.join('\n')).toMatch(why);
  else expect(found).toEqual([]);
});
