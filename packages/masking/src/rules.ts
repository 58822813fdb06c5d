/**
 * From rules to masks, for every protocol: which mode a rule has, which of two is stricter, which detectors a set of rules asks
 * for. Does not own: which columns a rule names, which depends on a catalog.
 */
import type { Detector, MaskRule, StreamEditor } from '@sluice/contract';
import { ENTITIES, type Entity } from './detectors/index.js';
import type { Mode } from './modes.js';
import type { DetectorOptions } from './postgres/detector.js';
import { streamEditor } from './stream/editor.js';

/** Where two rules are about one column, that of them counts which tells less. */
const STRICTNESS = ['null', 'redact', 'hash', 'generalise', 'partial', 'reversible', 'count'] as const;

export function stricter<M extends MaskRule>(one: M, other: M): M {
  const { with: mode } = one;
  const { with: second } = other;
  // Nothing is masked by either, and each of them counts.
  if (mode.type === 'count' && second.type === 'count') return { ...one, with: together(mode, second) };
  return STRICTNESS.indexOf(second.type) < STRICTNESS.indexOf(mode.type) ? other : one;
}

type Counting = Extract<MaskRule['with'], { type: 'count' }>;

/** It is observed where both are. */
function together(one: Counting, other: Counting): Counting {
  const budgets = [...new Set([...one.budgets, ...other.budgets])];
  const observed = one.observed === true && other.observed === true;
  return { type: 'count', budgets, ...(observed && { observed: true }) };
}

/** It changes nothing of what it is about, and tells budgets. */
export const isCounting = ({ with: mode }: MaskRule): boolean => mode.type === 'count';

/** What is replaced reversibly is a pseudonym wherever nobody keeps the pairs. */
export const modeOf = ({ with: mode }: MaskRule): Mode => {
  if (mode.type === 'reversible') return { type: 'hash' };
  return mode.type === 'partial'
    ? { type: 'partial', ...(mode.keepLast !== undefined && { keepLast: mode.keepLast }) }
    : mode;
};

export const entityOf = (detector: Detector): Entity | undefined =>
  ENTITIES.find((entity) => entity === detector.toUpperCase());

const made = new WeakMap<readonly MaskRule[], DetectorOptions | undefined>();

/**
 * What the rules want detected; undefined where none wants anything. The same for the same list.
 *
 * @param replaced the mode of what is replaced reversibly, of one visit
 */
export function detectorsOf(masks: readonly MaskRule[], key: Uint8Array, replaced?: Mode): DetectorOptions | undefined {
  if (!replaced && made.has(masks)) return made.get(masks);
  const chosen = new Map<Entity, MaskRule>();
  for (const mask of masks) {
    for (const detector of mask.detect) {
      const entity = entityOf(detector);
      const known = entity && chosen.get(entity);
      if (entity) chosen.set(entity, known ? stricter(known, mask) : mask);
    }
  }
  const mode = (mask: MaskRule): Mode => (mask.with.type === 'reversible' && replaced) || modeOf(mask);
  const modes = new Map([...chosen].map(([entity, mask]) => [entity, mode(mask)] as const));
  const options = modes.size > 0 ? { modes, key } : undefined;
  if (!replaced) made.set(masks, options);
  return options;
}

/** Masks of detectors in what a program prints; undefined where no rule has any. Masks of columns have nothing to do there. */
export function streamEditors(masks: readonly MaskRule[], key: Uint8Array): (() => StreamEditor) | undefined {
  const options = detectorsOf(masks, key);
  return options && ((): StreamEditor => streamEditor(options));
}
