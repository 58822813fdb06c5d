/** Detectors of sensitive values, masks for them, and how both are applied to what a PostgreSQL server sends. Pure, but for a thread. */
export * from './detectors/index.js';
export { looksMasked, type MaskOptions, maskText, type Mode, token, TOKEN_PREFIX } from './modes.js';
export * from './postgres/index.js';
export { detectorsOf, entityOf, modeOf, streamEditors, stricter } from './rules.js';
export { HOLD_BACK_MS, streamEditor, type StreamMask, type StreamMaskOptions } from './stream/editor.js';
