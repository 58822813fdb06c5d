/** Budgets of different values: how near a sketch comes, which time counts, and what is left of it over restarts, kills and a store that fails. */
import { createHash } from 'node:crypto';
import { type AppliedBudget, type Disclosed, type Principal, markOf } from '@sluice/contract';
import type { CountRecord, SketchKey, SketchRecord } from '@sluice/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Counts, type KeptSketches, Ledger, type NotedMarks, Sketches, Spending, type Spent } from '../src/index.js';
import { Sketch } from '../src/sketch.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const markFor = (value: string | number, salt = ''): number => {
  const digest = createHash('sha256').update(`${salt} ${value}`).digest();
  return markOf(digest.readUInt32BE(0), digest.readUInt32BE(4));
};

describe('a sketch', () => {
  test('is as near as its size promises, from one value to a million', () => {
    const errors: number[] = [];
    for (const size of [1, 50, 1_024, 1_025, 1_500, 4_000, 10_000, 20_000, 60_000])
      for (let salt = 0; salt < (size > 5_000 ? 6 : 20); salt++) {
        const sketch = new Sketch();
        // xorshift: a hash for each of so many values would take longer than all else.
        let state = (0x9e3779b9 ^ (salt * 7_919 + size)) >>> 0;
        const next = (): number => {
          state ^= state << 13;
          state >>>= 0;
          state ^= state >>> 17;
          state ^= state << 5;
          return (state >>>= 0);
        };
        for (let n = 0; n < size; n++) sketch.add(markOf(next(), next()));
        expect(Math.abs(sketch.size - size)).toBeLessThanOrEqual(size <= 1_024 ? 0 : size * 0.08);
        expect(sketch.isExact).toBe(size <= 1_024);
        if (size > 1_024) errors.push((sketch.size - size) / size);
      }
    const mean = errors.reduce((sum, one) => sum + one, 0) / errors.length;
    const deviation = Math.sqrt(errors.reduce((sum, one) => sum + one * one, 0) / errors.length);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    // 1.04 / sqrt(4096) = 1.6 %
    expect(deviation).toBeLessThan(0.025);
  });

  test('of two merged ones is that of both, in any order, and asking first says what adding does', () => {
    const values = fc
      .record({ from: fc.integer({ min: 0, max: 3_000 }), count: fc.integer({ min: 0, max: 1_500 }) })
      .map(({ from, count }) => Array.from({ length: count }, (_, n) => from + n));
    fc.assert(
      fc.property(values, values, (one, other) => {
        const [a, b, both] = [new Sketch(), new Sketch(), new Sketch()];
        for (const value of one) a.add(markFor(value));
        for (const value of other) b.add(markFor(value));
        const wouldBe = a.sizeWith(other.map((value) => markFor(value)));
        for (const value of [...other, ...one]) both.add(markFor(value));
        a.merge(b);
        expect(a.bytes).toEqual(both.bytes);
        expect(a.size).toBe(both.size);
        expect(wouldBe).toBe(a.size);
        expect(Sketch.from(a.bytes).bytes).toEqual(a.bytes);
        if (a.isExact) for (const value of one) expect(a.has(markFor(value))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

class Kept implements KeptSketches {
  readonly rows = new Map<string, SketchRecord>();
  broken = false;
  all = (): Promise<SketchRecord[]> => Promise.resolve([...this.rows.values()]);
  save = (records: readonly SketchRecord[]): Promise<void> => {
    if (this.broken) return Promise.reject(new Error('locked'));
    for (const row of records) this.rows.set(JSON.stringify([row.owner, row.what, row.slot]), row);
    return Promise.resolve();
  };
  drop = (records: readonly SketchKey[]): Promise<void> => {
    for (const { owner, what, slot } of records) this.rows.delete(JSON.stringify([owner, what, slot]));
    return Promise.resolve();
  };
  purge = (slot: number): Promise<void> => {
    for (const [key, row] of this.rows) if (row.slot < slot) this.rows.delete(key);
    return Promise.resolve();
  };
}

class Noted implements NotedMarks {
  files: [CountRecord[], CountRecord[]] = [[], []];
  at = 0;
  isBehind = false;
  isFull = false;
  left = (): CountRecord[] => this.files.flat();
  addAll = (records: readonly CountRecord[]): boolean => {
    if (this.isFull) return false;
    this.files[this.at]?.push(...records);
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

const ana: Principal = { name: 'ana', kind: 'person', groups: [], roles: [] };
const KEY = 'policies.p few';
const budget = (distinct: number, more: Partial<AppliedBudget> = {}): AppliedBudget => ({
  type: 'budget',
  rule: 'few',
  key: KEY,
  per: ['principal'],
  distinct,
  columns: ['email'],
  within: { type: 'sliding', lengthMs: HOUR_MS },
  ...more,
});

const nothing = {
  since: () => Promise.resolve([]),
  save: () => Promise.resolve(),
  purge: () => Promise.resolve(),
};

async function open({ kept = new Kept(), noted = new Noted(), clock = { now: 1.7e12, steady: 0 } } = {}) {
  const counts = await Counts.open(
    nothing,
    () => undefined,
    () => clock.now,
    () => clock.steady,
  );
  const problems: string[] = [];
  const sketches = await Sketches.open(
    kept,
    noted,
    ({ message }) => problems.push(message),
    () => counts.steadyMinute(),
  );
  const ledger = new Ledger(counts, sketches, () => ({ amount: 0 }));
  const pass = (time: number): void => {
    clock.now += time;
    clock.steady += time;
  };
  return { ledger, sketches, kept, noted, problems, pass, clock };
}

type Open = Awaited<ReturnType<typeof open>>;
function begun({ ledger }: Open, budgets: readonly AppliedBudget[], who = ana): Spent {
  const spent = new Spending(ledger, { person: who, principal: who, connection: 'db' }).spend(budgets, [], 'statement');
  if (!spent || 'type' in spent) throw new Error('nothing was taken');
  return spent;
}
const shown = (...values: (string | number)[]): Disclosed => ({
  marks: new Map([[KEY, new Set(values.map((value) => markFor(value)))]]),
  uncountable: new Set(),
});

describe('a budget of different values', () => {
  test('lets the same value pass as often as anybody likes, and ends at so many different ones', async () => {
    const stand = await open();
    const spent = begun(stand, [budget(3)]);
    for (let n = 0; n < 100; n++) expect(spent.disclose(shown('a', 'b'))).toBe(true);
    expect(spent.disclose(shown('c'))).toBe(true);
    expect(spent.disclose(shown('d'))).toBe(false);
    expect(spent.ended?.message).toBe('Budget "few" is used up: 3 of 3 different values within 1 h.');
    expect(spent.ended?.hint).toMatch(/^There is room again at /);
    // What was not shown is not counted, and what was shown may be shown again.
    const next = begun(stand, [budget(3)]);
    expect(next.disclose(shown('a', 'c'))).toBe(true);
    expect(next.disclose(shown('a', 'e'))).toBe(false);
    expect(begun(stand, [budget(3)], { ...ana, name: 'ben' }).disclose(shown('x', 'y', 'z'))).toBe(true);
  });

  test('a thousand sessions at its edge are shown no more than there is', async () => {
    const stand = await open();
    const sessions = Array.from({ length: 1_000 }, () => begun(stand, [budget(40)]));
    let values = 0;
    for (const [at, one] of sessions.entries()) if (one.disclose(shown(`v${at}`))) values++;
    expect(values).toBe(40);
  });

  test('one of many values ends near its number, and nothing passes behind that which an estimate does not notice', async () => {
    const stand = await open();
    let values = 0;
    for (let at = 0; at < 8_000; at++) if (begun(stand, [budget(3_000)]).disclose(shown(`v${at}`))) values++;
    expect(Math.abs(values - 3_000)).toBeLessThan(200);
    expect(begun(stand, [budget(3_000)]).disclose(shown('v1'))).toBe(false);
  });

  test('one that is observed counts and refuses nothing; one of two that is full refuses for both', async () => {
    const stand = await open();
    const observed = begun(stand, [budget(2, { observed: true })]);
    for (const value of ['a', 'b', 'c', 'd']) expect(observed.disclose(shown(value))).toBe(true);
    const other: AppliedBudget = { ...budget(1), key: 'policies.p one', rule: 'one' };
    const both = begun(stand, [budget(100), other]);
    const marks = new Map([
      [KEY, new Set([markFor('x')])],
      [other.key, new Set([markFor('x'), markFor('y')])],
    ]);
    expect(both.disclose({ marks, uncountable: new Set() })).toBe(false);
    expect(both.ended?.rule).toBe('one');
  });

  test('what cannot be counted is not shown: computed values, a budget that nobody takes from, a full disk', async () => {
    const stand = await open();
    const computed = begun(stand, [budget(9)]);
    expect(computed.disclose({ marks: new Map(), uncountable: new Set([KEY]) })).toBe(false);
    expect(computed.ended?.reason?.code).toBe('budget-uncountable');
    const observed = begun(stand, [budget(9, { observed: true })]);
    expect(observed.disclose({ marks: new Map(), uncountable: new Set([KEY]) })).toBe(true);
    const stray = begun(stand, [budget(9)]);
    expect(stray.disclose({ marks: new Map([['policies.p other', new Set([64])]]), uncountable: new Set() })).toBe(
      false,
    );
    expect(stray.ended?.message).toBe('Budget "other" cannot be counted at the moment, so the statement is not run.');
    stand.noted.isFull = true;
    const full = begun(stand, [budget(9)]);
    expect(full.disclose(shown('a'))).toBe(false);
    expect(full.ended?.reason?.code).toBe('budget-uncounted');
    expect(stand.problems).toHaveLength(1);
  });

  test('windows: whatever happens, no time of their length has more than allowed, over restarts, kills and a store that fails', async () => {
    const step = fc.record({
      values: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 8 }),
      after: fc.constantFrom('nothing', 'minutes', 'hour', 'save', 'restart', 'kill', 'broken', 'clock'),
      minutes: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        let stand = await open();
        const given: { at: number; value: number }[] = [];
        let time = 0;
        for (const { values, after, minutes } of steps) {
          if (begun(stand, [budget(20)]).disclose(shown(...values)))
            for (const value of values) given.push({ at: time, value });
          const within = new Set(given.filter(({ at }) => time - at < HOUR_MS).map(({ value }) => value));
          expect(within.size).toBeLessThanOrEqual(20);
          if (after === 'minutes' || after === 'hour') {
            const length = after === 'hour' ? HOUR_MS : minutes * MINUTE_MS;
            stand.pass(length);
            time += length;
          }
          if (after === 'clock') stand.clock.now += (minutes - 20) * HOUR_MS;
          if (after === 'save') await stand.sketches.save();
          if (after === 'broken') {
            stand.kept.broken = !stand.kept.broken;
            await stand.sketches.save();
          }
          if (after !== 'restart' && after !== 'kill') continue;
          if (after === 'restart') await stand.sketches.close();
          // The clock that nobody sets begins anew, at what the other one shows then: by now somebody has set it right.
          const { kept, noted } = stand;
          stand = await open({ kept, noted, clock: { now: 1.7e12 + time, steady: 0 } });
        }
      }),
      { numRuns: 60 },
    );
  });

  test('there is room again when the oldest is over, as the refusal says', async () => {
    const stand = await open();
    expect(begun(stand, [budget(2)]).disclose(shown('a', 'b'))).toBe(true);
    const refused = begun(stand, [budget(2)]);
    expect(refused.disclose(shown('c'))).toBe(false);
    const { reason } = refused.ended ?? {};
    const free = reason?.code === 'budget-used-up' ? (reason.free ?? 0) - stand.clock.now : 0;
    expect(free).toBeGreaterThanOrEqual(HOUR_MS - MINUTE_MS);
    expect(free).toBeLessThanOrEqual(HOUR_MS + 6 * MINUTE_MS);
    stand.pass(free - 2 * MINUTE_MS);
    expect(begun(stand, [budget(2)]).disclose(shown('c'))).toBe(false);
    stand.pass(2 * MINUTE_MS);
    expect(begun(stand, [budget(2)]).disclose(shown('c'))).toBe(true);
  });

  test('of a short time somebody may be shown something in each minute of days', async () => {
    const stand = await open();
    const short = budget(5, { within: { type: 'sliding', lengthMs: 10 * MINUTE_MS } });
    for (let minute = 0; minute < 2_000; minute++) {
      expect([minute, begun(stand, [short]).disclose(shown(minute % 3))]).toEqual([minute, true]);
      stand.pass(MINUTE_MS);
      if (minute % 100 === 0) await stand.sketches.save();
    }
    await stand.sketches.save();
    expect(stand.kept.rows.size).toBeLessThan(200);
  });

  test('many values of an estimate are noted only where they change it', async () => {
    const stand = await open();
    const many = begun(stand, [budget(1_000_000)]);
    for (let from = 0; from < 60_000; from += 1_000)
      many.disclose(shown(...Array.from({ length: 1_000 }, (_, at) => from + at)));
    // 1,024 of the list, and what raises a register.
    expect(stand.noted.left().length).toBeLessThan(20_000);
    for (let n = 0; n < 50; n++) many.disclose(shown(...Array.from({ length: 1_000 }, (_, at) => at)));
    expect(stand.noted.left().length).toBeLessThan(20_000);
  });

  test('a day of UTC and of a zone that is half an hour off begin at their midnight', async () => {
    for (const zone of ['UTC', 'Asia/Kolkata']) {
      const midnight = zone === 'UTC' ? Date.UTC(2026, 2, 2) : Date.UTC(2026, 2, 1, 18, 30);
      const day = budget(1, { within: { type: 'day', zone } });
      const stand = await open({ clock: { now: midnight - 2 * HOUR_MS, steady: 0 } });
      expect(begun(stand, [day]).disclose(shown('a'))).toBe(true);
      stand.pass(2 * HOUR_MS - MINUTE_MS);
      expect(begun(stand, [day]).disclose(shown('b'))).toBe(false);
      stand.pass(2 * MINUTE_MS);
      expect(begun(stand, [day]).disclose(shown('b'))).toBe(true);
      expect(begun(stand, [day]).disclose(shown('c'))).toBe(false);
    }
  });
});
