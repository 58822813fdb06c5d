/**
 * Masks by place in answers to GraphQL, where whoever asks says what a field is called. Owns: the places that a mask means in one answer. Does
 * not: read documents, or mask.
 */
import { type AppliedMask, type Deny, type HttpEdits, Unmasked } from '@sluice/contract';
import { BodyUnreadable, type GraphqlShape, type Request, pointerSteps } from '@sluice/http-requests';

/** Of one rule in one answer. */
const MAX_PLACES = 500;

const TOO_MANY: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: `Rules mask places of this answer, and this GraphQL gives fields so many names that there would be more than ${MAX_PLACES} of them.`,
  hint: 'Ask for fields by their own names.',
};

const hasPlaces = ({ json }: AppliedMask): boolean => json !== undefined && json.length > 0;

/** The masks as they are for the answer to this request, or why it must not be asked. */
export function placedMasks(masks: readonly AppliedMask[], request: Request): readonly AppliedMask[] | Deny {
  if (!masks.some(hasPlaces)) return masks;
  const { shape } = request;
  if (!shape) return masks;
  if (shape instanceof BodyUnreadable) return { type: 'deny', rule: 'gateway', message: shape.message };
  if (shape.aliases.size === 0 && !shape.isBatch && !shape.streams) return masks;
  const placed: AppliedMask[] = [];
  for (const mask of masks) {
    const json = new Set<string>();
    for (const pointer of mask.json ?? [])
      for (const place of placesOf(pointer, shape)) {
        json.add(place);
        if (json.size > MAX_PLACES) return TOO_MANY;
      }
    // What is compiled of a rule is remembered by its list of detectors.
    placed.push(hasPlaces(mask) ? { ...mask, detect: [...mask.detect], json: [...json] } : mask);
  }
  return placed;
}

function* placesOf(pointer: string, { aliases, isBatch, streams }: GraphqlShape): Generator<string> {
  const isWhole = pointer.startsWith('/');
  const frames = isWhole ? ['/', ...(isBatch ? ['/*/'] : []), ...(streams ? ['/payload/'] : [])] : [''];
  for (const named of namedIn(pointerSteps(pointer), aliases)) for (const frame of frames) yield `${frame}${named}`;
}

/** Each way in which the steps may be called, one after the other. */
function* namedIn([first, ...rest]: readonly string[], aliases: GraphqlShape['aliases']): Generator<string> {
  if (first === undefined) return;
  for (const name of [first, ...(aliases.get(first.toLowerCase()) ?? [])]) {
    const written = name.replaceAll('~', '~0').replaceAll('/', '~1');
    if (rest.length === 0) yield written;
    else for (const below of namedIn(rest, aliases)) yield `${written}/${below}`;
  }
}

/** No answer passes: what rules mask in it is somewhere else. */
export const unanswerable = ({ message }: Deny): HttpEdits => ({
  answer: () => {
    throw new Unmasked(message);
  },
});
