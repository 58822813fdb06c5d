/**
 * What one command has taken, and what its answer may still have. Owns: taking from all budgets or none, leases of rows and bytes, the bounds, and
 * what is given back. Does not: say which budgets those are (spending.ts), keep counts (counts.ts).
 */
import {
  type AnswerMeter,
  type AppliedBound,
  type AppliedHold,
  COMMAND_UNITS,
  type CommandUnit,
  type Deny,
  type DenyReason,
  type Disclosed,
  type Noun,
  denyInWords,
} from '@sluice/contract';
import type { Ledger } from './ledger.js';
import type { DistinctShare, Share } from './shares.js';
import type { Moment } from './windows.js';

/**
 * A command takes so much more of a budget than it gives out now, where much is left; what it does not use it gives back. At first it takes what
 * it gives out and no more: most answers are small.
 */
const PARTS_LEASED = 10_000;
const MAX_LEASE = 256 * 1024;
const TIMES_LEASED = 64;

type TakenUnit = Exclude<CommandUnit, 'distinct'>;
export const TAKEN_UNITS = COMMAND_UNITS.filter((unit): unit is TakenUnit => unit !== 'distinct');
export type Shares = Readonly<Record<TakenUnit, readonly Share[]>> & { readonly distinct: readonly DistinctShare[] };

/** A budget has no room for a command. `holds`: by these people may release it all the same; empty: nobody may. */
export interface NoRoom {
  readonly type: 'no-room';
  readonly answer: Deny;
  readonly holds: readonly AppliedHold[];
}

/** A share that has no room for a command. */
interface Lacking {
  readonly share: Share;
  readonly reason: DenyReason;
  readonly hold?: AppliedHold | undefined;
}

export const NO_SHARES: Shares = {
  statements: [],
  rows: [],
  bytes: [],
  time: [],
  at_once: [],
  logins: [],
  distinct: [],
};

/** A share that rows or bytes are taken from, and how many of them it has taken that were not given out yet. */
interface Lease {
  readonly share: Share;
  left: number;
  slot: number;
}

/** What commands of the same budgets and bounds take from, and the least of each bound: Infinity is none. */
export interface Terms {
  readonly shares: Shares;
  readonly bounds: readonly AppliedBound[];
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

export const termsOf = (shares: Shares, bounds: readonly AppliedBound[]): Terms => ({
  shares,
  bounds,
  maxRows: least(bounds, 'maxRows'),
  maxBytes: least(bounds, 'maxBytes'),
  timeoutMs: least(bounds, 'timeoutMs'),
});

/** What one command has taken. Made for each: what several have in common is in their terms. */
export class Spent implements AnswerMeter {
  readonly #ledger: Ledger;
  readonly #terms: Terms;
  readonly #noun: Noun;
  readonly #statements: number;
  readonly #onEnded: () => void;
  readonly #rowLeases: readonly Lease[];
  readonly #byteLeases: readonly Lease[];
  readonly timeoutMs: number | undefined;
  /** What was given out. */
  #rows = 0;
  #bytes = 0;
  /** What can be taken without asking, and how much that was when it was last settled. */
  #freeRows = 0;
  #freeBytes = 0;
  #settledRows = 0;
  #settledBytes = 0;
  #toldRows = 0;
  #toldBytes = 0;
  #began = 0;
  /** When its statements were taken. */
  #at: Moment | undefined;
  #isOver = false;
  #ended: Deny | undefined;

  /** @param statements so many are in the command @param ended told where a budget has no room for more of its answer */
  constructor(ledger: Ledger, terms: Terms, noun: Noun, statements: number, ended: () => void) {
    const { shares, timeoutMs } = terms;
    this.#ledger = ledger;
    this.#terms = terms;
    this.#noun = noun;
    this.#statements = statements;
    this.#onEnded = ended;
    this.#rowLeases = leasesOf(shares.rows);
    this.#byteLeases = leasesOf(shares.bytes);
    if (this.#rowLeases === NO_LEASES && this.#byteLeases === NO_LEASES) {
      this.#freeRows = this.#settledRows = Math.min(terms.maxRows, MAX_ROOM);
      this.#freeBytes = this.#settledBytes = Math.min(terms.maxBytes, MAX_ROOM);
    }
    this.timeoutMs = shares.time.length === 0 ? (timeoutMs === Infinity ? undefined : timeoutMs) : this.#timeout();
  }

  /**
   * Takes its statements, and one of the commands that run. Returns why there is no room, and nothing is taken then. `released`: the rules by
   * which people have let it pass.
   */
  begin(released: readonly string[]): NoRoom | undefined {
    const now = this.#ledger.counts.moment();
    if (!this.#hasRoom(now)) {
      const refused = this.#lacking(released, now);
      if (refused) return refused;
    }
    const { statements, time, at_once: atOnce } = this.#terms.shares;
    const count = this.#statements;
    for (let at = 0; at < statements.length; at++) {
      const share = statements[at] as Share;
      if (share.add(count, now) !== undefined) continue;
      for (const before of statements.slice(0, at)) before.add(-count, now);
      return { type: 'no-room', answer: uncounted(share, this.#noun), holds: [] };
    }
    this.#at = now;
    const { atOnce: running } = this.#ledger;
    for (const share of atOnce) running.set(keyOf(share), (running.get(keyOf(share)) ?? 0) + 1);
    if (time.length > 0) this.#began = performance.now();
    return undefined;
  }

  /** Of each of them: most commands need to know no more. */
  #hasRoom(now: Moment): boolean {
    const { statements, rows, bytes, time, at_once: atOnce } = this.#terms.shares;
    for (const share of statements) if (!share.hasRoom(this.#statements, now)) return false;
    for (const share of rows) if (!share.hasRoom(1, now)) return false;
    for (const share of bytes) if (!share.hasRoom(1, now)) return false;
    for (const share of time) if (!share.hasRoom(1, now)) return false;
    return atOnce.length === 0;
  }

  /** All that have no room for it: people of each of them may have to release it. Undefined: they have `released` it by all of them. */
  #lacking(released: readonly string[], now: Moment): NoRoom | undefined {
    const { statements, rows, bytes, time, at_once: atOnce } = this.#terms.shares;
    const count = this.#statements;
    const all: Lacking[] = [];
    for (const share of statements)
      if (!share.hasRoom(count, now)) all.push({ share, reason: share.usedUp(count), hold: holdOf(share) });
    for (const some of [rows, bytes, time])
      for (const share of some) if (!share.hasRoom(1, now)) all.push({ share, reason: share.usedUp(1) });
    for (const share of atOnce) {
      const used = this.#ledger.atOnce.get(keyOf(share)) ?? 0;
      if (used < share.limit || share.budget.observed === true) continue;
      all.push({ share, reason: { ...share.usedUp(1), used, free: undefined }, hold: holdOf(share) });
    }
    const lacking = all.filter(({ hold }) => !hold || !released.includes(hold.rule));
    const first = lacking.find(({ hold }) => !hold) ?? lacking[0];
    if (!first) return undefined;
    const holds = first.hold ? lacking.flatMap(({ hold }) => hold ?? []) : [];
    const each = [...new Map(holds.map((hold) => [hold.rule, hold])).values()];
    return { type: 'no-room', answer: denied(first.reason, first.share, this.#noun), holds: each };
  }

  get ended(): Deny | undefined {
    return this.#ended;
  }

  /** The least of the bounds, and of the time that budgets have left. */
  #timeout(): number | undefined {
    const left = this.#terms.shares.time.flatMap((share) =>
      share.budget.observed === true ? [] : [Math.max(1, share.limit - share.used())],
    );
    const most = Math.min(this.#terms.timeoutMs, ...left);
    return most === Infinity ? undefined : most;
  }

  take(rows: number, bytes: number): boolean {
    // What is leased and within bounds costs two additions: this is called for each of millions of rows.
    if (rows > this.#freeRows || bytes > this.#freeBytes) return this.#takeMore(rows, bytes);
    this.#freeRows -= rows;
    this.#freeBytes -= bytes;
    return true;
  }

  #takeMore(rows: number, bytes: number): boolean {
    this.#settle();
    const isTaken = this.#takeLeased(rows, bytes);
    if (!isTaken) return false;
    const { maxRows, maxBytes } = this.#terms;
    this.#freeRows = this.#settledRows = roomOf(maxRows - this.#rows, this.#rowLeases);
    this.#freeBytes = this.#settledBytes = roomOf(maxBytes - this.#bytes, this.#byteLeases);
    return true;
  }

  /** What was taken without asking has been given out. */
  #settle(): void {
    const rows = this.#settledRows - this.#freeRows;
    const bytes = this.#settledBytes - this.#freeBytes;
    this.#rows += rows;
    this.#bytes += bytes;
    for (const lease of this.#rowLeases) lease.left -= rows;
    for (const lease of this.#byteLeases) lease.left -= bytes;
    this.#freeRows = this.#settledRows = this.#freeBytes = this.#settledBytes = 0;
  }

  #takeLeased(rows: number, bytes: number): boolean {
    if (this.#ended) return false;
    const { maxRows, maxBytes } = this.#terms;
    if (this.#rows + rows > maxRows) return this.#end(this.#boundBy('maxRows', 'rows'));
    if (this.#bytes + bytes > maxBytes) return this.#end(this.#boundBy('maxBytes', 'bytes'));
    if (rows > 0 && this.#rowLeases.length > 0 && !this.#takeFrom(this.#rowLeases, rows, this.#rows)) return false;
    if (this.#byteLeases.length > 0 && !this.#takeFrom(this.#byteLeases, bytes, this.#bytes)) {
      if (rows > 0) for (const lease of this.#rowLeases) lease.left += rows;
      return false;
    }
    this.#rows += rows;
    this.#bytes += bytes;
    return true;
  }

  /** `given`: so much of it was given out before. */
  #takeFrom(leases: readonly Lease[], amount: number, given: number): boolean {
    for (let at = 0; at < leases.length; at++) {
      const lease = leases[at] as Lease;
      if (lease.left >= amount) {
        lease.left -= amount;
        continue;
      }
      const failed = this.#lease(lease, amount - lease.left, given);
      if (!failed) {
        lease.left -= amount;
        continue;
      }
      for (const before of leases.slice(0, at)) before.left += amount;
      return this.#end(failed);
    }
    return true;
  }

  /** Takes what is missing from the budget, and some more where much is left. */
  #lease(lease: Lease, missing: number, given: number): Deny | undefined {
    const { share } = lease;
    const now = this.#ledger.counts.moment();
    const room = share.budget.observed === true ? share.limit : share.limit - share.used(now);
    if (missing > room && share.budget.observed !== true) return denied(share.usedUp(missing), share, this.#noun);
    const most = Math.min(MAX_LEASE, given * TIMES_LEASED);
    const more = this.#isOver ? 0 : Math.min(most, Math.floor(room / PARTS_LEASED));
    const slot = share.add(missing + more, now);
    if (slot === undefined) return uncounted(share, this.#noun);
    lease.left += missing + more;
    lease.slot = slot;
    return undefined;
  }

  disclose({ marks, uncountable }: Disclosed): boolean {
    if (this.#ended) return false;
    const asked = this.#terms.shares.distinct.map((share) => ({ share, found: marks.get(share.budget.key) }));
    for (const { share, found } of asked) {
      const { budget } = share;
      if (budget.observed !== true && uncountable.has(budget.key)) return this.#end(uncountableBy(share, this.#noun));
      if (found && !share.hasRoom(found)) return this.#end(denied(share.usedUp(), share, this.#noun));
    }
    // Whatever counts them has to be there: a budget that this command does not take from cannot be told.
    const known = new Set(asked.map(({ share }) => share.budget.key));
    const stray = [...marks.keys(), ...uncountable].find((key) => !known.has(key));
    if (stray !== undefined) return this.#end(strayTo(stray, this.#noun));
    for (const { share, found } of asked) {
      if (!found) continue;
      const added = share.add(found);
      if (added === undefined) return this.#end(uncounted(share, this.#noun));
      this.#ledger.tallyOf(share.budget.rule, 'distinct').amount += added;
    }
    return true;
  }

  #boundBy(bound: 'maxRows' | 'maxBytes' | 'timeoutMs', unit: 'rows' | 'bytes' | 'timeout'): Deny {
    const limit = this.#terms[bound];
    const { rule = '' } = this.#terms.bounds.find((one) => one[bound] === limit) ?? {};
    return inWords({ code: 'answer-bound', rule, unit, limit }, rule, this.#noun);
  }

  #end(why: Deny): false {
    this.#ended = why;
    this.#giveBack();
    if (why.reason?.code === 'budget-used-up') this.#onEnded();
    return false;
  }

  expire(): Deny {
    if (this.#ended) return this.#ended;
    const isBound = this.timeoutMs === this.#terms.timeoutMs;
    const [share] = this.#terms.shares.time.filter(({ limit, budget }) => budget.observed !== true && limit > 0);
    const why = isBound || !share ? this.#boundBy('timeoutMs', 'timeout') : denied(share.usedUp(1), share, this.#noun);
    this.#end(why);
    return why;
  }

  #giveBack(): void {
    this.#settle();
    for (const lease of this.#rowLeases) giveBack(lease);
    for (const lease of this.#byteLeases) giveBack(lease);
  }

  /** The command is over. Rows that are fetched of it later are taken one by one. */
  end(): void {
    const first = !this.#isOver;
    this.#isOver = true;
    this.#giveBack();
    const { statements, rows, bytes, time } = this.#terms.shares;
    for (const { tally } of rows) tally.amount += this.#rows - this.#toldRows;
    for (const { tally } of bytes) tally.amount += this.#bytes - this.#toldBytes;
    this.#toldRows = this.#rows;
    this.#toldBytes = this.#bytes;
    if (!first) return;
    for (const { tally } of statements) tally.amount += this.#statements;
    this.#leave();
    if (time.length === 0) return;
    const took = Math.ceil(performance.now() - this.#began);
    for (const share of time) {
      share.add(took);
      share.tally.amount += took;
    }
  }

  /** It has never been sent. */
  undo(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#at) for (const share of this.#terms.shares.statements) share.add(-this.#statements, this.#at);
    this.#leave();
  }

  #leave(): void {
    const { atOnce } = this.#ledger;
    for (const share of this.#terms.shares.at_once) {
      const left = (atOnce.get(keyOf(share)) ?? 1) - 1;
      if (left > 0) atOnce.set(keyOf(share), left);
      else atOnce.delete(keyOf(share));
    }
  }
}

/** What a bound and all leases have: with nothing of either, there is no end to it. */
const MAX_ROOM = Number.MAX_SAFE_INTEGER;
const roomOf = (bound: number, leases: readonly Lease[]): number =>
  leases.reduce((room, { left }) => Math.min(room, left), Math.min(bound, MAX_ROOM));

const NO_LEASES: readonly Lease[] = [];
const leasesOf = (shares: readonly Share[]): readonly Lease[] =>
  shares.length === 0 ? NO_LEASES : shares.map((share) => ({ share, left: 0, slot: 0 }));

function giveBack(lease: Lease): void {
  if (lease.left > 0) lease.share.addAt(lease.slot, -lease.left);
  lease.left = 0;
}

const keyOf = ({ owner, what }: Share): string => `${owner}\0${what}`;

const holdOf = ({ budget: { hold, rule } }: Share): AppliedHold | undefined => hold && { ...hold, rule };

const least = (bounds: readonly AppliedBound[], which: 'maxRows' | 'maxBytes' | 'timeoutMs'): number =>
  bounds.reduce((most, one) => Math.min(most, one[which] ?? Infinity), Infinity);

const inWords = (reason: DenyReason, rule: string, noun: Noun): Deny => ({
  type: 'deny',
  rule,
  ...denyInWords(reason, noun),
  reason,
});

type AnyShare = Pick<Share, 'budget'>;

export const denied = (reason: DenyReason, { budget }: AnyShare, noun: Noun): Deny =>
  inWords(reason, budget.rule, noun);

const uncountableBy = ({ budget: { rule } }: AnyShare, noun: Noun): Deny =>
  inWords({ code: 'budget-uncountable', rule }, rule, noun);

/** `key`: of the rule, whose name is its end. */
const strayTo = (key: string, noun: Noun): Deny => {
  const rule = key.slice(key.indexOf(' ') + 1);
  return inWords({ code: 'budget-uncounted', rule }, rule, noun);
};

export const uncounted = ({ budget }: AnyShare, noun: Noun): Deny =>
  inWords({ code: 'budget-uncounted', rule: budget.rule }, budget.rule, noun);
