/**
 * Rules and facts to a decision. Owns: the order of deny, hold, mask and allow, and that a failure is a no. Does not: evaluate
 * conditions (condition.ts).
 */
import { hash } from 'node:crypto';
import type {
  Action,
  AppliedBound,
  AppliedBudget,
  AppliedHold,
  AppliedMask,
  AppliedTripwire,
  Facts,
  MaskRule,
  Rule,
  RuleMatch,
} from '@sluice/contract';
import { BodyUnreadable } from '@sluice/http-requests';
import { type Attributes, type Condition, ConditionError, attributesOf, compileCondition } from './condition.js';
import { AnswerUnread, type PolicyContext, type TargetAttribute, Unanswered } from './context.js';
import { countingOf, maskOf } from './counting.js';
import { changesIdentity } from './identity.js';
import { asked, certain, matches, mayApply, observes, reaches } from './matching.js';
import { changesSomething, unreviewable } from './review.js';
import { type DenyDecision, type Verdict, movedMasked, refusal, unknownAction, unrefused } from './verdict.js';

/** A rule that cannot be used. `path` leads to the field, `offset` into its text. */
export interface PolicyProblem {
  readonly path: string;
  readonly offset: number;
  readonly message: string;
}

export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

interface CompiledRule {
  readonly rule: Rule;
  readonly condition: Condition | undefined;
  /** What it applies where it matches, the same each time: by which one is known again. */
  readonly budget: AppliedBudget | undefined;
  readonly bound: AppliedBound | undefined;
}

const compiledOf = (rule: Rule, condition: Condition | undefined): CompiledRule => ({
  rule,
  condition,
  budget: budgetOf(rule),
  bound: rule.then.type === 'bound' ? { rule: rule.rule, ...rule.then } : undefined,
});

/**
 * @param options `annotate`: the target goes by who has the session, so that nothing passes that could change it. `rows`: its answers have rows, whose
 * different values budgets can count
 * @throws PolicyError with every mistake in the conditions
 */
export function compilePolicy(
  rules: readonly Rule[],
  options: { trustedFunctions?: readonly string[]; annotate?: boolean; rows?: boolean } = {},
): CompiledPolicy {
  const problems: PolicyProblem[] = [];
  const compiled = rules.map((rule): CompiledRule => {
    try {
      // What a rule admits is what it says, and what one refuses is also what a server may take for that.
      const spellings = rule.then.type === 'allow' ? 'sent' : 'any';
      const condition = rule.when === undefined ? undefined : compileCondition(rule.when, spellings);
      const fault = faultOf(rule, condition);
      if (fault !== undefined) problems.push({ path: `${rule.path}.when`, offset: 0, message: fault });
      return compiledOf(rule, condition);
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      problems.push({ path: `${rule.path}.when`, offset: error.offset, message: error.message });
      return compiledOf(rule, undefined);
    }
  });
  if (problems.length > 0) throw new PolicyError(problems);
  return new CompiledPolicy(compiled, new Set(options.trustedFunctions), options.annotate, options.rows);
}

/** Why a rule cannot be meant so. */
function faultOf({ then }: Rule, condition: Condition | undefined): string | undefined {
  if (then.type === 'risk' && condition?.readsRisk) return 'points for "risk" cannot hang on "risk" itself';
  if (!condition?.readsAnswer || !BEFORE_THE_ANSWER.has(then.type)) return undefined;
  return then.type === 'hold'
    ? 'the answer is there when the command has run: "hold_answer" has people read it first'
    : `the answer is there when the command has run, which "${then.type}" is about`;
}

/** What a rule does before there is an answer. */
const BEFORE_THE_ANSWER: ReadonlySet<Rule['then']['type']> = new Set(['allow', 'hold', 'budget', 'bound', 'tripwire']);

/** What one rule had to say about one action. */
export interface RuleOpinion {
  readonly rule: Rule;
  readonly matches: boolean;
  /** It is asked about the answer, which is not there. */
  readonly isLater: boolean;
}

/** The only way from rules and facts to a decision. Whatever goes wrong in here is a no. */
export class CompiledPolicy {
  readonly #all: readonly CompiledRule[];
  /** Those that are asked before a command runs, and those that are asked about its answer. */
  readonly #rules: readonly CompiledRule[];
  readonly #ofAnswers: readonly CompiledRule[];
  /** Those that are asked about a session as a whole. */
  readonly #ofSessions: readonly CompiledRule[];
  readonly #trusted: ReadonlySet<string>;
  readonly #annotates: boolean;
  #fingerprint: string | undefined;
  /** Verdicts depend neither on the text nor on the time. */
  readonly ofFactsAlone: boolean;
  /** Verdicts depend on the time: none is true for longer than its moment. */
  readonly readsClock: boolean;
  /** Verdicts depend on what names mean in the session. */
  readonly readsSession: boolean;
  /** What of the target some rule may ask. */
  readonly asksTarget: ReadonlySet<TargetAttribute>;
  /** Some rule masks something. */
  readonly masks: boolean;
  /** Some budget counts the different values that are shown. */
  readonly counts: boolean;
  /** Some tripwire counts tables that are new to somebody. */
  readonly countsTables: boolean;
  /** Some rule has commands wait for people. */
  readonly holds: boolean;

  constructor(rules: readonly CompiledRule[], trusted: ReadonlySet<string>, annotates = false, rows = true) {
    this.#annotates = annotates;
    this.#all = rules;
    this.#rules = rules.filter(isOfCommands);
    const isRisky = rules.some(({ rule, condition }) => rule.then.type === 'risk' && condition?.readsAnswer);
    this.#ofAnswers = rules.filter((one) => isOfAnswers(one, isRisky));
    this.#ofSessions = rules.filter(isOfSessions);
    this.#trusted = trusted;
    this.masks = rules.some(({ rule }) => rule.then.type === 'mask' && rule.mode === 'enforce');
    this.counts = rows && rules.some(({ rule }) => rule.then.type === 'budget' && rule.then.distinct !== undefined);
    this.countsTables = rules.some(
      ({ rule }) => rule.then.type === 'tripwire' && rule.then.new_tables !== undefined && rule.mode === 'enforce',
    );
    this.holds = rules.some(({ rule }) => rule.then.type === 'hold' && rule.mode === 'enforce');
    this.readsSession = rules.some(({ condition }) => condition?.readsSession === true);
    this.asksTarget = new Set(rules.flatMap(({ condition }) => condition?.asksTarget ?? []));
    this.readsClock = rules.some(({ condition }) => condition?.readsClock === true);
    this.ofFactsAlone = !this.readsClock && rules.every(({ condition }) => condition?.readsText !== true);
  }

  /** The same for the same rules: what was judged by them was judged by these. */
  get fingerprint(): string {
    return (this.#fingerprint ??= hash('sha256', JSON.stringify(this.#all.map(({ rule }) => rule)), 'hex'));
  }

  /** All budgets, whether they apply now or not. */
  get budgets(): readonly AppliedBudget[] {
    return this.#all.flatMap(({ budget }) => budget ?? []);
  }

  /** All masks that a rule has and enforces, whether they apply now or not, and columns that are counted. */
  get everyMask(): readonly MaskRule[] {
    return this.#all.flatMap(({ rule }) => maskOf(rule) ?? []);
  }

  /** Never throws. */
  judge(facts: Facts, text: string, context: PolicyContext): Verdict {
    try {
      return this.#judge(facts, this.#attributes(facts, text, context), context);
    } catch (error) {
      if (error instanceof BodyUnreadable || error instanceof Unanswered) return refusal(error.message);
      return refusal('This command could not be checked against the rules, so it was not run.');
    }
  }

  /**
   * Whether such a command may pass at some time, whatever there is in it that is not known: a condition that asks for that, for the time or
   * for the text may turn out either way.
   */
  mayPass(facts: Facts, context: PolicyContext): boolean {
    const attributes = this.#attributes(facts, '', context);
    const said = (type: Rule['then']['type'], action: Action): (boolean | undefined)[] =>
      this.#rules
        .filter(({ rule }) => rule.then.type === type && rule.mode === 'enforce')
        .map(({ condition }) => certain(condition, action, attributes));
    return facts.actions.every((action) => {
      if (said('deny', action).includes(true)) return false;
      return !this.#unknown(action) || said('allow', action).some((one) => one !== false);
    });
  }

  /** Some rule is asked about answers, or has people read them. */
  get judgesAnswers(): boolean {
    return this.#ofAnswers.length > 0;
  }

  /** Some rule may ask about code in an answer. */
  get readsCode(): boolean {
    return this.#all.some(({ condition }) => condition?.readsAnswer === true && condition.readsCode);
  }

  /**
   * What of an answer has to be there before its client has any of it: its head says that a rule matches, or its body may. Undefined:
   * nothing hangs on it. `context.answer`: 'unread', or one of which only the head is there.
   */
  needsAnswer(facts: Facts, text: string, context: PolicyContext): 'head' | 'body' | undefined {
    const attributes = this.#attributes(facts, text, context);
    const needs = this.#ofAnswers
      .filter(({ rule }) => rule.then.type !== 'risk')
      .map(({ rule, condition }) => {
        try {
          if (!facts.actions.some((action) => matches(condition, action, attributes))) return undefined;
        } catch (error) {
          if (!(error instanceof AnswerUnread)) return 'head';
        }
        return rule.then.type === 'hold_answer' || condition?.readsAnswerBody || condition?.readsRisk ? 'body' : 'head';
      });
    return needs.find((one) => one === 'body') ?? needs.find((one) => one !== undefined);
  }

  /** What rules say of an answer that is all there. Never throws. */
  judgeAnswer(facts: Facts, text: string, context: PolicyContext): Verdict {
    try {
      const attributes = this.#attributes(facts, text, context);
      const { refused, allowed: _, ...said } = findings(this.#ofAnswers, facts, attributes, false);
      return { ...said, decision: refused ?? unrefused(said.holds) };
    } catch (error) {
      if (error instanceof BodyUnreadable) return refusal(error.message);
      return refusal('This answer could not be checked against the rules, so it is not passed on.');
    }
  }

  /**
   * Rules about a session as a whole: its tripwires, and budgets of logins. Their conditions see who it is, where and when, and the verb
   * "login". One that cannot be asked applies.
   */
  ofSession(context: PolicyContext): {
    readonly budgets: readonly AppliedBudget[];
    readonly tripwires: readonly AppliedTripwire[];
  } {
    if (this.#ofSessions.length === 0) return NOTHING_OF_SESSIONS;
    const attributes = this.#attributes(SESSION, '', context);
    const applied = this.#ofSessions.filter(({ condition }) =>
      mayApply(condition, SESSION.actions[0] as Action, attributes),
    );
    return {
      budgets: applied.flatMap(({ budget }) => budget ?? []),
      tripwires: applied.flatMap(({ rule }) =>
        rule.then.type === 'tripwire' && rule.mode === 'enforce'
          ? [{ ...rule.then, rule: rule.rule, key: keyOf(rule) }]
          : [],
      ),
    };
  }

  #attributes(facts: Facts, text: string, context: PolicyContext): Attributes {
    let sum: number | undefined;
    const attributes = attributesOf(facts, text, context, () => (sum ??= this.#risk(facts, attributes, context)));
    return attributes;
  }

  /** Points of rules that match: before there is an answer, of those that do not ask about it. */
  #risk({ actions }: Facts, attributes: Attributes, { answer }: PolicyContext): number {
    return (answer === undefined ? this.#rules : this.#all).reduce((sum, { rule, condition }) => {
      if (rule.then.type !== 'risk' || rule.mode === 'observe') return sum;
      return actions.some((action) => matches(condition, action, attributes)) ? sum + rule.then.points : sum;
    }, 0);
  }

  /**
   * Why the body of a request has to be read: a rule asks about it, people are to see it, or a rule that only observes asks about it.
   * Undefined: nothing hangs on it.
   */
  needsBody(facts: Facts, text: string, context: PolicyContext): 'rule' | 'hold' | 'observed' | undefined {
    try {
      const attributes = this.#attributes(facts, text, context);
      const { decision } = this.#judge(facts, attributes, context);
      if (decision.type === 'hold') return 'hold';
      const observed = this.#rules.filter(({ rule }) => rule.mode === 'observe');
      return observed.some((one) =>
        facts.actions.some((action) => asked(one.condition, action, attributes) === undefined),
      )
        ? 'observed'
        : undefined;
    } catch {
      return 'rule';
    }
  }

  /** What of the target has to be asked before these facts are judged: conditions that decide without it ask for nothing. */
  needsOfTarget(facts: Facts, text: string, context: PolicyContext): ReadonlySet<TargetAttribute> {
    const needed = new Set<TargetAttribute>();
    const attributes = this.#attributes(facts, text, context);
    for (const { condition } of this.#rules) {
      if (!condition || condition.asksTarget.length === 0) continue;
      // What is asked of masked columns is known later, and what it decides with it.
      const isAsked = condition.readsMasked || facts.actions.some((action) => reaches(condition, action, attributes));
      if (isAsked) for (const attribute of condition.asksTarget) needed.add(attribute);
    }
    return needed;
  }

  /** The masks of rules that match, and of those of which that is not known before the target was asked. */
  masksOf(facts: Facts, text: string, context: PolicyContext): readonly AppliedMask[] {
    const attributes = this.#attributes(facts, text, context);
    return this.#rules.flatMap(({ rule, condition, budget }) => {
      const mask =
        rule.then.type === 'mask' && rule.mode !== 'observe'
          ? { rule: rule.rule, ...rule.then }
          : this.counts && budget
            ? countingOf(budget)
            : undefined;
      if (!mask) return [];
      const may = facts.actions.some((action) => asked(condition, action, attributes) ?? true);
      return may ? [mask] : [];
    });
  }

  /** What each rule says of each action, for explanations. */
  opinions(facts: Facts, text: string, context: PolicyContext): { action: Action; opinions: RuleOpinion[] }[] {
    const attributes = this.#attributes(facts, text, context);
    return facts.actions.map((action) => ({
      action,
      // What makes a rule impossible to ask is said in the decision.
      opinions: this.#all
        .filter(({ rule }) => rule.then.type !== 'tripwire')
        .map((one) => {
          const isLater = !isOfCommands(one);
          return { rule: one.rule, matches: !isLater && observes(one.condition, action, attributes), isLater };
        }),
    }));
  }

  /** Functions that keep an action from being known, and that nobody trusts by the name that is written. */
  unlisted({ actions }: Facts): readonly string[] {
    return actions.flatMap(({ unknownFunctions = [] }) => unknownFunctions.filter((name) => !this.#trusted.has(name)));
  }

  #judge(facts: Facts, attributes: Attributes, { masked, trusted }: PolicyContext): Verdict {
    const moved = masked?.moved ?? [];
    if (facts.syntaxError) return refusal(facts.syntaxError.message);
    if (facts.forbidden !== undefined) return refusal(facts.forbidden);
    const { allowed, refused, reviewed, ...said } = findings(this.#rules, facts, attributes, this.counts);
    let no = refused;
    for (const action of facts.actions) {
      if (no !== undefined) break;
      const isUnknown = this.#unknown(action, trusted);
      if (this.#annotates) no = changesIdentity(action, isUnknown);
      if (reviewed.has(action)) no ??= unreviewable(action, isUnknown);
      if (no !== undefined || allowed.has(action)) continue;
      if (isUnknown) no = unknownAction(action);
      else if (moved.length > 0) no = movedMasked(moved);
    }
    return { ...said, decision: no ?? unrefused(said.holds) };
  }

  #unknown({ effects, unknownFunctions }: Action, trusted?: ReadonlySet<string>): boolean {
    if (!effects.includes('unknown')) return false;
    return (
      unknownFunctions === undefined || !unknownFunctions.every((name) => this.#trusted.has(name) || trusted?.has(name))
    );
  }
}

interface Findings extends Omit<Verdict, 'decision'> {
  /** By the first rule in the file of those that refuse the first action that any does. */
  readonly refused: DenyDecision | undefined;
  readonly allowed: ReadonlySet<Action>;
  /** Those whose changes people look at before they are committed. */
  readonly reviewed: ReadonlySet<Action>;
}

/** What rules say of each action. @throws whatever conditions throw */
function findings(
  rules: readonly CompiledRule[],
  { actions }: Facts,
  attributes: Attributes,
  counts: boolean,
): Findings {
  const matched = new Gathered<RuleMatch>();
  const masks = new Gathered<AppliedMask>();
  const holds = new Gathered<AppliedHold>();
  const budgets = new Gathered<AppliedBudget>();
  const reviews = new Gathered<AppliedHold>();
  const bounds = new Gathered<AppliedBound>();
  const allowed = new Set<Action>();
  let reviewed: Set<Action> | undefined;
  let refused: DenyDecision | undefined;
  for (const action of actions)
    for (const { rule, condition, budget, bound } of rules) {
      const observed = rule.mode === 'observe';
      if (!(observed ? observes(condition, action, attributes) : matches(condition, action, attributes))) continue;
      const { then } = rule;
      if (then.type === 'hold_commit' && !changesSomething(action)) continue;
      matched.set(rule.rule, { rule: rule.rule, effect: then.type, observed });
      // One that is observed is counted all the same.
      if (budget) budgets.set(rule.path, budget);
      const counting = counts && budget ? countingOf(budget) : undefined;
      if (counting) masks.set(rule.path, counting);
      if (observed || budget || then.type === 'risk' || then.type === 'tripwire') continue;
      if (then.type === 'allow') allowed.add(action);
      else if (bound) bounds.set(rule.path, bound);
      else if (then.type === 'mask') masks.set(rule.path, { rule: rule.rule, ...then });
      else if (then.type === 'deny')
        refused ??= { type: 'deny', rule: rule.rule, message: then.message, cause: 'rule' };
      else if (then.type === 'hold_commit') {
        reviews.set(rule.path, { rule: rule.rule, ...then });
        (reviewed ??= new Set()).add(action);
      } else if (then.type !== 'budget' && then.type !== 'bound') holds.set(rule.path, { rule: rule.rule, ...then });
    }
  return {
    refused,
    allowed,
    reviewed: reviewed ?? NO_ACTIONS,
    ...(reviews.all.length > 0 && { reviews: reviews.all }),
    holds: holds.all,
    matched: matched.all,
    masks: masks.all,
    budgets: budgets.all,
    bounds: bounds.all,
  };
}

const NO_ACTIONS: ReadonlySet<Action> = new Set();

/** Each once, by its key, the last of it, in the order of the first. Most findings have nothing of most kinds, which costs next to nothing. */
class Gathered<Value> {
  #values: Map<string, Value> | undefined;

  set(key: string, value: Value): void {
    (this.#values ??= new Map()).set(key, value);
  }

  get all(): readonly Value[] {
    return this.#values ? [...this.#values.values()] : [];
  }
}

function budgetOf({ rule, then, mode, path }: Rule): AppliedBudget | undefined {
  if (then.type !== 'budget') return undefined;
  return { rule, key: keyOf({ rule, path }), ...then, ...(mode === 'observe' && { observed: true as const }) };
}

/** What conditions see of a session that is about to be. */
const SESSION: Facts = {
  actions: [{ statement: 0, depth: 0, verb: 'login', effects: ['session'], resources: [], reasons: [] }],
  confidence: 'exact',
  statements: [],
};

const NOTHING_OF_SESSIONS = { budgets: [], tripwires: [] } as const;

const isOfSessions = ({ rule: { then } }: CompiledRule): boolean =>
  then.type === 'tripwire' || (then.type === 'budget' && then.logins !== undefined);

/** Where it stands in its list changes nothing about it. */
const keyOf = ({ rule, path }: Pick<Rule, 'rule' | 'path'>): string => `${path.replace(/\[\d+\]$/, '')} ${rule}`;

const isOfCommands = ({ rule, condition }: CompiledRule): boolean =>
  rule.then.type !== 'hold_answer' && rule.then.type !== 'tripwire' && condition?.readsAnswer !== true;

/** `isRisky`: answers give points. */
function isOfAnswers({ rule: { then }, condition }: CompiledRule, isRisky: boolean): boolean {
  if (then.type === 'hold_answer' || condition?.readsAnswer === true) return true;
  return isRisky && condition?.readsRisk === true && (then.type === 'deny' || then.type === 'mask');
}
