/**
 * What the tools need of the gateway, for one caller at a time. Owns: these types. Does not: decide anything; every call is a session whose gate
 * does. Types only.
 */
import type { Duplex } from 'node:stream';
import type { Approvals } from '@sluice/approvals';
import type { Admission, Gate, Principal, Refusal, Rule, Visit } from '@sluice/contract';

/** Somebody who has proven who they are. */
export interface Caller {
  readonly principal: Principal;
  /** Callers with the same key are the same principal by the same token. */
  readonly key: string;
  /** What they may use now, in the order of the configuration. */
  connections(): readonly ToolConnection[];
  /** A session of theirs that nobody has logged in to yet. Undefined: they may not use such a connection now. */
  begin(connection: string): Promise<CallSession | undefined>;
  /** What the rules say of a command, without running it. @throws ToolError for what cannot be explained; all else is a fault of its own */
  explain(connection: string, asked: Explain): Promise<Explained>;
  /** Has people asked for sessions on a connection. Undefined: nobody has to be, or they have agreed. */
  requestAccess(connection: string): Promise<Refusal | undefined>;
  /** Requests that anybody made, and where people find them. */
  readonly approvals: Pick<Approvals, 'recent' | 'waiting' | 'pageOf'>;
  /** Puts on record what no session of theirs has. `what`: a method or a tool; `asked` may hold secrets, and be of any length. */
  noted(what: string, about: string, asked?: Explain): void;
  /** Something of the gateway's own failed: for whoever runs it. */
  broke(reason: string): void;
}

export interface ToolConnection {
  readonly name: string;
  /** As the configuration names it; tools know those of Sluice's own. */
  readonly protocol: string;
  readonly rules: readonly Rule[];
  /** Present where people have to agree to its sessions. */
  readonly approval: object | undefined;
}

/** A session in this process, which ends when its stream does. */
export interface CallSession {
  readonly gate: Gate;
  /** Begins it as the caller. Once. `account`: of the target, where it is not that of the credential; else empty. */
  admit(account: string): Promise<Admission | Refusal>;
  /** The same of HTTP, where requests belong to visits. */
  visit(): Visit | Refusal | Promise<Visit | Refusal>;
  /** Nobody waits for it any more: what runs at the target is stopped, and what waits for people is withdrawn. */
  giveUp(): void;
  /** Has the protocol of the connection serve `client` by this gate, until one of them is gone. */
  serve(client: Duplex, gate: Gate): void;
}

export type Explain =
  | { readonly text: string }
  | {
      readonly request: {
        readonly method?: string | undefined;
        readonly path: string;
        readonly headers?: string[] | undefined;
        readonly body?: string | undefined;
      };
    };

export interface Explained {
  readonly decision: 'allow' | 'deny' | 'hold';
  readonly rule?: string | undefined;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
  /** The reasoning, in lines for people. */
  readonly text: string;
}
