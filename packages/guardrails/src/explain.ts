/** A decision and how it came about, in words for people. Does not: decide (policy.ts). */
import type { Action, Facts } from '@sluice/contract';
import type { PolicyContext } from './context.js';
import type { CompiledPolicy, RuleOpinion } from './policy.js';
import type { Verdict } from './verdict.js';

/** A decision and how it came about; `text` says it for people. */
export interface Explained extends Verdict {
  readonly facts: Facts;
  readonly text: string;
}

export function explain(policy: CompiledPolicy, facts: Facts, text: string, context: PolicyContext): Explained {
  const verdict = policy.judge(facts, text, context);
  const { decision, matched, reviews } = verdict;
  const lines = [
    inShort(decision),
    ...(decision.type === 'deny' && decision.hint !== undefined ? [`  ${decision.hint}`] : []),
    ...(reviews && decision.type !== 'deny'
      ? [`In a transaction, whose COMMIT is HELD until ${releasedBy(reviews)}`]
      : []),
  ];
  if (facts.syntaxError === undefined) {
    for (const { action, opinions } of policy.opinions(facts, text, context))
      lines.push('', ...describe(action, opinions));
  }
  const observed = matched.filter((match) => match.observed).map((match) => match.rule);
  if (observed.length > 0) lines.push('', `Observed only: ${observed.join(', ')}`);
  return { ...verdict, facts, text: lines.join('\n') };
}

function inShort(decision: Verdict['decision']): string {
  if (decision.type === 'allow') return 'ALLOWED';
  if (decision.type === 'deny') return `REFUSED by rule "${decision.rule}": ${decision.message}`;
  return `HELD until ${releasedBy(decision.holds)}`;
}

const releasedBy = (holds: Verdict['holds']): string =>
  `it is released by ${holds
    .map(({ rule, count, approvers }) => `${count} of ${approvers.join(', ')} (rule "${rule}")`)
    .join(' and ')}`;

function describe(action: Action, opinions: readonly RuleOpinion[]): string[] {
  const indent = '  '.repeat(action.depth);
  const resources = action.resources.map(({ type, name, access }) => `${access} ${type} ${name}`);
  return [
    `${indent}${action.verb}  [${action.effects.join(', ')}]${action.filter ? `  filter: ${action.filter}` : ''}`,
    ...resources.map((line) => `${indent}  ${line}`),
    ...action.reasons.map((line) => `${indent}  note: it ${line}`),
    ...opinions.map(
      ({ rule, matches, isLater }) =>
        `${indent}  ${matches ? '●' : '○'} ${rule.rule} (${effectOf(rule)}${rule.mode === 'observe' ? ', observe' : ''}${isLater ? ', asked when there is an answer' : ''})`,
    ),
  ];
}

const effectOf = ({ then }: RuleOpinion['rule']): string =>
  then.type === 'risk' ? `${then.points} points` : then.type;
