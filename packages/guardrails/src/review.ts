/**
 * What people can look at before it is committed (`hold_commit`). Owns: which actions change anything, and which of those a ROLLBACK would
 * not take back, as far as that is known. Does not: hold anything.
 */
import type { Action, Effect } from '@sluice/contract';
import { type DenyDecision, deny } from './verdict.js';

const CHANGES: ReadonlySet<Effect> = new Set<Effect>([
  'write',
  'destroy',
  'define',
  'grant',
  'execute',
  'egress',
  'transfer',
  'unknown',
]);

/** Whether there is anything to look at before a COMMIT. What is only planned changes nothing; what is prepared was looked at then. */
export const changesSomething = ({ verb, effects, explainOnly }: Action): boolean =>
  explainOnly !== true && !OF_PREPARED.has(verb) && effects.some((effect) => CHANGES.has(effect));

const OF_PREPARED: ReadonlySet<string> = new Set(['commit prepared', 'rollback prepared']);

/**
 * Why people cannot look at a change before it is committed; undefined: they can.
 *
 * @param isUnknown nobody trusts what it calls
 */
export function unreviewable(action: Action, isUnknown: boolean): DenyDecision | undefined {
  const { verb, effects } = action;
  if (leaves(action) || effects.includes('transfer'))
    return deny(
      'unjudged',
      `This ${verb} does something outside the database, which no ROLLBACK takes back.`,
      USE_HOLD,
    );
  // What is defined is code that runs later, and is judged then.
  if (isUnknown && !effects.includes('define'))
    return deny('unjudged', `What this ${verb} does is not known, nor what a ROLLBACK would leave of it.`, USE_HOLD);
  return undefined;
}

/**
 * It reaches something outside. A notification leaves with the COMMIT: of the server's own function, and not of another one by that name. What
 * COPY has a program do is done at once, whatever its query calls.
 */
function leaves({ verb, effects, resources }: Action): boolean {
  if (!effects.includes('egress') || verb === 'notify') return false;
  const called = resources.flatMap(({ type, name }) => (type === 'function' ? [name] : []));
  const notifies = verb !== 'copy' && called.some((name) => NOTIFYING.has(name));
  return !notifies || called.some((name) => name.slice(name.lastIndexOf('.') + 1).startsWith('dblink'));
}

/** As it is written, and as facts take it for the server's. */
const NOTIFYING: ReadonlySet<string> = new Set(['pg_notify', 'pg_catalog.pg_notify']);

const USE_HOLD = 'An administrator can have it held before it runs, with "hold".';
