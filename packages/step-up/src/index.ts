/** Security keys that people show for a single decision (Web Authentication). */
export type { Bound } from './questions.js';
export { type KeyOwner, type RelyingParty, type SecurityKey, SecurityKeys, StepUpError } from './keys.js';
