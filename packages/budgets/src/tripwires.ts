/**
 * Tripwires: so many refusals and the like within a time freeze somebody. Owns: what is counted for whom, and that no single person can have a
 * connection frozen for others. Does not: keep counts (counts.ts), freeze (freezes.ts).
 */
import { type AppliedTripwire, TRIPS, type Trip } from '@sluice/contract';
import type { Counter } from './counter.js';
import type { Counts } from './counts.js';
import { type FreezeScope, agentOf, isBeyondFreezing, subjectOf } from './freezes.js';
import { personOf } from './guesses.js';
import { windowOf } from './windows.js';

/** Is told whom to freeze, and by which rule. */
export type OnTrip = (subject: string, rule: string, why: string) => void;

export class Tripwires {
  readonly #counts: Counts;
  readonly #onTrip: OnTrip;
  /** Counters of what is counted by several people, for connections. */
  readonly #people = new Map<string, Set<Counter>>();

  constructor(counts: Counts, onTrip: OnTrip) {
    this.#counts = counts;
    this.#onTrip = onTrip;
  }

  /** Counts something that one of these may be about. Returns one that cannot count it; undefined: there is none. */
  count(tripwires: readonly AppliedTripwire[], trip: Trip, who: FreezeScope, amount = 1): AppliedTripwire | undefined {
    const wanted = tripwires.filter((tripwire) => tripwire[trip] !== undefined);
    return wanted.filter((tripwire) => !this.#count(tripwire, trip, who, amount))[0];
  }

  /** One of these that could count nothing of this visitor now; undefined: there is none. */
  uncountable(tripwires: readonly AppliedTripwire[], who: FreezeScope): AppliedTripwire | undefined {
    return tripwires.find((tripwire) =>
      TRIPS.some((trip) => {
        const { subject, owner, what } = countedAs(tripwire, trip, who);
        if (tripwire[trip] === undefined || isBeyondFreezing(subject)) return false;
        const window = windowOf({ type: 'sliding', lengthMs: tripwire.withinMs });
        const counter = this.#counts.counter(owner, what, window);
        return !counter || !this.#counts.canCount(counter);
      }),
    );
  }

  /** False: it cannot be counted. */
  #count(tripwire: AppliedTripwire, trip: Trip, who: FreezeScope, amount: number): boolean {
    const limit = tripwire[trip] ?? Infinity;
    const { subject, owner, what } = countedAs(tripwire, trip, who);
    if (isBeyondFreezing(subject)) return true;
    const window = windowOf({ type: 'sliding', lengthMs: tripwire.withinMs });
    const counter = this.#counts.counter(owner, what, window);
    if (!counter) return false;
    const minute = this.#counts.steadyMinute();
    const slot = minute - (minute % window.width);
    if (!this.#counts.addTo(counter, amount, slot, Math.floor(limit / 16))) return false;
    const since = window.since({ minute, clock: minute });
    const isByMany = tripwire.freeze === 'connection';
    const sum = isByMany ? this.#ofPeople(tripwire, limit, counter, since) : counter.sum(since);
    if (sum < limit) return true;
    for (const one of isByMany ? this.#countersOf(counter) : [counter]) this.#counts.reset(one);
    const words = `${limit} ${trip.replaceAll('_', ' ')} ${window.words}`;
    this.#onTrip(subject, tripwire.rule, `tripwire "${tripwire.rule}": ${words}`);
    return true;
  }

  /** Each of them counts for so much at most that it takes as many people as the rule says. */
  #ofPeople({ people }: AppliedTripwire, limit: number, counter: Counter, since: number): number {
    const most = Math.floor(limit / people);
    let sum = 0;
    for (const one of this.#countersOf(counter)) sum += Math.min(one.sum(since), most);
    return sum;
  }

  #countersOf(counter: Counter): Set<Counter> {
    let known = this.#people.get(counter.what);
    if (!known) {
      // Those of before a restart.
      known = new Set([...this.#counts.counters()].filter(({ what }) => what === counter.what));
      this.#people.set(counter.what, known);
    }
    for (const one of known) if (one.isGone) known.delete(one);
    known.add(counter);
    return known;
  }
}

function countedAs(
  { key, freeze, withinMs }: AppliedTripwire,
  trip: Trip,
  { principal, owner, connection }: FreezeScope,
): { readonly subject: string; readonly owner: string; readonly what: string } {
  const what = `trip ${key} ${trip} ${withinMs}`;
  if (freeze === 'connection')
    return { subject: `connection:${connection}`, owner: personOf(owner), what: `${what} connection:${connection}` };
  // Of a person there are no others: they alone are frozen.
  if (freeze === 'owner' && principal.kind === 'agent')
    return { subject: `owner:${owner.name}`, owner: personOf(owner), what };
  const subject = isOwned({ principal, owner }) ? agentOf(principal, owner) : subjectOf(principal);
  return { subject, owner: principalOf({ principal, owner }), what };
}

type Who = Pick<FreezeScope, 'principal' | 'owner'>;

/** An agent that others have too is another one for each owner. */
const isOwned = ({ principal, owner }: Who): boolean => principal.kind === 'agent' && owner.name !== principal.name;

/** Of what is kept of a principal. */
export const principalOf = (who: Who): string =>
  `principal:${personOf(who.principal)}${isOwned(who) ? personOf(who.owner) : ''}`;
