/**
 * Requests for paths of the gateway's own, below `/.sluice/`, and `/mcp`: the state of a request for approval, the exchange of tokens,
 * calls of its tools. Owns: reading their small bodies. Does not: answer them, which the gate does.
 */
import {
  type Entrance,
  type Header,
  type HttpProof,
  MAX_OWN_BODY_BYTES,
  OWN_PATH,
  type OwnAnswer,
  RESOURCE_METADATA_PATH,
  type Refusal,
  type Route,
  TOOLS_PATH,
} from '@sluice/contract';
import { Inflow } from './inflow.js';
import { phraseOf } from './status.js';
import type { ClientSide, IncomingRequest, RequestPath } from './ports.js';
import { notEntered, refuse } from './refusal.js';
import { isEmpty } from './request.js';

/** `route`: of the path. A service that is reached by a host of its own says itself whose tokens are good there. */
export const isOwn = ({ path }: RequestPath, route: Route | undefined): boolean =>
  path.startsWith(OWN_PATH) ||
  (path === TOOLS_PATH && route === undefined) ||
  (path.startsWith(RESOURCE_METADATA_PATH) && (route === undefined || route.api === 'mcp'));

/** Requests of one connection to such paths that are at work at once: whoever sends them may have proven nothing yet. */
export const MAX_OWN_REQUESTS_AT_ONCE = 4;
/** How long no byte of a body may come, in milliseconds. */
const BODY_MS = 30_000;

export interface OwnParts {
  readonly entrance: Entrance;
  readonly client: ClientSide;
  readonly request: IncomingRequest;
  readonly path: RequestPath;
  readonly proofs: readonly HttpProof[];
  readonly over: () => void;
}

export class OwnExchange {
  readonly #parts: OwnParts;
  readonly #deadline: NodeJS.Timeout;
  readonly #body = new Inflow();
  readonly #gone = new AbortController();
  /** Settles when the client takes more of an answer in pieces. */
  #room: PromiseWithResolvers<void> | undefined;
  #over = false;

  constructor(parts: OwnParts) {
    this.#parts = parts;
    this.#deadline = setTimeout(() => this.failed(408, 'The body did not come in time.'), BODY_MS).unref();
  }

  start(): void {
    if (isEmpty(this.#parts.request)) return this.requestEnd();
    const { client, request } = this.#parts;
    if (request.expects) client.informational(100, []);
    client.wantBody(true);
  }

  requestData(bytes: Buffer): void {
    if (this.#over) return;
    this.#body.add(bytes);
    this.#deadline.refresh();
    if (this.#body.bytes.length > MAX_OWN_BODY_BYTES)
      this.failed(413, `The body is longer than ${MAX_OWN_BODY_BYTES} bytes.`);
  }

  /** Its body will never be whole. */
  failed(status: number, message: string): void {
    const { client, request } = this.#parts;
    this.#end(() => refuse(client, request, { status, code: 'bad-request', message }));
  }

  requestEnd(): void {
    if (this.#over) return;
    clearTimeout(this.#deadline);
    const { entrance, client, request, path, proofs } = this.#parts;
    const { method, set } = request;
    const { headers, host } = set;
    const body = this.#body.take();
    void entrance
      .own({ method, ...path, headers, body, proofs, secure: client.secure, host, gone: this.#gone.signal })
      .then((answer) => this.#answered(answer));
  }

  /** The client is gone. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    this.#gone.abort();
    this.#room?.resolve();
    this.#parts.over();
  }

  /** It has nothing more to say, as whoever hangs up: what it asked for is given up, and it is told so if it still listens. */
  clientEnded(): void {
    this.#gone.abort();
  }

  clientDrained(): void {
    this.#room?.resolve();
  }

  #answered(answer: OwnAnswer | Refusal): void {
    const { client, request } = this.#parts;
    if ('reason' in answer) return this.#end(() => refuse(client, request, notEntered(answer)));
    const { status, headers, body } = answer;
    if (typeof body === 'string') return this.#end(() => this.#answer(status, headers, body));
    if (this.#over) return;
    client.head({ status, reason: phraseOf(status), headers, framing: { type: 'chunked' } });
    void this.#pieces(body);
  }

  async #pieces(body: AsyncIterable<string>): Promise<void> {
    const { client } = this.#parts;
    try {
      for await (const piece of body) {
        if (this.#over) return;
        if (client.data(Buffer.from(piece))) continue;
        this.#room = Promise.withResolvers();
        await this.#room.promise;
      }
      this.#end(() => client.end([]));
    } catch {
      this.#end(() => client.abort());
    }
  }

  #answer(status: number, headers: readonly Header[], body: string): void {
    const bytes = Buffer.from(body);
    const { client, request } = this.#parts;
    const silent = request.method === 'HEAD' || status === 204 || status === 304;
    const framing = silent ? ({ type: 'none' } as const) : ({ type: 'length', length: bytes.length } as const);
    const length = status === 204 ? [] : [['Content-Length', String(bytes.length)] as const];
    client.head({ status, reason: phraseOf(status), headers: [...headers, ...length], framing });
    if (!silent) client.data(bytes);
    client.end([]);
  }

  #end(answer: () => void): void {
    if (this.#over) return;
    this.stop();
    answer();
    this.#parts.client.done();
  }
}
