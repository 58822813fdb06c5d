/** Detectors of sensitive values, and masks: functions of one value of a type, or of a text. Pure, but for a thread. */
export * from './detectors/index.js';
export { looksMasked, type MaskOptions, maskText, type Mode, token } from './modes.js';
export { LargeRows, type LargeRowLimits, RowRoom } from './large-rows.js';
export * from './postgres/index.js';
export { ColumnMasks, MAX_INLINE_BYTES, MAX_INLINE_CELLS, type MaskFactory } from './result-masks.js';
export { detectorsOf, entityOf, modeOf, streamEditors, stricter } from './rules.js';
export { textMaskOf } from './text-mask.js';
export { unreadableValues } from './unreadable.js';
export { streamEditor, type StreamMask, type StreamMaskOptions } from './stream/editor.js';
