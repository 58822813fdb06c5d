/**
 * Connections to SQL databases, and listeners for their clients, in a configuration. Owns: the settings that all dialects have, and
 * what is warned of. Does not: settings of one dialect alone, which its own file has.
 */
import { z } from 'zod';
import type { ConnectionConfig, ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { secret } from '../values.js';
import type { WrittenConnection } from './protocol.js';
import {
  agentSecret,
  agentSecretName,
  checkAuthority,
  checkOneSecret,
  isExposed,
  reach,
  reached,
  targetPort,
  targetTls,
} from './shared.js';

/** A name, or one whose function reads no table. */
type TrustedFunction = string | { readonly name: string; readonly reads: 'nothing' };

/** What one dialect has of its own. */
interface Dialect<Name extends string, Pooled extends string> {
  readonly name: Name;
  /** Of a target that names none. */
  readonly port: number;
  /** What `target.database` is for, as editors show it. */
  readonly database: string;
  /** What a function that is known to be harmless is named by. */
  readonly trusted: z.ZodType<TrustedFunction>;
  /** How a pooler before the server may keep its connections. */
  readonly pooled: z.ZodOptional<z.ZodType<Pooled>>;
  /** What becomes of a column that masks cannot follow, where nothing is said of it. */
  readonly notFollowed: ConnectionConfig['notFollowed'];
  /** Its servers can be told who has a session, and filter rows by that. */
  readonly identity: boolean;
}

/** What a server is told of who has a session, and the rows that it gives them. */
const IDENTITY = {
  annotate: z
    .literal(true)
    .optional()
    .describe('sets sluice.principal, sluice.groups and sluice.session for each session, which no client can change'),
  rows: z
    .array(
      z.strictObject({
        table: z.string().regex(/^[^.]+\.[^.]+$/, 'write schema.table, as the catalog has it'),
        condition: z.string().min(1).max(10_000).describe('in SQL, on a row of the table'),
      }),
    )
    .min(1)
    .optional()
    .describe('rows that sessions get and write: policies of the target, which has to have them in force'),
};
type Identity = { readonly [Key in keyof typeof IDENTITY]?: z.output<(typeof IDENTITY)[Key]> };

/** A connection to a database that speaks this dialect. */
export const databaseConnection = <
  Name extends string,
  Pooled extends NonNullable<ConnectionConfig['target']['pooled']>,
>(
  outside: ConfigSources,
  { name, port, database, trusted, pooled, notFollowed, identity }: Dialect<Name, Pooled>,
): z.ZodType<WrittenConnection> =>
  z
    .strictObject({
      protocol: z.literal(name),
      target: z
        .strictObject({
          host: z.string().min(1),
          port: targetPort.default(port),
          database: z.string().min(1).optional().describe(database),
          ...targetTls(outside),
          pooled,
        })
        .superRefine(checkAuthority),
      credential: z
        .strictObject({
          user: z.string().min(1),
          password: secret(outside).optional().describe('"${env:NAME}" or "${file:/path}" keeps it out of this file'),
          secret: agentSecret,
        })
        .superRefine(checkOneSecret),
      ...reach,
      not_followed: z
        .enum(['mask', 'refuse'])
        .default(notFollowed)
        .describe('columns that masks cannot follow are NULL, which the client is told, or their statement is refused'),
      ...(identity ? IDENTITY : {}),
      functions: z
        .strictObject({ trusted: z.array(trusted).default([]).describe('functions known to be harmless') })
        .prefault({}),
    })
    .transform((one) => {
      const { user, password, secret: held } = one.credential;
      const { annotate, rows } = one as Identity;
      return {
        ...reached(one),
        protocol: name,
        target: {
          ...one.target,
          ca: one.target.ca,
          database: one.target.database,
          pooled: one.target.pooled,
          hostKeys: undefined,
        },
        credential: { user, password, secret: agentSecretName(held), privateKey: undefined, certificate: false },
        accounts: [],
        shell: 'opaque' as const,
        options: {},
        trustedFunctions: one.functions.trusted.map((entry) => (typeof entry === 'string' ? entry : entry.name)),
        readsNothing: one.functions.trusted.flatMap((entry) => (typeof entry === 'string' ? [] : [entry.name])),
        notFollowed: one.not_followed,
        ...(annotate && { annotate }),
        ...(rows && { rows }),
      };
    });

/** What an operator should know of such a connection. */
export const databaseWarnings = ({ name, target }: Pick<ConnectionConfig, 'name' | 'target'>): string[] =>
  target.tls === 'require' ? [`Connection "${name}" encrypts without verifying whom it talks to (tls: require).`] : [];

/** And of its listener. */
export const plainListenerWarnings = (clients: string, one: ListenerConfig): string[] =>
  one.requireTls || !isExposed(one.addresses)
    ? []
    : [`${clients} may come without TLS (require_tls: false): others can read and change what they send.`];
