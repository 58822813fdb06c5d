/** What TLS has told of a client's connection. Owns: that a request is for the host that TLS was asked for. */
import { HttpError } from './errors.js';
import type { HeaderSet } from './header-set.js';

export interface Security {
  readonly secure: boolean;
  readonly certificate?: Uint8Array | undefined;
  /** The host that TLS was asked for, lower case. */
  readonly servername?: string | undefined;
}

/** @throws HttpError (421) for a request that is for somebody else than its connection (RFC 9110 section 7.4) */
export function checkDirected({ hostName }: HeaderSet, { servername }: Security): void {
  if (servername !== undefined && hostName !== servername)
    throw new HttpError(421, 'the request is for another host than TLS was asked for');
}
