/** Texts that a target sends beside values: errors, notices, notifications. Owns what is taken out of them. Does not own how they are framed. */
import type { TextMask } from '@sluice/contract';
import { type Entity, detect } from './detectors/index.js';
import { label } from './modes.js';

/** Looks for these in texts, or for everything. Whether texts pass at all is asked each time. */
export const textMaskOf = (
  isHidden: () => boolean,
  entities?: { has(entity: Entity): boolean },
  isOfNames?: TextMask['isOfNames'],
): TextMask => ({
  get hidden() {
    return isHidden();
  },
  ...(isOfNames && { isOfNames }),
  clean: (text) => withoutFindings(text, entities),
});

function withoutFindings(text: string, entities?: { has(entity: Entity): boolean }): string {
  const bytes = Buffer.from(text);
  const findings = detect(bytes, 0, bytes.length, entities);
  let result = '';
  let at = 0;
  for (const { entity, start, end } of findings) {
    result += bytes.toString('utf8', at, start) + label(entity);
    at = end;
  }
  return findings.length === 0 ? text : result + bytes.toString('utf8', at);
}
