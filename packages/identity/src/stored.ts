/** Who somebody is, and tokens as they are kept, wished for and shown. Types only. */
import type { Principal, Role } from '@sluice/contract';
import type { Verifiers } from './token.js';

/** A description of somebody. Identity providers promise (issuer, subject); names change. */
export interface Person {
  readonly name: string;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
}

/** Somebody who made a token or confirmed a login, and what they showed for it. */
export interface Maker extends Person {
  /** Absent: a person, or a token that was kept before this was. */
  readonly kind?: 'agent';
  readonly by: 'token' | 'issuer';
  /** The id of what they showed. */
  readonly token: string;
}

/** A token as it is kept. Times are milliseconds since 1970. */
export interface StoredToken extends Verifiers {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly created: number;
  readonly expires: number | undefined;
  readonly lastUsed: number | undefined;
  readonly revoked: number | undefined;
  /** Only for these connections; undefined: for all that the principal may use. */
  readonly connections: readonly string[] | undefined;
  /** Only with these of the owner's roles; undefined: with all of them. */
  readonly roles: readonly string[] | undefined;
  /** Somebody whom an identity provider knows, as they were when they made it; undefined: one of the configuration. */
  readonly owner: Omit<Principal, 'roles'> | undefined;
  /** The token of its owner that it was made with: it goes when that goes. */
  readonly parent: string | undefined;
  /** Who made it first, then who made what they showed for it, and so on; none: the gateway itself. */
  readonly makers: readonly Maker[];
}

/** What the directory needs to keep. */
export interface IdentityStore {
  tokens(): Promise<StoredToken[]>;
  addToken(token: StoredToken): Promise<void>;
  revokeToken(id: string, at: number): Promise<void>;
  touchToken(id: string, at: number): Promise<void>;
  removeTokens(ids: readonly string[]): Promise<void>;
  setting(name: string): Promise<string | undefined>;
  setSetting(name: string, value: string): Promise<void>;
}

/** Somebody who has proven to be who they say. */
export interface Proven {
  /** What was shown: a token of the gateway, or of an identity provider. */
  readonly by: 'token' | 'issuer';
  readonly principal: Principal;
  /** As an identity provider described them, without what the configuration adds; absent: one of the configuration. */
  readonly claimed?: Omit<Principal, 'roles'> | undefined;
  /** Of the gateway's token; of an identity provider's: the issuer's name and a hash of the token. */
  readonly tokenId: string;
  /** Who made the gateway's token, as in `StoredToken`, or confirmed the login; none of an identity provider's. */
  readonly makers: readonly Maker[];
  readonly connections: readonly string[] | undefined;
  /** Only these of the owner's roles, as in `StoredToken`. */
  readonly only?: readonly string[] | undefined;
  /** When the proof runs out, in milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** A session that it opened ends then. */
  readonly endsSessions: boolean;
}

/** A token that is to be made. `expires` is in milliseconds since 1970. */
export interface TokenWish {
  /** A principal of the configuration by name, or somebody whom an identity provider knows. */
  readonly principal: string | Principal;
  readonly name: string;
  readonly expires?: number | undefined;
  readonly connections?: readonly string[] | undefined;
  readonly roles?: readonly Role[] | undefined;
  readonly parent?: string | undefined;
  /** What its maker showed; absent: the gateway itself makes it. */
  readonly madeWith?: Proven | undefined;
}
