/** Whether what is said on a WebSocket has to be judged message by message. Does not: judge one (policy.ts). */
import type { HttpBody, HttpHead, HttpMessage } from '@sluice/contract';
import { Request, type RequestReading } from '@sluice/http-requests';
import type { PolicyContext } from './context.js';
import type { CompiledPolicy } from './policy.js';

const KINDS: readonly HttpMessage['kind'][] = ['text', 'binary'];
/** Nobody has read it yet. */
const UNREAD: HttpBody = { type: 'stream', media: 'application/json', length: undefined };

/**
 * True where a rule reads messages, looks at the clock, or says something else of one than that it may pass. `opening`: the request that opens
 * the WebSocket, which stays open while the time goes on.
 *
 * @param about who sends it, and what is known of it
 */
export const judgesMessages = (
  policy: CompiledPolicy,
  opening: HttpHead & { readonly text: string },
  reading: RequestReading,
  about: (request: Request, body: HttpBody) => PolicyContext,
): boolean =>
  policy.readsClock ||
  KINDS.some((kind) => {
    const request = new Request(opening, UNREAD, '', reading, kind);
    const facts = request.facts();
    const context = about(request, UNREAD);
    if (policy.needsBody(facts, opening.text, context) !== undefined) return true;
    const { decision, matched, masks } = policy.judge(facts, opening.text, context);
    return decision.type !== 'allow' || masks.length > 0 || matched.some(({ observed }) => observed);
  });
