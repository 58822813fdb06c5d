/**
 * Conditions of rules: CEL over the attributes of an action. Owns: the attributes, their types, and `matches` in linear time.
 * Does not: decide (policy.ts).
 */
import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js';
import type { Action, Facts } from '@sluice/contract';
import type { Request } from '@sluice/http-requests';
import { RE2JS } from 're2js';
import {
  type PolicyContext,
  TARGET_ATTRIBUTES,
  type TargetAnswers,
  type TargetAttribute,
  Unanswered,
} from './context.js';
import { ANSWER_ATTRIBUTES, answerAttributes, asksAnswer, registerAnswerTypes, shadowing } from './answer.js';
import { registerTime, timeAttribute, zoneFault } from './now.js';
import { MODEL_ATTRIBUTES, aboutModel, modelAttributes, registerModelFunctions } from './model.js';
import { registerTool, toolAttribute } from './tool.js';
import {
  REQUEST_ATTRIBUTES,
  about,
  comparesLists,
  faultIn,
  graphqlAttributes,
  registerRequestFunctions,
  requestAttributes,
} from './request.js';
import { type Renaming, suffixesAlike } from './suffixes.js';

/** The attributes that a condition may use, with their CEL types. docs/policy.md explains each. */
const ATTRIBUTES = {
  action: {
    verb: 'string',
    effects: 'list<string>',
    tables: 'list<string>',
    functions: 'list<string>',
    resources: 'list<map<string, string>>',
    files: 'list<string>',
    hosts: 'list<string>',
    programs: 'list<string>',
    fields: 'list<string>',
    filter: 'string',
    depth: 'int',
    explain_only: 'bool',
    temporary: 'bool',
    lock: 'string',
    locked: 'list<string>',
    rewrites: 'bool',
    scans: 'bool',
    reversible: 'bool',
    dangers: 'list<string>',
    estimated_rows: 'int',
    meant_tables: 'list<string>',
    table_rows: 'int',
    table_bytes: 'int',
    table_traffic: 'int',
    reasons: 'list<string>',
  },
  command: { text: 'string', confidence: 'string', type: 'string', account: 'string', terminal: 'bool' },
  principal: { name: 'string', kind: 'string', groups: 'list<string>', roles: 'list<string>' },
  connection: { name: 'string', protocol: 'string' },
  masked: { asked: 'list<string>', moved: 'list<string>', guesses: 'int' },
  ...REQUEST_ATTRIBUTES,
  ...MODEL_ATTRIBUTES,
  ...ANSWER_ATTRIBUTES,
} as const;

export class ConditionError extends Error {
  /** Offset in the expression, in characters from 0. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

export interface Condition {
  (action: Action, attributes: Attributes): boolean;
  /** It looks at the text of the command, so its answer holds for that text only. */
  readonly readsText: boolean;
  /** It asks for the time, so its answer holds for that moment only. */
  readonly readsClock: boolean;
  /** It asks what names mean in the session, so its answer holds for that moment only. */
  readonly readsSession: boolean;
  /** What of the target it may ask. */
  readonly asksTarget: readonly TargetAttribute[];
  /** It asks about masked columns. */
  readonly readsMasked: boolean;
  /** It asks about the answer, so it has none before that is there. */
  readonly readsAnswer: boolean;
  /** Status and type do not suffice for that. */
  readonly readsAnswerBody: boolean;
  /** It asks for the sum of points. */
  readonly readsRisk: boolean;
  /** It may ask about code in an answer. */
  readonly readsCode: boolean;
  /** It asks about calls of language models. */
  readonly readsModel: boolean;
  /** It asks about calls of tools. */
  readonly readsTool: boolean;
}
type Named =
  | 'command'
  | 'principal'
  | 'connection'
  | 'masked'
  | 'request'
  | 'graphql'
  | 'llm'
  | 'tool'
  | 'answer'
  | 'now';

/** What is the same for every action of a command, prepared when the first condition asks for it. */
export interface Attributes {
  /** What conditions see by name. */
  readonly named: (name: Named) => unknown;
  /** The attributes of one action. */
  readonly action: (action: Action) => object;
  /** What their functions ask. */
  readonly request: Request | undefined;
  readonly model: PolicyContext['model'];
  /** The sum of the points of rules that match. */
  readonly risk: () => number;
}

/**
 * Compiles a CEL condition. `matches` is not the library's, which a hostile text could keep busy for minutes, but runs in
 * linear time (RE2).
 *
 * @param spellings 'any': of a rule that is to miss nothing. It holds as well where it would for another spelling of the path (suffixes.ts)
 * @throws ConditionError for what does not parse, is not of type bool, or names an attribute that is not there
 */
export function compileCondition(source: string, spellings: 'sent' | 'any' = 'sent'): Condition {
  const original = checked(source);
  const linear = linearMatches(source, original.ast);
  const expression = checked(renamed(source, linear));
  const suffixes = spellings === 'any' ? suffixesAlike(original.ast) : [];
  const alike = suffixes.length > 0 ? checked(renamed(source, [...linear, ...suffixes])) : undefined;
  let readsText = false;
  let readsClock = false;
  const answers: ReturnType<typeof asksAnswer>[] = [];
  let readsRisk = false;
  const names = new Set<Named>();
  let readsAction = false;
  let readsModel = false;
  let compares = false;
  visit(original.ast, (node) => {
    compares ||= comparesLists(node);
    if (node.op === 'id' && isNamed(node.args)) names.add(node.args);
    if (node.op === 'id' && node.args === 'action') readsAction = true;
    if (node.op === 'id' && node.args === 'command') readsText = true;
    if (node.op === 'id' && node.args === 'now') readsClock = true;
    if (node.op === 'id' && node.args === 'risk') readsRisk = true;
    if (node.op === 'id' && node.args === 'llm') readsModel = true;
    answers.push(asksAnswer(node));
    const fault = shadowing(node) ?? faultIn(node) ?? zoneFault(node);
    if (fault) throw new ConditionError(fault.message, fault.offset);
  });
  const holds = (action: Action, attributes: Attributes): boolean => {
    // Before the condition is asked: points are those of other conditions.
    const named: Record<string, unknown> = readsRisk ? { risk: BigInt(attributes.risk()) } : {};
    for (const name of names) named[name] = attributes.named(name);
    if (readsAction) named['action'] = attributes.action(action);
    const asked = (one: ParseResult): boolean =>
      about(attributes.request, compares, () => aboutModel(attributes.model, () => one(named) === true));
    if (asked(expression)) return true;
    return alike !== undefined && attributes.request?.maySuffix === true && asked(alike);
  };
  // A name that stands there for something else costs a question too many.
  const mentions = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(source);
  return Object.assign(holds, {
    readsText,
    readsClock,
    readsSession: mentions('temporary'),
    asksTarget: TARGET_ATTRIBUTES.filter(mentions),
    readsMasked: mentions('masked'),
    readsAnswer: answers.some((one) => one !== undefined),
    // Each head that is asked for has the name of the answer before it.
    readsAnswerBody: answers.includes('body') || count(answers, 'answer') > count(answers, 'head'),
    readsRisk,
    readsCode: mentions('code'),
    readsModel,
    readsTool: names.has('tool'),
  });
}

const count = <Value>(all: readonly Value[], one: Value): number => all.filter((other) => other === one).length;

export function attributesOf(facts: Facts, text: string, context: PolicyContext, risk: () => number): Attributes {
  const { request, model, ownTables, target = NOT_ASKED } = context;
  const known = new Map<Named | Action, unknown>();
  const once = <Made>(key: Named | Action, make: () => Made): Made => {
    if (!known.has(key)) known.set(key, make());
    return known.get(key) as Made;
  };
  return {
    risk,
    request,
    model,
    named: (name) => once(name, () => NAMED[name](context, facts, text)),
    action: (action) => once(action, () => actionAttributes(action, ownTables, target)),
  };
}

/** How each of them is made. */
const NAMED: Readonly<Record<Named, (context: PolicyContext, facts: Facts, text: string) => unknown>> = {
  request: ({ request, found }) => requestAttributes(request, found),
  graphql: ({ request }) => graphqlAttributes(request),
  llm: ({ model, answer }) => modelAttributes(model, answer),
  tool: ({ tool }) => toolAttribute(tool),
  answer: ({ answer }) => answerAttributes(answer),
  now: ({ now }) => timeAttribute(now),
  command: ({ command }, { confidence }, text) => ({
    text,
    confidence,
    type: command?.type ?? 'sql',
    account: command?.account ?? '',
    terminal: command?.terminal ?? false,
  }),
  principal: ({ principal: { name, kind, groups, roles } }) => ({
    name,
    kind,
    groups: [...groups],
    roles: [...roles],
  }),
  connection: ({ connection: { name, protocol } }) => ({ name, protocol }),
  masked: ({ masked }) => ({
    asked: [...(masked?.asked ?? [])],
    moved: [...(masked?.moved ?? [])],
    guesses: BigInt(masked?.guesses ?? 0),
  }),
};

const isNamed = (name: unknown): name is Named => typeof name === 'string' && Object.hasOwn(NAMED, name);

const notAsked = (): never => {
  throw new Unanswered('A rule asks what the target would say of this command, and the target was not asked.');
};
const NOT_ASKED: TargetAnswers = { estimatedRows: notAsked, meantTables: notAsked, tableSize: notAsked };

function actionAttributes(action: Action, ownTables: PolicyContext['ownTables'], target: TargetAnswers): object {
  const { verb, effects, resources, filter, depth, explainOnly, cost, reasons } = action;
  const named = (type: string): string[] =>
    resources.flatMap((resource) => (resource.type === type ? [resource.name] : []));
  return {
    verb,
    effects,
    tables: named('table'),
    functions: named('function'),
    files: named('file'),
    hosts: named('host'),
    programs: named('program'),
    fields: named('field'),
    resources,
    filter: filter ?? '',
    depth: BigInt(depth),
    explain_only: explainOnly === true,
    temporary: isTemporary(action, ownTables),
    lock: cost?.lock?.mode ?? '',
    locked: [...(cost?.lock?.on ?? [])],
    rewrites: cost?.rewrites ?? false,
    scans: cost?.scans ?? false,
    reversible: cost?.reversible ?? true,
    dangers: [...(cost?.dangers ?? [])],
    reasons,
    get estimated_rows() {
      return BigInt(Math.round(target.estimatedRows(action)));
    },
    get meant_tables() {
      return target.meantTables(action);
    },
    get table_rows() {
      return BigInt(Math.round(target.tableSize(action).rows));
    },
    get table_bytes() {
      return BigInt(Math.round(target.tableSize(action).bytes));
    },
    get table_traffic() {
      return BigInt(Math.round(target.tableSize(action).traffic));
    },
  };
}

/** All that it works on lives no longer than the session. In doubt it does not. */
function isTemporary(
  { statement, effects, resources, temporaryTables = [] }: Action,
  ownTables: ReadonlySet<string> = new Set(),
): boolean {
  if (effects.includes('unknown')) return false;
  const objects = resources.filter(({ type }) => type !== 'function' && type !== 'setting');
  const isOwn = (name: string): boolean => temporaryTables.includes(name) || (statement === 0 && ownTables.has(name));
  return objects.length > 0 && objects.every(({ type, name }) => type === 'table' && isOwn(name));
}

const LINEAR = 'matchesLinear';

const environment = (() => {
  const models = registerModelFunctions(registerRequestFunctions(new Environment()), LINEAR, matchesLinear);
  const made = registerTime(registerTool(registerAnswerTypes(models)))
    .registerFunction(`string.${LINEAR}(string): bool`, matchesLinear)
    .registerFunction(`${LINEAR}(string, string): bool`, matchesLinear);
  for (const [name, schema] of Object.entries(ATTRIBUTES)) made.registerVariable({ name, schema });
  made.registerVariable('risk', 'int');
  return made;
})();

function checked(source: string): ParseResult {
  let parsed: ParseResult;
  try {
    parsed = environment.parse(source);
  } catch (error) {
    throw problem(error);
  }
  const { valid, type, error } = parsed.check();
  if (!valid) throw problem(error);
  if (type !== 'bool') throw new ConditionError(`a condition is true or false, and this is of type ${type}`, 0);
  return parsed;
}

function problem(error: unknown): ConditionError {
  const { message, summary, range } = error as { message?: string; summary?: string; range?: { start: number } };
  return new ConditionError(summary ?? message?.split('\n')[0] ?? 'not a condition', range?.start ?? 0);
}

/** Calls of `matches`, which are renamed where they stand; the library does not let a built-in be replaced. */
function linearMatches(source: string, ast: ASTNode): Renaming[] {
  const places: Renaming[] = [];
  visit(ast, (node) => {
    const receiver = node.op === 'rcall' && node.args[0] === 'matches' ? node.args[1] : undefined;
    const called = node.op === 'call' && node.args[0] === 'matches';
    if (!receiver && !called) return;
    const from = receiver ? receiver.range.end : node.range.start;
    const at = source.indexOf('matches', from);
    if (at < 0) throw new ConditionError('matches cannot be found where it is called', from);
    places.push({ at, from: 'matches', to: LINEAR });
    const pattern = node.op === 'rcall' ? node.args[2][0] : node.op === 'call' ? node.args[1][1] : undefined;
    if (pattern?.op === 'value' && typeof pattern.args === 'string') patternOf(pattern.args, pattern.range.start);
  });
  return places;
}

function renamed(source: string, places: readonly Renaming[]): string {
  return [...places]
    .sort((one, other) => other.at - one.at)
    .reduce((text, { at, from, to }) => {
      if (!text.startsWith(from, at)) throw new ConditionError(`${from} cannot be found where it is called`, at);
      return text.slice(0, at) + to + text.slice(at + from.length);
    }, source);
}

function visit(node: unknown, see: (node: ASTNode) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, see);
  } else if (typeof node === 'object' && node !== null && 'op' in node && 'args' in node) {
    see(node as ASTNode);
    visit(node.args, see);
  }
}

const MAX_COMPILED_PATTERNS = 500;
const patterns = new Map<string, RE2JS>();

function patternOf(source: string, offset = 0): RE2JS {
  const known = patterns.get(source);
  if (known) return known;
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(source);
  } catch (error) {
    throw new ConditionError(`not a pattern: ${(error as Error).message}`, offset);
  }
  if (patterns.size >= MAX_COMPILED_PATTERNS) patterns.clear();
  patterns.set(source, pattern);
  return pattern;
}

/** CEL: true when the pattern is found anywhere in the text. */
function matchesLinear(text: string, pattern: string): boolean {
  return patternOf(pattern).matcher(text).find();
}
