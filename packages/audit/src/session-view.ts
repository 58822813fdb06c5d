/**
 * What the rest of the gateway sees of a session: the record, the list of sessions, who has a place. Types only; the session
 * itself is in session.ts.
 */
import type { Ending, Principal } from '@sluice/contract';
import type { ConnectionConfig } from '@sluice/config';
import type { Maker } from '@sluice/identity';

export interface SessionView {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** `host:port` of the client, and the host alone. */
  readonly client: string;
  readonly address: string;
  readonly protocol: string;
  readonly state: 'login' | 'open';
  readonly principal: Principal | undefined;
  readonly connection: ConnectionConfig | undefined;
  /** The token that it was opened with, and who made that. */
  readonly tokenId: string | undefined;
  readonly makers: readonly Maker[];
  /** Claims of its principal that their issuer has kept with each session. */
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Commands let through and refused. */
  readonly commands: number;
  readonly denied: number;
  readonly signal: AbortSignal;
  /** Name of whoever has proven who they are, also while they still choose a machine. */
  holder: string | undefined;
  /** Ends the session at once; the protocol tells the client why. */
  end(reason: Ending): void;
}
