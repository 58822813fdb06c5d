/** A demo that runs, for whoever plays it or prints what to try. Does not: start one (demo.ts). */
import type { Gateway } from '@sluice/gateway';
import type { ModelDouble, MySqlServer, PostgresServer, SshdServer } from '@sluice/testkit';
import type { DevIssuer } from '@sluice/testkit/issuer';
import type { Tickets } from './tickets.js';

/** A running demo: the gateway in front of the sample shop. */
export interface Demo {
  readonly gateway: Gateway;
  readonly shop: PostgresServer;
  /** Undefined when the configuration, an older one, has none. */
  readonly issuer: DevIssuer | undefined;
  /** The sample machine, or why there is none. */
  readonly vm: SshdServer | string;
  /** The sample service, or why there is none. */
  readonly tickets: Tickets | string;
  /** The double of language models, or why there is none. */
  readonly double: ModelDouble | string;
  /** The sample database on MariaDB, or why there is none. */
  readonly stock: MySqlServer | string;
  readonly folder: string;
  /** Tokens of the sample principals. */
  readonly tokens: { readonly developer: string; readonly assistant: string };
  stop(): Promise<void>;
}
