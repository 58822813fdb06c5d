/** MySQL and MariaDB in a configuration. Owns: their settings and checks. Does not: the protocol itself. */
import { z } from 'zod';
import type { ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { name as connectionName, port, secret } from '../values.js';
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

const NAME = 'mysql';
const TITLE = 'MySQL';

export const mysql: ProtocolFile = {
  name: NAME,
  title: TITLE,
  traits: { answers: 'rows', menu: false, keyExchange: false, alpn: [] },
  listener,
  isListened: (section) => section !== undefined,
  connection,
  mistakes: () => [],
  warnings: ({ name, target }) =>
    target.tls === 'require'
      ? [`Connection "${name}" encrypts without verifying whom it talks to (tls: require).`]
      : [],
  listenerWarnings: (one) =>
    one.requireTls || !isExposed(one.addresses)
      ? []
      : ['MySQL clients may come without TLS (require_tls: false): others can read and change what they send.'],
};

/** A version that drivers can read. */
const VERSION = /^\d{1,2}\.\d{1,3}\.\d{1,3}[ -~]{0,40}$/;

function listener(outside: ConfigSources): z.ZodType<ListenerConfig | undefined> {
  return z
    .strictObject({
      address: addresses,
      port: port.default(3307),
      tls: listenerTls(outside),
      login: z
        .enum(['sha2', 'native', 'password'])
        .default('sha2')
        .describe('what clients are asked for first; native is for drivers that know nothing newer'),
      version: z
        .string()
        .regex(VERSION, 'write a version such as "10.11.6-MariaDB" or "8.4.0"')
        .optional()
        .describe("what clients are told before they log in; without it, the last target's own"),
      connection: connectionName.optional().describe('where clients go that name no connection'),
      require_tls: requireTls,
    })
    .superRefine((one, context) => {
      if (one.tls !== 'off' || one.login !== 'password' || !isExposed(one.address)) return checkRequired(one, context);
      const message = 'login by password without TLS would show tokens to the network';
      const hint = 'Switch tls on, or use sha2.';
      context.addIssue({ code: 'custom', path: ['login'], message, params: { hint } });
    })
    .transform(({ address, require_tls = isExposed(address), ...one }) => ({
      protocol: NAME,
      addresses: [address].flat(),
      ...one,
      requireTls: require_tls,
    }))
    .optional()
    .describe('where clients of MySQL and MariaDB connect');
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return z
    .strictObject({
      protocol: z.literal(NAME),
      target: z
        .strictObject({
          host: z.string().min(1),
          port: targetPort.default(3306),
          database: z
            .string()
            .min(1)
            .optional()
            .describe('the one that a session begins in, when its client names none'),
          ...targetTls(outside),
          pooled: z
            .literal('session')
            .optional()
            .describe('there is a pooler before the server, which keeps one connection of it for each of its clients'),
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
        .strictObject({ trusted: z.array(z.string().min(1)).default([]).describe('functions known to be harmless') })
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
        trustedFunctions: one.functions.trusted,
        notFollowed: one.not_followed,
      };
    });
}
