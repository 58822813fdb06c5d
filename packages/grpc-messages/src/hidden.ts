/**
 * Values of messages that are bytes. Owns: what detectors find in such as are messages themselves, whose type nobody says (an envelope with a
 * payload). Does not: texts, which are looked at as what JSON has for them.
 */
import { isUtf8 } from 'node:buffer';
import { type JsonParts, leafMask } from '@sluice/http-bodies';
import { JsonError } from '@sluice/http-requests';
import { readFields } from './fields.js';
import type { Hidden } from './message.js';

/** Messages within messages. */
const MAX_NESTED = 8;
const MASKED = Buffer.from('[masked]');

export function hiddenIn(parts: JsonParts): Hidden {
  if (!parts.detectors) return () => undefined;
  return (bytes) => (isFoundIn(parts, bytes, 0) ? MASKED : undefined);
}

function isFoundIn(parts: JsonParts, bytes: Buffer, depth: number): boolean {
  const texts = depth === MAX_NESTED ? undefined : textsIn(bytes);
  return (
    texts?.some((one) => {
      if (isUtf8(one)) {
        const text = one.toString('utf8');
        if (leafMask(parts, '', text) !== text) return true;
      }
      return isFoundIn(parts, one, depth + 1);
    }) === true
  );
}

/** What of a message may be a text; undefined: it is none. */
function textsIn(bytes: Buffer): readonly Buffer[] | undefined {
  try {
    return [...readFields(bytes)].filter(({ type }) => type === 2).map((one) => one.bytes);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
