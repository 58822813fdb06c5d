/**
 * Requests for paths of the gateway's own, below `/.sluice/`: the state of a request for approval, the exchange of tokens. Owns:
 * reading their small bodies. Does not: answer them, which the gate does.
 */
import {
  type Entrance,
  type HttpProof,
  MAX_OWN_BODY_BYTES,
  OWN_PATH,
  type OwnAnswer,
  RESOURCE_METADATA_PATH,
  type Route,
} from '@sluice/contract';
import { Inflow } from './inflow.js';
import { phraseOf } from './status.js';
import type { ClientSide, IncomingRequest, RequestPath } from './ports.js';
import { refuse } from './refusal.js';
import { isEmpty } from './request.js';

/** `route`: of the path. A service that is reached by a host of its own says itself whose tokens are good there. */
export const isOwn = ({ path }: RequestPath, route: Route | undefined): boolean =>
  path.startsWith(OWN_PATH) ||
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
      .own({ method, ...path, headers, body, proofs, secure: client.secure, host })
      .then((answer) => this.#end(() => this.#answer(answer)));
  }

  /** The client is gone. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    this.#parts.over();
  }

  #answer({ status, headers, body }: OwnAnswer): void {
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
