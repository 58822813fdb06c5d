import { ROLES } from '@sluice/contract';
import { z } from 'zod';
import { duration, size } from './values.js';

/**
 * The shape of `sluice.yaml`. Every object is strict: a key that is not known is a mistake, not a wish for later.
 * Descriptions end up in the JSON Schema that editors complete from.
 */
const name = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'use letters, digits, "_", "-" and "."');
const port = z.number().int().min(0).max(65535);
const secret = z.string().describe('a secret: "${env:NAME}" or "${file:/path}" keeps it out of this file');

const listener = z.strictObject({
  address: z
    .union([z.string(), z.array(z.string()).min(1)])
    .default('127.0.0.1')
    .describe('one address or several; "::" is all of them'),
  port: port.default(6432),
  tls: z
    .union([z.enum(['self-signed', 'off']), z.strictObject({ cert: z.string(), key: z.string() })])
    .default('self-signed')
    .describe("files in PEM, a certificate of the gateway's own, or none"),
});

const rule = z.strictObject({
  rule: name,
  when: z.string().optional().describe('a CEL condition; without one the rule always matches'),
  deny: z.string().min(1).optional().describe('refuse, with this sentence for who asked'),
  allow: z
    .union([z.literal(true), z.string()])
    .optional()
    .describe('let through what is not known to be harmless'),
  mode: z.enum(['enforce', 'observe']).default('enforce').describe('observe: record what the rule would have done'),
  hold: z.unknown().optional(),
  mask: z.unknown().optional(),
});

const connection = z.strictObject({
  protocol: z.literal('postgres'),
  target: z.strictObject({
    host: z.string().min(1),
    port: port.default(5432),
    database: z.string().optional(),
    tls: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).default('verify-full'),
    ca: z.string().optional().describe('file with the PEM of the authority to trust'),
  }),
  credential: z.strictObject({ user: z.string().min(1), password: secret.optional() }),
  access: z.array(z.string()).default([]).describe('who may use it: group:name, user:name, agent:name, or "*"'),
  policies: z.array(z.string()).default([]),
  functions: z.strictObject({ trusted: z.array(z.string()).default([]) }).default({ trusted: [] }),
  via: z.unknown().optional(),
});

const principal = z.strictObject({
  kind: z.enum(['person', 'agent']).default('person'),
  groups: z.array(z.string()).default([]),
  roles: z.array(z.enum(ROLES)).default(['user']),
});

export const schema = z.strictObject({
  data: z.string().default('.sluice').describe('folder for the store, the journal and keys'),
  listeners: z.strictObject({ postgres: listener.prefault({}) }).prefault({}),
  control: z.strictObject({ address: z.string().default('127.0.0.1'), port: port.default(7432) }).prefault({}),
  limits: z
    .strictObject({
      message: size.prefault('64MiB').describe('the longest statement or set of parameters that is read'),
      recorded: size.prefault('64KiB').describe('what of one answer is recorded'),
      handshake: duration.prefault('15s'),
      upstream_login: duration.prefault('15s'),
      idle: duration.prefault('off').describe('a session without a command for this long is ended'),
      sessions_per_principal: z.number().int().positive().default(100),
      connections: z.number().int().positive().default(10_000).describe('open sockets of clients, logged in or not'),
      drain: duration.prefault('30s'),
    })
    .prefault({}),
  record: z
    .strictObject({
      durability: z.enum(['process', 'disk']).default('process'),
      parameters: z.enum(['full', 'masked', 'none']).default('full'),
      segment: size.prefault('64MiB'),
    })
    .prefault({}),
  principals: z.record(name, principal.prefault({})).default({}),
  connections: z.record(name, connection).default({}),
  policies: z.record(name, z.array(rule)).default({}),
});

export type Raw = z.output<typeof schema>;
export type RawRule = z.output<typeof rule>;

/** The JSON Schema of `sluice.yaml`, for editors. */
export const jsonSchema = (): object => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
