/**
 * What the rules say of a command, as `policy explain` shows it. Owns: commands from what was written. Does not: routes
 * (policy.ts), judging (packages/guardrails).
 */
import { analyzeShell } from '@sluice/shell';
import type { Explanation } from '@sluice/api';
import type { ExecCommand, Facts } from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, explain, GATEWAY } from '@sluice/guardrails';
import type { RequestRead } from '@sluice/http-requests';
import { type ModelSettings, seenRequest } from '@sluice/language-models';
import type { NotFollowed, PlanAhead } from '@sluice/analysis';
import { announcement, isNotFollowed, refusalOf } from '@sluice/sql-postgres';

/** What the rules say of a command line, as it would come over SSH without a terminal. */
export function explainShell(
  shell: ExecCommand['shell'],
  policy: CompiledPolicy,
  text: string,
  context: PolicyContext,
): Explanation {
  const account = context.command?.account ?? '';
  const facts = analyzeShell({ type: 'exec', id: 1, shell, text, account, environment: [], terminal: false });
  return explainFacts(policy, facts, text, { ...context, command: { type: 'exec', account, terminal: false } });
}

/** What the rules say of a request by HTTP, as somebody has written it down. `models`: what its connection says of language models. */
export function explainRequest(
  read: RequestRead,
  policy: CompiledPolicy,
  context: PolicyContext,
  models: ModelSettings | undefined,
): Explanation {
  const { facts, ...seen } = seenRequest(models, read);
  return explainFacts(policy, facts, read.text, { ...context, command: { type: 'request' }, ...seen });
}

/** What the rules say of a text with these facts, for `sluice policy explain`. */
export function explainFacts(
  policy: CompiledPolicy,
  facts: Facts,
  command: string,
  context: PolicyContext,
): Explanation {
  const { decision, text } = explain(policy, facts, command, context);
  return decision.type !== 'deny'
    ? { decision: decision.type, text }
    : {
        decision: 'deny',
        rule: decision.rule,
        message: decision.message,
        ...(decision.hint !== undefined && { hint: decision.hint }),
        text,
      };
}

/**
 * What the rules say once it is known what a text does with masked columns. Of guesses only those of the text itself are counted.
 *
 * @param before what they say without
 */
export function explainUse(
  before: Explanation,
  plan: PlanAhead | undefined,
  ...[policy, facts, command, context]: Parameters<typeof explainFacts>
): Explanation {
  if (!plan || plan.use.asked.length + plan.use.moved.length === 0) return before;
  const masked = { ...plan.use, guesses: Math.max(0, ...plan.compared.values()) };
  return explainFacts(policy, facts, command, { ...context, masked });
}

/**
 * Adds which columns would be NULL because nothing better is known of them, and what is refused for that.
 *
 * @param plan undefined where the catalog of the target could not be read
 */
export function explainHidden(
  explanation: Explanation,
  plan: Pick<PlanAhead, 'hidden' | 'refusal'> | undefined,
  notFollowed: NotFollowed,
): Explanation {
  const { text } = explanation;
  if (!plan) return { ...explanation, text: `${text}\n\n${UNKNOWN_CATALOG}` };
  const { hidden, refusal } = plan;
  if (refusal) return refusedBy('the pooler', refusal, explanation);
  if (hidden.length === 0) return explanation;
  const told = { hidden: hidden.map(({ name: column, reason, why }) => ({ column, reason, why })) };
  const refusing = notFollowed === 'refuse' ? hidden.filter(isNotFollowed) : [];
  if (refusing.length > 0) return { ...refusedBy('not_followed', refusalOf(refusing), explanation), ...told };
  const { message, detail, hint } = announcement(hidden);
  return { ...explanation, ...told, text: `${text}\n\nHIDDEN: ${message}\n  ${detail}\n  ${hint}` };
}

const refusedBy = (
  what: string,
  { message, hint }: { readonly message: string; readonly hint: string },
  { text }: Explanation,
): Explanation => ({
  decision: 'deny',
  rule: GATEWAY,
  message,
  hint,
  text: `REFUSED because of ${what}: ${message}\n  ${hint}\n\nWithout that: ${text}`,
});

const UNKNOWN_CATALOG =
  'Columns are masked here, and the catalog of the target cannot be read at the moment: whether all of them can be followed, and what rules about masked columns say, is not known. "sluice doctor" says what is wrong with the target.';
