/**
 * HTTP: each request says for itself who sends it and where to. Owns: what a request is to the rules, what it proves, and how
 * it is changed on its way. Does not: the door it comes in by (`Entrance`), and framing, which is the protocol's. Types only, but
 * for where the gateway's own paths begin, how much it reads there, and an error.
 */
import type { AnswerJudging } from './answer.js';
import type { StreamEditor } from './masking.js';
import type { Disclosed } from './meter.js';
import type { Propose } from './tool.js';

/** A header line or a trailer: the name as it was written, and the value without the blanks around it. */
export type Header = readonly [name: string, value: string];

/** Which idiom clients of a connection speak: where their proof is, and how they are told a no. */
export type HttpApi = 'rest' | 'openai' | 'anthropic' | 'gemini' | 'mcp';

/** Paths that begin so are no connection's: the gateway answers them itself, see `Entrance.own`. */
export const OWN_PATH = '/.sluice/';
/** Where a client of MCP asks whose tokens are good here (RFC 9728 section 3); the path of the connection stands behind it. */
export const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource';

/** Where the gateway's own tools are, besides below `OWN_PATH`: on hosts and ports that are no connection's, unless one is called so. */
export const TOOLS_PATH = '/mcp';

export interface Route {
  readonly connection: string;
  readonly api: HttpApi;
  /** What is cut off the path before it is judged and sent on: `/name`, or empty. */
  readonly prefix: string;
  /** See `HttpTarget.origins`. */
  readonly origins: readonly string[];
}

export type HttpProof =
  /** A gateway token or one of an identity provider; of Basic the password. */
  | { readonly type: 'token'; readonly secret: string }
  /** `Secured.certificate` of the connection that the request came by. */
  | { readonly type: 'certificate'; readonly der: Uint8Array };

/** What the gateway answers itself is small: a body longer than this is refused (413) before it is read on. */
export const MAX_OWN_BODY_BYTES = 64 * 1024;

/** A request for a path under `OWN_PATH`, whose body has been read whole. */
export interface OwnRequest {
  readonly method: string;
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
  readonly proofs: readonly HttpProof[];
  /** Whether it came by TLS. */
  readonly secure: boolean;
  /** As the client named it, with its port. */
  readonly host: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

export interface OwnAnswer {
  readonly status: number;
  readonly headers: readonly Header[];
  /** In pieces: they go as they come, and nothing says how many there will be. */
  readonly body: string | AsyncIterable<string>;
}

/** What HTTP needs to know of a target besides. */
export interface HttpTarget {
  readonly api: HttpApi;
  readonly scheme: 'http' | 'https';
  /** What `Host` says there. */
  readonly authority: string;
  /** In front of every path there: empty, or `/v1` without a slash at its end. */
  readonly base: string;
  /** The target is spoken to by HTTP/2 (gRPC). */
  readonly http2: boolean;
  /** 'raw': encoded slashes, empty and dot segments pass as they are; 'strict': such a path is refused. */
  readonly paths: 'strict' | 'raw';
  /** How long a held request waits at most before it is told "later", in milliseconds. 0: it is told so at once. */
  readonly holdWait: number;
  /** Origins that a WebSocket may be opened from besides the gateway's own; `*`: any. */
  readonly origins: readonly string[];
  /**
   * Why the messages of a call of gRPC, by its path, cannot be read before it is made: a phrase; undefined: they can. Absent: those of none
   * can.
   */
  readonly unreadGrpc?: (path: string) => string | undefined;
  /** Whether a call of gRPC, by its path, is answered before it ends: its messages are asked about one by one. Absent: none is. */
  readonly streamsGrpc?: (path: string) => boolean;
  /**
   * Puts the target's credential to a request.
   *
   * @throws CredentialError when there is none to be had now; its message is a sentence for the client
   */
  authorise(request: Outgoing): Outgoing | Promise<Outgoing>;
  /** The target does not take the credential of this request (401). Absent: there is nothing to be done about it. */
  refused?(request: Outgoing): void;
}

/** A request as it is about to leave. */
export interface Outgoing {
  /** With the query. */
  readonly target: string;
  readonly headers: readonly Header[];
}

/** The gateway has no credential for the target at the moment. */
export class CredentialError extends Error {
  override readonly name: string = 'CredentialError';
}

/** What is known of a request before its body. */
export interface HttpHead {
  readonly method: string;
  /** The host that the client named, lower case, without a port. */
  readonly host: string;
  /** As sent, without the prefix of the route and the query; begins with a slash. */
  readonly path: string;
  /** As sent, without the question mark; empty where there is none. */
  readonly query: string;
  /** As they go on: without the proof, and without what belongs to one hop. */
  readonly headers: readonly Header[];
  /** Heads with the same number have the same host and headers; absent where nobody knows. */
  readonly alike?: number;
}

/** One request. */
export interface HttpCommand extends HttpHead {
  readonly type: 'request';
  readonly id: number;
  /** Method, and path and query as sent, parted by a blank. */
  readonly text: string;
  readonly body: HttpBody;
  /** The protocol that it asks to switch to, lower case: `websocket`. */
  readonly upgrade?: string;
  /** Its body is a stream of messages, each of which is asked about when it comes: `body` is empty. */
  readonly opens?: true;
  /** It is said on a WebSocket, or in a stream of gRPC, and `body` is what: the head is that of the request that opened it, whose id is `origin`. */
  readonly message?: HttpMessage;
  /** A phrase: why the protocol refuses it, whatever the rules say. It is asked about for the record, and the answer is a no. */
  readonly fault?: string;
  /** Asks the target something of the gateway's own, by the way that the command would go. Absent: nobody can. */
  readonly askTarget?: AskTarget;
}

/** Rejects where there is no answer in time, or one of more than `maxBytes`. */
export type AskTarget = (question: TargetQuestion) => Promise<TargetAnswer>;

export interface TargetQuestion {
  readonly method: 'POST';
  /** Without the prefix of the route. */
  readonly path: string;
  readonly query: string;
  readonly headers: readonly Header[];
  readonly body: string;
  readonly maxBytes: number;
}

export interface TargetAnswer {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

export interface HttpMessage {
  readonly kind: 'text' | 'binary';
  readonly origin: number;
  /** `HttpEdits.messages.about` of what opened it. */
  readonly about?: unknown;
}

export type HttpBody =
  | { readonly type: 'none' }
  /** `media` is the value of Content-Type, empty without one; `bytes` are those behind every Content-Encoding. */
  | { readonly type: 'whole'; readonly media: string; readonly bytes: Uint8Array }
  /** It passes without having been read. `length`: of Content-Length, where there is one. */
  | { readonly type: 'stream'; readonly media: string; readonly length: number | undefined };

/** How a request that may pass is changed, and its answer. Part of `Allow`. */
export interface HttpEdits {
  /** Headers that replace those of the same name; undefined takes them out. */
  readonly headers?: readonly (readonly [name: string, value: string | undefined])[];
  /** Stands in place of a body that was read whole. */
  readonly body?: Uint8Array;
  /**
   * The gate is asked about each message that the client sends on the WebSocket, or in the stream, before the target has it. `about`: of the gate's own, comes
   * back with each.
   */
  readonly messages?: { readonly about: unknown };
  /**
   * Called once for each head that the target answers with, 1xx included, before anything of it has passed. Returns what the client
   * gets. With an editor the body goes through it: `push` is given the bytes behind every content coding, and what it
   * returns goes without one; the protocol takes out Content-Encoding then. Bytes of a protocol that was switched to go through it too.
   *
   * @param propose has a call judged that the answer proposes
   * @throws Unmasked when the answer must not pass
   */
  readonly answer?: (status: number, headers: readonly Header[], propose: Propose) => EditedAnswer;
}

export interface EditedAnswer {
  readonly headers: readonly Header[];
  readonly body: BodyEditor | undefined;
  /**
   * Of a WebSocket: what becomes of a whole message of the target, behind `body`; and of what a frame of control says, which is never
   * refused. @throws Unmasked
   */
  readonly message?: (kind: HttpMessage['kind'] | 'control', bytes: Buffer) => Buffer;
  /** Trailers as the client may have them, whether there is an editor or not; absent: as they are. */
  readonly trailers?: (trailers: readonly Header[]) => readonly Header[];
  /** Nothing of it passes before it has been asked about. What may pass goes as `Allow.http` of that answer says, as it came. */
  readonly judging?: AnswerJudging;
}

/** Edits a body as it passes. Both `push` and `end` throw `Unmasked`. */
export interface BodyEditor extends StreamEditor {
  /** As many bytes go out as came in, so that Content-Length stays true where there was no content coding. */
  readonly keepsLength: boolean;
  /**
   * What it keeps waits for this, which never rejects. Nothing more is read meanwhile, and `release` gives what it has then; behind `end`
   * too, until it waits no more. Absent: it waits for nobody.
   */
  readonly waits?: Promise<void> | undefined;
  /** What the client gets in place of bytes that go on record; absent: these. */
  readonly given?: (recorded: Buffer) => Buffer;
  /** What is in the head and in the bytes that it has given since this was last called, of which budgets count the different values. */
  readonly disclosed?: () => Disclosed | undefined;
}

/** What of a body is on record where not all of it is: its length in bytes, and the SHA-256 of all of it in hexadecimal digits. */
export interface BodyDigest {
  readonly bytes: number;
  readonly sha256: string;
}
