/** SSH in a configuration. Owns: its settings and their checks. Does not: the protocol itself, or keys that are not pinned here. */
import { type KnownHost, type PublicKey, isAbout } from '@sluice/keys';
import { z } from 'zod';
import type { HostKeys, ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { knownHosts, port, publicKey, secret } from '../values.js';
import type { ProtocolFile, WrittenConnection } from './protocol.js';
import { agentSecret, agentSecretName, reach, reached, targetPort, textMaskMistakes } from './shared.js';

const NAME = 'ssh';

export const ssh: ProtocolFile = {
  name: NAME,
  title: 'SSH',
  traits: { answers: 'text', menu: true, keyExchange: true, alpn: [] },
  listener,
  isListened: (section) => section !== undefined,
  connection,
  mistakes: (value, path, rules) => textMaskMistakes(value, path, rules, ssh.title),
  warnings: ({ name, target }) =>
    target.hostKeys?.firstUse === true
      ? [`Connection "${name}" trusts the first host key that it is shown (first_use).`]
      : [],
  listenerWarnings: () => [],
};

function listener(): z.ZodType<ListenerConfig | undefined> {
  return z
    .strictObject({
      address: z.union([z.string(), z.array(z.string()).min(1)]).default('127.0.0.1'),
      port: port.default(2222),
    })
    .transform(({ address, ...one }) => ({
      protocol: NAME,
      addresses: [address].flat(),
      ...one,
      // SSH has encryption of its own.
      tls: 'off' as const,
      login: undefined,
      requireTls: false,
    }))
    .optional()
    .describe('where SSH clients connect');
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return z
    .strictObject({
      protocol: z.literal(NAME),
      target: z
        .strictObject({
          host: z.string().min(1),
          port: targetPort.default(22),
          host_keys: hostKeys(outside),
        })
        .superRefine(({ host, port: number, host_keys: { known_hosts } }, context) => {
          if (!known_hosts || known_hosts.some((line) => isAbout(line, host, number))) return;
          const message = `no line of the file is about ${number === 22 ? host : `[${host}]:${number}`}`;
          context.addIssue({ code: 'custom', path: ['host_keys', 'known_hosts'], message });
        }),
      credential: z
        .strictObject({
          user: z.string().min(1).describe('the account, when the client names none'),
          password: secret(outside).optional().describe('"${env:NAME}" or "${file:/path}" keeps it out of this file'),
          private_key: secret(outside).optional().describe('as ssh-keygen writes it, without a passphrase'),
          certificate: z
            .literal(true)
            .optional()
            .describe('a short-lived one for each login, by the CA of the gateway'),
          secret: agentSecret,
        })
        .superRefine(({ password, private_key, certificate, secret: held }, context) => {
          if ([password, private_key, certificate, held].filter((one) => one !== undefined).length < 2) return;
          context.addIssue({
            code: 'custom',
            message: 'use one of "password", "private_key", "certificate" and "secret"',
          });
        }),
      accounts: z
        .array(z.string().min(1))
        .default([])
        .describe('further accounts that a client may name: ACCOUNT+CONNECTION'),
      shell: z
        .enum(['sh', 'bash', 'opaque'])
        .default('opaque')
        .describe('what reads command lines there; opaque: something that the gateway has no grammar for'),
      ...reach,
    })
    .transform((one) => {
      const { host, port: number } = one.target;
      const { user, password, secret: held, private_key: privateKey, certificate } = one.credential;
      return {
        ...reached(one),
        protocol: NAME,
        target: {
          host,
          port: number,
          hostKeys: toHostKeys(one.target),
          database: undefined,
          // SSH has encryption of its own.
          tls: 'disable' as const,
          ca: undefined,
          pooled: undefined,
        },
        credential: { user, password, secret: agentSecretName(held), privateKey, certificate: certificate === true },
        accounts: one.accounts,
        shell: one.shell,
        options: {},
        trustedFunctions: [],
        notFollowed: 'mask' as const,
      };
    });
}

const hostKeys = (outside: ConfigSources) =>
  z
    .strictObject({
      keys: z.array(publicKey).default([]).describe('lines such as ssh-keyscan prints, without the host'),
      known_hosts: knownHosts(outside).optional().describe('a file in the format of OpenSSH'),
      ca: z.array(publicKey).default([]).describe('authorities whose host certificates are good'),
      first_use: z.literal(true).optional().describe('keep the first key that is seen, and no other from then on'),
    })
    .superRefine(({ keys, known_hosts, ca, first_use }, context) => {
      const pinned = keys.length + ca.length + (known_hosts === undefined ? 0 : 1) > 0;
      if (pinned !== (first_use === true)) return;
      const message = pinned ? '"first_use" is for a host without any pinned key' : 'no key of the host is pinned';
      const hint = 'Use keys, known_hosts or ca; first_use: true trusts whoever answers first.';
      context.addIssue({ code: 'custom', message, params: { hint } });
    })
    .describe('which keys the host may have');

function toHostKeys({
  host,
  port: number,
  host_keys,
}: {
  host: string;
  port: number;
  host_keys: z.output<ReturnType<typeof hostKeys>>;
}): HostKeys {
  const { keys, ca, known_hosts = [], first_use } = host_keys;
  const known = known_hosts.filter((line) => isAbout(line, host, number));
  const marked = (marker: KnownHost['marker']): PublicKey[] =>
    known.filter((line) => line.marker === marker).map(({ key }) => key);
  return {
    keys: [...keys, ...marked(undefined)],
    authorities: [...ca, ...marked('cert-authority')],
    revoked: marked('revoked'),
    firstUse: first_use === true,
  };
}
