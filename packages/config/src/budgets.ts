/**
 * What a rule says about how much: budgets, bounds of one answer, tripwires. Owns: their shape in the file, and what it becomes. Does not:
 * count (packages/budgets).
 */
import {
  BUDGET_SHARES,
  DETECTORS,
  TRIPS,
  type BoundRule,
  type BudgetRule,
  COMMAND_UNITS,
  type HoldRule,
  type TripwireRule,
} from '@sluice/contract';
import { z } from 'zod';
import { duration, durationOrOff, size } from './values.js';

const MIN_WINDOW_MS = 60_000;
const MAX_WINDOW_MS = 86_400_000;
/** So long after its first table nobody is frozen for others. */
const LEARN_MS = 86_400_000;
/** Different people that it takes at least to freeze a connection. */
const MIN_PEOPLE = 2;

const amount = z.number().positive().optional();
const whole = z.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional();

const zone = z.string().refine(isZone, { error: 'there is no such zone: write one like "Europe/Berlin"' });
const window = duration.refine((length) => length >= MIN_WINDOW_MS && length <= MAX_WINDOW_MS, {
  error: 'a time of 1m to 24h',
});

/** `hold`: the shape of a hold, which release.ts has parts of; `column`: of the name of a column, as masks have it. */
export const budgetOf = <Hold extends z.ZodType>(hold: Hold, column: z.ZodType<string>) =>
  z
    .strictObject({
      per: z
        .array(z.enum(BUDGET_SHARES))
        .default(['principal'])
        .describe(
          'each of these has one of its own; []: all share it. principal: agents use up what their owner has; agent: each by itself',
        ),
      within: z
        .union([z.literal('day'), z.strictObject({ day: zone }), window], {
          error: 'write day, { day: "Europe/Berlin" } or a time such as 1h',
        })
        .default('day')
        .describe('day: a calendar day of UTC; { day: ZONE }: of a zone; or a time up to now, such as 1h'),
      requests: amount.describe('calls of language models'),
      tokens: amount.describe('tokens of their prompts and answers'),
      cost: amount.describe('by the prices of the connection (llm.prices)'),
      statements: whole.describe('statements, command lines and requests'),
      rows: whole.describe('rows that are given out'),
      bytes: size.optional().describe('bytes of answers that are given out'),
      time: duration.optional().describe('time that commands take at the target'),
      at_once: whole.describe('commands that run at a time'),
      logins: whole.describe('sessions that are opened'),
      distinct: whole.describe('different values of "columns" and "detect" that are shown unmasked'),
      columns: z.array(column).min(1).optional().describe('of distinct: columns, wherever a query takes their values'),
      detect: z.array(z.enum(COUNTED)).min(1).optional().describe('of distinct: values that look like one of these'),
      ask: z.string().min(1).max(200).optional().describe('whom to ask where nothing is left, for people'),
      hold: hold.optional().describe('have people release what there is no room for'),
    })
    .superRefine((wanted, context) => {
      const say = (message: string): void => context.addIssue({ code: 'custom', message });
      const own = OF_COMMANDS.some((unit) => wanted[unit] !== undefined);
      if (!own && OF_MODELS.every((unit) => wanted[unit] === undefined))
        say(
          'a budget needs "requests", "tokens" or "cost", or "statements", "rows", "bytes", "time", "at_once", "logins" or "distinct"',
        );
      const isNamed = wanted.columns !== undefined || wanted.detect !== undefined;
      if (isNamed !== (wanted.distinct !== undefined))
        say('"distinct" counts the values of "columns" or "detect", and these are for nothing else');
      if (own && wanted.per.includes('model')) say('only calls of language models are counted by model');
      if (wanted.hold !== undefined && wanted.statements === undefined && wanted.at_once === undefined)
        say('people release commands before they run: "hold" needs "statements" or "at_once"');
    });

const OF_COMMANDS = COMMAND_UNITS;
/** Of a key over many lines no two texts need be the same. */
const COUNTED = DETECTORS.filter((detector) => detector !== 'private_key');
const OF_MODELS = ['requests', 'tokens', 'cost'] as const;

/** Keys of a rule that bounds each answer. */
export const bounds = {
  max_rows: whole.describe('an answer with more rows fails there'),
  max_bytes: size.optional().describe('an answer with more bytes fails there'),
  timeout: duration
    .optional()
    .describe('a command that takes longer is cancelled at the target, whatever the session sets'),
};

export const tripwire = z
  .strictObject({
    refusals: whole.describe('commands that were refused'),
    guesses: whole.describe('values that masked columns were compared with'),
    failed_logins: whole.describe('logins that were refused of somebody who had proven who they are'),
    budget_ends: whole.describe('commands that a budget had no room for'),
    new_tables: whole.describe('tables that the principal has never touched before at this connection'),
    learn: durationOrOff
      .optional()
      .describe('of new_tables: so long after the first one nothing is counted, 24h unless it says otherwise'),
    within: window.prefault('10m').describe('the time in which so many of them freeze'),
    freeze: z
      .enum(['principal', 'owner', 'connection'])
      .default('principal')
      .describe('owner: an agent with all agents of its owner'),
    people: z
      .number()
      .int()
      .min(MIN_PEOPLE)
      .max(1_000)
      .default(3)
      .describe('of a connection: how many different people it takes'),
  })
  .superRefine(({ freeze, people, ...wanted }, context) => {
    const amounts = TRIPS.flatMap((trip) => wanted[trip] ?? []);
    const say = (message: string): void => context.addIssue({ code: 'custom', message });
    if (amounts.length === 0)
      say('a tripwire needs "refusals", "guesses", "failed_logins", "budget_ends" or "new_tables"');
    if (wanted.learn !== undefined && wanted.new_tables === undefined) say('"learn" is for "new_tables"');
    if (freeze === 'connection' && amounts.some((one) => one < people))
      say(`each of its ${people} people has to count: amounts below "people" cannot freeze a connection`);
  });

type WrittenBudget = Omit<z.output<ReturnType<typeof budgetOf>>, 'hold'>;
type WrittenBounds = { readonly [Key in keyof typeof bounds]?: z.output<(typeof bounds)[Key]> };

export function toBudget({ per, within, ask, ...amounts }: WrittenBudget, hold: HoldRule | undefined): BudgetRule {
  return {
    type: 'budget',
    per,
    ...given(amounts),
    ...(ask !== undefined && { ask }),
    ...(within !== 'day' && {
      within:
        typeof within === 'number'
          ? { type: 'sliding' as const, lengthMs: within }
          : { type: 'day' as const, zone: within.day },
    }),
    ...(hold && { hold }),
  };
}

/** Undefined: the rule bounds nothing. */
export function toBound({
  max_rows: maxRows,
  max_bytes: maxBytes,
  timeout: timeoutMs,
}: WrittenBounds): BoundRule | undefined {
  if (maxRows === undefined && maxBytes === undefined && timeoutMs === undefined) return undefined;
  return { type: 'bound', ...given({ maxRows, maxBytes, timeoutMs }) };
}

export const toTripwire = ({ within, learn, freeze, people, ...trips }: z.output<typeof tripwire>): TripwireRule => ({
  type: 'tripwire',
  withinMs: within,
  ...(trips.new_tables !== undefined && { learnMs: learn ?? LEARN_MS }),
  freeze,
  people,
  ...given(trips),
});

type Given<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without what is not there. */
const given = <T extends object>(of: T): Given<T> =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as Given<T>;

function isZone(text: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
