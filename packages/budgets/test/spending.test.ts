/** Budgets of commands: what is taken at the edge, in which time, by whom, over restarts, kills and clocks that are set. */
import {
  Counts,
  type KeptCounts,
  Ledger,
  type NoRoom,
  type NotedCounts,
  Sketches,
  Spending,
  type Spent,
} from '../src/index.js';
import type { AppliedBound, AppliedBudget, Principal } from '@sluice/contract';
import type { CountRecord } from '@sluice/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

class Kept implements KeptCounts {
  readonly rows = new Map<string, CountRecord>();
  broken = false;
  since = (hour: number): Promise<CountRecord[]> =>
    Promise.resolve([...this.rows.values()].filter((row) => row.hour >= hour));
  save = (records: readonly CountRecord[]): Promise<void> => {
    if (this.broken) return Promise.reject(new Error('locked'));
    for (const row of records) this.rows.set(JSON.stringify([row.owner, row.what, row.hour]), row);
    return Promise.resolve();
  };
  purge = (hour: number): Promise<void> => {
    for (const [key, row] of this.rows) if (row.hour < hour) this.rows.delete(key);
    return Promise.resolve();
  };
}

/** What a file would keep of a process that is killed. */
class Noted implements NotedCounts {
  files: [CountRecord[], CountRecord[]] = [[], []];
  at = 0;
  isBehind = false;
  isFull = false;
  writes = 0;
  left = (): CountRecord[] => this.files.flat();
  add = (record: CountRecord): boolean => {
    if (this.isFull) return false;
    this.writes++;
    this.files[this.at]?.push(record);
    return true;
  };
  saving = (): (() => void) => {
    if (!this.isBehind) this.at = 1 - this.at;
    this.isBehind = true;
    const behind = 1 - this.at;
    return () => {
      this.files[behind] = [];
      this.isBehind = false;
    };
  };
  close = (): void => undefined;
}

const person = (name: string, more: Partial<Principal> = {}): Principal => ({
  name,
  kind: 'person',
  groups: [],
  roles: [],
  ...more,
});
const ana = person('ana');

const budget = (more: Partial<AppliedBudget>): AppliedBudget => ({
  type: 'budget',
  rule: 'few',
  key: 'policies.p few',
  per: ['principal'],
  ...more,
});
const hour = { type: 'sliding', lengthMs: HOUR_MS } as const;

async function open({ kept = new Kept(), noted = new Noted(), now = 20_000 * DAY_MS } = {}) {
  const clock = { now, steady: 0 };
  const problems: string[] = [];
  const counts = await Counts.open(
    kept,
    ({ message }) => problems.push(message),
    () => clock.now,
    () => clock.steady,
    noted,
  );
  const done = (): Promise<void> => Promise.resolve();
  const nothing = { all: () => Promise.resolve([]), save: done, drop: done, purge: done };
  const notes = { left: () => [], addAll: () => true, saving: () => () => undefined, close: () => undefined };
  const sketches = await Sketches.open(
    nothing,
    notes,
    () => undefined,
    () => counts.steadyMinute(),
  );
  const ledger = new Ledger(counts, sketches, () => ({ amount: 0 }));
  const pass = (time: number): void => {
    clock.now += time;
    clock.steady += time;
  };
  return { counts, ledger, clock, kept, noted, problems, pass };
}

const session = ({ ledger }: { ledger: Ledger }, principal = ana, owner: Principal = principal) =>
  new Spending(ledger, { person: owner, principal, connection: 'db' });
const isSpent = (one: Spent | NoRoom | undefined): one is Spent => one !== undefined && !('type' in one);
function begun(spending: Spending, budgets: AppliedBudget[], bounds: AppliedBound[] = []): Spent {
  const spent = spending.spend(budgets, bounds, 'statement');
  if (!isSpent(spent)) throw new Error(spent?.answer.message ?? 'nothing was taken');
  return spent;
}

describe('at the edge', () => {
  test('a thousand sessions take what there is, and not one more', async () => {
    const stand = await open();
    const budgets = [budget({ statements: 777, rows: 5_000, within: hour })];
    const sessions = Array.from({ length: 1_000 }, () => session(stand));
    const taken = sessions.flatMap((one) => {
      const spent = one.spend(budgets, [], 'statement');
      return isSpent(spent) ? [spent] : [];
    });
    expect(taken).toHaveLength(777);
    let rows = 0;
    for (let round = 0; round < 20; round++) for (const spent of taken) if (spent.take(1, 10)) rows++;
    expect(rows).toBe(5_000);
    expect(taken.every((spent) => spent.ended?.reason?.code === 'budget-used-up')).toBe(true);
    await stand.counts.close();
  });

  test('no time of the length of a sliding window has more than allowed, over restarts and kills', async () => {
    const step = fc.record({
      rows: fc.integer({ min: 1, max: 30 }),
      next: fc.constantFrom('end', 'undo', 'keep'),
      after: fc.constantFrom('nothing', 'minutes', 'save', 'restart', 'kill', 'broken'),
      minutes: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const kept = new Kept();
        const noted = new Noted();
        let stand = await open({ kept, noted });
        const given: { at: number; statements: number; rows: number }[] = [];
        const budgets = [budget({ statements: 20, rows: 200, within: hour })];
        for (const { rows, next, after, minutes } of steps) {
          const spent = session(stand).spend(budgets, [], 'statement');
          const one = { at: stand.clock.now, statements: 0, rows: 0 };
          if (isSpent(spent)) {
            for (let row = 0; row < rows; row++) if (spent.take(1, 1)) one.rows++;
            if (next !== 'undo' || one.rows > 0) one.statements = 1;
            if (next === 'end') spent.end();
            if (next === 'undo' && one.rows === 0) spent.undo();
          }
          given.push(one);
          const recent = given.filter(({ at }) => at > stand.clock.now - HOUR_MS);
          expect(recent.reduce((sum, { statements }) => sum + statements, 0)).toBeLessThanOrEqual(20);
          expect(recent.reduce((sum, { rows: some }) => sum + some, 0)).toBeLessThanOrEqual(200);
          if (after === 'minutes') stand.pass(minutes * MINUTE_MS);
          if (after === 'save') await stand.counts.save();
          if (after === 'broken') {
            kept.broken = true;
            await stand.counts.save();
            kept.broken = false;
          }
          if (after !== 'restart' && after !== 'kill') continue;
          if (after === 'restart') await stand.counts.close();
          stand = await open({ kept, noted, now: stand.clock.now });
        }
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  test('what was taken and not used is given back, and used by others to the last row', async () => {
    const stand = await open();
    const budgets = [budget({ rows: 1_000_000, within: hour })];
    const first = begun(session(stand), budgets);
    expect(first.take(1, 100)).toBe(true);
    first.end();
    const second = begun(session(stand), budgets);
    let rows = 0;
    while (second.take(100, 1)) rows += 100;
    expect(rows).toBe(999_900);
    expect(begun(session(stand), budgets).take(99, 1)).toBe(true);
    await stand.counts.close();
  });
});

test('a text of several statements takes so many, or none', async () => {
  const stand = await open();
  const budgets = [budget({ statements: 5 })];
  const spend = (count: number) => session(stand).spend(budgets, [], 'statement', [], count);
  expect(isSpent(spend(4))).toBe(true);
  expect(isSpent(spend(2))).toBe(false);
  const last = spend(1);
  expect(isSpent(last)).toBe(true);
  if (isSpent(last)) last.undo();
  expect([isSpent(spend(2)), isSpent(spend(1))]).toEqual([false, true]);
  await stand.counts.close();
});

describe('kept', () => {
  test('a process that is killed forgets nothing that was given out, however little was saved', async () => {
    const kept = new Kept();
    const noted = new Noted();
    const stand = await open({ kept, noted });
    const budgets = [budget({ rows: 100, within: hour })];
    const spent = begun(session(stand), budgets);
    for (let row = 0; row < 60; row++) spent.take(1, 1);
    const again = await open({ kept, noted, now: stand.clock.now });
    const other = begun(session(again), budgets);
    let rows = 0;
    while (other.take(1, 1)) rows++;
    expect(rows).toBeLessThanOrEqual(40);
    expect(rows).toBeGreaterThanOrEqual(35);
  });

  test('most of it without a write', async () => {
    const stand = await open();
    const budgets = [budget({ statements: 64_000, within: hour })];
    const one = session(stand);
    for (let n = 0; n < 10_000; n++) begun(one, budgets).end();
    expect(stand.noted.writes).toBeLessThan(12);
    await stand.counts.close();
  });

  test('what cannot be written is not let through, in words', async () => {
    const stand = await open();
    stand.noted.isFull = true;
    const refused = session(stand).spend([budget({ statements: 10 })], [], 'statement');
    expect(isSpent(refused) ? undefined : refused?.answer.reason).toEqual({ code: 'budget-uncounted', rule: 'few' });
    const rows = begun(session(stand), [budget({ rows: 10 })]);
    expect(rows.take(1, 1)).toBe(false);
    expect(stand.problems).toEqual(['what is about to be counted cannot be written']);
    await stand.counts.close();
  });

  test('a store that is locked for a while has all that was counted afterwards', async () => {
    const kept = new Kept();
    const stand = await open({ kept });
    const budgets = [budget({ statements: 5 })];
    kept.broken = true;
    for (let n = 0; n < 3; n++) begun(session(stand), budgets);
    await stand.counts.save();
    kept.broken = false;
    await stand.counts.close();
    const again = await open({ kept, now: stand.clock.now });
    for (let n = 0; n < 2; n++) begun(session(again), budgets);
    expect(isSpent(session(again).spend(budgets, [], 'statement'))).toBe(false);
    await again.counts.close();
  });

  test('a clock that is set ahead and back again, in whatever steps, gives nothing twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -30 * 60, max: 30 * 60 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(hour, undefined, { type: 'day', zone: 'Asia/Kolkata' } as const),
        async (jumps, first, within) => {
          const stand = await open();
          const { now } = stand.clock;
          const budgets = [budget({ statements: 10, ...(within && { within }) })];
          const one = session(stand);
          for (let n = 0; n < first; n++) begun(one, budgets).end();
          for (const minutes of jumps) {
            stand.clock.now = now + minutes * MINUTE_MS;
            one.spend([budget({ statements: 99, key: 'other' })], [], 'statement');
          }
          stand.clock.now = now;
          let more = 0;
          while (isSpent(one.spend(budgets, [], 'statement')) && more < 20) more++;
          expect(more).toBeLessThanOrEqual(10 - first);
          await stand.counts.close();
        },
      ),
      { numRuns: 100, seed: 5 },
    );
  });
});

describe('time', () => {
  test('a day is one of its zone, also where clocks are set', async () => {
    // Behind the day in Berlin on which clocks go back: it has 25 hours, from 22:00 UTC.
    const stand = await open({ now: Date.parse('2026-10-24T22:00:00Z') });
    const budgets = [budget({ statements: 1, within: { type: 'day', zone: 'Europe/Berlin' } })];
    begun(session(stand), budgets).end();
    stand.pass(24 * HOUR_MS + 59 * MINUTE_MS);
    const refused = session(stand).spend(budgets, [], 'statement');
    expect(isSpent(refused) ? undefined : refused?.answer.reason).toMatchObject({
      used: 1,
      limit: 1,
      free: Date.parse('2026-10-25T23:00:00Z'),
    });
    stand.pass(MINUTE_MS);
    begun(session(stand), budgets);
    await stand.counts.close();
  });

  test('one of half an hour more than others begins when it does', async () => {
    const stand = await open({ now: Date.parse('2026-05-01T18:29:00Z') });
    const budgets = [budget({ statements: 1, within: { type: 'day', zone: 'Asia/Kolkata' } })];
    begun(session(stand), budgets).end();
    expect(isSpent(session(stand).spend(budgets, [], 'statement'))).toBe(false);
    stand.pass(MINUTE_MS);
    begun(session(stand), budgets);
    await stand.counts.close();
  });

  test('a refusal says when there is room, and then there is', async () => {
    const stand = await open();
    const budgets = [budget({ statements: 2, within: hour, ask: 'Ask the data team.' })];
    begun(session(stand), budgets);
    stand.pass(20 * MINUTE_MS);
    begun(session(stand), budgets);
    const refused = session(stand).spend(budgets, [], 'statement');
    if (!refused || isSpent(refused)) throw new Error('it passes');
    expect(refused.answer.message).toBe('Budget "few" is used up: 2 of 2 statements within 1 h.');
    expect(refused.answer.hint).toMatch(/^There is room again at 2024-10-04 01:01 UTC\. Ask the data team\.$/);
    const { reason } = refused.answer;
    if (reason?.code !== 'budget-used-up' || reason.free === undefined) throw new Error('nobody knows when');
    stand.pass(reason.free - stand.clock.now - 1);
    expect(isSpent(session(stand).spend(budgets, [], 'statement'))).toBe(false);
    stand.pass(1);
    begun(session(stand), budgets);
    await stand.counts.close();
  });
});

describe('whose it is', () => {
  const passes = (stand: { ledger: Ledger }, principal: Principal, owner: Principal, per: AppliedBudget['per']) =>
    isSpent(session(stand, principal, owner).spend([budget({ statements: 1, per, key: per.join() })], [], 'statement'));

  test('agents of one owner have one together, and each its own where that is asked for', async () => {
    const stand = await open();
    const robots = ['r1', 'r2'].map((name) => person(name, { kind: 'agent' }));
    const [one, other] = robots as [Principal, Principal];
    expect([passes(stand, one, ana, ['principal']), passes(stand, other, ana, ['principal'])]).toEqual([true, false]);
    expect([passes(stand, one, ana, ['agent']), passes(stand, other, ana, ['agent'])]).toEqual([true, true]);
    expect(passes(stand, one, ana, ['agent'])).toBe(false);
    await stand.counts.close();
  });

  test('a person of several groups takes from each of them, and names that are odd take nothing of others', async () => {
    const stand = await open();
    const both = person('a', { groups: ['x', 'y z'] });
    expect(passes(stand, both, both, ['group'])).toBe(true);
    const second = person('b', { groups: ['y z'] });
    expect(passes(stand, second, second, ['group'])).toBe(false);
    const third = person('c', { groups: ['y', 'z'] });
    expect(passes(stand, third, third, ['group'])).toBe(true);
    expect(passes(stand, both, both, [])).toBe(true);
    expect(passes(stand, third, third, [])).toBe(false);
    await stand.counts.close();
  });
});

describe('other amounts', () => {
  test('commands at once leave when they are over, or were never sent', async () => {
    const stand = await open();
    const budgets = [budget({ at_once: 2 })];
    const one = begun(session(stand), budgets);
    const two = begun(session(stand), budgets);
    const refused = session(stand).spend(budgets, [], 'statement');
    expect(isSpent(refused) ? undefined : refused?.answer.message).toBe('Budget "few": 2 of 2 run at once already.');
    one.end();
    one.end();
    const three = begun(session(stand), budgets);
    expect(isSpent(session(stand).spend(budgets, [], 'statement'))).toBe(false);
    two.undo();
    three.undo();
    two.end();
    for (let n = 0; n < 2; n++) begun(session(stand), budgets);
    expect(isSpent(session(stand).spend(budgets, [], 'statement'))).toBe(false);
    await stand.counts.close();
  });

  test('one that is only observed counts and refuses nothing', async () => {
    const stand = await open();
    const observed = [budget({ statements: 1, rows: 1, observed: true })];
    for (let n = 0; n < 5; n++) expect(begun(session(stand), observed).take(10, 1)).toBe(true);
    const enforced = session(stand).spend([budget({ statements: 5 })], [], 'statement');
    expect(isSpent(enforced)).toBe(false);
    await stand.counts.close();
  });

  test('people release one more by the budget that says so, and it is counted', async () => {
    const stand = await open();
    const hold = {
      type: 'hold',
      approvers: ['user:ben'],
      timeoutMs: 1,
      count: 1,
      fail: false,
      onTimeout: 'deny',
    } as const;
    const budgets = [budget({ statements: 1, hold })];
    begun(session(stand), budgets);
    const refused = session(stand).spend(budgets, [], 'statement');
    const { rule } = budgets[0] as AppliedBudget;
    expect(isSpent(refused) ? undefined : refused?.holds).toEqual([{ ...hold, rule }]);
    // By another rule people have released something else.
    expect(isSpent(session(stand).spend(budgets, [], 'statement', ['other']))).toBe(false);
    expect(isSpent(session(stand).spend(budgets, [], 'statement', [rule]))).toBe(true);
    const again = session(stand).spend(budgets, [], 'statement');
    expect(isSpent(again) ? undefined : again?.answer.reason).toMatchObject({ used: 2, limit: 1 });
    await stand.counts.close();
  });

  test('the least of several bounds counts, and says which rule it is of', async () => {
    const stand = await open();
    const bounds: AppliedBound[] = [
      { type: 'bound', rule: 'wide', maxRows: 100, timeoutMs: 9_000 },
      { type: 'bound', rule: 'narrow', maxRows: 3, maxBytes: 1_000 },
    ];
    const spent = begun(session(stand), [], bounds);
    expect(spent.timeoutMs).toBe(9_000);
    expect([1, 2, 3, 4].map(() => spent.take(1, 10))).toEqual([true, true, true, false]);
    expect(spent.ended).toMatchObject({ rule: 'narrow', reason: { unit: 'rows', limit: 3 } });
    const bytes = begun(session(stand), [], bounds);
    expect(bytes.take(1, 1_001)).toBe(false);
    expect(begun(session(stand), [], bounds).expire()).toMatchObject({ rule: 'wide', reason: { unit: 'timeout' } });
    await stand.counts.close();
  });
});
