/**
 * What the gateway did in the last day, a value a minute. Owns: which values, and the room for them, which does not grow. Does not: count
 * (packages/audit), draw.
 */
import type { Day as DayAnswer } from '@sluice/api';
import type { Counters } from '@sluice/audit';

/** Seconds between two values, and how many are kept. */
const EVERY_SECONDS = 60;
const MAX_VALUES = 1_440;

/** What of the gateway is looked at. */
interface Counted {
  readonly sessions: { readonly size: number };
  readonly approvals: { readonly pending: number };
  readonly counted: { readonly allowed: number; readonly denied: number };
  readonly counters: Counters;
  readonly journal: { readonly size: number };
}

interface Curve {
  readonly name: string;
  readonly about: string;
  readonly unit: DayAnswer['curves'][number]['unit'];
  /** Of now; of one that is counted, since the start. */
  read(gateway: Counted): number;
  /** Each value is what was added within the minute. */
  readonly counts?: true;
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, one) => all + one, 0);

const CURVES: readonly Curve[] = [
  { name: 'sessions', about: 'Open sessions', unit: 'count', read: ({ sessions }) => sessions.size },
  {
    name: 'passed',
    about: 'Commands that passed',
    unit: 'per minute',
    counts: true,
    read: ({ counted }) => counted.allowed,
  },
  {
    name: 'refused',
    about: 'Commands that were refused',
    unit: 'per minute',
    counts: true,
    read: ({ counted }) => counted.denied,
  },
  {
    name: 'waiting',
    about: 'Requests that wait for people',
    unit: 'count',
    read: ({ approvals }) => approvals.pending,
  },
  {
    name: 'failed_logins',
    about: 'Logins that were refused',
    unit: 'per minute',
    counts: true,
    read: ({ counters }) => sum(counters.loginFailures),
  },
  {
    name: 'target_failures',
    about: 'Times that a target could not be used',
    unit: 'per minute',
    counts: true,
    read: ({ counters }) => sum(counters.targetFailures),
  },
  {
    name: 'masked',
    about: 'Values that were masked',
    unit: 'per minute',
    counts: true,
    read: ({ counters }) => counters.maskedCells,
  },
  { name: 'memory', about: 'Memory of the gateway', unit: 'bytes', read: () => process.memoryUsage.rss() },
  { name: 'journal', about: 'Size of the record', unit: 'bytes', read: ({ journal }) => journal.size },
];

/** The share of commands that are no slower than the curve says, at the most. */
const QUANTILES = [
  { name: 'added_half', share: 0.5, about: 'Time added to a command, the median' },
  { name: 'added_most', share: 0.99, about: 'Time added to a command, 99 of 100 (drawn up to 1,000 ms)' },
] as const;

export class Day {
  readonly #gateway: Counted;
  readonly #values = new Map(
    [...CURVES, ...QUANTILES].map(({ name }) => [name, new Float64Array(MAX_VALUES).fill(NaN)]),
  );
  /** Of curves that are counted, at the last value. */
  readonly #before = new Map<string, number>();
  #latency: ReturnType<Counted['counters']['latency']['upTo']> | undefined;
  /** How many values there were, and when the last of them was, in milliseconds since 1970. */
  #count = 0;
  #last = 0;

  constructor(gateway: Counted) {
    this.#gateway = gateway;
  }

  /** Called every second; takes a value a minute. `now`: milliseconds since 1970. */
  look(now: number): void {
    if (now - this.#last < EVERY_SECONDS * 1_000 && now >= this.#last) return;
    const at = this.#count++ % MAX_VALUES;
    this.#last = now;
    for (const curve of CURVES) this.#keep(curve.name, at, this.#valueOf(curve));
    const latency = this.#gateway.counters.latency.upTo();
    for (const { name, share } of QUANTILES) this.#keep(name, at, quantile(latency, this.#latency, share) * 1_000);
    this.#latency = latency;
  }

  /** The oldest value first. */
  curves(): DayAnswer {
    const [from, count] = [Math.max(0, this.#count - MAX_VALUES), Math.min(this.#count, MAX_VALUES)];
    const valuesOf = (name: string): (number | null)[] =>
      Array.from({ length: count }, (_, at) => {
        const value = this.#values.get(name)?.[(from + at) % MAX_VALUES] ?? NaN;
        return Number.isFinite(value) ? value : null;
      });
    return {
      every: EVERY_SECONDS,
      until: new Date(this.#last).toISOString(),
      curves: [
        ...CURVES.map(({ name, about, unit }) => ({ name, about, unit, values: valuesOf(name) })),
        ...QUANTILES.map(({ name, about }) => ({ name, about, unit: 'milliseconds' as const, values: valuesOf(name) })),
      ],
    };
  }

  #keep(name: string, at: number, value: number): void {
    const values = this.#values.get(name);
    if (values) values[at] = value;
  }

  #valueOf({ name, counts, read }: Curve): number {
    const value = read(this.#gateway);
    if (!counts) return value;
    const before = this.#before.get(name) ?? value;
    this.#before.set(name, value);
    return Math.max(0, value - before);
  }
}

type UpTo = readonly (readonly [bound: number, count: number])[];

/**
 * The bound, in seconds, that a share of what was counted since `before` is below; the last one where it is above all of them. NaN: nothing was
 * counted.
 */
function quantile(now: UpTo, before: UpTo | undefined, share: number): number {
  const counts = now.map(([bound, count], at) => [bound, count - (before?.[at]?.[1] ?? 0)] as const);
  const all = counts.at(-1)?.[1] ?? 0;
  if (all === 0) return NaN;
  const [bound = NaN] = counts.find(([upTo, count]) => count >= share * all && upTo < Infinity) ?? counts.at(-2) ?? [];
  return bound;
}
