/**
 * What rules ask of the target before a command is judged: how many rows it would touch, and which tables its names mean. Owns: for
 * which actions there is an answer, that none tells of masked columns, and how many estimates are made at a time. Does not own: how they
 * are made (estimate.ts), nor the tables behind a name (masks/meant.ts).
 */
import { FairQueue, type MaskPlan, type MaskPlanner } from '@sluice/analysis';
import type { Action, Facts, Lookup, SqlCommand } from '@sluice/contract';
import {
  type CompiledPolicy,
  type PolicyContext,
  type TargetAnswers,
  type TableSize,
  type TargetAttribute,
  Unanswered,
} from '@sluice/guardrails';
import { type RowEstimate, estimateRows } from './estimate.js';
import { NO_SIZE, type TableSizes, changedNames, largest, tableSizes } from './table-size.js';

/** How long one estimate may take together with its turn, in milliseconds. */
const MAX_ESTIMATE_MS = 3_000;
/** More would take connections from sessions. */
const MAX_ESTIMATES_AT_ONCE = 4;
/** Of one person: a program that asks for more at a time has no answer for them. */
const MAX_WAITING_OF_ONE = 50;

/** Estimates of all sessions: a few at a time, and whose turn it is who has fewest waiting. */
export class Estimates {
  readonly #waiting = new FairQueue<() => void>();
  #running = 0;

  /** Never rejects. */
  async rowsOf(owner: string, open: () => Promise<Lookup>, command: SqlCommand, facts: Facts): Promise<RowEstimate> {
    if (command.dialect.name !== 'postgres') return { unknown: 'targets of this protocol are not asked for one' };
    return this.#inTurn(owner, open, (lookup) => estimateRows(lookup, command, facts));
  }

  /** The sizes of tables, by the names that are given; of what is no table there is none. Never rejects. */
  sizesOf(
    owner: string,
    open: () => Promise<Lookup>,
    names: readonly string[],
  ): Promise<TableSizes | { readonly unknown: string }> {
    return this.#inTurn(owner, open, (lookup) => tableSizes(lookup, names));
  }

  async #inTurn<T>(
    owner: string,
    open: () => Promise<Lookup>,
    look: (lookup: Lookup) => Promise<T>,
  ): Promise<T | { readonly unknown: string }> {
    if (this.#waiting.sizeOf(owner) >= MAX_WAITING_OF_ONE) return { unknown: 'too many of yours wait for one' };
    const late = Promise.withResolvers<{ readonly unknown: string }>();
    const timer = setTimeout(() => late.resolve({ unknown: 'the target took too long' }), MAX_ESTIMATE_MS);
    let isOver = false;
    const asked = async (): Promise<T | { readonly unknown: string }> => {
      await this.#turn(owner);
      try {
        return isOver ? { unknown: 'the target took too long' } : await ask(open, look);
      } finally {
        this.#running--;
        this.#next();
      }
    };
    try {
      return await Promise.race([asked(), late.promise]);
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  #turn(owner: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(owner, resolve);
    this.#next();
    return promise;
  }

  #next(): void {
    if (this.#running >= MAX_ESTIMATES_AT_ONCE) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#running++;
    next();
  }
}

async function ask<T>(
  open: () => Promise<Lookup>,
  look: (lookup: Lookup) => Promise<T>,
): Promise<T | { readonly unknown: string }> {
  let lookup: Lookup | undefined;
  try {
    lookup = await open();
    return await look(lookup);
  } catch {
    // What the target says may quote a value.
    return { unknown: 'the target cannot plan it' };
  } finally {
    lookup?.close();
  }
}

/** What a session needs for its rules to ask the target. */
export interface TargetQuestions {
  readonly estimates: Estimates;
  /** The person whose turn it is. */
  readonly owner: string;
  /** A connection of the gateway's own to the target. */
  open(): Promise<Lookup>;
  /** Names mean to a connection of the gateway's own what they mean to the session. */
  sameNames(): boolean;
}

/**
 * The context with what rules need to know of a command. An estimate of rows that masked columns decide would tell them: what the
 * statement asks of them is known first, and counted whatever the rules say of the estimate. Rejects when the catalog of the target
 * cannot be read.
 *
 * @param count counts with what masked columns are compared; absent: nobody is counted, so that nothing is told of them
 */
export async function askFor(
  policy: CompiledPolicy,
  needed: ReadonlySet<TargetAttribute>,
  command: SqlCommand,
  facts: Facts,
  context: PolicyContext,
  from: {
    readonly questions: TargetQuestions | undefined;
    readonly planner: MaskPlanner | undefined;
    readonly count?: (compared: MaskPlan['compared']) => number;
  },
): Promise<PolicyContext> {
  const { questions, planner, count } = from;
  const mayTell = needed.has('estimated_rows') && command.phase === 'run' && policy.masks;
  const masks = mayTell ? policy.masksOf(facts, command.text, context) : [];
  const plan = mayTell ? await planner?.plan(command, facts, masks) : undefined;
  const { asked = [], moved = [] } = plan?.use ?? {};
  const masked =
    plan && count && asked.length + moved.length > 0 ? { asked, moved, guesses: count(plan.compared) } : undefined;
  const tells = asked.some((kind) => kind === 'other' || !count);
  const target = await askTarget(needed, command, facts, tells ? TELLS_MASKED : questions, planner, questions);
  return { ...context, target, ...(masked && { masked }) };
}

/** Of a statement whose conditions are on masked columns: nobody is asked how many rows they select. */
const TELLS_MASKED: unique symbol = Symbol('tells masked');

/** Asks the target what rules need to know of a command. Nothing runs when it is prepared, so that nothing is asked then. */
async function askTarget(
  needed: ReadonlySet<TargetAttribute>,
  command: SqlCommand,
  facts: Facts,
  questions: TargetQuestions | typeof TELLS_MASKED | undefined,
  names: MaskPlanner | undefined,
  asked: TargetQuestions | undefined,
): Promise<TargetAnswers> {
  if (command.phase === 'prepare') return { estimatedRows: () => 0, meantTables: () => [], tableSize: () => NO_SIZE };
  const [rows, tables, sizes] = await Promise.all([
    needed.has('estimated_rows') ? rowsOf(command, facts, questions) : undefined,
    needed.has('meant_tables') ? names?.meant?.(command, facts) : undefined,
    SIZES.some((one) => needed.has(one)) ? sizesOf(command, facts, asked) : undefined,
  ]);
  return {
    // What PREPARE is given is run by EXECUTE, and judged again then.
    estimatedRows: (action) => (isPrepared(facts, action) ? 0 : estimateFor(action, rows)),
    meantTables: ({ statement }) => {
      const meant = tables?.[statement];
      if (meant) return meant;
      throw new Unanswered('A rule asks which tables this statement means, and that is not known.');
    },
    tableSize: (action) => sizeFor(action, sizes),
  };
}

const SIZES: readonly TargetAttribute[] = ['table_rows', 'table_bytes', 'table_traffic'];

/** The sizes of all tables that a text changes or defines, whatever masked columns its conditions are on: they say nothing of rows. */
async function sizesOf(
  command: SqlCommand,
  facts: Facts,
  questions: TargetQuestions | undefined,
): Promise<TableSizes | { readonly unknown: string }> {
  const names = facts.actions.flatMap(changedNames);
  if (names.length === 0) return new Map();
  if (command.dialect.name !== 'postgres') return { unknown: 'targets of this protocol are not asked' };
  if (!questions) return { unknown: 'the target is not asked here' };
  if (!questions.sameNames()) return { unknown: 'the session has changed what names mean' };
  return questions.estimates.sizesOf(questions.owner, questions.open, names);
}

function sizeFor(action: Action, sizes: TableSizes | { readonly unknown: string } | undefined): TableSize {
  const names = changedNames(action);
  if (names.length === 0) return NO_SIZE;
  if (!sizes || 'unknown' in sizes)
    throw new Unanswered(
      `A rule asks how large a table is, and that is not known: ${sizes?.unknown ?? 'nobody was asked'}.`,
    );
  return largest(names.map((name) => sizes.get(name) ?? NO_SIZE));
}

async function rowsOf(
  command: SqlCommand,
  facts: Facts,
  questions: TargetQuestions | typeof TELLS_MASKED | undefined,
): Promise<RowEstimate | undefined> {
  if (!facts.actions.some((action) => isPlanned(action) && !isPrepared(facts, action))) return undefined;
  if (!questions) return { unknown: 'the target is not asked for one here' };
  if (questions === TELLS_MASKED) return { unknown: 'it would tell something of masked columns' };
  if (!questions.sameNames()) return { unknown: 'the session has changed what names mean' };
  return questions.estimates.rowsOf(questions.owner, questions.open, command, facts);
}

const isPrepared = ({ statements }: Facts, { statement }: Action): boolean => statements[statement]?.type === 'prepare';

const CHANGES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'merge']);
const isPlanned = ({ verb, explainOnly }: Action): boolean =>
  explainOnly !== true && (CHANGES.has(verb) || verb === 'select');

/** What reads or changes no rows has none of them. What does, and is not planned, has no estimate. */
function estimateFor(action: Action, rows: RowEstimate | undefined): number {
  const { verb, effects, resources, explainOnly } = action;
  if (explainOnly) return 0;
  if (isPlanned(action) && rows && 'changed' in rows) return verb === 'select' ? rows.returned : rows.changed;
  if (isPlanned(action)) throw noEstimate(rows && 'unknown' in rows ? rows.unknown : 'nobody was asked for one');
  const reads = effects.includes('read') && resources.some(({ type }) => type === 'table');
  if (!reads && !effects.some((effect) => TOUCHING.has(effect))) return 0;
  throw noEstimate(`there is none for ${verb}`);
}
const TOUCHING: ReadonlySet<string> = new Set(['write', 'destroy', 'execute', 'unknown']);

const noEstimate = (why: string): Unanswered =>
  new Unanswered(`A rule asks how many rows this statement would touch, and there is no estimate: ${why}.`);
