/** Who is there: principals, their tokens, and what they may reach. */
export { mayUse } from './access.js';
export { Directory, type IdentityStore, type Proven, type StoredToken } from './directory.js';
export { PendingLogins } from './pending.js';
export { SshIdentities, type SshProof, isWithin } from './ssh.js';
export { ITERATIONS, saltOf, tokenId, verifiersOf, type Verifiers } from './token.js';
