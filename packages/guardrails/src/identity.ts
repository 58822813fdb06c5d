/**
 * Who has a session, as its target is told (`annotate`): what could change that. Owns: these refusals, which no rule lifts. Does not: tell
 * the target.
 */
import { ANNOTATIONS, type Action } from '@sluice/contract';
import { type DenyDecision, deny, unknownAction } from './verdict.js';

/**
 * Why an action does not pass where the target goes by who has the session; undefined: it may.
 *
 * @param isUnknown nobody trusts what it calls
 */
export function changesIdentity(action: Action, isUnknown: boolean): DenyDecision | undefined {
  const { verb, resources } = action;
  const setting = resources.find(
    ({ type, name, access }) => type === 'setting' && access === 'write' && KEPT.has(name),
  );
  if (setting)
    return deny('unjudged', `This ${verb} sets ${setting.name}, by which the target knows who has this session.`);
  if (!isUnknown) return undefined;
  const { message, hint } = unknownAction(action);
  const lists = action.unknownFunctions === undefined ? NO_RULE : `${hint ?? ''} ${NO_RULE}`;
  return deny('unknown-action', message, lists);
}

const KEPT: ReadonlySet<string> = new Set(ANNOTATIONS);
const NO_RULE =
  'The target goes by who has this session ("annotate"), which code that nobody knows could change, so no "allow" rule admits it.';
