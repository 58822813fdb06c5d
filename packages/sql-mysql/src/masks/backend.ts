/**
 * Which connection of the server answers a session. Owns: how a pooler is told from a server, and what a client is told then. Does not:
 * when the target is asked.
 */

/** What is between the gateway and the server: 'session', a pooler that keeps one connection of the server for each of its clients. */
export type Pooled = 'session' | undefined;

/** Why a session cannot go on, for the client and for whoever runs the gateway. */
export interface Unfit {
  readonly message: string;
  readonly hint: string;
}

/** MariaDB counts in 64 bits, and its greeting has 32 of them. */
const GREETED_BITS = 0xffff_ffffn;

export class Backend {
  readonly #pooled: Pooled;
  #first: bigint | undefined;

  constructor(pooled: Pooled) {
    this.#pooled = pooled;
  }

  /**
   * The target was asked who it is, at the start of the session and later.
   *
   * @param greeted the number of the connection in the target's greeting
   * @param found CONNECTION_ID(); null where it was not told
   */
  met(greeted: number, found: string | null): Unfit | undefined {
    if (found === null || !/^\d{1,20}$/.test(found)) return UNKNOWN;
    const number = BigInt(found);
    const first = (this.#first ??= number);
    if (number !== first) return CHANGED;
    if (this.#pooled === 'session' || BigInt.asUintN(32, BigInt(greeted)) === (number & GREETED_BITS)) return undefined;
    return POOLER;
  }
}

const POOLER: Unfit = {
  message:
    'There is a pooler or a proxy between the gateway and the database, and columns are masked here. Masks follow what a session does, and a pooler may hand that on to others.',
  hint: 'An administrator leads the connection to the server itself, or sets target.pooled to "session" where the pooler keeps one connection of the server for each of its clients.',
};
const CHANGED: Unfit = {
  message:
    'Another connection of the server answers this session than before, so there is a pooler in between. What masks know of the session does not hold any more.',
  hint: 'An administrator leads the connection to the server itself.',
};
const UNKNOWN: Unfit = {
  message: 'The target does not say which of its connections serves this session, and columns are masked here.',
  hint: 'An administrator leads the connection to the server itself.',
};
