/**
 * From a text to facts. Owns: what is remembered, and the texts that a text executes. Does not: how one statement is read (facts.ts).
 */
import type { Action, Facts, Parameter, StatementEffect } from '@sluice/contract';
import { type StatementFacts, factsOf } from './facts.js';
import { Unread } from './tokens.js';
import { type SqlReading, keyOf } from './reading.js';
import { comparedName } from './catalog/objects.js';
import { sessionChange, sessionEffect } from './session-change.js';
import { MAX_FOLLOWED_CHARACTERS, digestOf } from './digest.js';
import { tokensOf } from './lexer.js';
import { statementsIn, statementsOf } from './texts.js';
import type { Statement } from './tree.js';
import { templateOf } from './template.js';
import { Values, looks } from './values.js';
import { looksMasked } from '@sluice/masking';

/** What an analysis may depend on besides the text. */
export interface AnalysisContext {
  /** Bound values. Without them nothing runs, and parameters are taken for harmless. */
  readonly parameters?: readonly Parameter[] | undefined;
  /** The text that a prepared name stands for in this session. */
  readonly prepared?: (name: string) => string | undefined;
}

/** The analysis is remembered for texts up to this length, in characters, and for this many of them. */
const MAX_REMEMBERED_CHARACTERS = 16 * 1024;
const MAX_REMEMBERED_TEXTS = 2000;
/** Texts in texts: PREPARE of an EXECUTE of ... */
const MAX_EXECUTED_DEPTH = 4;
/** Of all texts that one text executes, each counted as often as it is executed. */
const MAX_EXECUTED_CHARACTERS = 64 * 1024;

/** What is known of a text, in each mode in which it was read. */
interface Known {
  readonly mode: string;
  readonly facts: Facts;
  readonly other: Known | undefined;
}

/** By text, and of all texts of a shape where no constant decided anything. */
const remembered = new Map<string, Known>();
const templates = new Map<string, Known>();
/** Only these have their values in constants and nowhere else. */
const PLAIN_VERBS: ReadonlySet<string> = new Set(['select', 'insert']);

/** Never throws: what cannot be understood comes back as `unknown`. */
export function analyze(text: string, reading: SqlReading, context: AnalysisContext = {}): Facts {
  const mode = keyOf(reading);
  const known = recall(remembered, mode, text);
  if (known) return known;
  // A constant that a mask has left decides something.
  const template = text.length <= MAX_REMEMBERED_CHARACTERS && !looksMasked(text) ? templateOf(text) : undefined;
  const alike = template === undefined ? undefined : recall(templates, mode, template);
  if (alike) {
    // What has no literals comes again as it is: a prepared statement.
    if (template === text) remember(remembered, mode, text, alike);
    return alike;
  }
  const looksBefore = looks.count;
  const analysis = new TextAnalysis(reading, context, 0, { left: MAX_EXECUTED_CHARACTERS });
  const facts = analysis.facts(text);
  if (analysis.contextual || text.length > MAX_REMEMBERED_CHARACTERS) return facts;
  const general = looks.count === looksBefore && facts.syntaxError === undefined && facts.actions.every(isPlain);
  if (template !== undefined && general) remember(templates, mode, template, facts);
  else remember(remembered, mode, text, facts);
  return facts;
}

/** A file's name is a constant that nobody looks at, and stands in the facts. */
const isPlain = ({ verb, resources }: Action): boolean =>
  PLAIN_VERBS.has(verb) && resources.every(({ type }) => type !== 'file');

function recall(memory: ReadonlyMap<string, Known>, mode: string, text: string): Facts | undefined {
  let known = memory.get(text);
  while (known !== undefined && known.mode !== mode) known = known.other;
  return known?.facts;
}

function remember(memory: Map<string, Known>, mode: string, text: string, facts: Facts): void {
  const before = memory.get(text);
  if (before === undefined && memory.size >= MAX_REMEMBERED_TEXTS) {
    const [oldest] = memory.keys();
    if (oldest !== undefined) memory.delete(oldest);
  }
  // Of any two modes at the most: who changes them with each statement gains nothing by this.
  const other = before && { ...before, other: undefined };
  memory.set(text, { mode, facts, other });
}

/** One analysis of one text. */
class TextAnalysis {
  /** The facts depend on more than the text. */
  contextual = false;
  readonly #reading: SqlReading;
  readonly #context: AnalysisContext;
  readonly #depth: number;
  /** Shared by the texts within each other. */
  readonly #characters: { left: number };
  /** Names of the session that were looked up. */
  readonly #executes = new Set<string>();

  constructor(reading: SqlReading, context: AnalysisContext, depth: number, characters: { left: number }) {
    this.#reading = reading;
    this.#context = context;
    this.#depth = depth;
    this.#characters = characters;
  }

  facts(text: string): Facts {
    try {
      const tokens = tokensOf(text, this.#reading);
      const statements = statementsIn(tokens);
      const facts = this.#read(statements);
      if (text.length <= MAX_FOLLOWED_CHARACTERS || statements.length !== 1) return facts;
      const digest = digestOf(tokens, statements[0]);
      return digest ? { ...facts, digest } : facts;
    } catch (error) {
      if (error instanceof Unread) return unread(error);
      // Deep trees exhaust the stack: the text is refused, the process goes on.
      return opaque(error instanceof RangeError ? 'is nested too deeply to be analysed' : 'could not be analysed');
    }
  }

  #read(statements: readonly Statement[]): Facts {
    const { parameters } = this.#context;
    const values = parameters ? Values.bound(parameters) : Values.unbound();
    const prepared: PreparedTexts = new Map();
    const effects = statements.map(sessionEffect);
    const read = statements.map((statement, index): StatementFacts => {
      const facts = factsOf(statement, index, this.#reading, values, {
        named: (name, given) => this.#named(comparedName(name), given, prepared),
        text: (text, given) => this.#text(text, given),
      });
      follow(prepared, effects[index]);
      return facts;
    });
    const forbidden = read.find((one) => one.forbidden !== undefined)?.forbidden;
    this.contextual ||= values.used;
    const actions = read.flatMap((one) => one.actions);
    const session = sessionChange(statements, actions);
    const writes = actions.some((action) => action.effects.includes('write'));
    return {
      actions,
      confidence: 'exact',
      statements: effects,
      ...(forbidden !== undefined && { forbidden }),
      ...(values.used && { parametric: true }),
      ...(this.#executes.size > 0 && { executes: [...this.#executes] }),
      ...(session && { session }),
      ...(writes && read.some((one) => one.masked) && { maskedConstant: true }),
    };
  }

  /** What EXECUTE would run: looked up among the PREPAREs of this text, then in the session. */
  #named(name: string, given: Values, inText: PreparedTexts): readonly Action[] | undefined {
    if (!inText.has(name)) {
      this.contextual = true;
      this.#executes.add(name);
    }
    const text = inText.has(name) ? inText.get(name) : this.#context.prepared?.(name);
    return text === undefined ? undefined : this.#text(text, given);
  }

  /** Of a text that is one statement, as PREPARE takes it. */
  #text(text: string, given: Values): readonly Action[] | undefined {
    this.#characters.left -= text.length;
    if (this.#depth >= MAX_EXECUTED_DEPTH || this.#characters.left < 0) return undefined;
    const inner = new TextAnalysis(this.#reading, this.#context, this.#depth + 1, this.#characters);
    const actions = inner.#actions(text, given);
    this.contextual ||= inner.contextual;
    for (const name of inner.#executes) this.#executes.add(name);
    return actions;
  }

  #actions(text: string, given: Values): readonly Action[] | undefined {
    let statements: readonly Statement[];
    try {
      statements = statementsOf(text, this.#reading);
    } catch (error) {
      if (error instanceof Unread) return undefined;
      throw error;
    }
    const [statement] = statements;
    if (!statement || statements.length > 1) return undefined;
    const { actions, forbidden } = factsOf(statement, 0, this.#reading, given, {
      named: (name, values) => this.#named(comparedName(name), values, new Map()),
      text: (inner, values) => this.#text(inner, values),
    });
    return forbidden === undefined ? actions : undefined;
  }
}

/** What the names stand for that this text has given; undefined for one that it took away. */
type PreparedTexts = Map<string, string | undefined>;

function follow(prepared: PreparedTexts, effect: StatementEffect | undefined): void {
  if (effect?.type === 'prepare') prepared.set(effect.name, effect.text);
  if (effect?.type === 'deallocate' && effect.name !== undefined) prepared.set(effect.name, undefined);
}

/** Positions count from 1. */
function unread({ message, at }: Unread): Facts {
  return { ...opaque(message), syntaxError: { message, position: at + 1 } };
}

/** Facts of a text of which nothing is known, and why: a phrase of which it is the subject. */
export function opaque(reason: string): Facts {
  return {
    actions: [{ statement: 0, depth: 0, verb: 'unknown', effects: ['unknown'], resources: [], reasons: [reason] }],
    confidence: 'opaque',
    statements: [{ type: 'none' }],
  };
}
