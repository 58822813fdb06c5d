import { inspect } from 'node:util';
import { z } from 'zod';

/** A secret from the configuration. Whatever prints it by accident prints a placeholder. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const TIMES = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Bytes: a number, or a text such as `64MiB`. */
export const size = z.union([z.number().int().nonnegative(), z.string()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseUnit(value, UNITS);
  if (bytes === undefined)
    context.addIssue({ code: 'custom', message: `"${value}" is not a size: write 64KiB, 16MiB or 1GiB` });
  return bytes ?? 0;
});

/** Milliseconds, from a text such as `10s`, `5m`, `12h`, `30d`. 0 or `off`: none. */
export const duration = z.union([z.literal(0), z.string()]).transform((value, context) => {
  const time = parseDuration(String(value));
  if (time === undefined)
    context.addIssue({ code: 'custom', message: `"${value}" is not a duration: write 10s, 5m, 12h or 30d` });
  return time ?? 0;
});

/** Milliseconds of a duration in words; undefined when it is none. */
export const parseDuration = (text: string): number | undefined =>
  text === '0' || text === 'off' ? 0 : parseUnit(text, TIMES);

function parseUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}
