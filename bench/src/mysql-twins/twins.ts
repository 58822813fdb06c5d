/**
 * Runs random scripts on two databases of MySQL or MariaDB that differ in masked values only, and looks for answers that differ. What
 * may differ is counted by name; anything else is a find.
 */
import type { Connection, FieldPacket, QueryError } from 'mysql2/promise';
import { ScriptGenerator, type Step } from './scripts.js';
import { type TwinOptions, openTwins } from './stand.js';

/** Why two answers may differ, as docs/security.md has it. */
const ALLOWED = {
  error: 'a statement failed on a masked value, in one database only or differently',
  order: 'the same rows came in another order, and nothing in the statement orders what differs',
  warnings: 'a function that a masked value did not suit warned about it: how often shows, and of what does not',
} as const;
type Allowed = keyof typeof ALLOWED;

export interface Find {
  readonly steps: readonly string[];
  readonly at: string;
  readonly one: string;
  readonly other: string;
}

export interface TwinTally {
  readonly seed: number;
  scripts: number;
  statements: number;
  /** Statements that a rule refused, and that failed alike. */
  refused: number;
  failed: number;
  readonly distinct: Set<string>;
  readonly allowed: Map<Allowed, number>;
  readonly finds: Find[];
  /** Errors of the server, with a statement each. */
  readonly errors: Map<string, string>;
}

export interface TwinRun extends TwinOptions {
  readonly seed: number;
  readonly seconds?: number;
  readonly scripts?: number;
  /** It ends once so many have been found. */
  readonly finds?: number;
}

const MAX_FINDS = 20;
const REFUSED = 1142;

export async function runTwins(run: TwinRun): Promise<TwinTally> {
  const { seed, seconds = Infinity, scripts = Infinity, finds = MAX_FINDS } = run;
  const tally: TwinTally = {
    seed,
    scripts: 0,
    statements: 0,
    refused: 0,
    failed: 0,
    distinct: new Set(),
    allowed: new Map(),
    finds: [],
    errors: new Map(),
  };
  const stand = await openTwins(run);
  try {
    const [one, other] = await stand.open();
    const generator = new ScriptGenerator(seed, run.flavour);
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end && tally.scripts < scripts && tally.finds.length < finds) {
      await compare(one, other, generator.script(), tally);
      // As a pool does it: variables, temporary tables and prepared statements are gone.
      await Promise.all([one.reset(), other.reset()]);
    }
    one.destroy();
    other.destroy();
  } finally {
    await stand.stop();
  }
  return tally;
}

/** Stops at the first difference: sessions that went apart stay so. */
async function compare(one: Connection, other: Connection, steps: readonly Step[], tally: TwinTally): Promise<void> {
  tally.scripts++;
  for (const step of steps) {
    tally.statements++;
    tally.distinct.add(step.text);
    const [mine, theirs] = await Promise.all([answerOf(one, step), answerOf(other, step)]);
    if (!mine.error && !theirs.error && mine.text === theirs.text) continue;
    if (mine.text === theirs.text) {
      if (mine.error?.errno === REFUSED) tally.refused++;
      else {
        tally.failed++;
        tally.errors.set(mine.error?.message.replaceAll(/'[^']*'|\d+/g, '?') ?? '', step.text);
      }
      continue;
    }
    const why = whyAllowed(step, mine, theirs);
    if (why) tally.allowed.set(why, (tally.allowed.get(why) ?? 0) + 1);
    else tally.finds.push({ steps: steps.map(({ text }) => text), at: step.text, one: mine.text, other: theirs.text });
    return;
  }
}

interface Given {
  /** All that the client was told, in words. */
  readonly text: string;
  readonly rows: readonly string[];
  readonly error?: { readonly errno: number | undefined; readonly message: string };
}

async function answerOf(connection: Connection, { text, how }: Step): Promise<Given> {
  try {
    const asked = { sql: text, rowsAsArray: true };
    const [rows, fields] = await (how === 'query' ? connection.query(asked) : connection.execute(asked));
    const columns = ((fields as FieldPacket[] | undefined) ?? []).map((one) => [
      one.name,
      one.type,
      one.flags,
      one.decimals,
      one.columnLength,
      one.orgTable,
    ]);
    const list = Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)) : [JSON.stringify(rows)];
    return { text: [JSON.stringify(columns), ...list].join('\n'), rows: list };
  } catch (error) {
    const { errno, message } = error as QueryError;
    return { text: `error ${errno} ${message}`, rows: [], error: { errno, message } };
  }
}

function whyAllowed({ text }: Step, one: Given, other: Given): Allowed | undefined {
  const failed = [one, other].filter(({ error }) => error && error.errno !== REFUSED);
  if (failed.length > 0) return 'error';
  if (/^(?:show warnings|select @@warning_count)/.test(text)) return 'warnings';
  if (one.rows.length === 0 || outermost(text).includes('order by')) return undefined;
  const isSame = one.rows.toSorted().join('\n') === other.rows.toSorted().join('\n');
  // A window goes over rows that its order leaves equal as they come: then its values are the same, and belong to others of these rows.
  const isSameByColumn = text.includes(' over (') && byColumn(one.rows) === byColumn(other.rows);
  return isSame || isSameByColumn ? 'order' : undefined;
}

/** The values of each column, whichever rows they are in. */
function byColumn(rows: readonly string[]): string {
  const values = rows.map((row) => JSON.parse(row) as unknown[]);
  const columns = (values[0] ?? []).map((_, at) => values.map((row) => JSON.stringify(row[at])).toSorted());
  return JSON.stringify(columns);
}

/** Without what stands in parentheses: an ORDER BY in there promises nothing of the order in which rows come. */
function outermost(text: string): string {
  const inner = /\([^()]*\)/g;
  let rest = text;
  for (let last = ''; rest !== last; ) [last, rest] = [rest, rest.replaceAll(inner, '')];
  return rest;
}

/** Figures in words. */
export function twinSummary({
  seed,
  scripts,
  statements,
  refused,
  failed,
  distinct,
  allowed,
  finds,
}: TwinTally): string {
  const share = (part: number): string => `${((100 * part) / Math.max(statements, 1)).toFixed(1)} %`;
  return [
    `seed ${seed}: ${scripts} scripts of ${statements} statements, ${distinct.size} distinct, ${share(refused)} refused by a rule, ${share(failed)} failed in both alike`,
    ...(Object.keys(ALLOWED) as Allowed[]).map(
      (kind) => `answers differ ${allowed.get(kind) ?? 0} times because ${ALLOWED[kind]}`,
    ),
    `${finds.length} answers differ that may not`,
  ].join('\n');
}

/** A find with all that is needed to see it again. */
export const findInWords = ({ steps, at, one, other }: Find): string =>
  `FOUND ${at}\nin ${steps.join('; ')}\n  one:   ${one.replaceAll('\n', '\n         ')}\n  other: ${other.replaceAll('\n', '\n         ')}`;
