/**
 * What an exchange needs of the two connections that it lies between, and they of it, whatever version of HTTP each speaks.
 * Types only.
 */
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import type { Framing } from './h1/body.js';
import type { HeaderSet } from './header-set.js';

/** A request as its connection has read it. */
export interface IncomingRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Without pseudo-headers. */
  readonly set: HeaderSet;
  /** Whether a body comes, and how long it is. Of HTTP/2 without a length: 'chunked'. */
  readonly framing: Framing;
  /** The client waits for 100 before it sends its body (RFC 9110 section 10.1.1). */
  readonly expects: boolean;
  /** The protocol that it asks to switch to, lower case. */
  readonly upgrade?: string | undefined;
}

/** A target of a request, in two. */
export interface RequestPath {
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
}

/** The head of an answer on its way to the client. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly Header[];
  /** 'length' where Content-Length is among the headers. 'chunked': it is not known where it ends. */
  readonly framing: Framing;
}

/** The client's side of one exchange. */
export interface ClientSide {
  readonly version: '1.0' | '1.1' | '2';
  /** TLS lies between the client and us. */
  readonly secure: boolean;
  readonly certificate?: Uint8Array | undefined;
  /** 100 or 103. */
  informational(status: number, headers: readonly Header[]): void;
  head(answer: AnswerHead): void;
  /** Whether there is room for more; if not, `clientDrained` follows. The bytes must not change afterwards. */
  data(bytes: Buffer): boolean;
  end(trailers: readonly Header[]): void;
  /** The answer has broken off: the client has to see that it is not whole. */
  abort(): void;
  /** Whether bytes of the request's body are useful now. None are until this was called with true. */
  wantBody(wanted: boolean): void;
  /** The exchange is over, with or without a whole answer: the connection may go on with the next one. */
  done(): void;
  /** Gives the socket away, behind the head of 101. `rest` of it was read already. HTTP/1.1 only. */
  release(): { readonly stream: Duplex; readonly rest: Buffer };
}

/** What the client's connection tells an exchange. */
export interface RequestEvents {
  requestData(bytes: Buffer): void;
  requestEnd(trailers: readonly Header[]): void;
  /** The body has broken its framing, or its deadline: it will never be whole. */
  requestFailed(status: number, message: string): void;
  clientDrained(): void;
  /** The client is gone, or wants no answer any more. */
  clientGone(): void;
}

export interface ExchangeEvents extends RequestEvents {
  /**
   * The client has ended its side, behind a whole request. Whoever hangs up does that, and so does whoever has nothing more to say: what
   * waits for people is told so and answered, and everything else goes on.
   */
  clientEnded(): void;
}

/** A request as it leaves for the target. */
export interface OutgoingRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly framing: Framing;
  readonly upgrade?: string | undefined;
}

/** The target's side of one exchange: a connection that carries one request at a time, or a stream of HTTP/2. */
export interface TargetSide {
  /** It has carried a request before: that it is gone is no news of the target. */
  readonly reused: boolean;
  request(request: OutgoingRequest, events: AnswerEvents): void;
  /** Whether there is room for more; if not, `targetDrained` follows. */
  data(bytes: Buffer): boolean;
  end(trailers: readonly Header[]): void;
  /** Whether bytes of the answer are useful now. */
  wantAnswer(wanted: boolean): void;
  /** Nothing more is wanted of this request. */
  abort(): void;
}

/** What the target's side tells an exchange. */
export interface AnswerEvents {
  /** 1xx, but for 101. */
  informational(status: number, headers: readonly Header[]): void;
  answer(head: AnswerHead): void;
  answerData(bytes: Buffer): void;
  answerEnd(trailers: readonly Header[]): void;
  targetDrained(): void;
  /** The answer will never be whole. `began`: bytes of it had come. */
  targetFailed(message: string, began: boolean): void;
  /** 101. `rest` came behind the head. */
  switched(head: AnswerHead, stream: Duplex, rest: Buffer): void;
}
