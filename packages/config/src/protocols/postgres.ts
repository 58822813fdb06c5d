/** PostgreSQL in a configuration. Owns: its settings and their checks. Does not: the protocol itself. */
import { z } from 'zod';
import type { ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { port } from '../values.js';
import type { Mistake, Path } from '../mistake.js';
import { record } from '../written.js';
import type { ProtocolFile, WrittenConnection } from './protocol.js';
import { databaseConnection, databaseWarnings, plainListenerWarnings } from './database.js';
import {
  addresses,
  checkRequired,
  httpMaskMistakes,
  isExposed,
  listenerTls,
  requireTls,
  toListener,
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
  mistakes: (value, path, rules) => [
    ...httpMaskMistakes(value, path, rules, postgres.title),
    ...annotateMistakes(record(value), path),
  ],
  warnings: (one) => [
    ...databaseWarnings(one),
    ...one.trustedFunctions.flatMap((entry) =>
      ODD_NAME.test(entry)
        ? [
            `Connection "${one.name}": "${entry}" under functions.trusted names nothing, unless a function was made with just that name.`,
          ]
        : [],
    ),
  ],
  listenerWarnings: (one) => plainListenerWarnings('PostgreSQL clients', one),
};

/** What a session is told at its start would be told to the server process of a pooler, which serves others too. */
function annotateMistakes({ annotate, target }: Readonly<Record<string, unknown>>, path: Path): Mistake[] {
  if (annotate !== true || record(target)['pooled'] === undefined) return [];
  const message = 'behind a pooler a process of the server has more sessions than one, and cannot be told whose it is';
  return [{ path: [...path, 'annotate'], message, hint: 'Lead to the server itself.' }];
}

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
    .transform((one) => toListener(NAME, one))
    .prefault({});
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return databaseConnection(outside, {
    name: NAME,
    port: 5432,
    database: "without one, the target's own default for the user",
    trusted: trustedFunction,
    notFollowed: 'refuse',
    identity: true,
    pooled: z
      .enum(['session', 'transaction'])
      .optional()
      .describe('there is a pooler before the server, which keeps one of its processes for a session or a transaction'),
  });
}
