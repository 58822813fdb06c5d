/**
 * The shape of `sluice.yaml`. Owns: sections that belong to no protocol. Does not: protocols (config/src/protocols), references
 * (references.ts).
 */
import { isLoopback, isSafeUrl } from '@sluice/addresses';
import { COLUMN_NAME, DETECTORS, ROLES } from '@sluice/contract';
import { pointerSteps } from '@sluice/http-requests';
import { z } from 'zod';
import { bounds, budgetOf, tripwire } from './budgets.js';
import { consoleListener } from './console.js';
import { issuer, roles } from './issuers.js';
import type { ConfigSources } from './files.js';
import { escalatesInTime, release } from './release.js';
import { PROTOCOLS, PROTOCOL_NAMES } from './protocols/index.js';
import { packagedConnection, packagedListener } from './protocols/packaged.js';
import type { WrittenConnection } from './protocols/protocol.js';
import { isExposed } from './protocols/shared.js';
import {
  duration,
  durationOrOff,
  fileText,
  keep,
  name,
  port,
  privateFileText,
  publicKey,
  secret,
  size,
} from './values.js';

/** What is under `listeners` besides protocols, so that a package of that name would be taken for it. */
const TAKEN = [...PROTOCOL_NAMES, 'agents', 'packages', 'console'];

/**
 * The shape of `sluice.yaml`. Every object is strict: a key that is not known is a mistake, not a wish for later.
 * What a key says is read here once (sizes, secrets, files); what it refers to is checked in `references.ts`.
 * Descriptions end up in the JSON Schema that editors complete from.
 */
export function settings(outside: ConfigSources) {
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

  const webhook = z.strictObject({
    url: z.url({ protocol: /^https?$/, error: 'write an https URL' }).refine(isSafeUrl, {
      error: 'statements are in these messages: without https anybody between could read them',
    }),
    secret: secret(outside).refine((value) => value.reveal().length >= MIN_SECRET_CHARACTERS, {
      error: `a secret has ${MIN_SECRET_CHARACTERS} characters or more`,
    }),
  });
  const own = Object.fromEntries(PROTOCOLS.map((one) => [one.name, one.listener(outside)]));
  const [first, ...others] = PROTOCOLS.map((one) => one.connection(outside));
  const connection = z.union(
    [z.discriminatedUnion('protocol', [first, ...others] as never), packagedConnection(outside, TAKEN)],
    { error: `expected ${PROTOCOL_NAMES.join(', ')} or { package: NAME }` },
  ) as z.ZodType<WrittenConnection>;

  return z.strictObject({
    data: z.string().min(1).default('./.sluice').describe('folder for the store, the journal and keys'),
    listeners: z
      .strictObject({
        ...own,
        packages: z
          .array(packagedListener(outside, TAKEN))
          .default([])
          .describe('where clients of protocols in packages of somebody else connect'),
        agents: agents.optional().describe('where agents dial in'),
        console: consoleListener(outside).optional().describe('where people open the console with a browser'),
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
const MIN_SECRET_CHARACTERS = 16;

const column = z
  .string()
  .regex(
    COLUMN_NAME,
    'a column is column, table.column or schema.table.column; * stands for anything, and what has blanks is in double quotes',
  );

const bodyPlace = z.string().superRefine((text, context) => {
  try {
    pointerSteps(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const mask = z
  .strictObject({
    columns: z.array(column).default([]).describe('columns, wherever a query takes their values'),
    detect: z.array(z.enum(DETECTORS)).default([]).describe('values that look like one of these, in any column'),
    json: z
      .array(bodyPlace)
      .optional()
      .describe('places in bodies by HTTP: /items/*/email, or **/ssn for a name at any depth'),
    headers: z.array(z.string().min(1)).optional().describe('headers of answers by HTTP, masked as a whole'),
    spec: z
      .literal(true)
      .optional()
      .describe('what the OpenAPI document of the connection marks with x-sensitive or "format: password"'),
    request: z.literal(true).optional().describe('what is sent by HTTP is masked as well, before the target has it'),
    with: z
      .union([
        z.enum(['redact', 'null', 'hash', 'generalise', 'partial', 'reversible']),
        z.strictObject({ partial: z.strictObject({ keep_last: z.number().int().min(1).max(20) }) }),
      ])
      .default('redact'),
  })
  .superRefine(({ columns, detect, json = [], headers = [], spec, request, with: mode }, context) => {
    const others = columns.length + json.length + headers.length > 0 || spec === true;
    if (mode === 'reversible' && (others || detect.length === 0 || !request))
      context.addIssue({
        code: 'custom',
        path: ['with'],
        message: 'reversible is for what is sent to a language model: "detect" and "request: true", and nothing else',
      });
    if (columns.length + detect.length + json.length + headers.length > 0 || spec) return;
    context.addIssue({ code: 'custom', message: 'a mask needs "columns", "detect", "json", "headers" or "spec"' });
  });

const heldBy = z.strictObject({
  ...release,
  on_timeout: z.enum(['deny', 'allow']).default('deny').describe('what becomes of it then'),
});

const hold = heldBy
  .extend({
    preview: z
      .literal('run')
      .optional()
      .describe('try it in a transaction that is rolled back, and show approvers what it changed'),
  })
  .superRefine(escalatesInTime);
const holdAnswer = heldBy
  .omit({ fail: true, break_glass: true })
  .extend({ timeout: duration.prefault('10m').describe('how long its client waits for it at most') })
  .superRefine(escalatesInTime);

const holdCommit = heldBy
  .omit({ on_timeout: true, break_glass: true })
  .extend({
    open: duration
      .prefault('15m')
      .describe('how long a transaction may stay open from its first such change to COMMIT'),
    lock_wait: duration
      .prefault('1m')
      .describe('how long others may wait for its locks while its COMMIT waits; then it is refused'),
  })
  .superRefine(escalatesInTime);

const budget = budgetOf(hold, column);

const rule = z
  .strictObject({
    rule: name,
    when: z.string().min(1).optional().describe('a CEL condition; without one the rule always matches'),
    deny: z.string().min(1).optional().describe('refuse, with this sentence for who asked'),
    allow: z.literal(true).optional().describe('let through what is not known to be harmless'),
    mode: z.enum(['enforce', 'observe']).default('enforce').describe('observe: record what the rule would have done'),
    mask: mask.optional().describe('what of the answers is not shown as it is'),
    hold: hold.optional().describe('have people release it before it runs'),
    hold_answer: holdAnswer.optional().describe('have people read its answer by HTTP before its client gets it'),
    hold_commit: holdCommit
      .optional()
      .describe('run it in the transaction of its client, and have people look at what that changed before COMMIT'),
    budget: budget.optional().describe('refuse what is beyond what may be used up within a time'),
    ...bounds,
    tripwire: tripwire.optional().describe('freeze whoever is refused too often, until a person thaws them'),
    risk: z.number().int().min(1).max(1000).optional().describe('points that it adds to the attribute "risk"'),
  })
  .superRefine((written, context) => {
    const { rule, deny, allow, mask, hold, hold_answer, hold_commit, budget, tripwire, risk } = written;
    const bound = written.max_rows ?? written.max_bytes ?? written.timeout;
    const effects = [deny, allow, mask, hold, hold_answer, hold_commit, budget, tripwire, risk, bound];
    if (effects.filter((one) => one !== undefined).length === 1) return;
    const message = `rule "${rule}" needs either "deny", "allow", "mask", "hold", "hold_answer", "hold_commit", "budget", "tripwire", "risk", or bounds of an answer ("max_rows", "max_bytes", "timeout")`;
    context.addIssue({ code: 'custom', message });
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

const principal = z.strictObject({
  kind: z.enum(['person', 'agent']).default('person'),
  groups: z.array(name).default([]),
  roles: z.array(z.enum(ROLES)).default(['user']),
  issuer: z.string().optional().describe('the identity provider whose tokens stand for this principal too'),
  subject: z.string().min(1).max(255).optional().describe('what that calls them in "sub"'),
  ssh_keys: z.array(publicKey).default([]).describe('public keys, one line each as in a .pub file'),
  certificates: z
    .array(z.string().regex(/^(?:DNS|email|URI):\S+$/, 'write DNS:name, email:address or URI:address'))
    .default([])
    .describe('alternative names in client certificates that stand for this principal'),
});

/** Sessions that are logged in at most, where nobody says otherwise. */
export const USUAL_CONNECTIONS = 10_000;

const limits = z.strictObject({
  message: size.prefault('64MiB').describe('the longest client message that is read'),
  text: size.prefault('16MiB').describe('the longest statement text that is judged'),
  recorded_answer: size.prefault('64KiB').describe('what of one answer is recorded; beyond it, counts are'),
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
  connections: z.number().int().positive().default(USUAL_CONNECTIONS).describe('sessions that are logged in'),
  logins: z.number().int().positive().default(2_000).describe('sockets that are not logged in yet, on all listeners'),
  logins_per_address: z.number().int().positive().default(500).describe('of these, from one address or IPv6 /64'),
  drain: duration.prefault('30s').describe('how long running sessions may go on when the gateway stops'),
});

const record = z.strictObject({
  durability: z.enum(['process', 'disk']).default('process').describe('disk: wait for the disk before each command'),
  parameters: z.enum(['full', 'masked', 'none']).default('full').describe('what is kept of bound values'),
  bodies: size
    .prefault('1MiB')
    .describe('what of a body by HTTP is kept, in each direction; beyond it length and hash are'),
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
