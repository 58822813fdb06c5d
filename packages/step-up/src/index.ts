/** Security keys that people show for a single decision (Web Authentication). */
export { type Bound, type Question, Questions } from './questions.js';
export { type KeyOwner, MAX_KEYS, type RelyingParty, type SecurityKey, SecurityKeys, StepUpError } from './keys.js';
