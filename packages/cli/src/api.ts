/** What the control API sends, as the commands read it. The gateway's routes return these types. */

export interface SessionRow {
  readonly id: string;
  readonly state: 'open' | 'login' | 'ended';
  readonly principal: string;
  readonly connection: string;
  readonly protocol: string;
  readonly client: string;
  /** ISO 8601. */
  readonly started: string;
  readonly ended?: string;
  /** Why it ended. */
  readonly reason?: string;
  readonly commands: number;
  readonly denied: number;
}

export interface TimelineEntry {
  /** Milliseconds since the start of the session. */
  readonly at: number;
  readonly type: 'opened' | 'command' | 'output' | 'response' | 'approval' | 'closed' | 'other';
  readonly command?: number;
  readonly phase?: 'prepare' | 'run';
  /** Of commands that are no SQL. */
  readonly kind?: 'exec' | 'shell' | 'subsystem' | 'forward';
  readonly account?: string;
  /** What a program wrote, or `size` and `line`; `data` is base64, since a piece may end within a character. */
  readonly stream?: 'out' | 'err' | 'size' | 'line';
  readonly data?: string;
  readonly text?: string;
  readonly parameters?: readonly unknown[] | { readonly count: number };
  readonly decision?: 'allow' | 'deny' | 'hold';
  readonly rule?: string;
  readonly message?: string;
  readonly outcome?: string;
  readonly summary?: string;
  readonly rows?: number;
  readonly bytes?: number;
  /** Columns that were NULL because nothing better is known of them, how many by reason. */
  readonly hidden?: Readonly<Record<string, number>>;
  readonly result?: {
    readonly columns: readonly string[];
    readonly rows: readonly (readonly (string | null)[])[];
    readonly messages: readonly string[];
    readonly copied: readonly string[];
  };
}

export interface TokenRow {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly created: string;
  readonly expires?: string;
  readonly lastUsed?: string;
  readonly revoked?: string;
  readonly connections?: readonly string[];
  readonly roles?: readonly string[];
  /** Who made it, and the id of what they showed for it; absent: the gateway itself. */
  readonly madeBy?: string;
  readonly madeWith?: string;
}

/** The caller, as the gateway sees them. */
export interface WhoAmI {
  readonly name: string;
  readonly kind: 'person' | 'agent';
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  /** What was shown: a token of the gateway, or of an identity provider. */
  readonly by: 'token' | 'issuer';
  readonly token: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly connections?: readonly string[];
  readonly expires?: string;
}

/** An identity provider that `sluice login` can go to. */
export interface IssuerRow {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly scopes: readonly string[];
  /** Which of its tokens the gateway takes. */
  readonly token: 'id_token' | 'access_token';
}

export interface ConnectionRow {
  readonly name: string;
  readonly protocol: string;
  /** `host:port` of the gateway's listener. */
  readonly listener: string;
  /** Whether that speaks TLS. */
  readonly tls?: boolean;
  readonly policies: readonly string[];
}

export interface Explanation {
  readonly decision: 'allow' | 'deny' | 'hold';
  readonly rule?: string;
  readonly message?: string;
  readonly hint?: string;
  /** Columns that would be NULL, and why: nothing better is known of their values. An empty name: all of the result. */
  readonly hidden?: readonly { readonly column: string; readonly reason: string; readonly why: string }[];
  readonly text: string;
}

export interface ApprovalRow {
  readonly number: number;
  /** A command, or sessions of the principal on the connection. */
  readonly kind: 'command' | 'session';
  readonly state: 'pending' | 'approved' | 'denied' | 'withdrawn' | 'expired';
  readonly principal: string;
  readonly connection: string;
  readonly session: string;
  /** In lists the start of it, and the first of the values; how much there is of both. */
  readonly text: string;
  readonly textBytes: number;
  readonly parameters: readonly string[];
  readonly values: number;
  readonly requirements: readonly {
    readonly rule: string;
    readonly approvers: readonly string[];
    readonly count: number;
  }[];
  readonly unanswered: 'deny' | 'allow';
  /** The client waits on the wire; else the identical statement passes once after an approval. */
  readonly waits: boolean;
  /** What it would do, as far as that is known beforehand. */
  readonly impact?: {
    readonly tables: readonly {
      readonly verb: string;
      readonly table: string;
      readonly rows?: number;
      readonly of?: number;
      readonly bytes?: number;
      readonly cascades: readonly string[];
      readonly triggers: readonly string[];
    }[];
    readonly unknown?: string;
  };
  /** A transaction is open meanwhile, which may hold locks. */
  readonly transaction: boolean;
  readonly created: string;
  readonly expires: string;
  readonly closed?: string;
  readonly used?: string;
  readonly why?: string;
  readonly words: readonly {
    readonly by: string;
    readonly at: string;
    readonly says: 'approve' | 'deny';
    readonly reason: string;
    /** The id of what they showed, and who made that. */
    readonly token?: string;
    readonly makers?: readonly string[];
    readonly takenBack?: string;
  }[];
}

/** What is revoked, and not stored yet (status 202). */
export interface NotStored {
  readonly message: string;
  readonly hint?: string;
}

export interface AgentRow {
  readonly id: string;
  /** What `via` calls it. */
  readonly name: string;
  readonly state: 'connected' | 'away' | 'revoked';
  readonly enrolled: string;
  readonly lastSeen: string;
  readonly revoked?: string;
  /** Since the gateway started: one more than it had to come back. */
  readonly connects: number;
  readonly links: readonly AgentLink[];
}

/** One tunnel; an agent that runs twice has two. */
export interface AgentLink {
  readonly address: string;
  readonly version: string;
  readonly since: string;
  /** Milliseconds. */
  readonly roundTrip?: number;
  readonly streams: number;
  readonly opened: number;
  readonly refused: number;
  /** Bytes. */
  readonly received: number;
  readonly sent: number;
  readonly draining: boolean;
  readonly allow: readonly string[];
}

/** What an SSH client needs to know of the gateway. Keys are lines of public keys. */
export interface SshClientConfig {
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
  /** The authority of the certificates that the gateway shows to targets. */
  readonly userCa: string;
  /** Those that the caller may reach. */
  readonly connections: readonly string[];
}
