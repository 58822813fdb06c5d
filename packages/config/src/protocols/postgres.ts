/** PostgreSQL in a configuration. Owns: its settings and their checks. Does not: the protocol itself. */
import { z } from 'zod';
import type { ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { port, secret } from '../values.js';
import type { ProtocolFile, WrittenConnection } from './protocol.js';
import {
  addresses,
  agentSecret,
  agentSecretName,
  checkAuthority,
  checkOneSecret,
  checkRequired,
  isExposed,
  listenerTls,
  reach,
  reached,
  requireTls,
  targetPort,
  targetTls,
} from './shared.js';

const NAME = 'postgres';

/** The server folds names to lower case, and a name stands for all functions of it, whatever their arguments. */
const ODD_NAME = /[A-Z()\s]/;
/** Wildcards mean members of extensions, and what those read is known. */
const trustedFunction = z.union([
  z.string().min(1),
  z.strictObject({
    name: z.string().regex(/^[^*:]+$/, 'expected the name of one function'),
    reads: z.literal('nothing'),
  }),
]);

export const postgres: ProtocolFile = {
  name: NAME,
  title: 'PostgreSQL',
  traits: { answers: 'rows', menu: false, keyExchange: false, alpn: ['postgresql'] },
  listener,
  isListened: () => true,
  connection,
  mistakes: () => [],
  warnings: ({ name, target, trustedFunctions }) => [
    ...(target.tls === 'require'
      ? [`Connection "${name}" encrypts without verifying whom it talks to (tls: require).`]
      : []),
    ...trustedFunctions.flatMap((entry) =>
      ODD_NAME.test(entry)
        ? [
            `Connection "${name}": "${entry}" under functions.trusted names nothing, unless a function was made with just that name.`,
          ]
        : [],
    ),
  ],
  listenerWarnings: (one) =>
    one.requireTls || !isExposed(one.addresses)
      ? []
      : ['PostgreSQL clients may come without TLS (require_tls: false): others can read and change what they send.'],
};

function listener(outside: ConfigSources): z.ZodType<ListenerConfig> {
  return z
    .strictObject({
      address: addresses,
      port: port.default(6432),
      tls: listenerTls(outside),
      login: z
        .enum(['scram', 'password', 'oauth'])
        .default('scram')
        .describe('how clients prove who they are; password and oauth send the token itself and need TLS'),
      require_tls: requireTls,
    })
    .superRefine((one, context) => {
      if (one.tls !== 'off' || one.login === 'scram' || !isExposed(one.address)) return checkRequired(one, context);
      const message = `login by ${one.login} without TLS would show tokens to the network`;
      const hint = 'Switch tls on, or use scram.';
      context.addIssue({ code: 'custom', path: ['login'], message, params: { hint } });
    })
    .transform(({ address, require_tls = isExposed(address), ...one }) => ({
      protocol: NAME,
      addresses: [address].flat(),
      ...one,
      requireTls: require_tls,
    }))
    .prefault({});
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return z
    .strictObject({
      protocol: z.literal(NAME),
      target: z
        .strictObject({
          host: z.string().min(1),
          port: targetPort.default(5432),
          database: z.string().min(1).optional().describe("without one, the target's own default for the user"),
          ...targetTls(outside),
          pooled: z
            .enum(['session', 'transaction'])
            .optional()
            .describe(
              'there is a pooler before the server, which keeps one of its processes for a session or a transaction',
            ),
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
        .default('mask')
        .describe('columns that masks cannot follow are NULL, which the client is told, or their statement is refused'),
      functions: z
        .strictObject({ trusted: z.array(trustedFunction).default([]).describe('functions known to be harmless') })
        .prefault({}),
    })
    .transform((one) => {
      const { host, port: number, database, tls, ca, pooled } = one.target;
      const { user, password, secret: held } = one.credential;
      return {
        ...reached(one),
        protocol: NAME,
        target: { host, port: number, database, tls, ca, pooled, hostKeys: undefined },
        credential: { user, password, secret: agentSecretName(held), privateKey: undefined, certificate: false },
        accounts: [],
        shell: 'opaque' as const,
        options: {},
        trustedFunctions: one.functions.trusted.map((entry) => (typeof entry === 'string' ? entry : entry.name)),
        readsNothing: one.functions.trusted.flatMap((entry) => (typeof entry === 'string' ? [] : [entry.name])),
        notFollowed: one.not_followed,
      };
    });
}
