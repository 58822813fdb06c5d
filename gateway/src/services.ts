/**
 * What a session needs of the process around it, as types. Owns: these names. Does not: make any of it (components.ts,
 * gateway.ts).
 */
import type { Discovery, Ending, Limits, LoginWay, Principal, Protocol } from '@sluice/contract';
import type { ConnectionConfig, Traits } from '@sluice/config';
import type { Directory, PendingLogins, SshIdentities } from '@sluice/identity';
import type { Agents } from '@sluice/agents';
import type { ServerTls } from '@sluice/strangers';
import type { CommitBarrier, Counters, Log, SessionView } from '@sluice/audit';
import type { Mark } from '@sluice/http-requests';
import type { Admissions } from '@sluice/control';
import type { Holds } from './holds.js';
import type { HttpTargets } from './http/credentials.js';
import type { Judge } from '@sluice/judging';

import type { MySqlMaskSession } from '@sluice/sql-mysql';
import type { MaskSession, RowsInForce } from '@sluice/sql-postgres';
import type { SessionApprovals } from './session-approval.js';
import type { SshKeys } from './ssh/keys.js';
import type { HandshakeTurns, LoginLimits } from '@sluice/strangers';

export type Connection = ConnectionConfig;

/** A port that clients of one protocol connect to. */
export interface Listener {
  readonly protocol: Protocol;
  readonly tls: ServerTls | undefined;
  readonly traits: Traits;
  /** Clients without TLS are not let in. */
  readonly requireTls?: boolean;
  /** How clients log in that ask for no other way. */
  readonly login?: LoginWay | undefined;
  /** The connection that all who come to it want; undefined: they say which. */
  readonly connection?: string;
}

/** What masks follow of a session, for each protocol that answers with rows. */
export type SessionMasks = MaskSession | MySqlMaskSession;

/** What a session needs from the process around it. Everything outside comes through here. */
export interface Services {
  readonly limits: Limits;
  /** Time for the whole login, in milliseconds. */
  readonly handshake: number;
  readonly sessionsPerPrincipal: number;
  /** Sessions that may be logged in at a time. */
  readonly sessions: number;
  readonly draining: AbortSignal;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly identity: Directory;
  /** Where clients without a token are sent. */
  readonly discovery: Discovery | undefined;
  /** Whose client certificate it is, by one of its alternative names. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly sshIdentities: SshIdentities;
  readonly pendingLogins: PendingLogins;
  readonly ssh: SshKeys;
  readonly httpTargets: HttpTargets;
  /** What of a body by HTTP is recorded, in bytes. */
  readonly bodies: number;
  /** Stands for secrets in the record. */
  readonly mark: Mark;
  readonly agents: Agents;
  readonly log: Log;
  readonly barrier: CommitBarrier;
  readonly counters: Counters;
  readonly loginLimits: LoginLimits;
  readonly handshakes: HandshakeTurns;
  readonly holds: Holds;
  readonly rows: RowsInForce;
  readonly admissions: Admissions;
  readonly sessionApprovals: SessionApprovals;
  /** Out-of-band cancels by key. */
  readonly cancels: Map<string, () => Promise<void>>;
  /** Of the control API, and of the console, where there is one. */
  url(): string;
  console(): string | undefined;
  judge(session: SessionView & { readonly masks: SessionMasks | undefined; readonly sameNames: boolean }): Judge;
  /** What masks need to follow of a new session; undefined on a connection that masks nothing. */
  masks(connection: Connection): SessionMasks | undefined;
  mayUse(principal: Principal, connection: Connection): boolean;
  /**
   * Takes a place among the sessions that are logged in, for as long as the session is there. Returns why there is none: for
   * this principal, or for anybody.
   */
  takePlace(session: SessionView, principal: string): 'principal' | 'gateway' | undefined;
}

/** The token that a session was opened with was revoked. */
export const REVOKED: Ending = { code: 'token-revoked' };

export const drain = (why: string): Ending => ({ code: 'shutdown', why });
