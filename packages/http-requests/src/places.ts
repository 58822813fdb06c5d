/**
 * Places in bodies, as rules name them: JSON pointers (RFC 6901) in which `*` stands for one step and `**` for any number of them. Owns:
 * how they are written. Does not: find them in a document.
 */

/** A place is no deeper, in steps. */
const MAX_STEPS = 32;

/** @throws TypeError with a phrase for what is no pointer */
export function pointerSteps(pointer: string): readonly string[] {
  if (!pointer.startsWith('/') && !/^\*\*(?:\/|$)/.test(pointer))
    throw new TypeError('a place in a body begins with a slash, as /items/*/email, or with two stars, as **/ssn');
  const steps = pointer.replace(/^\//, '').split('/');
  if (steps.length > MAX_STEPS) throw new TypeError(`a place in a body has at most ${MAX_STEPS} steps`);
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
