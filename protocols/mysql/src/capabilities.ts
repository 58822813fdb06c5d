/**
 * Capability flags of the handshake: what clients are offered, and what the target is asked for. Owns: that choice. Does not: what
 * follows from a flag, which is where it is obeyed.
 */

export const CAPABILITY = {
  longPassword: 1,
  foundRows: 1 << 1,
  longFlag: 1 << 2,
  connectWithDatabase: 1 << 3,
  localFiles: 1 << 7,
  ignoreSpace: 1 << 8,
  protocol41: 1 << 9,
  interactive: 1 << 10,
  tls: 1 << 11,
  transactions: 1 << 13,
  secureConnection: 1 << 15,
  multiStatements: 1 << 16,
  multiResults: 1 << 17,
  preparedMultiResults: 1 << 18,
  pluginAuth: 1 << 19,
  connectAttributes: 1 << 20,
  pluginAuthLengths: 1 << 21,
  sessionTrack: 1 << 23,
  deprecateEof: 1 << 24,
} as const;

const C = CAPABILITY;

/**
 * What every supported target has and the gateway can follow. Not offered: compression, which clients do without by themselves;
 * query attributes, which give COM_QUERY another layout; results without definitions, which masks could not be made for.
 */
const OFFERED =
  C.longPassword |
  C.foundRows |
  C.longFlag |
  C.connectWithDatabase |
  C.localFiles |
  C.ignoreSpace |
  C.protocol41 |
  C.interactive |
  C.transactions |
  C.secureConnection |
  C.multiStatements |
  C.multiResults |
  C.preparedMultiResults |
  C.pluginAuth |
  C.connectAttributes |
  C.pluginAuthLengths |
  C.sessionTrack |
  C.deprecateEof;

/**
 * Of MariaDB's own flags: definitions of columns tell what is behind their type (JSON, UUID), which some drivers decode by. Not
 * offered: those that change requests or leave definitions out.
 */
const EXTENDED_METADATA = 1 << 3;

/** What the greeting of the gateway offers. A server of MariaDB is told by a flag that it leaves out, and has flags of its own. */
export function offered(
  tls: boolean,
  asMariadb: boolean,
): { readonly capabilities: number; readonly extended: number } {
  const capabilities = tls ? OFFERED | C.tls : OFFERED;
  return asMariadb
    ? { capabilities: capabilities & ~C.longPassword, extended: EXTENDED_METADATA }
    : { capabilities, extended: 0 };
}

/** What decides the shape of answers is as the client has it, so that answers need no translation. */
const MIRRORED =
  C.foundRows | C.localFiles | C.ignoreSpace | C.interactive | C.multiResults | C.preparedMultiResults | C.deprecateEof;

/** Asked for whatever the client says. Statements are sent one by one, so that a wrong cut could hide nothing. */
const OWN =
  C.longPassword |
  C.longFlag |
  C.protocol41 |
  C.transactions |
  C.secureConnection |
  C.pluginAuth |
  C.pluginAuthLengths |
  C.sessionTrack;

/** What the target has to have. */
const NEEDED = C.protocol41 | C.secureConnection | C.pluginAuth | C.sessionTrack;

export const lacksNeeded = (target: number): boolean => (target & NEEDED) !== NEEDED;

/** @returns what to ask the target for, of what it has */
export const asked = (client: number, target: number): number => ((client & MIRRORED) | OWN) & target;
