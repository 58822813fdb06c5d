/** What people have allowed the gateway to do in their name at targets, each for themselves. */
export { GrantError, GrantUnavailable } from './errors.js';
export type { GrantAttempt, GrantSettings } from './issuer.js';
export { type GrantRow, Grants } from './grants.js';
export { grantSettings } from './settings.js';
