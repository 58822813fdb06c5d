/**
 * What the control API needs of the gateway, and all that it needs. The gateway (gateway/src/gateway.ts) is one of these. Types
 * only.
 */
import type { Pins } from '@sluice/mcp-calls';
import type { Language, PlanAhead } from '@sluice/analysis';
import type { Finding } from '@sluice/api';
import type { Approvals } from '@sluice/approvals';
import type { Config, ConnectionConfig } from '@sluice/config';
import type { Facts, SqlCommand } from '@sluice/contract';
import type { CompiledPolicy, PolicyContext } from '@sluice/guardrails';
import type { Directory, LoginCodes, PendingLogins, SetupToken } from '@sluice/identity';
import type { Grants } from '@sluice/grants';
import type { Journal } from '@sluice/recording';
import type { Agents } from '@sluice/agents';
import type { Counters, Log, RecordKeeper, SessionView, Webhooks } from '@sluice/audit';
import type { Readings } from '@sluice/reading';
import type { Admissions } from './admissions.js';
import type { Day } from './day.js';
import type { Events } from './events.js';
import type { Revocations } from './revocations.js';
import type { Streams } from './streams.js';
import type { SecurityKeys } from '@sluice/step-up';
import type { Places, StrangerSockets } from '@sluice/strangers';

/** What `/readyz` says. */
export interface Readiness {
  readonly ok: boolean;
  readonly reason?: string;
  readonly configuration?: { readonly ok: false; readonly since: string; readonly message: string };
  /** Something is wrong with the record, or about to be, although commands are let through. */
  readonly record?: { readonly ok: false; readonly message: string };
}

/** A configuration that cannot be taken into use; the message says what is wrong with it, for whoever asked. */
export class UnusableConfiguration extends Error {}

/** The rules in force, and what they would say. */
export interface RulesInForce {
  /** On a connection. */
  of(connection: string): { policy: CompiledPolicy; connection: ConnectionConfig } | undefined;
  /** What masks would do with a statement, and it with masked columns, for `policy explain`. Rejects when the target's catalog cannot be read. */
  hiddenAhead(
    policy: CompiledPolicy,
    connection: ConnectionConfig,
    command: SqlCommand,
    facts: Facts,
    context: PolicyContext,
  ): Promise<PlanAhead>;
  /** The context with what the target says of a statement, where rules ask. Rejects when the target's catalog cannot be read. */
  askedOfTarget(
    policy: CompiledPolicy,
    connection: ConnectionConfig,
    command: SqlCommand,
    facts: Facts,
    context: PolicyContext,
  ): Promise<PolicyContext>;
}

export interface Controlled {
  readonly config: Config;
  readonly ready: Readiness;
  /** Open sessions by id, in the order in which they began. */
  readonly sessions: ReadonlyMap<string, SessionView>;
  /** `host:port` of each listener, by protocol. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly identity: Directory;
  readonly pendingLogins: PendingLogins;
  /** For programs that somebody lets in with a browser. */
  readonly loginCodes: LoginCodes;
  /** For whoever sets the gateway up. */
  readonly setupToken: SetupToken;
  readonly approvals: Approvals;
  readonly admissions: Admissions;
  readonly securityKeys: SecurityKeys;
  readonly grants: Grants;
  readonly revocations: Revocations;
  readonly agents: Agents;
  /** The gateway's own keys for SSH, as `known_hosts` and `TrustedUserCAKeys` want them. */
  readonly sshKeys: { readonly hostKeyLine: string; readonly authorityLine: string };
  readonly languages: ReadonlyMap<string, Language>;
  readonly rules: RulesInForce;
  /** Tools of servers of MCP, as they were looked at. */
  readonly pins: Pick<Pins, 'find'>;
  /** The folder that scripts/site.mjs puts the documentation in, as pages. */
  readonly documentation: string;
  readonly readings: Readings;
  readonly streams: Streams;
  /** What is told to whoever looks. */
  readonly events: Events;
  readonly log: Log;
  readonly places: Places;
  readonly strangers: StrangerSockets;
  /** What it did in the last day. */
  readonly day: Day;
  /** For metrics. */
  readonly journal: Journal;
  readonly keeper: RecordKeeper;
  readonly counters: Counters;
  readonly webhooks: Webhooks;
  readonly counted: { readonly allowed: number; readonly denied: number };
  readonly reloads: { readonly ok: number; readonly failed: number };
  /** Takes the configuration file into use again; undefined where there is none. Rejects with an UnusableConfiguration. */
  readonly onReload: ((actor: string) => Promise<void>) | undefined;
  /** Whether the target of a connection can be used as sessions would, and what masks and functions name there. */
  examine(connection: ConnectionConfig): Promise<Finding[]>;
  /** Ends the sessions that were opened with a token that was revoked. */
  endSessionsBy(tokenId: string): void;
}
