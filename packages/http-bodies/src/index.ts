/** Bodies and heads by HTTP, with what rules mask replaced in place as they pass. Pure. */
export { BodyMask, type OwnEditors, looksLikeText } from './body.js';
export { HttpCounts } from './counted.js';
export { type Editor, type EventEditor, NO_BYTES, joined } from './editor.js';
export { EventsMask } from './events.js';
export { BodyUnmasked, unmasked } from './fault.js';
export { foundIn, foundInTexts } from './found.js';
export { HttpMasks, UNCONDITIONAL, WHOLE_AND_PLAIN, type HttpMaskOptions, ofTheSent } from './http-masks.js';
export { hasMask } from './marks.js';
export { type Kind, type Unread, choiceFor, kindOf, unreadCharset } from './media.js';
export { JsonMask, JsonParts, NotJson } from './json.js';
export { foundInThread, hasMaskInThread, maskedInThread } from './looking-thread.js';
export { leafMask } from './text.js';
