/**
 * What comes of judging a command. Owns: the answer, and the part of the record that says how it came to be. Does not: read commands, or
 * ask the rules.
 */
import type {
  Answer,
  AppliedBound,
  AppliedBudget,
  AppliedHold,
  AppliedMask,
  Deny,
  Facts,
  RuleMatch,
} from '@sluice/contract';
import type { PolicyDecision, Verdict } from '@sluice/guardrails';

/** The answer for a protocol, and what the record says about how it came to be. */
export interface Judgement {
  readonly answer: Answer;
  /** The part of the record that is the same for every use of a text, serialised: `"text":...,"decision":...`. */
  readonly record: string;
  readonly matched: readonly RuleMatch[];
  /** It may pass when people have released it. `text` is what they are shown. */
  readonly held?: {
    readonly holds: readonly AppliedHold[];
    readonly text: string;
    /** What makes two of them the same one, where its protocol does not say so. */
    readonly meaning?: unknown;
  };
  /** It changes what people look at before it is committed. `text` is what they are shown of it. */
  readonly reviewed?: { readonly holds: readonly AppliedHold[]; readonly text: string };
  /** It can give later commands another meaning: a setting, a role, a table that hides another. */
  readonly changes: boolean;
  /** It begins or ends transactions and does nothing else: that changes a session only where something else has. */
  readonly transaction: boolean;
  /** What it has taken from budgets, to be settled when the command is over. */
  readonly charge?: Taken | undefined;
  /** What it uses up, and what its answer may have. */
  readonly spends?: Spends;
  /** Told when it passes, behind rules and budgets: from now on it is under way. */
  readonly begins?: () => void;
  /** What people are shown of a request; absent: its text. */
  readonly shown?: () => string;
  /** The body of a request, as it is recorded with the command. */
  readonly body?: Uint8Array | undefined;
}

/** What a command has taken from budgets. */
export interface Taken {
  /** The command is over. */
  end(): void;
  /** It has never been sent. */
  undo(): void;
}

export interface Spends {
  readonly budgets: readonly AppliedBudget[];
  readonly bounds: readonly AppliedBound[];
}

/** A judgement without the text. */
export interface Judged {
  readonly answer: Answer;
  readonly rest: string;
  readonly matched: readonly RuleMatch[];
  readonly masks: readonly AppliedMask[];
  readonly changes: boolean;
  readonly transaction: boolean;
  readonly spends?: Spends;
  /** People have to release it, whatever the answer says. */
  readonly holds?: readonly AppliedHold[];
  /** People look at what it changes before it is committed. */
  readonly reviews?: readonly AppliedHold[];
  /** The same where nothing runs yet, and nobody is asked. */
  readonly prepared?: Judged;
  /** In the words of the text it was last used for. */
  last?: Judgement & { readonly text: string };
}

export function judgedAs(facts: Facts, { decision, matched, masks, budgets, bounds, reviews }: Verdict): Judged {
  const decided = answerOf(facts, decision);
  const answer: Answer = reviews && decided.type === 'allow' ? { ...decided, reviewed: true } : decided;
  const changes = facts.actions.some(({ effects }) => effects.some((effect) => CHANGING.has(effect)));
  const transaction = facts.actions.length > 0 && facts.actions.every(({ verb }) => TRANSACTION.has(verb));
  const rest = serialise(facts, answer, matched);
  const spends = budgets.length + bounds.length > 0 ? { spends: { budgets, bounds } } : {};
  const judged = { answer, rest, matched, masks, changes, transaction, ...spends, ...(reviews && { reviews }) };
  if (decision.type !== 'hold') return judged;
  return { ...judged, rest: serialise(facts, answer, matched, 'hold'), holds: decision.holds, prepared: judged };
}

/**
 * The same of a request, whose own members of the record are `own`.
 *
 * @param shown what people are shown who release it
 */
export function judgedInWords(facts: Facts, verdict: Verdict, own: string, shown: () => string): Judgement {
  const { answer, rest, matched, holds, spends } = judgedAs(facts, verdict);
  const held = holds && { holds, text: shown() };
  const record = `${own},${rest}`;
  const more = { ...(held && { held }), ...(spends && { spends, shown }) };
  return { answer, record, matched, changes: false, transaction: false, ...more };
}

/** What was let through, or held, is not, after all: `answer` says why, or it is held. The record says so. */
export function otherwise(judgement: Judgement, answer: Deny | 'hold'): Judgement {
  const decision =
    answer === 'hold' ? { decision: 'hold' } : { decision: 'deny', rule: answer.rule, message: answer.message };
  const before = judgement.record.endsWith(HELD) ? HELD : ALLOWED;
  const record = `${judgement.record.slice(0, -before.length)}${JSON.stringify(decision).slice(1, -1)}`;
  return { ...judgement, record, ...(answer !== 'hold' && { answer }) };
}

/** How the record of what is let through ends. */
const ALLOWED = '"decision":"allow"';
const HELD = '"decision":"hold"';

/** A request that the gateway itself refuses. */
export const refusedFacts = (facts: Facts, answer: Deny, own: string): Judgement => ({
  answer,
  record: `${own},${refused(facts, [], answer).rest}`,
  matched: [],
  changes: false,
  transaction: false,
});

function answerOf(facts: Facts, decision: PolicyDecision): Answer {
  if (decision.type !== 'deny') return { type: 'allow', facts };
  const { type, rule, message, hint } = decision;
  const { syntaxError } = facts;
  return { type, rule, message, ...(hint !== undefined && { hint }), ...(syntaxError && { syntaxError }) };
}

const TRANSACTION: ReadonlySet<string> = new Set(['begin', 'start', 'commit', 'rollback']);
const CHANGING: ReadonlySet<string> = new Set(['session', 'define', 'grant', 'unknown']);

export const refused = (facts: Facts, matched: readonly RuleMatch[], answer: Deny): Judged => ({
  answer,
  rest: serialise(facts, answer, matched),
  matched,
  masks: [],
  changes: false,
  transaction: false,
});

function serialise(facts: Facts, answer: Answer, matched: readonly RuleMatch[], held?: 'hold'): string {
  const actions = facts.actions.map(({ verb, effects, resources, filter, depth }) => ({
    verb,
    effects,
    resources,
    filter,
    depth,
  }));
  const decision =
    answer.type === 'allow'
      ? { decision: held ?? 'allow' }
      : { decision: 'deny', rule: answer.rule, message: answer.message };
  return JSON.stringify({ confidence: facts.confidence, actions, matched, ...decision }).slice(1, -1);
}

/** Whatever goes wrong while a command is judged is a no, and on record as one. */
export function unjudged(why: string, more: Pick<Deny, 'hint' | 'unusable'> = {}): Judged {
  const answer: Answer = {
    type: 'deny',
    rule: 'gateway',
    message: `This command could not be judged, so it was not run: ${why}.`,
    ...more,
  };
  const rest = serialise({ actions: [], confidence: 'opaque', statements: [] }, answer, []);
  return { answer, rest, matched: [], masks: [], changes: false, transaction: false };
}

/** Of a call of a model: nobody here hears of its end. */
export const UNBOUNDED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'A budget counts what this call uses up, and its answer is made in the background, without a bound.',
  hint: 'Say "max_output_tokens", all of which counts then, or leave "background" out.',
};
