/**
 * Runs random scripts on two databases that differ in masked values only, and looks for answers that differ. What may differ
 * is counted by name; anything else is a find.
 */
import { type Message, LineLost, Line, fieldOf, inWords, messagesOf } from './line.js';
import { type Script, ScriptGenerator } from './generate.js';
import { type TwinOptions, type TwinStand, openTwins } from './stand.js';
import { FEATURES, type Feature } from './vocabulary.js';

/** Why two answers may differ, as docs/security.md has it. */
const ALLOWED = {
  equality: 'the script asks for a whole value, as the sample policy allows',
  error: 'a statement failed on a masked value, in one database only or differently',
  order: 'the same rows came in another order, and nothing in the statement orders or compares what differs',
  plan: 'the planner chose another plan by what it knows of the tables, and EXPLAIN shows it',
  time: 'an answer took too long or was too large',
} as const;
export type Allowed = keyof typeof ALLOWED;

export interface Find {
  readonly steps: readonly string[];
  /** The statement whose answers differ, and both answers in words. */
  readonly at: string;
  readonly one: string;
  readonly other: string;
}

export interface TwinTally {
  readonly seed: number;
  scripts: number;
  statements: number;
  /** Scripts of which a statement was refused by a rule, and of which one failed with the same error in both databases. */
  refused: number;
  failed: number;
  readonly features: Map<Feature, number>;
  /** Scripts with at least one of the features by which a value can show. */
  telling: number;
  readonly allowed: Map<Allowed, number>;
  readonly finds: Find[];
  /** Some of the errors of the server, with a script each. */
  readonly errors: Map<string, string>;
}

export interface TwinRun extends TwinOptions {
  readonly seed: number;
  readonly seconds?: number;
  readonly scripts?: number;
  /** It ends once so many have been found. */
  readonly finds?: number;
  /** Called now and then with what has been found so far. */
  readonly onProgress?: (tally: TwinTally) => void;
}

const WORKERS = 3;
/**
 * After so many scripts server, gateway and journal are made anew. Rows that were rolled back stay in their pages: by tens of
 * thousands of scripts the longer values of one database fill more of them, and its plans become others.
 */
const SCRIPTS_PER_STAND = 10_000;
const MAX_FINDS = 20;
const MAX_ERRORS = 40;
const PROGRESS_MS = 30_000;
const REFUSED = '42501';
const TIMED_OUT = new Set(['57014', '53400']);
const TELLING: ReadonlySet<Feature> = new Set([
  'condition',
  'join',
  'window',
  'set operation',
  'set-returning function',
  'CASE',
  'array',
  'JSON',
]);

export async function runTwins(run: TwinRun): Promise<TwinTally> {
  const { seed, seconds = Infinity, scripts = Infinity, finds = MAX_FINDS, onProgress } = run;
  const tally: TwinTally = {
    seed,
    scripts: 0,
    statements: 0,
    refused: 0,
    failed: 0,
    features: new Map(),
    telling: 0,
    allowed: new Map(),
    finds: [],
    errors: new Map(),
  };
  // Counted from the first script: to start servers may take a while.
  let end = Infinity;
  const isOver = (): boolean => performance.now() >= end || tally.scripts >= scripts || tally.finds.length >= finds;
  const generator = new ScriptGenerator(seed, run.major);
  const timer = setInterval(() => onProgress?.(tally), PROGRESS_MS);
  try {
    while (!isOver()) {
      const stand = await openTwins(run);
      end = Math.min(end, performance.now() + seconds * 1000);
      try {
        const last = tally.scripts + SCRIPTS_PER_STAND;
        const work = (): Promise<void> => runWorker(stand, generator, tally, () => isOver() || tally.scripts >= last);
        await Promise.all(Array.from({ length: WORKERS }, work));
      } finally {
        await stand.stop();
      }
    }
  } finally {
    clearInterval(timer);
  }
  return tally;
}

/** The lines of one worker; made anew where one is lost. */
interface Lines {
  readonly one: Line;
  readonly other: Line;
}

async function runWorker(
  stand: TwinStand,
  generator: ScriptGenerator,
  tally: TwinTally,
  isOver: () => boolean,
): Promise<void> {
  let lines: Lines | undefined;
  while (!isOver()) {
    lines ??= { one: await Line.open(stand.twins[0]), other: await Line.open(stand.twins[1]) };
    const script = generator.script();
    count(tally, script);
    const { one, other } = lines;
    const run = async (): Promise<boolean> => {
      const [mine, theirs] = await both({ one, other }, textsOf(script));
      return judge(stand, tally, script, mine, theirs);
    };
    try {
      if (await (counts(script) ? inTurn(run) : run())) continue;
    } catch (error) {
      if (!(error instanceof LineLost)) throw error;
      allow(tally, 'time');
    }
    // Sessions that went apart stay so: what is told once in a session was told in one of them only.
    lines.one.close();
    lines.other.close();
    lines = undefined;
  }
  lines?.one.close();
  lines?.other.close();
}

/** What a sequence says is the same for all sessions, so that scripts which count have it for themselves. */
const counts = ({ steps }: Script): boolean => steps.some((step) => step.includes('counter'));

let turn: Promise<unknown> = Promise.resolve();

function inTurn<T>(run: () => Promise<T>): Promise<T> {
  const mine = turn.then(run);
  turn = mine.catch(() => undefined);
  return mine;
}

async function both(
  { one, other }: Lines,
  texts: readonly string[],
): Promise<readonly (readonly Buffer[])[] & { 0: readonly Buffer[]; 1: readonly Buffer[] }> {
  const [mine, theirs] = await Promise.allSettled([one.ask(texts), other.ask(texts)]);
  if (mine.status === 'rejected') throw mine.reason as Error;
  if (theirs.status === 'rejected') throw theirs.reason as Error;
  return [mine.value, theirs.value];
}

/** A script changes nothing that the next one sees. */
const textsOf = ({ steps }: Script): string[] => [
  'begin',
  ...steps,
  'rollback',
  // A rollback leaves prepared statements.
  ...(steps[0]?.startsWith('prepare') === true ? ['deallocate all'] : []),
];

function count(tally: TwinTally, { steps, features }: Script): void {
  tally.scripts++;
  tally.statements += steps.length;
  for (const feature of features) tally.features.set(feature, (tally.features.get(feature) ?? 0) + 1);
  if ([...features].some((feature) => TELLING.has(feature))) tally.telling++;
}

const allow = (tally: TwinTally, kind: Allowed): void => {
  tally.allowed.set(kind, (tally.allowed.get(kind) ?? 0) + 1);
};

/** Whether the answers are the same. */
async function judge(
  stand: TwinStand,
  tally: TwinTally,
  script: Script,
  mine: readonly Buffer[],
  theirs: readonly Buffer[],
): Promise<boolean> {
  const first = mine.findIndex(
    (answer, at) => !answer.equals(theirs[at] ?? NOTHING) && !sameInWords(answer, theirs[at] ?? NOTHING),
  );
  if (first < 0) {
    const error = mine.map(errorOf).find((one) => one !== undefined);
    if (!error) return true;
    const code = fieldOf(error.body, 'C');
    if (code === REFUSED) tally.refused++;
    else {
      tally.failed++;
      if (tally.errors.size < MAX_ERRORS)
        tally.errors.set(`${code} ${fieldOf(error.body, 'M')}`, script.steps.join('; '));
    }
    return true;
  }
  await countDifference(stand, tally, script, first, [mine[first] ?? NOTHING, theirs[first] ?? NOTHING]);
  return false;
}

async function countDifference(
  stand: TwinStand,
  tally: TwinTally,
  script: Script,
  first: number,
  answers: readonly [Buffer, Buffer],
): Promise<void> {
  const codes = answers.map((answer) => fieldOf(errorOf(answer)?.body ?? NOTHING, 'C'));
  if (codes.some((code) => TIMED_OUT.has(code))) return allow(tally, 'time');
  if (codes.some((code) => code !== '' && code !== REFUSED)) return allow(tally, 'error');
  if (await asksEquality(stand, script, first)) return allow(tally, 'equality');
  const at = textsOf(script)[first] ?? '';
  if (sameButOrder(...answers) && (!COMPARING.test(at) || (await sameWhenSorted(stand, script, first))))
    return allow(tally, 'order');
  // Without costs, and without running it, the lines have nothing but the statement's own words.
  if (at.startsWith('explain (costs off)')) return allow(tally, 'plan');
  const [one, other] = answers.map((answer) => messagesOf(answer).map(inWords).join('\n')) as [string, string];
  tally.finds.push({ steps: script.steps, at, one, other });
}

const NOTHING = Buffer.alloc(0);

const sameInWords = (one: Buffer, other: Buffer): boolean => {
  const [mine, theirs] = [messagesOf(one), messagesOf(other)];
  return (
    mine.length === theirs.length && mine.every((message, at) => inWords(message) === inWords(theirs[at] as Message))
  );
};

const COMPARING = /order by|group by|distinct|over \(|union (?!all)|intersect|except/;

const sameButOrder = (one: Buffer, other: Buffer): boolean => {
  const [mine, theirs] = [one, other].map((answer) => messagesOf(answer).map(inWords).toSorted().join('\n'));
  return mine === theirs;
};

/** Plans that sort what they compare: their rows come in the order of the compared values, not in that of the tables. */
const SORTED = ['set local enable_hashagg = off', 'set local enable_hashjoin = off'];

/**
 * Whether the order no longer differs where the server has to sort what it compares. So it is for values that are the same in
 * both databases; masked ones among them would sort differently.
 */
async function sameWhenSorted(stand: TwinStand, script: Script, first: number): Promise<boolean> {
  const [begin = 'begin', ...rest] = textsOf(script);
  const texts = [begin, ...SORTED, ...rest];
  const answers = await Promise.all(
    stand.twins.map(async (twin) => {
      const line = await Line.open(twin);
      try {
        return (await line.ask(texts))[first + SORTED.length] ?? NOTHING;
      } catch (error) {
        if (!(error instanceof LineLost)) throw error;
        return NOTHING;
      } finally {
        line.close();
      }
    }),
  );
  const [one = NOTHING, other = NOTHING] = answers;
  return one.length > 0 && other.length > 0 && errorOf(one) === undefined && sameInWords(one, other);
}

const errorOf = (answer: Buffer): Message | undefined => messagesOf(answer).find(({ tag }) => tag === 'E');

/** Whether the script is refused where nothing may ask, up to the answer that differs. */
async function asksEquality(stand: TwinStand, script: Script, last: number): Promise<boolean> {
  const line = await Line.open(stand.strict);
  try {
    const answers = await line.ask(textsOf(script));
    return answers.slice(0, last + 1).some((answer) => {
      const error = errorOf(answer);
      return error !== undefined && fieldOf(error.body, 'C') === REFUSED;
    });
  } catch (error) {
    if (!(error instanceof LineLost)) throw error;
    return false;
  } finally {
    line.close();
  }
}

/** Figures in words, as many lines as there are kinds. */
export function twinSummary({
  seed,
  scripts,
  statements,
  refused,
  failed,
  features,
  telling,
  allowed,
  finds,
}: TwinTally): string {
  const share = (part: number): string => `${((100 * part) / Math.max(scripts, 1)).toFixed(1)} %`;
  return [
    `seed ${seed}: ${scripts} scripts of ${statements} statements, ${share(refused)} refused by a rule, ${share(failed)} failed in both alike`,
    `telling ${share(telling)}: ${FEATURES.map((feature) => `${feature} ${share(features.get(feature) ?? 0)}`).join(', ')}`,
    ...(Object.keys(ALLOWED) as Allowed[]).map(
      (kind) => `answers differ ${allowed.get(kind) ?? 0} times because ${ALLOWED[kind]}`,
    ),
    `${finds.length} answers differ that may not`,
  ].join('\n');
}

/** A find with all that is needed to see it again. */
export const findInWords = ({ steps, at, one, other }: Find): string =>
  `FOUND ${at}\nin ${steps.join('; ')}\n  one:   ${one.replaceAll('\n', '\n         ')}\n  other: ${other.replaceAll('\n', '\n         ')}`;
