/** What a detector has found. Owns: the names of what there is to find, and which of several findings counts. Pure. */

/** What a detector can find. The names are part of masked values (`[masked:EMAIL]`) and of policies. */
export const ENTITIES = [
  'PRIVATE_KEY',
  'CONNECTION_STRING',
  'JWT',
  'API_KEY',
  'CREDIT_CARD',
  'IBAN',
  'US_SSN',
  'EMAIL',
  'PHONE',
  'SECRET',
] as const;
export type Entity = (typeof ENTITIES)[number];

/** Bytes `start` to `end` (not included) of the scanned buffer, never in the middle of a UTF-8 character. */
export interface Finding {
  readonly entity: Entity;
  readonly start: number;
  readonly end: number;
}

export const NONE: readonly Finding[] = Object.freeze([]);

/**
 * Findings in order, none overlapping. Of two that overlap the longer one gives the name (of equal ones the one that comes
 * first in `ENTITIES`) and covers both: no byte that any detector found is left in the open.
 */
export function resolve(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length < 2) return findings;
  const sorted = inOrder(findings);
  const result: Finding[] = [];
  for (const next of sorted) {
    const last = result.at(-1);
    if (!last || next.start >= last.end) result.push(next);
    else if (next.end > last.end) {
      const entity = next.end - next.start > last.end - last.start ? next.entity : last.entity;
      result[result.length - 1] = { entity, start: last.start, end: next.end };
    }
  }
  return result;
}

/** Few are nearly in order already, and a sort would cost more than finding them. */
function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const sorted = findings.slice();
  if (sorted.length > FEW_FINDINGS) return sorted.sort(order);
  for (let at = 1; at < sorted.length; at++) {
    const one = sorted[at] as Finding;
    let to = at;
    for (; to > 0 && order(sorted[to - 1] as Finding, one) > 0; to--) sorted[to] = sorted[to - 1] as Finding;
    sorted[to] = one;
  }
  return sorted;
}

const FEW_FINDINGS = 16;
const order = (a: Finding, b: Finding): number =>
  a.start - b.start || b.end - a.end || ENTITIES.indexOf(a.entity) - ENTITIES.indexOf(b.entity);
