/**
 * A text to facts, for one major version. Owns: what is remembered, and EXECUTE. Does not: read statements (statements.ts).
 * Pure but for its memory.
 */
import type { Action, Facts, Parameter, PostgresDialect } from '@sluice/contract';
import { looksMasked } from '@sluice/masking';
import { type NodeFields, type Node, isFields, looks, nodeOf, text as textOf } from './ast.js';
import { tooLong } from './costly.js';
import { digestOf } from './digest.js';
import { type Parse, loadGrammar } from './grammar.js';
import { sessionChange } from './session-change.js';
import { type StatementFacts, readStatement } from './statements.js';
import { templateOf } from './template.js';
import { Values } from './values.js';

/** What an analysis may depend on besides the text. */
export interface AnalysisContext {
  /** Bound values. Without them nothing runs, and parameters are taken for harmless. */
  readonly parameters?: readonly Parameter[] | undefined;
  /** The text that a prepared name stands for in this session. */
  readonly prepared?: (name: string) => string | undefined;
  /** With what masks follow the text by, where that is long: for threads that hold up nobody. */
  readonly digests?: true;
}

/** What a command says of its language. `major`: the version of the grammar. */
export const dialectOf = (major: number): PostgresDialect => ({ name: 'postgres', major });

export interface Analyzer {
  readonly major: number;
  /** The grammar ran out of stack once: whoever can should take a new one. */
  readonly exhausted: boolean;
  /** Never throws: what cannot be understood comes back as `unknown`. */
  analyze(text: string, context?: AnalysisContext): Facts;
}

/** The analysis is remembered for texts up to this length, in characters, and for this many of them. */
const MAX_REMEMBERED_CHARACTERS = 16 * 1024;
const MAX_REMEMBERED_TEXTS = 2000;
/** EXECUTE of an EXECUTE of ...: the server allows one level, since PREPARE takes no EXECUTE. */
const MAX_EXECUTED_DEPTH = 4;

const loading = new Map<number, Promise<Analyzer>>();

/** The analyzer for a major version of PostgreSQL; made once and shared. Rejects for a version it has no grammar for. */
export function loadPostgres(major: number): Promise<Analyzer> {
  let analyzer = loading.get(major);
  if (!analyzer) {
    analyzer = loadGrammar(major).then((parse) => new PostgresAnalyzer(major, parse));
    loading.set(major, analyzer);
  }
  return analyzer;
}

class PostgresAnalyzer implements Analyzer {
  readonly major: number;
  exhausted = false;
  readonly #parse: Parse;
  readonly #remembered = new Map<string, Facts>();
  /** Facts of all texts of a shape, where no constant decided anything. */
  readonly #templates = new Map<string, Facts>();

  constructor(major: number, parse: Parse) {
    this.major = major;
    this.#parse = parse;
  }

  analyze(text: string, context: AnalysisContext = {}): Facts {
    const known = this.#remembered.get(text);
    if (known) return known;
    // A constant that a mask has left decides something.
    const template = text.length <= MAX_REMEMBERED_CHARACTERS && !looksMasked(text) ? templateOf(text) : undefined;
    const alike = template === undefined ? undefined : this.#templates.get(template);
    if (alike) return alike;
    const looksBefore = looks.count;
    const analysis = new TextAnalysis(this.#parse, context, 0);
    // In a text of a shape constants are written as they are: that was looked at.
    const facts = analysis.facts(text, template === undefined);
    this.exhausted ||= analysis.exhausted;
    if (analysis.contextual || text.length > MAX_REMEMBERED_CHARACTERS) return facts;
    // Only these kinds hold their values in constants and nowhere else.
    const general = looks.count === looksBefore && facts.actions.every((action) => PLAIN_VERBS.has(action.verb));
    if (template !== undefined && general) remember(this.#templates, template, facts);
    else remember(this.#remembered, text, facts);
    return facts;
  }
}

const PLAIN_VERBS = new Set(['select', 'insert', 'update', 'delete']);

function remember(memory: Map<string, Facts>, key: string, facts: Facts): void {
  if (memory.size >= MAX_REMEMBERED_TEXTS) {
    const [oldest] = memory.keys();
    if (oldest !== undefined) memory.delete(oldest);
  }
  memory.set(key, facts);
}

/** One analysis of one text. */
class TextAnalysis {
  /** The facts depend on more than the text. */
  contextual = false;
  exhausted = false;
  readonly #parse: Parse;
  readonly #context: AnalysisContext;
  readonly #depth: number;
  /** Names of the session that were looked up. */
  readonly #executes = new Set<string>();
  /** What a mask leaves stands in a text that one of them stands for. */
  #executesMasked = false;

  constructor(parse: Parse, context: AnalysisContext, depth: number) {
    this.#parse = parse;
    this.#context = context;
    this.#depth = depth;
  }

  /** `odd`: constants may be written in ways that the text does not show. */
  facts(text: string, odd: boolean): Facts {
    if (text.includes('\0')) return opaque('contains a NUL character');
    const parsed = this.#parse(text);
    if ('exhausted' in parsed) {
      this.exhausted = true;
      return opaque('is nested too deeply to be analysed');
    }
    if (!parsed.ok) {
      const { message, position } = parsed;
      return { ...opaque(message), syntaxError: { message, ...(position !== undefined && { position }) } };
    }
    try {
      const facts = this.#read(text, parsed.statements, odd);
      const wanted = this.#context.digests === true && tooLong(text);
      const digest = wanted ? digestOf(text, parsed.statements, this.#parse) : undefined;
      return digest ? { ...facts, digest } : facts;
    } catch (error) {
      // Deep trees exhaust the stack: the text is refused, the process goes on.
      return opaque(error instanceof RangeError ? 'is nested too deeply to be analysed' : 'could not be analysed');
    }
  }

  #read(text: string, statements: readonly NodeFields[], odd: boolean): Facts {
    const { parameters } = this.#context;
    const values = parameters ? Values.bound(parameters) : Values.unbound();
    const source = slicer(text);
    const prepared = new Map<string, string>();
    const nodes: Node[] = statements.map((statement) => {
      const node = nodeOf(statement['stmt']);
      if (!node) throw new Error('a statement without a body');
      return node;
    });
    const read: StatementFacts[] = statements.map((statement, index) => {
      const node = nodes[index] as Node;
      const slice = source(Number(statement['stmt_location'] ?? 0), Number(statement['stmt_len'] ?? 0));
      const facts = readStatement(node, index, slice, values, (name, given) => this.#executed(name, given, prepared));
      if (facts.effect.type === 'prepare') prepared.set(facts.effect.name, facts.effect.text);
      return facts;
    });
    const forbidden = read.find((one) => one.forbidden !== undefined)?.forbidden;
    const parametric = values.used;
    this.contextual ||= parametric;
    const actions = read.flatMap((one) => one.actions);
    const session = sessionChange(nodes, actions);
    const writes = actions.some(({ effects }) => effects.includes('write'));
    const masked = writes && (this.#executesMasked || (odd && hasMasked(statements)));
    return {
      actions,
      confidence: 'exact',
      statements: read.map((one) => one.effect),
      ...(forbidden !== undefined && { forbidden }),
      ...(parametric && { parametric }),
      ...(this.#executes.size > 0 && { executes: [...this.#executes] }),
      ...(session && { session }),
      ...(masked && { maskedConstant: true }),
    };
  }

  /** What EXECUTE would run: looked up among the PREPAREs of this text, then in the session. */
  #executed(name: string, given: Values, inText: ReadonlyMap<string, string>): readonly Action[] | undefined {
    const own = inText.get(name);
    if (own === undefined) {
      this.contextual = true;
      this.#executes.add(name);
    }
    const text = own ?? this.#context.prepared?.(name);
    if (text === undefined || this.#depth >= MAX_EXECUTED_DEPTH) return undefined;
    const parsed = this.#parse(text);
    const [statement] = parsed.ok ? parsed.statements : [];
    const node = statement && nodeOf(statement['stmt']);
    if (!node) return undefined;
    this.#executesMasked ||= hasMasked(node.fields);
    const body = node.kind === 'PrepareStmt' ? nodeOf(node.fields['query']) : node;
    if (!body || body.kind === 'ExecuteStmt') return undefined;
    return readStatement(body, 0, textOf(node.fields, 'name'), given, () => undefined).actions;
  }
}

/** Whether a text anywhere in the tree is what a mask leaves: a constant, an option, the body of a function. */
function hasMasked(value: unknown): boolean {
  if (typeof value === 'string') return looksMasked(value);
  if (Array.isArray(value)) return value.some(hasMasked);
  return isFields(value) && Object.values(value).some(hasMasked);
}

function opaque(reason: string): Facts {
  return {
    actions: [{ statement: 0, depth: 0, verb: 'unknown', effects: ['unknown'], resources: [], reasons: [reason] }],
    confidence: 'opaque',
    statements: [{ type: 'none' }],
  };
}

/** The parser gives places in bytes of UTF-8. Only texts that are all ASCII can be cut by them as they are. */
function slicer(text: string): (location: number, length: number) => string {
  let bytes: Buffer | undefined;
  return (location, length) => {
    bytes ??= Buffer.from(text);
    return bytes.toString('utf8', location, length === 0 ? undefined : location + length).trim();
  };
}
