/** What conditions can ask about the time. Owns: the attribute `now`, and zones. Does not: keep time. */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';

const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
const UTC = 'UTC';

/** A moment as a clock on the wall shows it in a zone. */
class Now {
  readonly #at: Date;
  readonly zone: string;
  #shown: Shown | undefined;

  constructor(at: Date, zone: string) {
    this.#at = at;
    this.zone = zone;
  }

  get day(): string {
    return this.#read().day;
  }

  get date(): string {
    return this.#read().date;
  }

  get hour(): bigint {
    return this.#read().hour;
  }

  get minute(): bigint {
    return this.#read().minute;
  }

  in(zone: string): Now {
    clockOf(zone);
    return new Now(this.#at, zone);
  }

  #read(): Shown {
    return (this.#shown ??= shownBy(clockOf(this.zone), this.#at));
  }
}

interface Shown {
  readonly day: string;
  /** ISO 8601. */
  readonly date: string;
  readonly hour: bigint;
  readonly minute: bigint;
}

function shownBy(clock: Intl.DateTimeFormat, at: Date): Shown {
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year, month, day, hour = '', minute = '' } = parts;
  const date = `${year}-${month}-${day}`;
  return {
    date,
    // The day of the week of a date, wherever it is.
    day: DAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] as string,
    hour: BigInt(hour),
    minute: BigInt(minute),
  };
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Zones that rules name may be written in many ways, and a rule may take one from a request. */
const MAX_CLOCKS = 500;

/** @throws RangeError for a zone that is not there */
function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  if (clocks.size >= MAX_CLOCKS) clocks.clear();
  clocks.set(zone, made);
  return made;
}

/** `at`: a moment that is told, for trials; else it is this one, in every zone. */
export const timeAttribute = (at: Date = new Date()): Now => new Now(at, UTC);

export const registerTime = (environment: Environment): Environment =>
  environment
    .registerType('Now', {
      ctor: Now,
      fields: { day: 'string', date: 'string', hour: 'int', minute: 'int', zone: 'string' },
    })
    .registerFunction('Now.at(string): Now', (now: Now, zone: string) => now.in(zone))
    .registerVariable('now', 'Now');

/** A zone that is named and not there. `offset` is that of its name in the condition, in characters from 0. */
export function zoneFault(node: ASTNode): { readonly message: string; readonly offset: number } | undefined {
  if (node.op !== 'rcall' || node.args[0] !== 'at') return undefined;
  const zone = node.args[2][0];
  if (zone?.op !== 'value' || typeof zone.args !== 'string') return undefined;
  try {
    clockOf(zone.args);
    return undefined;
  } catch {
    return { message: `there is no zone "${zone.args}": write one like "Europe/Berlin"`, offset: zone.range.start };
  }
}
