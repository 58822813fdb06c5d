/** Who is there: principals, their tokens, and what they may reach. */
export { claimsIn, mayUse } from './access.js';
export { MAX_CANDIDATES, readLoginName } from './candidates.js';
export { Directory, type DirectoryOptions } from './directory.js';
export type { IdentityStore, Maker, Person, Proven, StoredToken, TokenWish } from './stored.js';
export {
  OPERATOR,
  isOperator,
  makersBy,
  ownerOf,
  notOwnWord,
  samePerson,
} from './makers.js';
export { TokenError } from './oidc/error.js';
export type { AnyIssuerSettings, IssuerSettings, Verified } from './oidc/issuer.js';
export { Issuers } from './oidc/issuers.js';
export { People, type RoleLists } from './people.js';
export { LoginCodes } from './login-codes.js';
export { PendingLogins, type WaitingLogin } from './pending.js';
export { SetupToken } from './setup-token.js';
export { type SeenPrincipal, nameOf } from './seen.js';
export { SshIdentities, type SshProof, isWithin } from './ssh.js';
export { TokenLimitError, tokenId, verifiersOf, type Verifiers } from './token.js';
