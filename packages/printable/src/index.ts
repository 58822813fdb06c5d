/** Texts of others, made safe to show. */
export { hidesCharacters, printable, printableJson, printableLine, replaced, visible } from './printable.js';
