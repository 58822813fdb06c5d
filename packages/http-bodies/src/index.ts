/** Bodies and heads by HTTP, with what rules mask replaced in place as they pass. Pure. */
export { HttpMasks, type HttpMaskOptions } from './http-masks.js';
export type { Unread } from './media.js';
