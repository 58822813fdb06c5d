import type { Principal } from '@sluice/contract';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ReleaseQuestion,
  Approvals,
  type ApprovalRequest,
  type Storage,
  type Surroundings,
  type Whole,
  satisfied,
} from '../src/index.js';

const person = (name: string, ...groups: string[]): Principal => ({
  name,
  kind: 'person',
  groups,
  roles: ['approver'],
});
const ada = person('ada', 'dba');
const bob = person('bob', 'dba', 'owners');
const eve = person('eve', 'owners');

const asked = (changes: Partial<ReleaseQuestion> = {}): ReleaseQuestion => ({
  session: 's',
  command: 1,
  principal: 'dev',
  connection: 'shop',
  text: 'delete from t',
  parameters: [],
  digest: 'digest',
  requirements: [{ rule: 'deletes', approvers: ['group:dba'], count: 1 }],
  timeoutMs: 60_000,
  onTimeout: 'deny',
  waits: true,
  transaction: false,
  ...changes,
});

/** Keeps what is saved, as a store does: a copy, later. */
class Memory implements Storage {
  readonly kept = new Map<number, ApprovalRequest>();
  broken = false;
  unfinished(): Promise<ApprovalRequest[]> {
    const open = ({ state, used }: ApprovalRequest): boolean =>
      ['pending', 'approved'].includes(state) && used === undefined;
    return Promise.resolve([...this.kept.values()].filter(open));
  }
  recent(most: number): Promise<ApprovalRequest[]> {
    return Promise.resolve([...this.kept.values()].toReversed().slice(0, most));
  }
  find(number: number): Promise<ApprovalRequest | undefined> {
    const kept = this.kept.get(number);
    return Promise.resolve(kept && { ...kept, ...this.whole.get(number) });
  }
  reviews(): Promise<ApprovalRequest[]> {
    return Promise.resolve([...this.kept.values()].filter(({ review }) => review?.state === 'open'));
  }
  last(): Promise<number> {
    return Promise.resolve(Math.max(0, ...this.kept.keys()));
  }
  readonly whole = new Map<number, Whole>();
  async save(request: ApprovalRequest, whole?: Whole): Promise<void> {
    await Promise.resolve();
    if (this.broken) throw new Error('the disk is full');
    this.kept.set(request.number, structuredClone(request));
    if (whole) this.whole.set(request.number, whole);
  }
}

async function open(
  memory = new Memory(),
  around: Partial<Surroundings> = {},
): Promise<{ memory: Memory; approvals: Approvals; told: string[]; clock: { now: number } }> {
  const told: string[] = [];
  const clock = { now: 1000 };
  const approvals = await Approvals.open(
    memory,
    (_, event, who) => void told.push(who ? `${event} by ${who.actor}` : event),
    { now: () => clock.now, ...around },
  );
  return { memory, approvals, told, clock };
}

test('however approvers, time-outs and hang-ups race, there is one outcome, told once, stored, and used once', async () => {
  const step = fc.constantFrom(
    'approve ada',
    'approve bob',
    'approve eve',
    'approve dev',
    'deny ada',
    'withdraw',
    'expire',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(step, fc.boolean()), { maxLength: 12 }),
      fc.integer({ min: 1, max: 2 }),
      async (steps, count) => {
        const { approvals, memory, told } = await open();
        const requirements = [{ rule: 'r', approvers: ['group:dba'], count }];
        const { number, outcome } = await approvals.ask(asked({ requirements }));
        const people = { ada, bob, eve, dev: person('dev', 'dba') };
        const all: Promise<unknown>[] = [];
        for (const [what, wait] of steps) {
          const [verb, name] = what.split(' ') as [string, keyof typeof people];
          if (verb === 'withdraw') approvals.withdraw(number, 'gone');
          else if (verb === 'expire') approvals.expire(number);
          else
            all.push(approvals.decide(number, people[name], verb as 'approve' | 'deny', 'why').catch(() => undefined));
          if (wait) await Promise.resolve();
        }
        await Promise.all(all);
        approvals.withdraw(number, 'the end');
        const { state } = await outcome;
        const outcomes = told.filter((event) => ['approved', 'denied', 'withdrawn', 'expired'].includes(event));
        expect(outcomes).toEqual([state]);
        expect(memory.kept.get(number)?.state).toBe(state);
        const approvers = new Set(told.filter((event) => event.startsWith('approve by')));
        expect(approvers.has('approve by eve') || approvers.has('approve by dev')).toBe(false);
        expect(state === 'approved').toBe(approvers.size >= count);
        const uses = await Promise.all([
          approvals.use({ number }),
          approvals.use({ number }),
          approvals.use({ number }),
        ]);
        expect(uses.filter(Boolean).length).toBe(state === 'approved' ? 1 : 0);
        expect(approvals.pending).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

test('one who asks without end leaves room for others', async () => {
  const { approvals } = await open();
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 10_000; i++) await approvals.ask(asked({ waits: false, digest: `flood ${i}` }));
  };
  await expect(flood()).rejects.toMatchObject({ reason: 'full' });
  expect((await approvals.ask(asked({ principal: 'robot', digest: 'another' }))).number).toBeGreaterThan(1000);
});

test('several who ask without end leave room for others', async () => {
  const { approvals } = await open();
  for (let who = 0; who < 5; who++) {
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 2_001; i++)
        await approvals.ask(asked({ waits: false, principal: `flooder ${who}`, digest: `flood ${who} ${i}` }));
    };
    await expect(flood()).rejects.toMatchObject({ reason: 'full' });
  }
  for (let i = 0; i < 10; i++) await approvals.ask(asked({ principal: 'robot', digest: `another ${i}` }));
});

test('an approval that comes with the time-out is late', async () => {
  const { approvals, clock } = await open();
  const { number, outcome } = await approvals.ask(asked());
  clock.now += 60_000;
  expect((await approvals.decide(number, ada, 'approve', '')).state).toBe('expired');
  expect((await outcome).words).toEqual([]);
});

test('after a restart what was pending is withdrawn or expired, and what was used stays used', async () => {
  const first = await open();
  const pending = await first.approvals.ask(asked());
  const brief = await first.approvals.ask(asked({ timeoutMs: 1, onTimeout: 'allow' }));
  const given = await first.approvals.ask(asked({ waits: false, digest: 'given' }));
  const used = await first.approvals.ask(asked({ waits: false, digest: 'used' }));
  await first.approvals.decide(given.number, ada, 'approve', '');
  await first.approvals.decide(used.number, ada, 'approve', '');
  expect(await first.approvals.use({ digest: 'used' })).toBe(true);
  const { approvals } = await Promise.resolve(open(first.memory));
  expect((await approvals.find(pending.number))?.state).toBe('withdrawn');
  expect(['withdrawn', 'expired']).toContain((await approvals.find(brief.number))?.state);
  expect(await approvals.use({ digest: 'used' })).toBe(false);
  expect(await approvals.use({ digest: 'given' })).toBe(true);
  expect((await approvals.ask(asked())).number).toBe(used.number + 1);
});

describe('an approval of a refused command', () => {
  test('fits the identical command only, once, and not for ever', async () => {
    const { approvals, clock } = await open();
    const one = await approvals.ask(asked({ waits: false, digest: 'a' }));
    expect((await approvals.ask(asked({ waits: false, digest: 'a' }))).number).toBe(one.number);
    await approvals.decide(one.number, ada, 'approve', '');
    expect(await approvals.use({ digest: 'b' })).toBe(false);
    expect(await approvals.use({ digest: 'a' })).toBe(true);
    expect(await approvals.use({ digest: 'a' })).toBe(false);
    const two = await approvals.ask(asked({ waits: false, digest: 'a' }));
    await approvals.decide(two.number, ada, 'approve', '');
    clock.now += 60_000;
    expect(await approvals.use({ digest: 'a' })).toBe(false);
  });
});

describe('a word of several that cannot be stored', () => {
  const both = asked({ requirements: [{ rule: 'deletes', approvers: ['group:dba', 'group:owners'], count: 2 }] });

  test('does not count, is taken back on record, and can be said again', async () => {
    const { approvals, memory, told } = await open();
    const { number, outcome } = await approvals.ask(both);
    memory.broken = true;
    await expect(approvals.decide(number, ada, 'approve', 'fine')).rejects.toThrow('the disk is full');
    expect((await approvals.find(number))?.words).toEqual([]);
    expect(told).toEqual(['requested', 'approve by ada', 'revoked by ada']);
    memory.broken = false;
    expect((await approvals.decide(number, bob, 'approve', '')).state).toBe('pending');
    expect((await approvals.decide(number, ada, 'approve', '')).state).toBe('approved');
    expect((await outcome).words.map(({ by }) => by)).toEqual(['bob', 'ada']);
  });

  test('is gone from what another word, said meanwhile, was stored with', async () => {
    const { approvals, memory } = await open();
    const three = [{ rule: 'deletes', approvers: ['group:dba', 'group:owners'], count: 3 }];
    const { number } = await approvals.ask({ ...both, requirements: three });
    const slow = Promise.withResolvers<void>();
    vi.spyOn(memory, 'save').mockImplementationOnce(() => slow.promise);
    const first = approvals.decide(number, ada, 'approve', '');
    await approvals.decide(number, bob, 'approve', '');
    expect(memory.kept.get(number)?.words.map(({ by }) => by)).toEqual(['ada', 'bob']);
    slow.reject(new Error('the disk is full'));
    await expect(first).rejects.toThrow('the disk is full');
    await vi.waitFor(() => expect(memory.kept.get(number)?.words.map(({ by }) => by)).toEqual(['bob']));
  });

  test('counts where the outcome that it is part of was stored meanwhile', async () => {
    const { approvals, memory } = await open();
    const { number } = await approvals.ask(both);
    const save = vi.spyOn(memory, 'save');
    const slow = Promise.withResolvers<void>();
    save.mockImplementationOnce(() => slow.promise);
    const first = approvals.decide(number, ada, 'approve', '');
    await vi.waitFor(() => expect(save).toHaveBeenCalledTimes(1));
    expect((await approvals.decide(number, bob, 'approve', '')).state).toBe('approved');
    slow.reject(new Error('the disk is full'));
    expect((await first).state).toBe('approved');
    expect((await memory.find(number))?.words.map(({ by }) => by)).toEqual(['ada', 'bob']);
    expect(await approvals.use({ number })).toBe(true);
  });
});

test('an outcome that cannot be stored lets nothing pass', async () => {
  const { approvals, memory } = await open();
  const { number, outcome } = await approvals.ask(asked());
  memory.broken = true;
  expect((await approvals.decide(number, ada, 'approve', '')).state).toBe('withdrawn');
  expect((await outcome).state).toBe('withdrawn');
  expect(await approvals.use({ number })).toBe(false);
  await expect(approvals.ask(asked())).rejects.toThrow('the disk is full');
  // The store has it as it was before; nobody else may take it for that.
  expect((await memory.find(number))?.state).toBe('pending');
  expect((await approvals.find(number))?.state).toBe('withdrawn');
  expect((await approvals.recent(10)).map(({ state }) => state)).toEqual(['withdrawn']);
  await expect(approvals.decide(number, ada, 'approve', '')).rejects.toThrow('is withdrawn already');
  await approvals.retry();
  memory.broken = false;
  await approvals.retry();
  expect((await memory.find(number))?.state).toBe('withdrawn');
});

test('every rule has to be satisfied, by different people for each that it counts', () => {
  const both = asked({
    requirements: [
      { rule: 'a', approvers: ['group:dba'], count: 2 },
      { rule: 'b', approvers: ['user:eve', 'group:owners'], count: 1 },
    ],
  });
  expect(satisfied(both, [ada, ada])).toBe(false);
  expect(satisfied(both, [ada, bob])).toBe(true);
  expect(satisfied(both, [ada, eve])).toBe(false);
  expect(satisfied({ ...both, principal: 'bob' }, [ada, bob, eve])).toBe(false);
});

test('where a rule asks for a security key, a word without one is refused, and suffices for other rules only', async () => {
  const requirements = [
    { rule: 'a', approvers: ['group:dba'], count: 1, stepUp: 'webauthn' as const },
    { rule: 'b', approvers: ['user:eve'], count: 1 },
  ];
  const request = asked({ requirements });
  expect(satisfied(request, [ada, eve])).toBe(false);
  expect(satisfied(request, [{ ...ada, key: 'k' }, eve])).toBe(true);
  const { approvals } = await open();
  const { number } = await approvals.ask(request);
  for (const says of ['approve', 'deny'] as const)
    await expect(approvals.decide(number, ada, says, 'x')).rejects.toThrow('with a security key');
  await approvals.decide(number, eve, 'approve', '');
  expect((await approvals.decide(number, ada, 'approve', '', { key: 'k' })).state).toBe('approved');
});

describe('sessions', () => {
  const session = asked({ kind: 'session', window: 3_600_000, waits: false, digest: 'dev on shop' });

  test('are released for the window, after a restart as well, and no command is released by that', async () => {
    const { approvals, memory, clock } = await open();
    const { number } = await approvals.ask(session);
    expect(approvals.granted('dev on shop')).toBe(false);
    await approvals.decide(number, ada, 'approve', '');
    expect(approvals.granted('dev on shop')).toBe(true);
    expect(approvals.granted('eve on shop')).toBe(false);
    expect(await approvals.use({ digest: 'dev on shop' })).toBe(false);
    expect(await approvals.use({ number })).toBe(false);
    clock.now += 3_599_999;
    expect(approvals.granted('dev on shop')).toBe(true);
    clock.now += 1;
    expect(approvals.granted('dev on shop')).toBe(false);
    const again = await open(memory);
    expect(again.approvals.granted('dev on shop')).toBe(true);
    again.clock.now += 3_600_000;
    expect(again.approvals.granted('dev on shop')).toBe(false);
  });

  test('are not released by a command that was approved, nor by an approval that could not be stored', async () => {
    const { approvals, memory } = await open();
    const command = await approvals.ask(asked({ waits: false, digest: 'dev on shop' }));
    await approvals.decide(command.number, ada, 'approve', '');
    expect(approvals.granted('dev on shop')).toBe(false);
    const { number } = await approvals.ask(session);
    memory.broken = true;
    const decided = approvals.decide(number, ada, 'approve', '');
    expect(approvals.granted('dev on shop')).toBe(false);
    expect((await decided).state).toBe('withdrawn');
    expect(approvals.granted('dev on shop')).toBe(false);
  });
});

describe('an approval that is taken back', () => {
  test('while it is being stored releases nothing, and is told in that order', async () => {
    const { approvals, memory, told } = await open();
    const { number, outcome } = await approvals.ask(asked({ waits: false }));
    const decided = approvals.decide(number, ada, 'approve', '');
    await Promise.resolve();
    await approvals.takeBack(number, ada, 'a slip', false);
    await decided;
    expect((await outcome).state).toBe('withdrawn');
    expect(memory.kept.get(number)?.state).toBe('withdrawn');
    expect(await approvals.use({ digest: 'digest' })).toBe(false);
    expect(told).toEqual(['requested', 'approve by ada', 'revoked by ada', 'withdrawn']);
  });

  test('of one of two leaves the other, and the same person may approve again', async () => {
    const { approvals } = await open();
    const { number } = await approvals.ask(
      asked({ requirements: [{ rule: 'r', approvers: ['group:dba'], count: 2 }] }),
    );
    await approvals.decide(number, ada, 'approve', '');
    await expect(approvals.takeBack(number, bob, '', false)).rejects.toMatchObject({ reason: 'forbidden' });
    expect((await approvals.takeBack(number, ada, '', false)).state).toBe('pending');
    expect((await approvals.decide(number, bob, 'approve', '')).state).toBe('pending');
    expect((await approvals.decide(number, ada, 'approve', '')).state).toBe('approved');
  });

  test('and cannot be stored stays so, and is handed on to be stored later', async () => {
    const later: (() => Promise<void>)[] = [];
    const { approvals, memory } = await open(new Memory(), {
      keepTaken: async (_, save) => save().catch(() => void later.push(save)),
    });
    const { number } = await approvals.ask(asked({ waits: false }));
    await approvals.decide(number, ada, 'approve', '');
    memory.broken = true;
    expect((await approvals.takeBack(number, ada, '', false)).state).toBe('withdrawn');
    expect(await approvals.use({ digest: 'digest' })).toBe(false);
    memory.broken = false;
    expect(memory.kept.get(number)?.state).toBe('approved');
    for (const save of later) await save();
    expect(memory.kept.get(number)?.state).toBe('withdrawn');
  });

  test('in turn with approving comes to an end', async () => {
    const { approvals } = await open();
    const { number } = await approvals.ask(
      asked({ requirements: [{ rule: 'r', approvers: ['group:dba'], count: 2 }] }),
    );
    for (let n = 0; n < 100; n++) {
      await approvals.decide(number, ada, 'approve', '');
      await approvals.takeBack(number, ada, '', false);
    }
    await expect(approvals.decide(number, ada, 'approve', '')).rejects.toThrow('too often');
    await approvals.decide(number, ada, 'deny', 'enough').catch(() => undefined);
  });
});

test('who may not approve any more when it is used has not approved', async () => {
  const gone = new Set<string>();
  const { approvals, memory } = await open(new Memory(), {
    standing: ({ who }) => (who && !gone.has(who.name) ? who : undefined),
  });
  const waiting = await approvals.ask(asked());
  await approvals.decide(waiting.number, ada, 'approve', '');
  const later = await approvals.ask(asked({ waits: false }));
  await approvals.decide(later.number, ada, 'approve', '');
  gone.add('ada');
  expect(await approvals.use({ number: waiting.number })).toBe(false);
  expect(await approvals.use({ digest: 'digest' })).toBe(false);
  await Promise.resolve();
  expect(memory.kept.get(later.number)).toMatchObject({ state: 'withdrawn' });
});

test('whoever hangs up as it is approved leaves nothing that is open for ever', async () => {
  for (const late of [false, true]) {
    const { approvals, memory } = await open();
    for (let count = 0; count < 2_001; count++) {
      const { number, outcome } = await approvals.ask(asked());
      const said = approvals.decide(number, ada, 'approve', '');
      if (late) await outcome;
      else await Promise.resolve();
      approvals.abandon(number, 'the client is gone');
      await said;
      expect(await approvals.use({ number })).toBe(false);
      if (count > 0) continue;
      await vi.waitFor(() =>
        expect(memory.kept.get(number)).toMatchObject({ state: 'withdrawn', why: 'the client is gone' }),
      );
    }
  }
});

test('the texts of one principal are bounded in bytes, whatever they call themselves', async () => {
  const { approvals, memory } = await open();
  const text = 'x'.repeat(10 * 1024 * 1024);
  const ask = (name: string, subject: string, digest: string): Promise<{ number: number }> =>
    approvals.ask(asked({ principal: name, source: { issuer: 'corp', subject }, text, waits: false, digest }));
  const [first] = [await ask('ana', 'u-1', '1'), await ask('Ana', 'u-1', '2'), await ask('anna', 'u-1', '3')];
  await expect(ask('other', 'u-1', '4')).rejects.toMatchObject({ reason: 'full' });
  await ask('ben', 'u-2', '5');
  expect(memory.kept.get(first?.number ?? 0)?.text).toHaveLength(2048);
  expect((await approvals.find(first?.number ?? 0))?.text).toHaveLength(text.length);
  await approvals.decide(first?.number ?? 0, ada, 'deny', 'too long');
  await ask('ana', 'u-1', '6');
});

describe('a request that nobody answers', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  const later = { afterMs: 20_000, to: ['group:owners'] };
  const requirements = [{ rule: 'deletes', approvers: ['group:dba'], count: 1, escalate: later }];

  test('is for further people after a while, and not before', async () => {
    const { approvals, memory, told } = await open(new Memory(), { now: Date.now });
    const { number, outcome } = await approvals.ask(asked({ requirements }));
    vi.advanceTimersByTime(19_999);
    await expect(approvals.decide(number, eve, 'approve', '')).rejects.toThrow('not among the approvers');
    vi.advanceTimersByTime(1);
    expect(told).toEqual(['requested', 'escalated']);
    await approvals.decide(number, eve, 'approve', '');
    expect((await outcome).state).toBe('approved');
    expect(memory.kept.get(number)?.requirements).toEqual([
      { rule: 'deletes', approvers: ['group:dba', 'group:owners'], count: 1 },
    ]);
    expect(await approvals.use({ number })).toBe(true);
  });

  test('those who were asked first may answer all the same, and it ends when it would', async () => {
    const { approvals, told } = await open(new Memory(), { now: Date.now });
    const first = await approvals.ask(asked({ requirements, digest: 'one' }));
    const second = await approvals.ask(asked({ requirements, digest: 'other' }));
    vi.advanceTimersByTime(30_000);
    await approvals.decide(first.number, ada, 'approve', '');
    expect((await first.outcome).state).toBe('approved');
    vi.advanceTimersByTime(30_000);
    expect((await second.outcome).state).toBe('expired');
    expect(told.filter((one) => one === 'escalated')).toHaveLength(2);
  });

  test('of several rules each has its own time', async () => {
    const { approvals, told } = await open(new Memory(), { now: Date.now });
    const other = { rule: 'money', approvers: ['user:bob'], count: 1, escalate: { afterMs: 40_000, to: ['user:eve'] } };
    const { number, outcome } = await approvals.ask(asked({ requirements: [...requirements, other] }));
    vi.advanceTimersByTime(20_000);
    await approvals.decide(number, eve, 'approve', '');
    vi.advanceTimersByTime(19_999);
    expect(told).toEqual(['requested', 'escalated', 'approve by eve']);
    // Her word stands for whatever she may decide by now.
    vi.advanceTimersByTime(1);
    expect((await outcome).state).toBe('approved');
    expect(told.slice(3)).toEqual(['escalated', 'approved']);
  });
});
