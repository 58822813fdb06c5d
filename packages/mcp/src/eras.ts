/**
 * Revisions of MCP. Owns: which there are, and what tells a message of one from a message of another. Does not: read messages.
 *
 * Up to 2025-11-25 a client initialises a session. From 2026-07-28 on there is none: each request says in `_meta` by which revision it is.
 */
import { type Message, objectIn, textIn } from './messages.js';

/** Best first. */
export const SESSION_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const STATELESS_VERSIONS = ['2026-07-28'] as const;

/** Names of members of `_meta` in the era without sessions. */
export const VERSION_META = 'io.modelcontextprotocol/protocolVersion';
export const CLIENT_META = 'io.modelcontextprotocol/clientInfo';
export const CAPABILITIES_META = 'io.modelcontextprotocol/clientCapabilities';
export const LOG_LEVEL_META = 'io.modelcontextprotocol/logLevel';

const STATELESS: ReadonlySet<string> = new Set(STATELESS_VERSIONS);
const KNOWN: ReadonlySet<string> = new Set([...SESSION_VERSIONS, ...STATELESS_VERSIONS]);

export const isStateless = (version: string): boolean => STATELESS.has(version);
export const isKnownVersion = (version: string): boolean => KNOWN.has(version);

/** The revision that a message says it is by; undefined: it says none, as in the era with sessions. */
export function versionIn(message: Message): string | undefined {
  if (message.type !== 'request' && message.type !== 'notification') return undefined;
  const meta = message.params && objectIn(message.params.members, '_meta');
  return meta && textIn(meta.members, VERSION_META);
}
