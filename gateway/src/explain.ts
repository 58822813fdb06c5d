import { analyzeShell } from '@sluice/shell';
import type { Explanation } from '@sluice/api';
import type { ExecCommand, Facts } from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, explain } from '@sluice/guardrails';

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
