/**
 * What a condition says of one action where something may not be known: a body that was not read, a target that was not asked. Owns: what is
 * told apart. Does not: evaluate conditions (condition.ts), or decide by them (policy.ts).
 */
import type { Action } from '@sluice/contract';
import { BodyUnread, BodyUnreadable } from '@sluice/http-requests';
import type { Attributes, Condition } from './condition.js';
import { AnswerUnread, Unanswered } from './context.js';

export const matches = (condition: Condition | undefined, action: Action, attributes: Attributes): boolean =>
  condition === undefined || condition(action, attributes);

/** A rule that only observes stops nothing, also where it asks about a body that cannot be read. */
export const observes = (condition: Condition | undefined, action: Action, attributes: Attributes): boolean =>
  asked(condition, action, attributes) ?? false;

/** Whether a condition comes to ask what is not known yet. */
export function reaches(condition: Condition, action: Action, attributes: Attributes): boolean {
  try {
    condition(action, attributes);
    return false;
  } catch {
    return true;
  }
}

/** Undefined: the rule asks about a body that is not there to be read, or what the target did not answer. */
export function asked(condition: Condition | undefined, action: Action, attributes: Attributes): boolean | undefined {
  try {
    return matches(condition, action, attributes);
  } catch (error) {
    if (error instanceof BodyUnread || error instanceof BodyUnreadable || error instanceof Unanswered) return undefined;
    if (error instanceof AnswerUnread) return undefined;
    throw error;
  }
}

/** What a condition says for good; undefined: that hangs on something that may change, or is not known. */
export function certain(condition: Condition | undefined, action: Action, attributes: Attributes): boolean | undefined {
  if (!condition) return true;
  const { readsText, readsClock, readsRisk, readsAnswer } = condition;
  if (readsText || readsClock || readsRisk || readsAnswer) return undefined;
  try {
    return condition(action, attributes);
  } catch {
    return undefined;
  }
}

/** A condition that cannot be asked of a session keeps nobody from being counted. */
export function mayApply(condition: Condition | undefined, action: Action, attributes: Attributes): boolean {
  try {
    return asked(condition, action, attributes) ?? true;
  } catch {
    return true;
  }
}
