/**
 * The time that a budget is for, in slots that counts are kept in. Owns: which slots count now, and when room is left again. Does not: count
 * (counts.ts). What is only partly within the time counts as a whole, so that no time of that length has more than may be.
 */
import type { BudgetWindow } from '@sluice/contract';
import { Counter } from './counter.js';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Offsets of zones are multiples of it. Minutes. */
const QUARTER = 15;
const FIVE = 5;
/** Slots of a time up to now, at the most. */
const MAX_SLOTS = 100;
const WIDTHS = [1, 5, 15, 60];

/** Minutes since 1970: as slots are named, and by the clock that may be set. */
export interface Moment {
  readonly minute: number;
  readonly clock: number;
}

export interface TimeWindow {
  /** Minutes of a slot. */
  readonly width: number;
  /** Its minutes are those of the clock that nobody sets: setting the other one gives nobody more, or less. */
  readonly isSteady: boolean;
  /** Part of the name of a counter; empty: a day of UTC, as counters were named before there were others. */
  readonly key: string;
  /** In words, behind an amount. */
  readonly words: string;
  /** The first slot that counts. */
  since(now: Moment): number;
  /** In how many minutes `wanted` fits again; undefined: never. */
  free(counter: Counter, now: Moment, limit: number, wanted: number): number | undefined;
}

const DAY_OF_UTC: TimeWindow = {
  width: 60,
  isSteady: false,
  key: '',
  words: 'today',
  since: ({ minute }) => minute - (minute % DAY_MINUTES),
  free: (_, { minute }) => DAY_MINUTES - (minute % DAY_MINUTES),
};

/** So many slots a time up to now has, of those that take more memory than a number. */
const WIDE_SLOTS = 12;

export interface WideWindow {
  readonly words: string;
  /** Where the slot begins that is now. */
  slot(now: Moment): number;
  /** The first slot that counts. */
  since(now: Moment): number;
  /** In how many minutes a slot counts no more. */
  free(slot: number, now: Moment): number;
}

/**
 * The same time in few slots, by the clock that nobody sets, also for a day of UTC: that has one. What is only partly within counts as a whole
 * here, too.
 */
export function wideWindowOf(within: BudgetWindow | undefined): WideWindow {
  if (within?.type !== 'sliding') {
    const day = dayWindowOf(within?.zone ?? 'UTC');
    return {
      words: windowOf(within).words,
      // Where the day began, by a clock that may be a minute off the other one.
      slot: (now) => day.since(now) + FIVE - 1,
      since: day.since,
      free: (_, now) => day.free(NOTHING_COUNTED, now, 0, 1) ?? 0,
    };
  }
  const narrow = windowOf(within);
  const width = Math.max(narrow.width, Math.ceil(within.lengthMs / MINUTE_MS / WIDE_SLOTS));
  const since = (now: Moment): number => narrow.since(now) - (width - narrow.width);
  return {
    words: narrow.words,
    slot: ({ minute }) => minute - (minute % width),
    since,
    free: (slot, now) => slot + 1 - since(now),
  };
}

const NOTHING_COUNTED: Counter = new Counter('', '');

const days = new Map<string, TimeWindow>();
function dayWindowOf(zone: string): TimeWindow {
  let made = days.get(zone);
  if (!made) days.set(zone, (made = dayOf(zone)));
  return made;
}

/** Those that rules name. */
const windows = new Map<string | number, TimeWindow>();

export function windowOf(within: BudgetWindow | undefined): TimeWindow {
  if (!within || (within.type === 'day' && within.zone === 'UTC')) return DAY_OF_UTC;
  const key = within.type === 'day' ? within.zone : within.lengthMs;
  const known = windows.get(key);
  if (known) return known;
  const made = within.type === 'day' ? dayWindowOf(within.zone) : slidingOf(within.lengthMs);
  windows.set(key, made);
  return made;
}

function slidingOf(lengthMs: number): TimeWindow {
  const length = Math.ceil(lengthMs / MINUTE_MS);
  const width = WIDTHS.find((one) => length / one <= MAX_SLOTS) ?? DAY_MINUTES;
  const since = ({ minute }: Moment): number => minute - length - width + 1;
  return {
    width,
    isSteady: true,
    key: ` within ${length}m`,
    words: `within ${length % 60 === 0 ? `${length / 60} h` : `${length} min`}`,
    since,
    free: (counter, now, limit, wanted) => {
      if (wanted > limit) return undefined;
      const { minute } = now;
      let used = counter.sum(since(now));
      const slots = [...counter.slots].filter(([slot]) => slot >= since(now)).sort(([one], [other]) => one - other);
      for (const [slot, amount] of slots) {
        used -= amount;
        if (used + wanted <= limit) return slot + length + width - minute;
      }
      return length + width;
    },
  };
}

function dayOf(zone: string): TimeWindow {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  const dateAt = (minute: number): string => format.format(minute * MINUTE_MS);
  let begin = 0;
  let end = 0;
  /** Steps to where another day begins: it has 23 to 25 hours, and is looked for once. */
  const look = (minute: number): void => {
    if (minute >= begin && minute < end) return;
    const quarter = minute - (minute % QUARTER);
    const today = dateAt(quarter);
    begin = quarter;
    while (dateAt(begin - QUARTER) === today) begin -= QUARTER;
    end = quarter + QUARTER;
    while (dateAt(end) === today) end += QUARTER;
  };
  return {
    width: FIVE,
    isSteady: true,
    key: ` day ${zone}`,
    words: `today (${zone})`,
    // What was counted around midnight may be a minute off, by clocks that go not alike.
    since: ({ minute, clock }) => {
      look(clock);
      return minute - (clock - begin) - FIVE + 1;
    },
    free: (_, { clock }) => {
      look(clock);
      return end - clock;
    },
  };
}
