/** MySQL and MariaDB in a configuration. Owns: their settings and checks. Does not: the protocol itself. */
import { z } from 'zod';
import type { ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { name as connectionName, port } from '../values.js';
import type { ProtocolFile, WrittenConnection } from './protocol.js';
import { databaseConnection, databaseWarnings, plainListenerWarnings } from './database.js';
import {
  addresses,
  checkRequired,
  noTransactionMistakes,
  isExposed,
  listenerTls,
  requireTls,
  toListener,
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
  mistakes: (value, path, rules) => noTransactionMistakes(value, path, rules, mysql.title),
  warnings: databaseWarnings,
  listenerWarnings: (one) => plainListenerWarnings('MySQL clients', one),
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
    .transform((one) => toListener(NAME, one))
    .optional()
    .describe('where clients of MySQL and MariaDB connect');
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return databaseConnection(outside, {
    name: NAME,
    port: 3306,
    database: 'the one that a session begins in, when its client names none',
    trusted: z.string().min(1),
    notFollowed: 'mask',
    identity: false,
    pooled: z
      .literal('session')
      .optional()
      .describe('there is a pooler before the server, which keeps one connection of it for each of its clients'),
  });
}
