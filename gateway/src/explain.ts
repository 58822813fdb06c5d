import type { Analyzer } from '@sluice/analysis';
import type { Explanation } from '@sluice/cli';
import { type CompiledPolicy, type PolicyContext, explain } from '@sluice/guardrails';

/** What the rules say of a statement, for `sluice policy explain`. Parameters are taken for harmless, as at a Parse. */
export function explainStatement(
  analyzer: Analyzer,
  policy: CompiledPolicy,
  sql: string,
  context: PolicyContext,
): Explanation {
  const { decision, text } = explain(policy, analyzer.analyze(sql), sql, context);
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
