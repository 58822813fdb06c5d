/**
 * The headers of a request, and what follows from them alone. A client sends the same ones with one request after the other, so that each is
 * worked out once for all of them. Owns: what is remembered of headers. Does not: read them off the wire, or know the request line.
 */
import type { Header, HttpProof } from '@sluice/contract';
import { Recent } from '@sluice/wire';
import { LastRead, type Repeated } from './last-read.js';
import {
  isClaim,
  isHopByHop,
  listOf,
  lower,
  namedInConnection,
  refuseOverrides,
  withoutOwnCookies,
} from './headers.js';
import { isProofHeader, proofsIn } from './proof.js';

/** The gateway writes these itself. */
const OURS = new Set(['host', 'expect', 'sec-websocket-extensions']);

let made = 0;

export class HeaderSet {
  /** Equal numbers: equal headers. */
  readonly number = ++made;
  readonly headers: readonly Header[];
  /** As the client named it: host name, and port where there is one. */
  readonly host: string;
  /** The same as rules and routes know it: lower case, without a port and without the dot of the root. */
  readonly hostName: string;
  /** Of the connection that they came by. */
  readonly #certificate: Uint8Array | undefined;
  #proofs: readonly HttpProof[] | undefined;
  #shown: readonly Header[] | undefined;
  #passing: readonly Header[] | undefined;
  readonly #lists = new Map<string, readonly string[]>();

  constructor(host: string, headers: readonly Header[], certificate?: Uint8Array) {
    this.host = host;
    this.hostName = hostName(host);
    this.headers = headers;
    this.#certificate = certificate;
  }

  /** See `listOf`. */
  list(name: string): readonly string[] {
    let list = this.#lists.get(name);
    if (!list) this.#lists.set(name, (list = listOf(this.headers, name)));
    return list;
  }

  /** See `proofsIn`; the same list each time. @throws HttpError */
  get proofs(): readonly HttpProof[] {
    return (this.#proofs ??= proofsIn(this.headers, this.#certificate));
  }

  /** Without proofs, and without what is a login to the gateway's own pages. */
  get shown(): readonly Header[] {
    return (this.#shown ??= this.headers.flatMap((header): Header[] => {
      const name = lower(header[0]);
      if (name !== 'cookie') return isProofHeader(name) ? [] : [header];
      const left = withoutOwnCookies(header[1]);
      return left === undefined ? [] : left === header[1] ? [header] : [[header[0], left]];
    }));
  }

  /** What of them is judged and goes on. @throws HttpError when they ask for something that could be read in two ways */
  get passing(): readonly Header[] {
    return (this.#passing ??= this.#goingOn());
  }

  #goingOn(): readonly Header[] {
    const { shown } = this;
    refuseOverrides(shown);
    const named = namedInConnection(shown);
    return shown.filter(([name]) => {
      const lowerName = lower(name);
      return !OURS.has(lowerName) && !isHopByHop(lowerName, named) && !isClaim(lowerName);
    });
  }
}

const hostName = (host: string): string =>
  host
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '')
    .toLowerCase();

/** Headers that are remembered because some connection has sent them more than once. */
const MAX_REMEMBERED = 256;
const repeated: Repeated<HeaderSet> = new Recent(MAX_REMEMBERED);

/** For one connection. `certificate`: the client's, which is a proof of its own. */
export const lastHeaders = (certificate: Uint8Array | undefined): LastRead<HeaderSet> =>
  new LastRead(certificate ? undefined : repeated);
