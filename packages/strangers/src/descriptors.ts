/**
 * How many sockets this process can have open. Lives here: the comparison of what the configuration wants with what the
 * system gives, once, at the start. Does not: counting sockets (`sockets.ts`, `gateway.ts`).
 */
import { readFileSync } from 'node:fs';

/** What the gateway opens besides sockets of clients and targets: files, ports, the store, links of agents, webhooks. */
const RESERVED_DESCRIPTORS = 64;
/** A session has a socket of its client and one to its target. */
const DESCRIPTORS_PER_SESSION = 2;
/** So many sessions at once are more than most gateways have: with room for them, the default of limits.connections is no promise. */
const MANY_SESSIONS = 1_000;
/** Sockets of the control API that have shown a token. */
const MAX_CONTROL_SOCKETS = 512;

export interface SocketLimits {
  /** Sessions that are logged in. */
  readonly connections: number;
  /** Sockets that are not logged in. */
  readonly logins: number;
  readonly control: number;
}

/** Files that this process may have open; undefined where the system does not say so. */
export function maxOpenFiles(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

export interface Fitting {
  readonly limits: SocketLimits;
  /** What to tell the operator when these are not the limits that were asked for. */
  readonly short?: {
    readonly says: string;
    /** Of somebody's own limits, or of what an ordinary gateway needs; otherwise it is good to know and no more. */
    readonly matters: boolean;
  };
}

/**
 * The limits that there are descriptors for. Node has raised the soft limit of its process to the hard one by then.
 *
 * @param usual the default of limits.connections, which is what nobody has asked for
 * @param files that this process may have open; undefined where nobody knows
 */
export function fitting(
  { connections, logins }: Pick<SocketLimits, 'connections' | 'logins'>,
  usual: number,
  files: number | undefined,
): Fitting {
  const wanted = { connections, logins, control: MAX_CONTROL_SOCKETS };
  const need = RESERVED_DESCRIPTORS + connections * DESCRIPTORS_PER_SESSION + logins + MAX_CONTROL_SOCKETS;
  if (files === undefined || files >= need) return { limits: wanted };
  const room = Math.max(8, files - RESERVED_DESCRIPTORS);
  // Strangers and the control API get an eighth each at most: what is there is for sessions.
  const few = { logins: Math.min(logins, room >> 3), control: Math.min(MAX_CONTROL_SOCKETS, room >> 3) };
  const left = Math.max(1, Math.floor((room - few.logins - few.control) / DESCRIPTORS_PER_SESSION));
  const limits = { ...few, connections: Math.min(connections, left) };
  return {
    limits,
    short: {
      matters: connections !== usual || limits.connections < MANY_SESSIONS,
      says:
        `this process may open ${files} files, and ${need} are needed for limits.connections: ${connections} and limits.logins: ${logins}. ` +
        `There is room for ${limits.connections} sessions and ${limits.logins} logins at once: raise the limit of open files ` +
        '(ulimit -n, LimitNOFILE) or lower these two',
    },
  };
}
