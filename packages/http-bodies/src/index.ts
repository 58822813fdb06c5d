/** Bodies and heads by HTTP, with what rules mask replaced in place as they pass. Pure. */
export { BodyUnmasked } from './fault.js';
export { HttpMasks, OF_THE_SENT, type HttpMaskOptions } from './http-masks.js';
export { hasMask } from './marks.js';
export type { Unread } from './media.js';
