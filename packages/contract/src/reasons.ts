/**
 * Why the gateway itself says no or ends a session: a code, and what a sentence about it needs. Each protocol makes the sentence,
 * in its own file (refusal.ts of Postgres, words.ts of SSH). Does not: hold the sentences of rules, which are those of the people who wrote them.
 */

import type { BudgetUnit } from './policy.js';

/** What people are asked: a request, how many of whom can answer it, and where they find it with a browser. */
export interface Asked {
  readonly request: number;
  readonly approvers: string;
  readonly page?: string | undefined;
}

/** The setting of its own session that has ended a wait. */
export type TimeoutSetting = 'lock_timeout' | 'statement_timeout' | 'transaction_timeout';

/** Why a command was not let through, where no rule and no analysis said so. */
export type DenyReason =
  /** Its own client withdrew it while it waited. */
  | { readonly code: 'cancelled' }
  | { readonly code: 'nobody-can-wait-yet' }
  /** Another session defines what it uses, or moves values by what it defines, and that took too long; `by`: a setting of its own session. */
  | { readonly code: 'definitions-under-way'; readonly by?: TimeoutSetting | undefined }
  | { readonly code: 'nobody-could-be-asked'; readonly why?: string }
  /** People have to agree, and it does not wait for them. */
  | ({ readonly code: 'approval-needed' } & Asked)
  | { readonly code: 'approval-denied'; readonly request: number; readonly by: string; readonly why: string }
  | { readonly code: 'approval-expired'; readonly request: number }
  | { readonly code: 'approval-withdrawn'; readonly request: number; readonly why?: string }
  | { readonly code: 'rules-changed' }
  /** People look at what it changes before COMMIT, and it would be committed by itself. */
  | { readonly code: 'review-needs-transaction' }
  /** It changes such a thing, and ends a transaction as well. */
  | { readonly code: 'review-stands-alone' }
  | { readonly code: 'session-outdated' }
  /** The target wants to know people, and whoever asks has given no grant there. `page`: where they do, with a browser; undefined: nowhere. */
  | { readonly code: 'grant-needed'; readonly connection: string; readonly page?: string | undefined }
  /** Rules read the body of a request, and this one is longer than `limit` bytes. */
  | { readonly code: 'body-too-long'; readonly limit: number }
  /**
   * A budget has no room for it before `free`, in milliseconds since 1970; undefined: nobody knows when. `wanted`: what it may take.
   * `rule`: of the budget; `within`: its time, in words; `ask`: whom.
   */
  | {
      readonly code: 'budget-used-up';
      readonly unit: BudgetUnit;
      readonly used: number;
      readonly limit: number;
      readonly wanted: number;
      readonly free: number | undefined;
      readonly rule?: string | undefined;
      readonly within?: string | undefined;
      readonly ask?: string | undefined;
    }
  /** A budget counts the different values of a column, and what is shown is computed from them. */
  | { readonly code: 'budget-uncountable'; readonly rule: string }
  /** A budget cannot be counted at the moment. */
  | { readonly code: 'budget-uncounted'; readonly rule: string }
  /** A rule bounds each answer, and this one would have more. `timeout`: milliseconds. */
  | {
      readonly code: 'answer-bound';
      readonly rule: string;
      readonly unit: 'rows' | 'bytes' | 'timeout';
      readonly limit: number;
    }
  /** It touches a table that its principal never touched before, which has frozen them. `subject`: as `sluice freeze` names it. */
  | { readonly code: 'frozen'; readonly subject: string; readonly why: string }
  | { readonly code: 'tripwire-uncounted'; readonly rule: string }
  | { readonly code: 'record-unwritable' };

/** Why a login did not succeed. Reveals nothing that the caller has not proven to know. */
export type RefusalReason =
  /** `tokens`: so many of one name are tried, the newest. */
  | { readonly code: 'wrong-proof'; readonly user: string; readonly tokens: number }
  | { readonly code: 'too-many-failures'; readonly user: string }
  | { readonly code: 'too-many-browser-logins' }
  /** One request shows two proofs, and they are not the same. */
  | { readonly code: 'proofs-differ' }
  /** An administrator has ended a session of `user` at the connection, and for `seconds` there is no other. */
  | { readonly code: 'barred'; readonly user: string; readonly connection: string; readonly seconds: number }
  | { readonly code: 'token-uncheckable'; readonly why: string }
  | { readonly code: 'no-room-to-record' }
  /** `connection` is empty where none was named. */
  | { readonly code: 'unknown-connection'; readonly connection: string }
  /** There is one of this name, which the user may reach; `protocol`: by what. */
  | { readonly code: 'other-protocol'; readonly connection: string; readonly protocol: string }
  | { readonly code: 'no-access'; readonly user: string; readonly connection: string }
  | { readonly code: 'unknown-account'; readonly account: string; readonly connection: string }
  | { readonly code: 'already-chosen'; readonly connection: string }
  /** In a session that is open: of somebody else, or by another token. `user`: whose session it is. */
  | { readonly code: 'another-login'; readonly user: string }
  | { readonly code: 'access-lost' }
  /** Somebody, or the connection, is frozen until a person thaws it. `subject`: as `sluice freeze` names it. */
  | { readonly code: 'frozen'; readonly subject: string; readonly why: string }
  /** What a tripwire of the connection counts cannot be counted. */
  | { readonly code: 'tripwire-uncounted'; readonly rule: string }
  /** A budget of logins is used up. */
  | { readonly code: 'logins-used-up'; readonly message: string; readonly hint: string }
  | { readonly code: 'too-many-sessions-of-user'; readonly user: string; readonly sessions: number }
  | { readonly code: 'too-many-sessions'; readonly sessions: number }
  /** People have to agree to the session. */
  | ({ readonly code: 'session-approval-needed'; readonly connection: string } & Asked)
  | { readonly code: 'session-denied'; readonly request: number; readonly by: string; readonly why: string }
  | { readonly code: 'session-approval-outdated'; readonly request: number }
  | { readonly code: 'session-approval-expired'; readonly request: number }
  | { readonly code: 'session-approval-withdrawn'; readonly request: number; readonly why?: string }
  | { readonly code: 'session-approval-failed'; readonly why?: string }
  | { readonly code: 'client-gone' };

/** Why a session has to end although neither peer asked for it; the reason of the gate's signals. */
export type Ending =
  /** `keptOut`: for so many seconds its principal gets no other one, where that would need no new login. */
  | { readonly code: 'ended-by-administrator'; readonly why?: string; readonly keptOut?: number }
  | { readonly code: 'token-revoked' }
  | { readonly code: 'token-expired' }
  | { readonly code: 'frozen'; readonly subject: string; readonly why: string }
  | { readonly code: 'tripwire-uncounted'; readonly rule: string }
  | { readonly code: 'connection-removed' }
  /** Another configuration is in force, and what comes next is for a session under it. */
  | { readonly code: 'reconfigured' }
  | { readonly code: 'connection-forbidden' }
  | { readonly code: 'account-forbidden' }
  | { readonly code: 'columns-masked' }
  | { readonly code: 'output-masked' }
  /** The target is told of sessions since, or keeps rows apart, and was not when this one began. */
  | { readonly code: 'identity-told' }
  | { readonly code: 'idle' }
  /** Whoever it was opened for waits for nothing more of it. */
  | { readonly code: 'given-up' }
  /** `why`: a sentence of whoever stops the gateway. */
  | { readonly code: 'shutdown'; readonly why?: string }
  | { readonly code: 'login-too-slow' }
  | { readonly code: 'too-many-logins' }
  /** People look at what its transaction has changed before COMMIT, and that did not come in time. */
  | { readonly code: 'transaction-too-long' }
  /** A long row of its result takes memory that others wait for. */
  | { readonly code: 'long-row-unread' }
  | { readonly code: 'record-unwritable' };

/** What a client is told while it waits for people. */
export type Notice =
  /** `rules`: names of those that want it. */
  | ({ readonly code: 'command-waits'; readonly rules: readonly string[] } & Asked)
  | ({ readonly code: 'session-waits' } & Asked)
  /** Nobody has answered so far, and further approvers are asked. */
  | ({ readonly code: 'approvers-added' } & Asked)
  /** Whoever waited has let it pass; somebody else reviews that. */
  | ({ readonly code: 'glass-broken' } & Pick<Asked, 'request' | 'page'>);

/** What kind of a refusal it is, for logs and metrics. */
export type RefusalKind = 'credentials' | 'connection' | 'access' | 'limit' | 'unavailable';

export const REFUSAL_KINDS: Readonly<Record<RefusalReason['code'], RefusalKind>> = {
  'wrong-proof': 'credentials',
  'too-many-failures': 'limit',
  'too-many-browser-logins': 'limit',
  'proofs-differ': 'credentials',
  barred: 'access',
  'token-uncheckable': 'unavailable',
  'no-room-to-record': 'unavailable',
  'unknown-connection': 'connection',
  'other-protocol': 'connection',
  'no-access': 'access',
  'unknown-account': 'access',
  'already-chosen': 'limit',
  'another-login': 'access',
  'access-lost': 'credentials',
  frozen: 'access',
  'tripwire-uncounted': 'unavailable',
  'logins-used-up': 'limit',
  'too-many-sessions-of-user': 'limit',
  'too-many-sessions': 'limit',
  'session-approval-needed': 'access',
  'session-denied': 'access',
  'session-approval-outdated': 'access',
  'session-approval-expired': 'access',
  'session-approval-withdrawn': 'access',
  'session-approval-failed': 'access',
  'client-gone': 'access',
};

/** What kind of an ending it is, for the record. */
export type EndingKind = 'killed' | 'idle' | 'drain' | 'deadline' | 'failure';

export const ENDING_KINDS: Readonly<Record<Ending['code'], EndingKind>> = {
  'ended-by-administrator': 'killed',
  'token-revoked': 'killed',
  'token-expired': 'killed',
  frozen: 'killed',
  'tripwire-uncounted': 'failure',
  'connection-removed': 'killed',
  reconfigured: 'drain',
  'connection-forbidden': 'killed',
  'account-forbidden': 'killed',
  'columns-masked': 'killed',
  'output-masked': 'killed',
  'identity-told': 'killed',
  idle: 'idle',
  'given-up': 'killed',
  shutdown: 'drain',
  'login-too-slow': 'deadline',
  'too-many-logins': 'deadline',
  'long-row-unread': 'deadline',
  'transaction-too-long': 'deadline',
  'record-unwritable': 'failure',
};
