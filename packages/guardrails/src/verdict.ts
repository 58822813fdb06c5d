/** What rules decide, and the refusals that are the gateway's own. Owns: their sentences. Does not: decide (policy.ts). */
import type { Action, AppliedBound, AppliedBudget, AppliedHold, AppliedMask, RuleMatch } from '@sluice/contract';

export type PolicyDecision =
  | { readonly type: 'allow' }
  /** Every rule that wants people to look at it; all have to be satisfied. */
  | { readonly type: 'hold'; readonly holds: readonly AppliedHold[] }
  | {
      readonly type: 'deny';
      readonly rule: string;
      readonly message: string;
      readonly hint?: string;
      readonly cause: DenyCause;
    };

/** What a refusal goes back to; each but `rule` is the gateway's own, where no rule has refused. */
export type DenyCause = 'rule' | 'unknown-action' | 'masked-moved' | 'unjudged';

export interface Verdict {
  readonly decision: PolicyDecision;
  /** Every hold that applies, also where something is refused as well. */
  readonly holds: readonly AppliedHold[];
  /** Of every rule that has people look at it before it is committed. Absent: of none. */
  readonly reviews?: readonly AppliedHold[];
  /** Every rule that matched, in order, whether it decided or not. */
  readonly matched: readonly RuleMatch[];
  /** Of every rule that matched. They hold for whatever is let through. */
  readonly masks: readonly AppliedMask[];
  /** Of every rule that matched: what is let through takes from them. */
  readonly budgets: readonly AppliedBudget[];
  /** Of every rule that matched: each answer has to keep all of them. */
  readonly bounds: readonly AppliedBound[];
}

/** The rule that Sluice's own refusals are attributed to. */
export const GATEWAY = 'gateway';

export type DenyDecision = Extract<PolicyDecision, { type: 'deny' }>;

/** What holds decide where nothing is refused. */
export const unrefused = (holds: readonly AppliedHold[]): PolicyDecision =>
  holds.length > 0 ? { type: 'hold', holds } : { type: 'allow' };

export const deny = (cause: DenyCause, message: string, hint?: string): DenyDecision => ({
  type: 'deny',
  rule: GATEWAY,
  message,
  ...(hint !== undefined && { hint }),
  cause,
});

/** Nobody can say what the rules would. */
export const refusal = (message: string): Verdict => ({
  decision: deny('unjudged', message),
  holds: [],
  matched: [],
  masks: [],
  budgets: [],
  bounds: [],
});

/** Copying a masked value to an unmasked place would remove its mask. */
export const movedMasked = (moved: readonly string[]): DenyDecision =>
  deny(
    'masked-moved',
    `This statement puts values of masked or counted columns where no mask would hold them (${[...new Set(moved)].join(', ')}).`,
    'An administrator can admit it with an "allow" rule.',
  );

const UNPREPARED = /, and no such prepared statement is known$/;
const PREPARE_IT = 'Prepare it in this session first, under this name.';

export function unknownAction({ verb, reasons, unknownFunctions }: Action): DenyDecision {
  const why = reasons.length > 0 ? reasons.join('; ') : 'does something that is not known';
  const admit =
    unknownFunctions === undefined
      ? 'An administrator can admit it with an "allow" rule.'
      : `An administrator who knows what they do can list them under functions.trusted: ${unknownFunctions.join(', ')}.`;
  // Nobody would admit what the target would answer with an error.
  const hint = reasons.length > 0 && reasons.every((one) => UNPREPARED.test(one)) ? PREPARE_IT : admit;
  return deny('unknown-action', `This ${verb} ${why}.`, hint);
}
