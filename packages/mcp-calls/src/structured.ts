/**
 * Results that say the same twice: structured content, and texts for clients that do not read it. Owns: that where places in structured content
 * are masked, no text says in other words what stood there. Does not: mask.
 */
import type { AppliedMask } from '@sluice/contract';
import { type Json, JsonError, jsonOf, readJson } from '@sluice/http-requests';
import { type JsonObject, textIn } from '@sluice/mcp';

const PLACE = '/result/structuredContent';

/**
 * A text that is not the same JSON is replaced by it, whose places are masked then, and further ones go: servers write prose, or a text for each
 * item of a list.
 */
export function withOneText(result: JsonObject, masks: readonly AppliedMask[]): JsonObject {
  const structured = result.members.get('structuredContent');
  const content = result.members.get('content');
  const isMasked = masks.some(({ json }) => json?.some((place) => place === PLACE || place.startsWith(`${PLACE}/`)));
  if (!isMasked || !structured || content?.type !== 'array') return result;
  const written = jsonOf(structured);
  let isSaid = content.items.some((one) => isSame(one, written));
  const items = content.items.flatMap((one): Json[] => {
    if (one.type !== 'object' || textIn(one.members, 'text') === undefined || isSame(one, written)) return [one];
    if (isSaid) return [];
    isSaid = true;
    return [{ type: 'object', members: new Map(one.members).set('text', { type: 'string', text: written }) }];
  });
  return { type: 'object', members: new Map(result.members).set('content', { type: 'array', items }) };
}

function isSame(item: Json, written: string): boolean {
  const text = item.type === 'object' ? textIn(item.members, 'text') : undefined;
  if (text === undefined) return false;
  try {
    return jsonOf(readJson(text)) === written;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}
