import { isLoopback, isSafeUrl } from '@sluice/addresses';
import { DETECTORS, ROLES } from '@sluice/contract';
import { isAbout } from '@sluice/keys';
import { z } from 'zod';
import { issuer, roles, sessionApproval } from './issuers.js';
import type { Outside } from './files.js';
import { duration, durationOrOff, fileText, knownHosts, privateFileText, publicKey, secret, size } from './values.js';

/**
 * The shape of `sluice.yaml`. Every object is strict: a key that is not known is a mistake, not a wish for later.
 * What a key says is read here once (sizes, secrets, files); what it refers to is checked in `references.ts`.
 * Descriptions end up in the JSON Schema that editors complete from.
 */
export function settings(outside: Outside) {
  const listener = z
    .strictObject({
      address: z
        .union([z.string(), z.array(z.string()).min(1)], { error: 'write one address or a list of them' })
        .default('127.0.0.1')
        .describe('one address or several; "::" is all of them'),
      port: port.default(6432),
      tls: z
        .union(
          [z.enum(['self-signed', 'off']), z.strictObject({ cert: fileText(outside), key: privateFileText(outside) })],
          {
            error: 'write self-signed, off, or { cert: file, key: file }',
          },
        )
        .default('self-signed')
        .describe("files in PEM, a certificate of the gateway's own, or none"),
      login: z
        .enum(['scram', 'password', 'oauth'])
        .default('scram')
        .describe('how clients prove who they are; password and oauth send the token itself and need TLS'),
      require_tls: requireTls,
    })
    .superRefine(({ address, tls, login, require_tls = isExposed(address) }, context) => {
      if (tls !== 'off') return;
      if (login !== 'scram' && isExposed(address)) {
        const message = `login by ${login} without TLS would show tokens to the network`;
        context.addIssue({
          code: 'custom',
          path: ['login'],
          message,
          params: { hint: 'Switch tls on, or use scram.' },
        });
      } else if (require_tls) {
        const message = 'TLS is required here and switched off, so nobody could log in';
        const hint = 'Switch tls on; with require_tls: false others can read and change what clients send.';
        context.addIssue({ code: 'custom', path: ['tls'], message, params: { hint } });
      }
    });

  const agents = z
    .strictObject({
      address: z.union([z.string(), z.array(z.string()).min(1)]).default('127.0.0.1'),
      port: port.default(7443),
      tls: z
        .union([
          z.enum(['self-signed', 'off']),
          z.strictObject({ cert: fileText(outside), key: privateFileText(outside) }),
        ])
        .default('self-signed')
        .describe('off only on loopback'),
    })
    .superRefine(({ address, tls }, context) => {
      if (tls !== 'off' || !isExposed(address)) return;
      const message = 'without TLS anybody between could read what agents carry';
      context.addIssue({ code: 'custom', path: ['tls'], message, params: { hint: 'Use off on loopback only.' } });
    });

  const postgres = z.strictObject({
    protocol: z.literal('postgres'),
    target: z
      .strictObject({
        host: z.string().min(1),
        port: port.min(1).default(5432),
        database: z.string().min(1).optional().describe("without one, the target's own default for the user"),
        tls: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).default('verify-full'),
        ca: fileText(outside).optional().describe('file with the PEM of the authority to trust'),
        pooled: z
          .enum(['session', 'transaction'])
          .optional()
          .describe(
            'there is a pooler before the server, which keeps one of its processes for a session or a transaction',
          ),
      })
      .superRefine(({ tls, ca }, context) => {
        if (ca === undefined || tls.startsWith('verify')) return;
        const message = `"ca" is not looked at with "tls: ${tls}"`;
        context.addIssue({ code: 'custom', path: ['ca'], message, params: { hint: 'Use verify-ca or verify-full.' } });
      }),
    credential: z
      .strictObject({
        user: z.string().min(1),
        password: secret(outside).optional().describe('"${env:NAME}" or "${file:/path}" keeps it out of this file'),
        secret: agentSecret,
      })
      .superRefine(({ password, secret }, context) => {
        if (password === undefined || secret === undefined) return;
        context.addIssue({
          code: 'custom',
          path: ['secret'],
          message: 'there is a "password" already: use one of them',
        });
      }),
    ...reach,
    not_followed: z
      .enum(['mask', 'refuse'])
      .default('mask')
      .describe('columns that masks cannot follow are NULL, which the client is told, or their statement is refused'),
    functions: z
      .strictObject({ trusted: z.array(z.string().min(1)).default([]).describe('functions known to be harmless') })
      .prefault({}),
  });

  const webhook = z.strictObject({
    url: z.url({ protocol: /^https?$/, error: 'write an https URL' }).refine(isSafeUrl, {
      error: 'statements are in these messages: without https anybody between could read them',
    }),
    secret: secret(outside).refine((value) => value.reveal().length >= SECRET, {
      error: `a secret has ${SECRET} characters or more`,
    }),
  });
  const ssh = z.strictObject({
    protocol: z.literal('ssh'),
    target: z
      .strictObject({
        host: z.string().min(1),
        port: port.min(1).default(22),
        host_keys: z
          .strictObject({
            keys: z.array(publicKey).default([]).describe('lines such as ssh-keyscan prints, without the host'),
            known_hosts: knownHosts(outside).optional().describe('a file in the format of OpenSSH'),
            ca: z.array(publicKey).default([]).describe('authorities whose host certificates are good'),
            first_use: z
              .literal(true)
              .optional()
              .describe('keep the first key that is seen, and no other from then on'),
          })
          .superRefine(({ keys, known_hosts, ca, first_use }, context) => {
            const pinned = keys.length + ca.length + (known_hosts === undefined ? 0 : 1) > 0;
            if (pinned !== (first_use === true)) return;
            const message = pinned
              ? '"first_use" is for a host without any pinned key'
              : 'no key of the host is pinned';
            const hint = 'Use keys, known_hosts or ca; first_use: true trusts whoever answers first.';
            context.addIssue({ code: 'custom', message, params: { hint } });
          })
          .describe('which keys the host may have'),
      })
      .superRefine(({ host, port, host_keys: { known_hosts } }, context) => {
        if (!known_hosts || known_hosts.some((line) => isAbout(line, host, port))) return;
        const message = `no line of the file is about ${port === 22 ? host : `[${host}]:${port}`}`;
        context.addIssue({ code: 'custom', path: ['host_keys', 'known_hosts'], message });
      }),
    credential: z
      .strictObject({
        user: z.string().min(1).describe('the account, when the client names none'),
        password: secret(outside).optional().describe('"${env:NAME}" or "${file:/path}" keeps it out of this file'),
        private_key: secret(outside).optional().describe('as ssh-keygen writes it, without a passphrase'),
        certificate: z.literal(true).optional().describe('a short-lived one for each login, by the CA of the gateway'),
        secret: agentSecret,
      })
      .superRefine(({ password, private_key, certificate, secret }, context) => {
        if ([password, private_key, certificate, secret].filter((one) => one !== undefined).length < 2) return;
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
  });
  const connection = z.discriminatedUnion('protocol', [postgres, ssh], { error: 'expected postgres or ssh' });

  return z.strictObject({
    data: z.string().min(1).default('./.sluice').describe('folder for the store, the journal and keys'),
    listeners: z
      .strictObject({
        postgres: listener.prefault({}),
        ssh: sshListener.optional().describe('where SSH clients connect'),
        agents: agents.optional().describe('where agents dial in'),
      })
      .prefault({}),
    control: control.prefault({}),
    limits: limits.prefault({}),
    record: record
      .extend({
        witness: z
          .strictObject({
            file: z.string().min(1).optional().describe('a file elsewhere, which gets a line for each'),
            webhook: webhook.optional().describe('who is told, by signed messages'),
          })
          .prefault({})
          .describe('who keeps signed heads of the journal, so that a journal that was cut can be told'),
      })
      .prefault({}),
    webhooks: z.array(webhook).default([]).describe('who is told of requests for approval, by signed messages'),
    issuers: z.record(name, issuer(outside)).default({}).describe('identity providers whose tokens are taken'),
    roles: roles.default({}).describe('who has which role, by group, name or claim'),
    principals: z.record(name, principal).default({}).describe('people and agents'),
    ssh_user_ca: z
      .array(publicKey)
      .default([])
      .describe('authorities of user certificates; the first principal of one that is listed here is who logs in'),
    connections: z.record(name, connection).default({}).describe('targets, by the name that clients ask for'),
    policies: z.record(name, z.array(rule)).default({}).describe('lists of rules'),
  });
}

export type Settings = z.output<ReturnType<typeof settings>>;

/** The JSON Schema of `sluice.yaml`, for editors. */
export const jsonSchema = (): object =>
  z.toJSONSchema(settings({ folder: '.', env: {} }), { io: 'input', unrepresentable: 'any' });

/** Characters of a secret that signs something. */
const SECRET = 16;

/** Whether others than this machine reach one of these addresses. */
export const isExposed = (address: string | readonly string[]): boolean =>
  [address].flat().some((one) => !isLoopback(one));

const requireTls = z
  .boolean()
  .optional()
  .describe('clients without TLS are not let in; default: true where others than this machine reach the port');

const port = z.number().int().min(0).max(65535);

const name = z.string().regex(/^[A-Za-z0-9][\w.@-]*$/, 'a name has letters, digits, "_", "-", "." and "@" only');

const column = z
  .string()
  .regex(
    /^[^.\s]+(\.[^.\s]+){0,2}$/,
    'a column is "column", "table.column" or "schema.table.column"; "*" stands for anything',
  );

const mask = z
  .strictObject({
    columns: z.array(column).default([]).describe('columns, wherever a query takes their values'),
    detect: z.array(z.enum(DETECTORS)).default([]).describe('values that look like one of these, in any column'),
    with: z
      .union([
        z.enum(['redact', 'null', 'hash', 'generalise', 'partial']),
        z.strictObject({ partial: z.strictObject({ keep_last: z.number().int().min(1).max(20) }) }),
      ])
      .default('redact'),
  })
  .superRefine(({ columns, detect }, context) => {
    if (columns.length + detect.length > 0) return;
    context.addIssue({ code: 'custom', message: 'a mask needs "columns" or "detect"' });
  });

const hold = z.strictObject({
  approvers: z
    .array(z.string().regex(/^(group|user|agent):\S+$/, 'write group:name, user:name or agent:name'))
    .min(1)
    .describe('who may release it: people by group:name or user:name, programs by agent:name; never the one who asked'),
  within: duration.prefault('10m').describe('how long it may stay unanswered'),
  count: z.number().int().min(1).max(20).default(1).describe('how many of them have to'),
  unanswered: z.enum(['deny', 'allow']).default('deny').describe('what becomes of it then'),
  fail: z.boolean().default(false).describe('refuse at once, with the number of the request, instead of waiting'),
});

const rule = z
  .strictObject({
    rule: name,
    when: z.string().min(1).optional().describe('a CEL condition; without one the rule always matches'),
    deny: z.string().min(1).optional().describe('refuse, with this sentence for who asked'),
    allow: z.literal(true).optional().describe('let through what is not known to be harmless'),
    mode: z.enum(['enforce', 'observe']).default('enforce').describe('observe: record what the rule would have done'),
    mask: mask.optional().describe('what of the answers is not shown as it is'),
    hold: hold.optional().describe('have people release it before it runs'),
  })
  .superRefine(({ rule, deny, allow, mask, hold }, context) => {
    if ([deny, allow, mask, hold].filter((one) => one !== undefined).length === 1) return;
    context.addIssue({ code: 'custom', message: `rule "${rule}" needs either "deny", "allow", "mask" or "hold"` });
  });

const control = z.strictObject({
  address: z
    .string()
    .refine(isLoopback, {
      error: 'the control API has no TLS of its own: tokens would be shown to the network',
      params: { hint: 'Keep it on 127.0.0.1, with a proxy or an SSH tunnel in front for other machines.' },
    })
    .default('127.0.0.1'),
  port: port.default(7432),
  names: z
    .array(z.string().min(1).max(255).toLowerCase())
    .default([])
    .describe('host names that it is called by, besides addresses and localhost'),
});

const sshListener = z.strictObject({
  address: z.union([z.string(), z.array(z.string()).min(1)]).default('127.0.0.1'),
  port: port.default(2222),
});

const agentSecret = z
  .string()
  .regex(/^agent:\S+$/, 'write agent:NAME, a name in the secrets file of the agent')
  .optional()
  .describe('agent:NAME: the agent of "via" has the password and sends it with each dial');

/** Days, so that nobody loses a record by a slip of the unit; Infinity for `off`. */
const keep = z
  .string()
  .regex(/^([1-9]\d{0,4}d|off)$/, 'write days, such as 90d, or off for ever')
  .transform((days) => (days === 'off' ? Infinity : Number(days.slice(0, -1)) * 86_400_000));

/** What connections of every protocol have. */
const reach = {
  access: z
    .array(z.string())
    .default([])
    .describe('who may use it: group:name, user:name, agent:name, claim:name=value, or "*"'),
  approval: sessionApproval.optional().describe('people have to agree before a session begins'),
  policies: z.array(z.string()).default([]).describe('names of policies; the rules of all of them apply'),
  via: name.optional().describe('the agent that dials the target, from inside its network'),
  keep: keep
    .optional()
    .describe('how long the record of its sessions stays, such as 90d; off: for ever; without it, as record.keep says'),
};

const principal = z.strictObject({
  kind: z.enum(['person', 'agent']).default('person'),
  groups: z.array(name).default([]),
  roles: z.array(z.enum(ROLES)).default(['user']),
  issuer: z.string().optional().describe('the identity provider whose tokens stand for this principal too'),
  subject: z.string().min(1).max(255).optional().describe('what that calls them in "sub"'),
  ssh_keys: z.array(publicKey).default([]).describe('public keys, one line each as in a .pub file'),
});

const limits = z.strictObject({
  message: size.prefault('64MiB').describe('the longest client message that is read'),
  text: size.prefault('16MiB').describe('the longest statement text that is judged'),
  recorded: size.prefault('64KiB').describe('what of one answer is recorded; beyond it, counts are'),
  terminal: size
    .prefault('64MiB')
    .describe(
      'what a terminal may show from one line that is typed to the next; all of it is recorded, beyond it the terminal ends',
    ),
  rows: size
    .prefault('1GiB')
    .describe('memory that rows of more than 16 MiB with masked columns take together; a longer row is refused'),
  handshake: duration.prefault('10s').describe('from accepting a client to its being logged in'),
  upstream_login: duration.prefault('15s').describe('from reaching a target to its being ready'),
  idle: durationOrOff.prefault('off').describe('a session without a command for this long is ended'),
  sessions_per_principal: z.number().int().positive().default(100),
  connections: z.number().int().positive().default(10_000).describe('sessions that are logged in'),
  logins: z.number().int().positive().default(2_000).describe('sockets that are not logged in yet, on all listeners'),
  logins_per_address: z.number().int().positive().default(500).describe('of these, from one address or IPv6 /64'),
  drain: duration.prefault('30s').describe('how long running sessions may go on when the gateway stops'),
});

const record = z.strictObject({
  durability: z.enum(['process', 'disk']).default('process').describe('disk: wait for the disk before each command'),
  parameters: z.enum(['full', 'masked', 'none']).default('full').describe('what is kept of bound values'),
  segment: size.prefault('64MiB').describe('size at which a journal file is sealed'),
  keep: keep
    .prefault('off')
    .describe('how long the record of connections without a "keep" of their own stays, such as 90d; off: for ever'),
  max_size: z
    .union([z.literal('off'), size])
    .default('off')
    .describe('size of the journal at which nothing more is run; nothing is removed for it'),
  reserve: size
    .prefault('256MiB')
    .describe('room that is kept for sessions that are open: no login beyond it; at most a twentieth of the disk'),
});
