/**
 * Clients by HTTP that wait for people. Owns: for how long, and who of them can be told so. Does not: decide, or tell them (held-stream.ts).
 */
import type { HttpApi, HttpBody, Waiter } from '@sluice/contract';
import { isModelApi } from './refusal-model.js';

export interface WaiterParts {
  /** Milliseconds that a client waits in silence. */
  readonly within: number;
  readonly api: HttpApi;
  readonly body: HttpBody;
  /** Called when somebody wants to know whether the client is still there, which most commands pass without. */
  readonly gone: () => AbortSignal;
  /** Begins the answer of a client that is told that it waits. */
  readonly begin: () => void;
}

export const waiterFor = ({ within, api, body, gone, begin }: WaiterParts): Waiter =>
  api === 'rest' ? new SilentWaiter(within, gone) : new ToldWaiter(within, gone, api, () => isTold(api, body), begin);

/** A client that waits in silence: whatever comes before an answer breaks some library. */
class SilentWaiter implements Waiter {
  readonly #within: number;
  readonly #gone: () => AbortSignal;

  /** `gone`: called when somebody wants to know whether the client is still there, which most commands pass without. */
  constructor(within: number, gone: () => AbortSignal) {
    this.#within = within;
    this.#gone = gone;
  }

  get maxWaitMs(): number {
    return this.#within;
  }

  /** Requests of one connection come one after the other, and those beside it owe each other nothing. */
  answersDelivered(): Promise<'idle'> {
    return Promise.resolve('idle');
  }

  get signal(): AbortSignal {
    return this.#gone();
  }
}

/** Longer than anybody lets a request wait; rules say when it expires. */
const MAX_STREAM_WAIT_MS = 24 * 60 * 60 * 1000;

/** A client that asked for a stream may be told that it waits. Of a model it waits for as long as people take. */
class ToldWaiter extends SilentWaiter {
  readonly #api: HttpApi;
  readonly #streams: () => boolean;
  readonly #begin: () => void;

  constructor(within: number, gone: () => AbortSignal, api: HttpApi, streams: () => boolean, begin: () => void) {
    super(within, gone);
    this.#api = api;
    this.#streams = streams;
    this.#begin = begin;
  }

  override get maxWaitMs(): number {
    return isModelApi(this.#api) && this.#streams() ? MAX_STREAM_WAIT_MS : super.maxWaitMs;
  }

  say(): void {
    if (this.#streams()) this.#begin();
  }
}

/** Whether a client can be told that it waits: one that has asked a model for a stream of events, which of Gemini may be one list of JSON. */
export const isTold = (api: HttpApi, body: HttpBody): boolean =>
  api === 'mcp'
    ? progressOf(body) !== undefined
    : isModelApi(api) && api !== 'gemini' && askedIn(body)?.stream === true;

/** What notifications of progress are to have with them, as JSON; undefined: the client has asked for none, or for several things at once. */
export function progressOf(body: HttpBody | undefined): string | undefined {
  const { _meta: meta } = askedIn(body)?.params ?? {};
  const token = meta?.progressToken;
  return typeof token === 'string' || typeof token === 'number' ? JSON.stringify(token) : undefined;
}

interface AskedBody {
  readonly stream?: unknown;
  readonly params?: { readonly _meta?: { readonly progressToken?: unknown } | null } | null;
}

function askedIn(body: HttpBody | undefined): AskedBody | null {
  if (body?.type !== 'whole') return null;
  try {
    return JSON.parse(Buffer.from(body.bytes).toString()) as AskedBody | null;
  } catch {
    return null;
  }
}
