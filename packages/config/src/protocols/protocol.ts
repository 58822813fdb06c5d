/**
 * What the file of a protocol says of it: settings of its listener and its connections, what is a mistake in them, and the few
 * facts that the rest needs. Lives here: the shape of such a file, and nothing of any one protocol.
 */
import type { z } from 'zod';
import type { ConnectionConfig, ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import type { Mistake, Path } from '../mistake.js';

/** What the rest of the gateway has to know of a protocol. */
export interface Traits {
  /** What answers are made of: rows with columns, or text, in which only detectors find anything. */
  readonly answers: 'rows' | 'text';
  /** Who asks for a connection that is not there, or for none, chooses one from a menu. */
  readonly menu: boolean;
  /** A connection begins with a key exchange, before anybody says who they are. */
  readonly keyExchange: boolean;
  /** What clients and targets that speak TLS settle on (ALPN, RFC 7301). */
  readonly alpn: readonly string[];
  /** Each request says who sends it: a socket of its clients has an entrance instead of a login. */
  readonly entrance?: true;
}

/** A connection but for its name and the rules of its policies. */
export type WrittenConnection = Omit<ConnectionConfig, 'name' | 'rules'>;

export interface ProtocolFile {
  /** As configurations, rules and the record have it: the key under `listeners`, the value of `protocol`. */
  readonly name: string;
  /** As people call it, in sentences. */
  readonly title: string;
  readonly traits: Traits;
  /** The section under `listeners`. */
  listener(outside: ConfigSources): z.ZodType<ListenerConfig | undefined>;
  /** Whether there is one, by its section as it was written; undefined: there is no such section. */
  isListened(section: unknown): boolean;
  /** A connection. The schema has a member `protocol` that says `name` and nothing else. */
  connection(outside: ConfigSources): z.ZodType<WrittenConnection>;
  /** Mistakes that only the rest of the file shows. `value` is the connection as it was written. */
  mistakes(value: unknown, path: Path, rules: PolicyRules): Mistake[];
  /** What is no mistake in a connection and worth knowing, in sentences. */
  warnings(connection: ConnectionConfig): string[];
  /** The same of a listener. */
  listenerWarnings(listener: ListenerConfig): string[];
}

/** Policies as they were written, by name. */
export type PolicyRules = Readonly<Record<string, unknown>>;
