import type { Directory, Proven } from '@sluice/identity';
import type { ConsoleLoginRecord, ConsoleLoginStore } from '@sluice/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConsoleLogins } from '../src/logins.js';

const MINUTE = 60_000;
const TIMES = { idle: 10 * MINUTE, session: 60 * MINUTE };
const claimed = { name: 'ana', kind: 'person', groups: ['dba'], issuer: 'corp', subject: 'u1' } as const;
const proven = {
  by: 'issuer',
  principal: { ...claimed, roles: ['user'] },
  claimed,
  tokenId: 'corp:1',
} as unknown as Proven;

/** A store in memory, with the same promises. */
function storeOf(kept: Map<string, ConsoleLoginRecord>): ConsoleLoginStore {
  return {
    current: async (now: number) => [...kept.values()].filter(({ expires }) => expires > now),
    add: async (one: ConsoleLoginRecord) => void kept.set(one.digest, one),
    touch: async (digest: string, used: number) =>
      void kept.set(digest, { ...(kept.get(digest) as ConsoleLoginRecord), used }),
    remove: async (digest: string) => void kept.delete(digest),
  } as unknown as ConsoleLoginStore;
}

/** Knows whoever the issuer knows, with the roles of now. */
const identity = (roles: readonly string[] | undefined): Directory =>
  ({ current: () => roles && { ...claimed, roles }, issuers: undefined }) as unknown as Directory;

/** Of the issuer; undefined: it is gone. */
let settings: string | undefined = 'as they are';
const settingsOf = (issuer: string): string | undefined => (issuer === 'corp' ? settings : undefined);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a login ends when nobody uses it, and in any case at its end', async () => {
  const kept = new Map<string, ConsoleLoginRecord>();
  const logins = await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf);
  const secret = await logins.begin(proven);
  const found = (): boolean => logins.find(secret, identity(['user'])) !== undefined;
  for (let minute = 0; minute < 54; minute += 9) {
    vi.advanceTimersByTime(9 * MINUTE);
    expect(found()).toBe(true);
    logins.touch(logins.find(secret, identity(['user']))?.login ?? '');
  }
  // Used a moment ago, and over.
  vi.advanceTimersByTime(6 * MINUTE);
  expect(found()).toBe(false);
  const other = await logins.begin(proven);
  vi.advanceTimersByTime(10 * MINUTE);
  expect(logins.find(other, identity(['user']))).toBeUndefined();
  expect(kept.size).toBe(0);
});

test('a login ends where its provider says so, and no later than it would', async () => {
  const kept = new Map<string, ConsoleLoginRecord>();
  const logins = await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf);
  const [early, late] = [
    await logins.begin(proven, false, Date.now() + 5 * MINUTE),
    await logins.begin(proven, false, Date.now() + 600 * MINUTE),
  ];
  expect([...kept.values()].map(({ expires }) => expires - Date.now())).toEqual([5 * MINUTE, 60 * MINUTE]);
  vi.advanceTimersByTime(5 * MINUTE);
  expect(logins.find(early, identity(['user']))).toBeUndefined();
  expect(logins.find(late, identity(['user']))).toBeDefined();
});

test('a restart forgets neither who is logged in nor when they last did something', async () => {
  const kept = new Map<string, ConsoleLoginRecord>();
  const secret = await (await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf)).begin(proven);
  expect(JSON.stringify([...kept])).not.toContain(secret);
  vi.advanceTimersByTime(9 * MINUTE);
  const again = await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf);
  expect(again.find(secret, identity(['user']))?.proven).toMatchObject({
    by: 'issuer',
    tokenId: 'corp:1',
    principal: { name: 'ana' },
  });
  vi.advanceTimersByTime(MINUTE);
  expect(again.find(secret, identity(['user']))).toBeUndefined();
});

test('roles are those of now, and who is nobody any more is nobody here', async () => {
  const logins = await ConsoleLogins.open(storeOf(new Map()), TIMES, settingsOf);
  const secret = await logins.begin(proven);
  expect(logins.find(secret, identity(['approver']))?.proven.principal.roles).toEqual(['approver']);
  expect(logins.find(secret, identity(undefined))).toBeUndefined();
  expect(logins.find(`${secret}x`, identity(['user']))).toBeUndefined();
  expect(logins.find(undefined, identity(['user']))).toBeUndefined();
});

test('a login ends where its issuer has other settings, and stays ended; so does one of before they were kept', async () => {
  const kept = new Map<string, ConsoleLoginRecord>();
  const logins = await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf);
  const secret = await logins.begin(proven);
  const [record] = kept.values();
  settings = 'others';
  expect(logins.find(secret, identity(['user']))).toBeUndefined();
  settings = 'as they are';
  expect(logins.find(secret, identity(['user']))).toBeUndefined();
  expect(kept.size).toBe(0);
  const { who = '', digest = '' } = record ?? {};
  const { under: _, ...before } = JSON.parse(who) as Record<string, unknown>;
  kept.set(digest, { ...(record as ConsoleLoginRecord), who: JSON.stringify(before) });
  const again = await ConsoleLogins.open(storeOf(kept), TIMES, settingsOf);
  expect(again.find(secret, identity(['user']))).toBeUndefined();
  settings = undefined;
  await expect(logins.begin(proven)).rejects.toThrow();
  settings = 'as they are';
});

test('a login is of just now for five minutes, and only where its issuer asked anew', async () => {
  const logins = await ConsoleLogins.open(storeOf(new Map()), TIMES, settingsOf);
  const loginOf = (secret: string): string => logins.find(secret, identity(['user']))?.login ?? '';
  const [usual, fresh] = [loginOf(await logins.begin(proven)), loginOf(await logins.begin(proven, true))];
  expect([logins.isFresh(usual), logins.isFresh(fresh)]).toEqual([false, true]);
  vi.advanceTimersByTime(5 * MINUTE);
  expect(logins.isFresh(fresh)).toBe(false);
});

test('nobody has more than twenty at a time: the oldest goes', async () => {
  const logins = await ConsoleLogins.open(storeOf(new Map()), TIMES, settingsOf);
  const secrets: string[] = [];
  for (let at = 0; at < 21; at++) secrets.push(await logins.begin(proven));
  const left = secrets.map((secret) => logins.find(secret, identity(['user'])) !== undefined);
  expect(left).toEqual([false, ...Array.from({ length: 20 }, () => true)]);
});
