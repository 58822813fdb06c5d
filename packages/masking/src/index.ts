/** Detectors of sensitive values, and masks: functions of one value of a type, or of a text. Pure, but for a thread. */
export * from './detectors/index.js';
export {
  keyed,
  label,
  looksMasked,
  magnitude,
  type MaskOptions,
  maskText,
  type Mode,
  partial,
  token,
} from './modes.js';
export { LargeRows, type LargeRowLimits, RowRoom } from './large-rows.js';
export * from './postgres/index.js';
export { onlyCounts } from './postgres/counted.js';
export { isText } from './postgres/bytes.js';
export { ColumnMasks, MAX_INLINE_BYTES, MAX_INLINE_CELLS, type MaskFactory, disclosed } from './result-masks.js';
export { type BackOf, Replacements, tokenStart, withValues } from './replacements.js';
export { disclosesFound, takeDisclosed } from './disclosed.js';
export { detectorsOf, entityOf, isCounting, modeOf, streamEditors, stricter } from './rules.js';
export { textMaskOf } from './text-mask.js';
export { unreadableValues } from './unreadable.js';
export { streamEditor, type StreamMask, type StreamMaskOptions } from './stream/editor.js';
