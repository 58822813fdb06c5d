/** Values that settings share: sizes, durations, secrets, files, keys. Owns: how each is written and read. */
import { inspect } from 'node:util';
import { parseKeyLine, parseKnownHosts } from '@sluice/keys';
import { z } from 'zod';
import { type ConfigSources, type ReadText, readPrivateText, readText } from './files.js';

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

const SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const TIMES = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Node's timers take a 32-bit number; what is longer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Bytes: a number, or a text such as `64MiB`. */
export const size = z
  .union([z.number(), z.string()], { error: 'write a size such as 64KiB, 16MiB or 1GiB' })
  .transform((value, context) => {
    const bytes = typeof value === 'number' ? value : inUnits(value, SIZES);
    if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
    context.addIssue({
      code: 'custom',
      message: `"${value}" is not a size`,
      params: { hint: 'Write 64KiB or 16MiB.' },
    });
    return z.NEVER;
  });

/** Milliseconds, from a text such as `10s`, `5m` or `12h`. */
export const duration = z.string({ error: 'write a duration such as 10s, 5m or 12h' }).transform(milliseconds);

/** As `duration`; 0 or `off` switch it off. */
export const durationOrOff = z
  .union([z.literal(0), z.string()], { error: 'write a duration such as 10s, 5m or 12h, or off' })
  .transform((value, context) => (value === 0 || value === 'off' ? 0 : milliseconds(value, context)));

/** Milliseconds of a duration in words; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  return text === '0' || text === 'off' ? 0 : inUnits(text, TIMES);
}

/** The text of a file that the configuration names. */
export const fileText = (outside: ConfigSources) =>
  z.string().transform((name, context) => {
    const text = readText(name, outside);
    if (text.type === 'read') return text.text;
    context.addIssue({ code: 'custom', message: text.message });
    return z.NEVER;
  });

/** The text of a file that nobody else on the machine may read. */
export const privateFileText = (outside: ConfigSources) =>
  z.string().transform((name, context) => {
    const text = readPrivateText(name, outside);
    if (text.type === 'read') return text.text;
    context.addIssue({ code: 'custom', message: text.message });
    return z.NEVER;
  });

/** A secret: in words, or where to find it. A reference is the whole value, so that half a secret is never one. */
export const secret = (outside: ConfigSources) =>
  z.string({ error: 'expected a text; put digits in quotes' }).transform((text, context) => {
    const found = findSecret(text, outside);
    if (found.type === 'read') return new Secret(found.text);
    context.addIssue({ code: 'custom', message: found.message });
    return z.NEVER;
  });

/** A public key of SSH, as a line of a `.pub` file. */
export const publicKey = z
  .string({ error: 'expected a text such as "ssh-ed25519 AAAA..."' })
  .transform((line, context) => {
    try {
      return parseKeyLine(line);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `this is no public key: ${(error as Error).message}` });
      return z.NEVER;
    }
  });

/** A `known_hosts` file. */
export const knownHosts = (outside: ConfigSources) =>
  fileText(outside).transform((text, context) => {
    try {
      return parseKnownHosts(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `the file cannot be used: ${(error as Error).message}` });
      return z.NEVER;
    }
  });

function findSecret(text: string, outside: ConfigSources): ReadText {
  const [, source, name = ''] = /^\$\{(env|file):([^{}]+)\}$/.exec(text) ?? [];
  if (source === undefined) {
    return text.includes('${')
      ? { type: 'failed', message: 'a secret reference is the whole value, "${env:NAME}" or "${file:/path}"' }
      : { type: 'read', text };
  }
  if (source === 'env') {
    const value = outside.env[name];
    return value ? { type: 'read', text: value } : { type: 'failed', message: `the environment has no ${name}` };
  }
  const file = readPrivateText(name, outside);
  if (file.type === 'failed') return file;
  // Editors and `echo` end a file with a line break, which is never meant.
  const value = file.text.replace(/\r?\n$/, '');
  return value ? { type: 'read', text: value } : { type: 'failed', message: `the file ${name} is empty` };
}

function milliseconds(text: string, context: z.core.$RefinementCtx): number {
  const time = inUnits(text, TIMES);
  if (time !== undefined && time > 0 && time <= MAX_TIMER_MS) return time;
  const why = time !== undefined && time > MAX_TIMER_MS ? 'is longer than 24 days' : 'is not a duration';
  context.addIssue({ code: 'custom', message: `"${text}" ${why}`, params: { hint: 'Write 10s, 5m or 12h.' } });
  return z.NEVER;
}

function inUnits(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

export const port = z.number().int().min(0).max(65535);

export const name = z.string().regex(/^[A-Za-z0-9][\w.@-]*$/, 'a name has letters, digits, "_", "-", "." and "@" only');

/** Days, so that nobody loses a record by a slip of the unit; Infinity for `off`. */
export const keep = z
  .string()
  .regex(/^([1-9]\d{0,4}d|off)$/, 'write days, such as 90d, or off for ever')
  .transform((days) => (days === 'off' ? Infinity : Number(days.slice(0, -1)) * 86_400_000));
