/**
 * Calls of tools that a language model proposes, before its agent has them. Owns: which rules they are judged by, and what of the request
 * those see. Does not: find calls in answers (packages/language-models).
 */
import type { Language } from '@sluice/analysis';
import type { AnswerCommand, AppliedHold, Deny, Facts, Propose, ResponseEvent, ToolCommand } from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, type Verdict, unrefused } from '@sluice/guardrails';
import type { JsonParts, OwnEditors } from '@sluice/http-bodies';
import { type AnswerOf, type ModelSettings, answerEditors, toolName } from '@sluice/language-models';
import { factsOfCall, seenTool } from './facts.js';

/** What was known of the request in whose answer a call is. `ProposedCall.about` of the gateway's own. */
class Origin {
  readonly context: PolicyContext;
  /** Rules by which people have agreed to the request: they need not agree once more. */
  readonly held: ReadonlySet<string>;
  /** Arguments of tools that are commands: also where what has been written before is asked for, by what is no call of a model. */
  readonly tools: ModelSettings['tools'] | undefined;

  constructor(context: PolicyContext, held: readonly AppliedHold[], tools: ModelSettings['tools'] | undefined) {
    this.context = context;
    this.tools = tools;
    this.held = new Set(held.map(({ rule }) => rule));
  }
}

/** Editors for the answer to a request, whose calls are judged by what is known of it as well. `tools`: of its connection. */
export function editorsFor(
  answers: AnswerOf,
  context: PolicyContext,
  held: readonly AppliedHold[],
  tools: ModelSettings['tools'] | undefined,
): (parts: JsonParts, propose: Propose, status: number) => OwnEditors {
  const about = new Origin(context, held, tools);
  const editors = answerEditors({ ...answers, tools });
  return (parts, propose, status) => editors(parts, (call) => propose({ ...call, about }), status);
}

export interface JudgedCall {
  readonly facts: Facts;
  readonly verdict: Verdict;
  /** It is refused although no rule and no analysis says so. */
  readonly refused?: Deny;
}

/** @param context of the session, for a call of which nothing else is known */
export function judgeCall(
  command: ToolCommand,
  policy: CompiledPolicy,
  context: PolicyContext,
  languages: ReadonlyMap<string, Language>,
): JudgedCall | Promise<JudgedCall> {
  const { tool, input, shown, about } = command;
  const origin = about instanceof Origin ? about : new Origin(context, [], undefined);
  const argument = origin.tools?.get(toolName(tool));
  const judge = (known: Facts, told: Facts): JudgedCall => {
    const asked: PolicyContext = { ...origin.context, command: { type: 'tool' }, tool: seenTool('', tool, input) };
    const decided = policy.judge(known, `${tool}(${input})`, asked);
    const isOpen = known === told;
    const facts = isOpen ? known : asShown(known, told);
    const verdict = isOpen ? decided : saidOf(decided, policy.judge(told, command.text, asked));
    if (verdict.decision.type !== 'hold') return { facts, verdict };
    return verdict.holds.every(({ rule }) => origin.held.has(rule))
      ? { facts, verdict: { ...verdict, decision: unrefused([]) } }
      : { facts, verdict, refused: NOT_HELD };
  };
  const read = (text: string): Facts | Promise<Facts> =>
    factsOfCall({ ...command, input: text }, argument, languages, context.principal.name);
  const known = read(input);
  const told = shown === input ? known : read(shown);
  if (!(known instanceof Promise || told instanceof Promise)) return judge(known, told);
  return Promise.all([known, told]).then(([one, other]) => judge(one, other));
}

/**
 * What is put on record where the call is shown with masks, or with tokens: what is read of that. To look for values in what was read of the call
 * itself would miss parts of them, such as the host of an address. Where it would be another call there are its effects alone.
 */
function asShown(known: Facts, told: Facts): Facts {
  const shape = ({ actions }: Facts): string => JSON.stringify(actions.map(({ depth, effects }) => [depth, effects]));
  if (shape(known) === shape(told)) return told;
  const actions = known.actions.map(({ statement, depth, effects }) => {
    return { statement, depth, effects, verb: 'call', resources: [], reasons: [] };
  });
  return { actions, confidence: known.confidence, statements: [] };
}

/** A rule has a sentence of its own, and the gateway's quote what was read. */
function saidOf(verdict: Verdict, { decision: told }: Verdict): Verdict {
  const { decision } = verdict;
  if (decision.type !== 'deny' || decision.cause === 'rule') return verdict;
  const { type, rule, cause } = decision;
  const isSame = told.type === 'deny' && told.cause === cause;
  return { ...verdict, decision: isSame ? told : { type, rule, cause, message: OF_VALUES } };
}

const OF_VALUES = 'With the values that are masked here this call does something that is not known.';

/** Nobody waits there whom people could be asked for. */
const NOT_HELD: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'People would have to agree to this call, and calls that a model proposes cannot wait for them.',
};

/** How a call or an answer that may pass ends on record: an agent makes the call, or does not, and nobody here hears of it. */
export const givenOn = ({ id, type }: ToolCommand | AnswerCommand): ResponseEvent => ({
  type: 'end',
  command: id,
  outcome: 'ok',
  summary: type === 'tool' ? 'given to the agent' : 'given to the client',
  rows: 0,
  bytes: 0,
  data: [],
});
