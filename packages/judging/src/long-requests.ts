/**
 * Requests with long bodies. Owns: that what takes long to look through another thread looks through, while this one has time for others. Does
 * not: look (packages/http-bodies), or decide (requests.ts).
 */
import type { Facts, HttpCommand } from '@sluice/contract';
import type { CompiledPolicy, PolicyContext, Verdict } from '@sluice/guardrails';
import { type LongBody, LongFindings } from './long-body.js';
import type { Judgement } from './judgement.js';
import type { RequestMasks } from './request-masks.js';

/** What goes in place of a body, or why nothing does. */
export type Sent = ReturnType<RequestMasks['sent']>;

interface LongParts {
  readonly policy: CompiledPolicy;
  readonly masks: RequestMasks;
  /** What is known of the request. */
  readonly about: PolicyContext;
}

interface LongEnds {
  readonly decided: (context: PolicyContext, verdict: Verdict, sent: Sent) => Judgement;
  /** The thread has failed. */
  readonly failed: () => Judgement;
}

export function judgeLong(
  command: HttpCommand & { readonly body: LongBody },
  facts: Facts,
  { policy, masks, about }: LongParts,
  { decided, failed }: LongEnds,
): Judgement | Promise<Judgement> {
  const findings = new LongFindings(command.body, about.request?.query ?? '', masks.person);
  const context = { ...about, found: findings.found };
  const masked = (verdict: Verdict): Judgement | Promise<Judgement> => {
    const later = masks.sentLater(command, verdict.masks);
    const made = (sent: Sent): Judgement => decided(context, verdict, sent);
    return later ? later.then(made, failed) : made(masks.sent(command, verdict.masks, undefined));
  };
  const verdict = policy.judge(facts, command.text, context);
  if (!findings.isWanted) return masked(verdict);
  return findings.look().then(() => masked(policy.judge(facts, command.text, context)), failed);
}
