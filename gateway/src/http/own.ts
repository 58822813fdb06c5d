/**
 * Paths of the gateway's own, below `/.sluice/`, and `/mcp`. Owns: the state of a request for approval, for whoever made it. Does not: decide about
 * it, or know tools.
 */
import { type Approvals, type ApprovalRequest, askerOf } from '@sluice/approvals';
import { OWN_PATH, type OwnAnswer, type OwnRequest, type Refusal, TOOLS_PATH } from '@sluice/contract';
import { samePerson } from '@sluice/identity';
import type { LoginProof } from '../login.js';
import type { Threshold } from './visits.js';
import type { TokenExchange } from './exchange.js';
import { isMetadata } from './metadata.js';

/** Answers calls of the gateway's own tools. */
export interface ToolAnswers {
  answer(request: OwnRequest, proof: LoginProof, from: Threshold['caller']): Promise<OwnAnswer | Refusal>;
}

export class OwnPaths {
  readonly #approvals: Approvals;
  readonly #exchange: TokenExchange;
  readonly #tools: ToolAnswers;
  readonly #metadata: (request: OwnRequest) => OwnAnswer | undefined;

  /** `metadata`: see `resourceMetadata`. */
  constructor(
    approvals: Approvals,
    exchange: TokenExchange,
    {
      tools,
      metadata,
    }: { readonly tools: ToolAnswers; readonly metadata: (request: OwnRequest) => OwnAnswer | undefined },
  ) {
    this.#metadata = metadata;
    this.#approvals = approvals;
    this.#exchange = exchange;
    this.#tools = tools;
  }

  /** `prove`: who sends it. Never rejects. */
  async answer(
    request: OwnRequest,
    from: Threshold,
    prove: () => Promise<LoginProof | Refusal>,
  ): Promise<OwnAnswer | Refusal> {
    try {
      if (isMetadata(request)) return this.#metadata(request) ?? problem(404, 'There is nothing here.');
      if (request.path === TOKEN_PATH) return await this.#exchange.answer(request, from);
      const number = /^\/\.sluice\/requests\/([0-9]{1,15})$/.exec(request.path)?.[1];
      const proof = await prove();
      // To whoever has proven nothing they look like a path that leads nowhere.
      if (request.path === TOOLS_PATH || request.path === OWN_TOOLS_PATH)
        return 'reason' in proof
          ? proof
          : (from.proven(proof.principal.name) ?? (await this.#tools.answer(request, proof, from.caller)));
      if ('reason' in proof) return problem(401, 'This request shows no token or certificate that is good here.');
      if (number === undefined) return problem(404, 'There is nothing here.');
      if (request.method !== 'GET' && request.method !== 'HEAD') return problem(405, 'Use GET.');
      return await this.#requestState(Number(number), proof);
    } catch {
      return problem(503, 'The gateway cannot answer this at the moment.');
    }
  }

  /** Whoever did not make it learns as little as of one that is not there. */
  async #requestState(number: number, { principal }: LoginProof): Promise<OwnAnswer> {
    const found = await this.#approvals.find(number);
    if (!found || !samePerson(askerOf(found), principal))
      return problem(404, `There is no request ${number} of yours.`);
    return json(200, stateOf(found));
  }
}

const TOKEN_PATH = '/.sluice/token';
const OWN_TOOLS_PATH = `${OWN_PATH}mcp`;

function stateOf({ number, state, used, created, expires, words, why }: ApprovalRequest): object {
  const no = words.find(({ decision }) => decision === 'deny');
  return {
    request: number,
    state: used === undefined ? state : 'used',
    created: new Date(created).toISOString(),
    expires: new Date(expires).toISOString(),
    ...(state === 'denied' && no && { by: no.by, reason: no.reason }),
    ...(why !== undefined && { why }),
  };
}

const json = (status: number, value: object): OwnAnswer => ({
  status,
  headers: [
    ['Content-Type', 'application/json'],
    ['Cache-Control', 'no-store'],
  ],
  body: `${JSON.stringify(value)}\n`,
});

const problem = (status: number, detail: string): OwnAnswer => ({
  status,
  headers: [
    ['Content-Type', 'application/problem+json'],
    ['Cache-Control', 'no-store'],
    ...(status === 401 ? [['WWW-Authenticate', 'Bearer realm="sluice"'] as const] : []),
  ],
  body: `${JSON.stringify({ status, detail })}\n`,
});
