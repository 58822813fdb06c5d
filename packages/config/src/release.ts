/** Who releases commands and sessions, and how. Owns: the shape of that in the file. Does not: names of people (references.ts). */
import type { Release } from '@sluice/contract';
import { z } from 'zod';
import { duration } from './values.js';

/** What somebody shows who decides, besides being logged in. */
const stepUp = z
  .literal('webauthn')
  .optional()
  .describe('webauthn: whoever decides shows a security key of theirs, in the console, for this request');

const approvers = z
  .array(z.string().regex(/^(group|user|agent):\S+$/, 'write group:name, user:name or agent:name'))
  .min(1);

/** Who is asked as well, when nobody has answered for a while. */
const escalate = z
  .strictObject({ after: duration, to: approvers })
  .optional()
  .describe('further approvers (to), who are asked as well when there is no outcome after so long');

/** Who passes what they asked themselves, where it cannot wait. */
const breakGlass = z
  .array(z.string().regex(/^(group|user):\S+$/, 'write group:name or user:name: programs pass nothing by themselves'))
  .min(1)
  .optional()
  .describe(
    'people who may pass what they asked themselves at once, with a reason; everybody is told, and somebody else reviews it',
  );

/** The people who release something, and how. */
export const release = {
  approvers: approvers.describe(
    'who may release it: people by group:name or user:name, programs by agent:name; never the one who asked',
  ),
  timeout: duration.prefault('10m').describe('how long it may stay unanswered'),
  count: z.number().int().min(1).max(20).default(1).describe('how many of them have to'),
  fail: z.boolean().default(false).describe('refuse at once, with the number of the request, instead of waiting'),
  escalate,
  step_up: stepUp,
  break_glass: breakGlass,
};

/** Whoever is asked after the end is asked by nobody. */
export function escalatesInTime(
  { timeout, escalate: { after } = { after: 0 } }: { timeout: number; escalate?: { after: number } | undefined },
  context: z.core.$RefinementCtx,
): void {
  if (after >= timeout)
    context.addIssue({
      code: 'custom',
      path: ['escalate', 'after'],
      message: 'nobody is asked any more by then: it has to be shorter than "timeout"',
    });
}

/** The people who have to agree before a session begins, and for how long that counts. */
export const sessionApproval = z
  .strictObject({
    ...release,
    window: duration.prefault('8h').describe('how long the same principal may open sessions afterwards'),
  })
  .superRefine(escalatesInTime);

type Written = z.output<z.ZodObject<typeof release>>;

/** As the gateway has it. */
export const releaseOf = ({ timeout, escalate, step_up: stepUp, break_glass: broken, ...rest }: Written): Release => ({
  ...rest,
  timeoutMs: timeout,
  ...(escalate && { escalate: { afterMs: escalate.after, to: escalate.to } }),
  ...(stepUp && { stepUp }),
  ...(broken && { breakGlass: broken }),
});
