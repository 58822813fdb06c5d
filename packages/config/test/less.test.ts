import { describe, expect, test } from 'vitest';
import { type Config, parseConfig } from '../src/index.js';

const GOOD = `
data: data
listeners: { postgres: { port: 6432 } }
principals:
  ann: { groups: [staff, dba], roles: [user, approver] }
  bob: { groups: [staff] }
roles: { auditor: ["group:dba", "user:bob"], user: ["group:staff"] }
connections:
  shop:
    protocol: postgres
    target: { host: localhost, tls: disable }
    credential: { user: shop }
    access: ["group:staff", "user:ann"]
    policies: [rules]
policies:
  rules:
    - { rule: no-drops, when: 'action.verb == "drop"', deny: Nothing is dropped. }
`;

const parse = (text: string) => parseConfig(text, { file: 'sluice.yaml', env: {} });
const inForce = (): Config => {
  const loaded = parse(GOOD);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
};

/** What is left of the configuration above with a file that has a mistake elsewhere. */
const after = (change: (text: string) => string) => {
  const loaded = parse(change(GOOD).replace('policies: [rules]', 'policies: [ruels]'));
  expect(loaded.ok).toBe(false);
  return loaded.less?.(inForce());
};

describe('a file with a mistake elsewhere', () => {
  test('that takes nothing away changes nothing', () => {
    expect(after((text) => text)).toBeUndefined();
  });

  test.each([
    ['a member of a group', 'bob: { groups: [staff] }', 'bob: {}', 'group "staff"'],
    ['a role', 'roles: [user, approver]', 'roles: [user]', '"ann" as "approver"'],
    ['a principal', '  bob: { groups: [staff] }\n', '', 'principal "bob"'],
    ['an entry of access', '["group:staff", "user:ann"]', '["user:ann"]', 'access to "shop" of "group:staff"'],
    ['a role by group', '["group:dba", "user:bob"]', '["user:bob"]', 'role "auditor" of "group:dba"'],
  ])('takes away %s', (_, written, instead, said) => {
    const less = after((text) => text.replace(written, instead));
    expect(less?.taken.join('; ')).toContain(said);
  });

  test('gives nothing', () => {
    const less = after((text) =>
      text
        .replace('bob: { groups: [staff] }', 'bob: { groups: [dba], roles: [user, admin] }\n  eve: { groups: [staff] }')
        .replace('"user:ann"]', '"user:ann", "*"]'),
    );
    expect(less?.config.principals.get('bob')).toMatchObject({ groups: [], roles: ['user'] });
    expect(less?.config.principals.has('eve')).toBe(false);
    expect(less?.config.connections.get('shop')?.access).toEqual(['group:staff', 'user:ann']);
  });

  test('a part that is wrong itself, or that is not there, says nothing', () => {
    expect(after((text) => text.replace('bob: { groups: [staff] }', 'bob: { grops: [staff] }'))).toBeUndefined();
    expect(after((text) => text.replace('principals:', 'princpals:'))).toBeUndefined();
    expect(after((text) => text.replace('access: ["group:staff", "user:ann"]', 'access: everybody'))).toBeUndefined();
    // Without a list of users everybody is one.
    expect(after((text) => text.replace(', user: ["group:staff"]', ''))).toBeUndefined();
  });

  test('another person under an old name is not the old one', () => {
    const less = after(
      (text) =>
        `${text.replace('bob: {', 'bob: { issuer: corp, subject: "7",')}issuers: { corp: { issuer: "https://a.example", audience: x } }\n`,
    );
    expect(less?.config.principals.has('bob')).toBe(false);
  });

  test('a text that is no YAML takes nothing away', () => {
    const loaded = parse(`${GOOD}\n  - : [`);
    expect(loaded.ok).toBe(false);
    expect(loaded.less).toBeUndefined();
  });
});
