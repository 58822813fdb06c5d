export { builtIn } from './catalog.js';
export { maskFor, rowMask } from './mask.js';
export type { CellMask, Format, PgType } from './types.js';
