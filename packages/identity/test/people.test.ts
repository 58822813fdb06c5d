import type { Principal, Role } from '@sluice/contract';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  Directory,
  type IdentityStore,
  type IssuerSettings,
  People,
  type Proven,
  type StoredToken,
} from '../src/index.js';
import { FakeIssuer, newKey } from './issuer.js';

const key = await newKey('one');
let issuer: FakeIssuer;
beforeEach(() => {
  issuer = new FakeIssuer();
  issuer.now = Date.now();
  issuer.keys = [key.jwk];
});

const principal = (name: string, more: Partial<Principal> = {}): [string, Principal] => [
  name,
  { name, kind: 'person', groups: [], roles: ['user'], ...more },
];

function memory(kept: StoredToken[] = []): IdentityStore {
  const settings = new Map<string, string>();
  return {
    tokens: () => Promise.resolve([...kept]),
    addToken: (token) => Promise.resolve(void kept.push(token)),
    revokeToken: () => Promise.resolve(),
    touchToken: () => Promise.resolve(),
    removeTokens: (ids) =>
      Promise.resolve(void kept.splice(0, kept.length, ...kept.filter(({ id }) => !ids.includes(id)))),
    setting: (name) => Promise.resolve(settings.get(name)),
    setSetting: (name, value) => Promise.resolve(void settings.set(name, value)),
  };
}

const open = (
  principals: [string, Principal][],
  more: Partial<IssuerSettings> = {},
  store = memory(),
  roles: Partial<Record<Role, string[]>> = {},
): Promise<Directory> => Directory.open(new Map(principals), store, { issuers: issuer.issuers(more), roles });

test('who is known has the groups and roles of now, and none of a configuration before it', async () => {
  const admins = { admin: ['group:ops'] };
  const ana = (...groups: string[]): [string, Principal][] => [principal('ana', { issuer: 'corp', groups })];
  const directory = await open(ana('ops'), {}, memory(), admins);
  const { token } = await directory.createToken({ principal: 'ana', name: 'test' });
  const known = (): unknown =>
    directory.known().map(({ principal: { name, groups, roles }, seen }) => [name, groups, roles, seen !== undefined]);
  expect(known()).toEqual([['ana', ['ops'], ['user', 'admin'], false]]);
  await directory.authenticate(await issuer.token(key, { groups: ['dba'] }));
  expect(known()).toEqual([['ana', ['ops', 'dba'], ['user', 'admin'], true]]);
  directory.reconfigure(new Map(ana()), { issuers: issuer.issuers({}), roles: admins });
  expect(known()).toEqual([['ana', ['dba'], ['user'], true]]);
  directory.reconfigure(new Map(ana('ops')), { issuers: issuer.issuers({}), roles: admins });
  await directory.authenticate(token);
  directory.reconfigure(new Map(ana()), { issuers: issuer.issuers({}), roles: admins });
  expect(known()).toEqual([['ana', [], ['user'], true]]);
});

describe('whom a token stands for', () => {
  test('somebody who is not in the configuration, for this login', async () => {
    const directory = await open([]);
    const proven = await directory.authenticate(await issuer.token(key, { groups: ['dba'] }), 'ana');
    expect(proven?.principal).toMatchObject({ name: 'ana', groups: ['dba'], roles: ['user'], issuer: 'corp' });
    expect(directory.principal('ana')).toBeUndefined();
    const later = await directory.authenticate(await issuer.token(key), 'ana');
    expect(later?.principal.groups).toEqual([]);
  });

  test('nobody else than whom it names', async () => {
    const directory = await open([]);
    expect(await directory.authenticate(await issuer.token(key), 'ben')).toBeUndefined();
  });

  test('not a principal of the configuration that happens to have its name', async () => {
    const directory = await open([principal('ana', { roles: ['admin'] }), principal('operator', { roles: ['admin'] })]);
    for (const sub of ['ana', 'operator'])
      await expect(directory.authenticate(await issuer.token(key, { sub }))).rejects.toThrow('of the configuration');
  });

  test('one that is tied to its subject, whatever it calls itself', async () => {
    const tied = principal('ana', { roles: ['admin'], groups: ['own'], issuer: 'corp', subject: '00u1' });
    const directory = await open([tied], { principal: { claim: 'preferred_username', prefix: '' } });
    const token = (sub: string, preferred_username: string): Promise<string> =>
      issuer.token(key, { sub, preferred_username, groups: ['dba'] });
    const proven = await directory.authenticate(await token('00u1', 'anything'));
    expect(proven?.principal).toMatchObject({ name: 'ana', roles: ['admin'], groups: ['own', 'dba'] });
    await expect(directory.authenticate(await token('00u2', 'ana'))).rejects.toThrow('of the configuration');
  });

  test('who one is by now follows the configuration, and what one added to a token goes with it', async () => {
    const tied = principal('ana', { groups: ['own'], issuer: 'corp', subject: '00u1' });
    const directory = await open([tied]);
    const proven = await directory.authenticate(await issuer.token(key, { sub: '00u1', groups: ['dba'] }));
    if (!proven) throw new Error('nobody');
    expect(directory.current(proven)?.groups).toEqual(['own', 'dba']);
    const issuers = issuer.issuers();
    const now = (people: typeof tied, more: object): Principal | undefined => {
      directory.reconfigure(new Map([people]), more);
      return directory.current(proven);
    };
    expect(now(principal('ana', { groups: [], issuer: 'corp', subject: '00u1' }), { issuers })?.groups).toEqual([
      'dba',
    ]);
    expect(now(principal('ana', { groups: ['own'] }), { issuers })).toBeUndefined();
    expect(now(tied, {})).toBeUndefined();
  });

  test('one that is tied to the issuer by name', async () => {
    const directory = await open([principal('ana', { issuer: 'corp' }), principal('ben', { issuer: 'other' })]);
    expect((await directory.authenticate(await issuer.token(key)))?.principal.name).toBe('ana');
    await expect(directory.authenticate(await issuer.token(key, { sub: 'ben' }))).rejects.toThrow(
      'of the configuration',
    );
  });
});

describe('roles', () => {
  const found = (lists: Partial<Record<Role, string[]>>, groups: string[]): readonly Role[] | undefined =>
    new People(new Map(), lists).find({ name: 'ana', kind: 'person', groups, claims: { team: ['x', 'y'] } })?.roles;

  test('come by group, name and claim', () => {
    expect(found({ approver: ['group:dba'], auditor: ['user:ana'], admin: ['claim:team=y'] }, ['dba'])).toEqual([
      'user',
      'approver',
      'auditor',
      'admin',
    ]);
    expect(found({ approver: ['group:dba'], admin: ['claim:team=z', 'user:ben', 'agent:ana'] }, [])).toEqual(['user']);
  });

  test('with a list for it, not everybody is a user', () => {
    expect(found({ user: ['group:staff'] }, [])).toEqual([]);
    expect(found({ user: ['group:staff'] }, ['staff'])).toEqual(['user']);
  });

  test('of the configuration are kept, and lists add to them', () => {
    const people = new People(new Map([principal('ana', { groups: ['dba'] })]), { approver: ['group:dba'] });
    expect(people.get('ana')?.roles).toEqual(['user', 'approver']);
  });
});

describe("a gateway token of an issuer's person", () => {
  const ana: Principal = {
    name: 'ana',
    kind: 'person',
    groups: ['dba'],
    roles: ['user'],
    issuer: 'corp',
    subject: 's',
  };

  test('has the groups of when it was made, and the roles of now', async () => {
    const kept: StoredToken[] = [];
    const before = await open([], {}, memory(kept));
    const { token } = await before.createToken({ principal: ana, name: 't' });
    expect(before.bearer(token)?.principal).toMatchObject({ name: 'ana', groups: ['dba'], roles: ['user'] });
    const after = await open([], {}, memory(kept), { approver: ['group:dba'] });
    expect(after.bearer(token)?.principal.roles).toEqual(['user', 'approver']);
    expect(after.scram('ana').candidates.filter(({ tokenId }) => tokenId !== '')).toHaveLength(1);
  });

  test('is worth nothing without its issuer, or when the configuration takes the name', async () => {
    const kept: StoredToken[] = [];
    const { token } = await (await open([], {}, memory(kept))).createToken({ principal: ana, name: 't' });
    for (const directory of [
      await open([], { name: 'renamed' }, memory(kept)),
      await open([principal('ana')], {}, memory(kept)),
    ]) {
      expect(directory.bearer(token)).toBeUndefined();
      expect(directory.scram('ana').candidates.every(({ tokenId }) => tokenId === '')).toBe(true);
    }
  });

  test('has no more roles than it was given, nor than its owner has', async () => {
    const directory = await open([principal('kim', { roles: ['user', 'auditor'] })]);
    const { token } = await directory.createToken({ principal: 'kim', name: 't', roles: ['auditor', 'admin'] });
    expect(directory.bearer(token)?.principal.roles).toEqual(['auditor']);
  });
});

describe('under another configuration, somebody who has logged in', () => {
  const keeper = principal('keeper', { groups: ['own'], roles: ['user', 'admin'], issuer: 'corp', subject: '00u1' });
  const reconfigure = (directory: Directory, principals: [string, Principal][], more: object = {}): void =>
    directory.reconfigure(new Map(principals), { issuers: issuer.issuers(), ...more });

  test('has the groups of their token, and the roles of now', async () => {
    const directory = await open([]);
    const proven = (await directory.authenticate(await issuer.token(key, { groups: ['dba'] }))) as Proven;
    reconfigure(directory, [], { roles: { approver: ['group:dba'] } });
    expect(directory.current(proven)).toMatchObject({ name: 'ana', groups: ['dba'], roles: ['user', 'approver'] });
  });

  test('loses what the configuration has taken from them', async () => {
    const directory = await open([keeper]);
    const proven = (await directory.authenticate(await issuer.token(key, { sub: '00u1', groups: ['dba'] }))) as Proven;
    expect(proven.principal).toMatchObject({ name: 'keeper', groups: ['own', 'dba'] });
    reconfigure(directory, [principal('keeper', { ...keeper[1], groups: [], roles: ['user'] })]);
    expect(directory.current(proven)).toMatchObject({ name: 'keeper', groups: ['dba'], roles: ['user'] });
    reconfigure(directory, [principal('keeper')]);
    expect(directory.current(proven)).toBeUndefined();
  });

  test('is nobody without their issuer, or when the configuration takes their name', async () => {
    const directory = await open([]);
    const proven = (await directory.authenticate(await issuer.token(key))) as Proven;
    reconfigure(directory, [principal('ana')]);
    expect(directory.current(proven)).toBeUndefined();
    reconfigure(directory, [], { issuers: issuer.issuers({ name: 'other' }) });
    expect(directory.current(proven)).toBeUndefined();
  });

  test('has no more roles than their token, which need not be good any longer', async () => {
    const directory = await open([principal('kim', { roles: ['user', 'auditor'] })]);
    const { token, stored } = await directory.createToken({ principal: 'kim', name: 't', roles: ['user'] });
    const proven = directory.bearer(token) as Proven;
    directory.revokeToken(stored.id);
    reconfigure(directory, [principal('kim', { roles: ['user', 'auditor'] })]);
    expect(directory.current(proven)?.roles).toEqual(['user']);
    reconfigure(directory, []);
    expect(directory.current(proven)).toBeUndefined();
  });
});
