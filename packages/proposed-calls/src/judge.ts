/**
 * Calls of tools that a language model proposes, before its agent has them. Owns: which rules they are judged by, and what of the request
 * those see. Does not: find calls in answers (packages/language-models).
 */
import type { Language } from '@sluice/analysis';
import type { AnswerCommand, AppliedHold, Deny, Facts, Propose, ResponseEvent, ToolCommand } from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, type Verdict, unrefused } from '@sluice/guardrails';
import type { JsonParts, OwnEditors } from '@sluice/http-bodies';
import { type AnswerOf, answerEditors, toolName } from '@sluice/language-models';
import { factsOfCall } from './facts.js';

/** What was known of the request in whose answer a call is. `ProposedCall.about` of the gateway's own. */
class Origin {
  readonly context: PolicyContext;
  /** Rules by which people have agreed to the request: they need not agree once more. */
  readonly held: ReadonlySet<string>;

  constructor(context: PolicyContext, held: readonly AppliedHold[]) {
    this.context = context;
    this.held = new Set(held.map(({ rule }) => rule));
  }
}

/** Editors for the answer to a request, whose calls are judged by what is known of it as well. */
export function editorsFor(
  answers: AnswerOf,
  context: PolicyContext,
  held: readonly AppliedHold[],
): (parts: JsonParts, propose: Propose, status: number) => OwnEditors {
  const about = new Origin(context, held);
  const editors = answerEditors({ ...answers, tools: context.model?.settings.tools });
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
  const { tool, input, about, hides } = command;
  const origin = about instanceof Origin ? about : new Origin(context, []);
  const argument = origin.context.model?.settings.tools.get(toolName(tool));
  const judge = (known: Facts): JudgedCall => {
    const decided = policy.judge(known, `${tool}(${input})`, { ...origin.context, command: { type: 'tool' } });
    const judged = { facts: known, verdict: decided };
    const { facts, verdict } = hides?.size ? hiding(judged, hides) : judged;
    if (verdict.decision.type !== 'hold') return { facts, verdict };
    return verdict.holds.every(({ rule }) => origin.held.has(rule))
      ? { facts, verdict: { ...verdict, decision: unrefused([]) } }
      : { facts, verdict, refused: NOT_HELD };
  };
  const facts = factsOfCall(command, argument, languages, context.principal.name);
  return facts instanceof Promise ? facts.then(judge) : judge(facts);
}

/** Each is looked for in all that is put on record of a call. */
const MAX_HIDDEN = 200;

/** What is put on record has tokens in place of values that were put back, and says nothing where there are too many. */
function hiding({ facts, verdict }: JudgedCall, hides: ReadonlyMap<string, string>): JudgedCall {
  const { decision } = verdict;
  if (hides.size > MAX_HIDDEN) {
    const actions = facts.actions.map((action) => ({ ...action, resources: [], reasons: [] }));
    const said = decision.type === 'deny' ? { ...decision, message: TOO_MANY } : decision;
    return { facts: { ...facts, actions }, verdict: { ...verdict, decision: said } };
  }
  const hidden = (text: string): string =>
    [...hides].reduce((left, [value, token]) => left.replaceAll(value, token), text);
  const withTokens = <Said>(said: Said): Said =>
    JSON.parse(JSON.stringify(said), (_, one: unknown) => (typeof one === 'string' ? hidden(one) : one)) as Said;
  return { facts: withTokens(facts), verdict: { ...verdict, decision: withTokens(decision) } };
}

const TOO_MANY = `The rules refuse this call, which has more than ${MAX_HIDDEN} values that were put back.`;

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
