export { builtIn } from './catalog.js';
export { type ColumnMask, cellMaskOf, POSTGRES_MASKS } from './column-mask.js';
export { type DetectorOptions, detectorFor } from './detector.js';
export { fixedMask, isMarkable } from './fixed.js';
export { isMaskable, maskFor } from './mask.js';
export type { PartMask } from './part-mask.js';
export type { CellMask, WireFormat, PgType } from './types.js';
