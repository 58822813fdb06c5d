/** What a client prefers of a request that may have to wait (RFC 7240). Owns: reading `Prefer`. Does not: decide how long it may. */
import type { HeaderSet } from './header-set.js';

export interface Preference {
  /** Milliseconds that the request waits for people at most. */
  readonly within: number;
  /** 202 and a place to look, rather than an error, once it has waited. */
  readonly async: boolean;
}

/** `most`: how long a request waits at this connection, in milliseconds. Nobody waits longer by asking for it. */
export function readPreference(set: HeaderSet, most: number): Preference {
  const wanted = set.list('prefer');
  if (wanted.length === 0) return { within: most, async: false };
  const async = wanted.includes('respond-async');
  const wait = wanted.map((one) => /^wait *= *"?([0-9]{1,6})"?/.exec(one)?.[1]).find((one) => one !== undefined);
  if (wait !== undefined) return { within: Math.min(most, Number(wait) * 1000), async };
  return { within: async ? 0 : most, async };
}
