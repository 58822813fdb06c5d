/**
 * Requests for paths of the gateway's own, below `/.sluice/`: the state of a request for approval, the exchange of tokens. Owns:
 * reading their small bodies. Does not: answer them, which the gate does.
 */
import { type Entrance, type HttpProof, MAX_OWN_BODY_BYTES, OWN_PATH, type OwnAnswer } from '@sluice/contract';
import { phraseOf } from './status.js';
import type { ClientSide, IncomingRequest } from './ports.js';
import { refuse } from './refusal.js';
import { type RequestPath, isEmpty } from './request.js';

export const isOwn = ({ path }: RequestPath): boolean => path.startsWith(OWN_PATH);

export class OwnExchange {
  readonly #entrance: Entrance;
  readonly #client: ClientSide;
  readonly #request: IncomingRequest;
  readonly #path: RequestPath;
  readonly #proofs: readonly HttpProof[];
  #body: Buffer[] = [];
  #size = 0;
  #over = false;

  constructor(
    entrance: Entrance,
    client: ClientSide,
    request: IncomingRequest,
    path: RequestPath,
    proofs: readonly HttpProof[],
  ) {
    this.#entrance = entrance;
    this.#client = client;
    this.#request = request;
    this.#path = path;
    this.#proofs = proofs;
  }

  start(): void {
    if (isEmpty(this.#request)) return this.requestEnd();
    if (this.#request.expects) this.#client.informational(100, []);
    this.#client.wantBody(true);
  }

  requestData(bytes: Buffer): void {
    if (this.#over) return;
    this.#body.push(bytes);
    this.#size += bytes.length;
    if (this.#size <= MAX_OWN_BODY_BYTES) return;
    const message = `The body is longer than ${MAX_OWN_BODY_BYTES} bytes.`;
    this.#end(() => refuse(this.#client, this.#request, { status: 413, code: 'body-too-long', message }));
  }

  requestEnd(): void {
    const { method, headers } = this.#request;
    const body = Buffer.concat(this.#body.splice(0), this.#size);
    void this.#entrance
      .own({ method, ...this.#path, headers, body, proofs: this.#proofs, secure: this.#client.secure })
      .then((answer) => this.#end(() => this.#answer(answer)));
  }

  /** The client is gone. */
  stop(): void {
    this.#over = true;
  }

  #answer({ status, headers, body }: OwnAnswer): void {
    const bytes = Buffer.from(body);
    const silent = this.#request.method === 'HEAD' || status === 204 || status === 304;
    const framing = silent ? ({ type: 'none' } as const) : ({ type: 'length', length: bytes.length } as const);
    const length = status === 204 ? [] : [['Content-Length', String(bytes.length)] as const];
    this.#client.head({ status, reason: phraseOf(status), headers: [...headers, ...length], framing });
    if (!silent) this.#client.data(bytes);
    this.#client.end([]);
  }

  #end(answer: () => void): void {
    if (this.#over) return;
    this.#over = true;
    answer();
    this.#client.done();
  }
}
