/** Passing one's own request, with and without a security key, where several rules hold it. The store fails, too. */
import type { Principal } from '@sluice/contract';
import { expect, test } from 'vitest';
import {
  type ApprovalRequest,
  type ReleaseQuestion,
  type Requirement,
  type Storage,
  Approvals,
  mayReview,
  saysSomething,
} from '../src/index.js';

const person = (name: string, ...groups: string[]): Principal => ({ name, kind: 'person', groups, roles: ['user'] });
const olive = person('olive', 'oncall');
const ada: Principal = { ...person('ada', 'dba'), roles: ['approver'] };
const DELETES: Requirement = { rule: 'deletes', approvers: ['group:dba'], count: 1, breakGlass: ['group:oncall'] };

const asked = (changes: Partial<ReleaseQuestion> = {}): ReleaseQuestion => ({
  session: 's',
  command: 1,
  principal: 'olive',
  connection: 'shop',
  text: 'delete from t',
  parameters: [],
  digest: 'digest',
  requirements: [DELETES],
  timeoutMs: 60_000,
  onTimeout: 'deny',
  waits: true,
  transaction: false,
  ...changes,
});

/** What is kept, as a store has it; it fails while `broken`. */
function memory(): Storage & { broken: boolean } {
  const kept = new Map<number, ApprovalRequest>();
  const store = {
    broken: false,
    unfinished: () =>
      Promise.resolve(
        [...kept.values()].filter(({ state, used }) => ['pending', 'approved'].includes(state) && used === undefined),
      ),
    recent: () => Promise.resolve([...kept.values()].toReversed()),
    find: (number: number) => Promise.resolve(kept.get(number)),
    reviews: () => Promise.resolve([...kept.values()].filter(({ review }) => review?.state === 'open')),
    last: () => Promise.resolve(Math.max(0, ...kept.keys())),
    save: async (request: ApprovalRequest) => {
      await Promise.resolve();
      if (store.broken) throw new Error('the disk is full');
      kept.set(request.number, structuredClone(request));
    },
  };
  return store;
}

async function open(store = memory()) {
  const told: string[] = [];
  const approvals = await Approvals.open(
    store,
    (_, event, who) => void told.push(who ? `${event} by ${who.actor}` : event),
  );
  return { store, approvals, told };
}

test('each rule that holds it has to name them, or be satisfied by others', async () => {
  const { approvals, told } = await open();
  const money = { rule: 'money', approvers: ['group:dba'], count: 1 };
  const { number, outcome } = await approvals.ask(asked({ requirements: [DELETES, money] }));
  await expect(approvals.breakGlass(number, olive, 'now')).rejects.toThrow('Rule "money"');
  const both = { ...DELETES, rule: 'two', count: 2 };
  const two = await approvals.ask(asked({ requirements: [both, money], digest: 'two' }));
  await approvals.decide(two.number, ada, 'approve', '');
  // Hers is what is left.
  expect((await approvals.breakGlass(two.number, olive, 'now')).state).toBe('approved');
  expect(await approvals.use({ number: two.number })).toBe(true);
  await approvals.decide(number, ada, 'approve', '');
  expect((await outcome).review).toBeUndefined();
  expect(told).toContain('break-glass by olive');
});

test('where a rule asks for a security key, only who shows one passes', async () => {
  const { approvals } = await open();
  const { number } = await approvals.ask(asked({ requirements: [{ ...DELETES, stepUp: 'webauthn' }] }));
  await expect(approvals.breakGlass(number, olive, 'now')).rejects.toThrow('with a security key, in the console');
  expect((await approvals.breakGlass(number, olive, 'now', { key: 'k' })).state).toBe('approved');
});

test('a person is surely who asked, or passes nothing', async () => {
  const { approvals } = await open();
  const known = { ...olive, issuer: 'corp', subject: 'u-1' };
  const { number } = await approvals.ask(asked({ source: { issuer: 'corp', subject: 'u-1' } }));
  for (const who of [
    olive,
    { ...known, subject: 'u-2' },
    { ...known, issuer: 'other' },
    { ...known, kind: 'agent' as const },
    { ...known, groups: [] },
  ])
    await expect(approvals.breakGlass(number, who, 'now')).rejects.toMatchObject({ reason: 'forbidden' });
  // Whatever they are called by now.
  expect((await approvals.breakGlass(number, { ...known, name: 'olivia' }, 'now')).state).toBe('approved');
});

test('what cannot be stored does not pass, and nothing is left to review', async () => {
  const { approvals, store, told } = await open();
  const { number, outcome } = await approvals.ask(asked());
  store.broken = true;
  await expect(approvals.breakGlass(number, olive, 'now')).rejects.toThrow('could not be stored');
  expect((await outcome).state).toBe('withdrawn');
  expect(await approvals.use({ number })).toBe(false);
  expect(approvals.reviews()).toEqual([]);
  expect(told).toEqual(['requested', 'break-glass by olive', 'withdrawn']);
});

test('a review that cannot be stored stays open, and is there after a restart with what became of the request', async () => {
  const { approvals, store } = await open();
  const { number } = await approvals.ask(asked());
  await approvals.breakGlass(number, olive, 'now');
  expect(await approvals.use({ number })).toBe(true);
  store.broken = true;
  await expect(approvals.closeReview(number, ada, 'seen')).rejects.toThrow('the disk is full');
  expect(approvals.reviews()).toHaveLength(1);
  store.broken = false;
  const again = (await open(store)).approvals;
  expect(again.reviews()).toMatchObject([{ number, review: { state: 'open' }, used: expect.any(Number) }]);
  expect(await again.closeReview(number, ada, 'seen')).toMatchObject({
    review: { by: 'ada' },
    used: expect.any(Number),
  });
  await expect(again.closeReview(number, ada, 'seen')).rejects.toThrow('is closed already');
  expect((await open(store)).approvals.reviews()).toEqual([]);
});

test('what passed by break-glass is nothing that people approved, for whoever asks something like it', async () => {
  const { approvals } = await open();
  const comparison = { shape: 'POST /orders', differences: () => [] };
  const { number } = await approvals.ask(asked(), comparison);
  await approvals.breakGlass(number, olive, 'now');
  const next = await approvals.ask(asked({ digest: 'next' }), comparison);
  expect((await approvals.find(next.number))?.since).toBeUndefined();
});

test('who asked is told that further people are asked, and who they are', async () => {
  const requirement = {
    rule: 'deletes',
    approvers: ['group:dba'],
    count: 1,
    escalate: { afterMs: 1, to: ['user:eve'] },
  };
  const { approvals } = await open();
  const held = await approvals.ask(asked({ requirements: [requirement] }));
  expect(held.approvers()).toBe('1 of group:dba');
  await new Promise<void>((resolve) => held.onEscalation(resolve));
  expect(held.approvers()).toBe('1 of group:dba, user:eve');
});

test('the review is closed by other people, who approve by the rule or oversee the gateway', () => {
  const request = {
    ...asked({ source: { makers: [{ name: 'mia', issuer: undefined, subject: undefined }] } }),
  } as ApprovalRequest;
  const roles = (name: string, ...of: Principal['roles'][number][]): Principal => ({ ...person(name), roles: of });
  expect(mayReview(request, ada)).toBe(true);
  expect(mayReview(request, roles('adam', 'admin'))).toBe(true);
  expect(mayReview(request, roles('audrey', 'auditor'))).toBe(true);
  expect(mayReview(request, roles('mole', 'approver'))).toBe(false);
  expect(mayReview(request, roles('Olive', 'admin'))).toBe(false);
  // Who made the token that it was asked with.
  expect(mayReview(request, roles('mia', 'admin'))).toBe(false);
  expect(mayReview(request, { ...ada, kind: 'agent' })).toBe(false);
});

test.each(['', ' ', '...', '\u200b', '\u{202e}!'])('%j says nothing', (text) =>
  expect(saysSomething(text)).toBe(false),
);
test.each(['a', '7', 'é', '火'])('%j says something', (text) => expect(saysSomething(text)).toBe(true));
