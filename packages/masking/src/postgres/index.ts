export { builtIn } from './catalog.js';
export { type CopyFormat, CopyMask, type CopyMasks, type CopyRows, copyRows } from './copy.js';
export { type DetectorOptions, detectorFor } from './detector.js';
export { LargeRows, type LargeRowLimits } from './large-rows.js';
export { maskFor, rowMask } from './mask.js';
export { filterMessage, filterNotification, type MessageRules, withoutFindings } from './messages.js';
export { RowMask, type RowMaskOptions } from './rows.js';
export type { CellMask, Format, PgType } from './types.js';
export { LONGEST_ROW, Unmaskable } from './unmaskable.js';
