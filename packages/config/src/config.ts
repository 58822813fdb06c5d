/**
 * A checked configuration, as types. Owns: units (bytes, milliseconds) and absolute paths. Does not: its form in YAML
 * (schema.ts), checks (load.ts).
 */
import type { LoginWay, Principal, Release, Role, Rule, TlsMode } from '@sluice/contract';
import type { GrpcCalls } from '@sluice/grpc-messages';
import type { RequestReading } from '@sluice/http-requests';
import type { ModelSettings } from '@sluice/language-models';
import type { McpSettings } from '@sluice/mcp';
import type { PublicKey } from '@sluice/keys';
import type { Secret } from './values.js';

/** A checked configuration. Paths are absolute, sizes are bytes, times are milliseconds. */
export interface Config {
  /** Where the configuration file is: packages that it names are found from there. */
  readonly folder: string;
  readonly data: string;
  readonly listeners: {
    /** Where clients connect: a listener for each protocol. */
    readonly clients: readonly ListenerConfig[];
    /** Where agents dial in; undefined: nowhere. */
    readonly agents: Pick<ListenerConfig, 'addresses' | 'port' | 'tls'> | undefined;
    /** Where people open the console; undefined: nowhere. */
    readonly console: ConsoleConfig | undefined;
  };
  readonly control: {
    readonly address: string;
    readonly port: number;
    /** Host names that it is called by, besides addresses and localhost. */
    readonly names: readonly string[];
  };
  readonly limits: {
    readonly message: number;
    /** The longest statement text that is judged. */
    readonly text: number;
    readonly recordedAnswer: number;
    /** What a terminal may show from one line that is typed to the next. */
    readonly terminal: number;
    /** What rows of more than 16 MiB with masked columns may take together. */
    readonly rows: number;
    readonly handshake: number;
    readonly upstreamLogin: number;
    /** 0: a session may stay idle. */
    readonly idle: number;
    readonly sessionsPerPrincipal: number;
    /** Sessions that are logged in. */
    readonly connections: number;
    /** Sockets that are not logged in, in all and from one address. */
    readonly logins: number;
    readonly loginsPerAddress: number;
    readonly drain: number;
  };
  readonly record: {
    readonly durability: 'process' | 'disk';
    readonly parameters: 'full' | 'masked' | 'none';
    /** What of a body by HTTP is recorded, in each direction. */
    readonly bodies: number;
    readonly segment: number;
    /** For what belongs to no connection that says so itself; Infinity: for ever. */
    readonly keep: number;
    /** Infinity: as large as the disk. */
    readonly maxSize: number;
    /** Room that is kept for sessions that are open. */
    readonly reserve: number;
    /** Who keeps signed heads of the journal. */
    readonly witness: { readonly file: string | undefined; readonly webhook: WebhookConfig | undefined };
  };
  readonly webhooks: readonly WebhookConfig[];
  readonly issuers: ReadonlyMap<string, IssuerConfig>;
  /** Who has a role besides those whose principal says so: entries as in `access`. Without a list for `user`, everybody. */
  readonly roles: Readonly<Partial<Record<Role, readonly string[]>>>;
  readonly principals: ReadonlyMap<string, Principal>;
  /** Public keys of SSH, by the principal that they stand for. */
  readonly sshKeys: ReadonlyMap<string, readonly PublicKey[]>;
  /** Whose client certificate it is, by one of its alternative names: `DNS:build.internal`. */
  readonly certificates: ReadonlyMap<string, string>;
  /** Authorities of SSH user certificates. */
  readonly sshUserCa: readonly PublicKey[];
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
}

export interface ListenerConfig {
  /** A protocol of Sluice's own, or the package that it is in. */
  readonly protocol: string;
  readonly addresses: readonly string[];
  readonly port: number;
  /** Certificate and key are PEM. */
  readonly tls: 'self-signed' | 'off' | { readonly cert: string; readonly key: string };
  /** The way that is asked for first; undefined: the protocol has its own. */
  readonly login: LoginWay | undefined;
  /** What clients are told that they reach, where the protocol says so before anybody has logged in. */
  readonly version?: string | undefined;
  /** Where clients go that name no connection, where the protocol lets them. */
  readonly connection?: string | undefined;
  /** Clients without TLS are not let in. */
  readonly requireTls: boolean;
  /** Further ports of HTTP, each for one connection. */
  readonly ports?: readonly { readonly connection: string; readonly port: number }[];
  /** Authorities of client certificates of HTTP, and what they have revoked, PEM. */
  readonly clientCertificates?: { readonly ca: string; readonly crl?: string | undefined };
}

/** Where people open the console with a browser. Times are milliseconds. */
export interface ConsoleConfig extends Pick<ListenerConfig, 'addresses' | 'port' | 'tls'> {
  /** What browsers have in their address line, `https://sluice.example`; undefined: the first address and port. */
  readonly origin: string | undefined;
  /** A login ends when nobody has used it for this long. */
  readonly idle: number;
  /** How long a login lasts at most. */
  readonly session: number;
}

/** What holds for an identity provider, whatever it speaks. Times are milliseconds. */
interface AnyIssuerConfig {
  readonly name: string;
  readonly kind: 'person' | 'agent';
  readonly principal: { readonly claim: string; readonly prefix: string };
  readonly groups: { readonly claim: string | undefined; readonly prefix: string };
  readonly require: Readonly<Record<string, readonly (string | boolean)[]>>;
  readonly clockSkew: number;
  /** The longest gateway token that its people may make; 0: none. */
  readonly tokens: number;
  readonly endsSessions: boolean;
  /** Claims that are kept with each session. */
  readonly record: readonly string[];
}

/** One whose tokens are taken (OpenID Connect). */
export interface TokenIssuerConfig extends AnyIssuerConfig {
  readonly saml?: undefined;
  /** As in "iss". */
  readonly url: string;
  readonly audience: readonly string[];
  /** How `sluice login` gets a token; undefined: it cannot. */
  readonly login:
    | {
        readonly clientId: string;
        readonly clientSecret: Secret | undefined;
        readonly token: 'id_token' | 'access_token';
      }
    | undefined;
  /** What the console is registered as there; undefined: as `login`. */
  readonly console: { readonly clientId: string; readonly clientSecret: Secret | undefined } | undefined;
  readonly scopes: readonly string[];
  readonly authorizedParties: readonly string[] | undefined;
  readonly algorithms: readonly string[];
  readonly keysMaxAge: number;
}

/** One that speaks SAML 2.0: people log in there by way of the console. */
export interface SamlIssuerConfig extends AnyIssuerConfig {
  readonly saml: {
    /** Its entity ID. */
    readonly idp: string;
    readonly ssoUrl: string;
    /** PEM. */
    readonly certificates: readonly string[];
    /** What the gateway is called there; undefined: the address of its metadata. */
    readonly entityId: string | undefined;
  };
}

export type IssuerConfig = TokenIssuerConfig | SamlIssuerConfig;

/** Those whose tokens are taken. */
export const tokenIssuers = ({ issuers }: Pick<Config, 'issuers'>): TokenIssuerConfig[] =>
  [...issuers.values()].filter((one) => one.saml === undefined);

/** People have to agree before a session begins; what they agreed to is good for `window` milliseconds. */
export interface SessionApproval extends Release {
  readonly window: number;
}

/** Who is told of requests for approval. */
export interface WebhookConfig {
  readonly url: string;
  readonly secret: Secret;
}

export interface ConnectionConfig {
  readonly name: string;
  /** A protocol of Sluice's own, or the package that it is in. */
  readonly protocol: string;
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly database: string | undefined;
    /** How TLS with it is made; 'disable' where the protocol has encryption of its own. */
    readonly tls: TlsMode;
    /** PEM of the authority to trust. */
    readonly ca: string | undefined;
    /** How long a pooler between keeps a process of the server for one client; undefined: there is no pooler. */
    readonly pooled: 'session' | 'transaction' | undefined;
    /** Which keys it may have, where it is known by keys of SSH. */
    readonly hostKeys: HostKeys | undefined;
  };
  readonly credential: {
    /** Empty where the target asks for none. */
    readonly user: string;
    readonly password: Secret | undefined;
    /** What the agent of `via` calls the password that it sends with each dial. */
    readonly secret: string | undefined;
    /** Of SSH. */
    readonly privateKey: Secret | undefined;
    /** A certificate by the gateway's own authority. */
    readonly certificate: boolean;
  };
  /** Accounts that may be named besides that of the credential. */
  readonly accounts: readonly string[];
  /** What reads command lines there. */
  readonly shell: 'sh' | 'bash' | 'opaque';
  /** For a protocol in a package, as it was written. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The agent that dials the target; undefined: the gateway itself. */
  readonly via: string | undefined;
  readonly access: readonly string[];
  readonly approval: SessionApproval | undefined;
  /** How long the record of its sessions stays; Infinity: for ever; undefined: as the record's own `keep` says. */
  readonly keep: number | undefined;
  /** The names of its policies, and their rules in order. */
  readonly policies: readonly string[];
  readonly rules: readonly Rule[];
  readonly trustedFunctions: readonly string[];
  /** Those of them that read no tables, by the word of whoever wrote the file. */
  readonly readsNothing?: readonly string[];
  /** What becomes of statements with columns that masks cannot follow: those are NULL, or it is refused. */
  readonly notFollowed: 'mask' | 'refuse';
  /** The target is told who has a session. */
  readonly annotate?: true;
  /** Of which rows of its tables a session gets no others: held by the target itself. */
  readonly rows?: readonly TableRows[];
  /** Of a connection by HTTP. */
  readonly http?: HttpSettings;
}

/** The rows of a table that a session gets and may write, by a condition in SQL on the table. */
export interface TableRows {
  /** `schema.table`, as the catalog has it. */
  readonly table: string;
  readonly condition: string;
}

/** What a connection by HTTP has besides. Times are milliseconds. */
export interface HttpSettings {
  /** TLS lies between the gateway and the target. */
  readonly https: boolean;
  /** As in the `Host` of requests to the target. */
  readonly authority: string;
  /** In front of every path there, without a slash at its end. */
  readonly base: string;
  /** The Unix socket to connect to; undefined: host and port. */
  readonly socket: string | undefined;
  /** The program of the agent of `via` that is the target; undefined: it is dialled. */
  readonly program: string | undefined;
  readonly http2: boolean;
  readonly credential: HttpCredential;
  /** Shown to the target, PEM. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Host names by which clients reach it, lower case. */
  readonly hosts: readonly string[];
  readonly reading: RequestReading;
  /** The same as `reading.grpc`, for masks. */
  readonly descriptors: GrpcCalls | undefined;
  readonly origins: readonly string[];
  /** What becomes of bodies that masks cannot read, by media type or `image/*`; others do not pass. */
  readonly unread: ReadonlyMap<string, 'pass' | 'text'>;
  readonly holdWait: number;
  readonly linger: number;
  /** The target serves language models. */
  readonly models: ModelSettings | undefined;
  /** The target is a server of MCP. */
  readonly mcp: McpSettings | undefined;
}

export type HttpCredential =
  | { readonly type: 'none' }
  | { readonly type: 'bearer'; readonly token: Secret }
  | { readonly type: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly type: 'header' | 'query'; readonly name: string; readonly value: Secret }
  | {
      readonly type: 'oauth2';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: Secret;
      readonly scope: string | undefined;
      readonly audience: string | undefined;
    }
  /** Each person's own. `issuer` undefined: the target says it. */
  | {
      readonly type: 'grant';
      readonly clientId: string;
      readonly clientSecret: Secret | undefined;
      readonly issuer: string | undefined;
      readonly scope: string | undefined;
    };

/** A connection to a host that is known by its keys. */
export type SshConnection = ConnectionConfig & { readonly target: { readonly hostKeys: HostKeys } };

export const hasHostKeys = (connection: ConnectionConfig): connection is SshConnection =>
  connection.target.hostKeys !== undefined;

/** Whether people log in at an identity provider. One for programs alone is none of theirs. */
export const peopleLogIn = ({ issuers }: Pick<Config, 'issuers'>): boolean =>
  [...issuers.values()].some(({ kind }) => kind === 'person');

/** Which keys a host may have. */
export interface HostKeys {
  readonly keys: readonly PublicKey[];
  /** Authorities of host certificates. */
  readonly authorities: readonly PublicKey[];
  readonly revoked: readonly PublicKey[];
  /** The first key that is seen is kept, and no other is good from then on. */
  readonly firstUse: boolean;
}

/** A mistake in the configuration, with the place to look at. Line and column count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `policies.production[2].when`; empty when the text is no YAML. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** One line for a terminal, in the form that editors make a link of. */
export const describeProblem = ({ file, line, column, path, message, hint }: ConfigProblem): string =>
  `${file}:${line}:${column}  ${path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : ` ${hint}`}`;
