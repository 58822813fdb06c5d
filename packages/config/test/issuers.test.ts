import { describe, expect, test } from 'vitest';
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
