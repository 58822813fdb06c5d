/** Tools that run nothing: what there is, what the rules would say, and what people are asked. Does not: decide, or ask a target. */
import { type ApprovalRequest, askerOf } from '@sluice/approvals';
import { samePerson } from '@sluice/identity';
import { z } from 'zod';
import { KNOWN, SERVICES, toolsFor } from '../clients/index.js';
import type { Caller, ToolConnection } from '../host.js';
import { readsOnly } from '../reads-only.js';
import { ToolError, connectionName, connectionOf, refusedError, tool } from '../tool.js';

const READS = { readOnlyHint: true, idempotentHint: true, openWorldHint: false } as const;

const known = (connections: readonly ToolConnection[]): boolean =>
  connections.some(({ protocol }) => KNOWN.includes(protocol));

export const listConnections = tool({
  name: 'list_connections',
  title: 'List connections',
  description: 'The databases, machines and services that you may use, and with which tool.',
  input: z.strictObject({}),
  output: z.object({
    connections: z.array(
      z.object({
        name: z.string(),
        protocol: z.string(),
        tools: z.array(z.string()),
        read_only: z
          .boolean()
          .describe('The rules let you change nothing there. False: they may let you change something.'),
        masks: z.boolean().describe('Some values there are masked.'),
        approval: z.boolean().describe('People have to agree before you use it: request_access asks them.'),
      }),
    ),
  }),
  isFor: () => true,
  annotations: () => READS,
  run: (_, { caller }) => {
    const own = caller.connections().filter(({ protocol }) => KNOWN.includes(protocol));
    caller.noted('list_connections', own.map(({ name }) => name).join(' '));
    return Promise.resolve({
      connections: own.map((one) => ({
        name: one.name,
        protocol: one.protocol,
        tools: toolsFor(one.protocol),
        read_only: readsOnly(one, caller.principal),
        masks: one.rules.some(({ then, mode }) => then.type === 'mask' && mode === 'enforce'),
        approval: one.approval !== undefined,
      })),
    });
  },
});

export const explain = tool({
  name: 'explain',
  title: 'Ask what the rules would say',
  description: 'What the rules would say of a statement, a command line or a request, without running it.',
  input: z.strictObject({
    connection: connectionName,
    text: z.string().min(1).optional().describe('A statement of SQL, or a command line.'),
    method: z
      .string()
      .regex(/^[A-Z]{1,20}$/)
      .optional()
      .describe('Of a request to a service.'),
    path: z.string().startsWith('/').max(8_000).optional(),
    body: z.string().optional(),
  }),
  output: z.object({
    decision: z.enum(['allow', 'deny', 'hold']).describe('hold: people have to agree first.'),
    rule: z.string().optional(),
    message: z.string().optional(),
    hint: z.string().optional(),
    text: z.string().describe('The reasoning, in lines.'),
  }),
  isFor: known,
  annotations: () => READS,
  async run({ connection, text, method, path, body }, { caller }) {
    const { protocol } = connectionOf(caller, connection, KNOWN);
    const isService = SERVICES.includes(protocol);
    if (isService !== (path !== undefined) || isService === (text !== undefined))
      throw new ToolError({ message: 'Give "path" for a service, and "text" for a database or a machine.' });
    const asked = path === undefined ? { text: text ?? '' } : { request: { method, path, body } };
    caller.noted('explain', connection, asked);
    const { decision, rule, message, hint, text: reasons } = await caller.explain(connection, asked);
    return { decision, rule, message, hint, text: reasons };
  },
});

export const requestAccess = tool({
  name: 'request_access',
  title: 'Ask for access',
  description:
    'Has people asked whether you may use a connection that needs their agreement, before you need it. It does not wait for them: my_requests says what became of it.',
  input: z.strictObject({ connection: connectionName }),
  output: z.object({
    granted: z.boolean(),
    message: z.string(),
    request: z.int().optional(),
    url: z.string().optional(),
  }),
  isFor: (connections) => connections.some(({ approval }) => approval !== undefined),
  annotations: () => ({ readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false }),
  async run({ connection }, { caller }) {
    connectionOf(caller, connection, KNOWN);
    const refused = await caller.requestAccess(connection);
    if (!refused) return { granted: true, message: 'You may use it.' };
    if (refused.reason.code !== 'session-approval-needed') throw refusedError(refused);
    const { request, page } = refused.reason;
    const { message, hint } = refusedError(refused).refused;
    return {
      granted: false,
      message: `${message} ${hint ?? ''}`.trim(),
      request,
      ...(page !== undefined && { url: page }),
    };
  },
});

export const myRequests = tool({
  name: 'my_requests',
  title: 'See your requests',
  description:
    'What people were asked for you, what waits first, and what became of it. When a request is approved, the identical call passes once.',
  input: z.strictObject({}),
  output: z.object({
    requests: z.array(
      z.object({
        request: z.int(),
        kind: z.enum(['command', 'session']),
        state: z.enum(['pending', 'approved', 'denied', 'withdrawn', 'expired', 'used']),
        connection: z.string(),
        text: z.string(),
        created: z.string(),
        expires: z.string(),
        by: z.string().optional().describe('Who said no.'),
        reason: z.string().optional(),
        url: z.string().optional().describe('Where people answer it.'),
      }),
    ),
    truncated: z.boolean().describe('There may be older ones, which are not given. All that wait are looked at.'),
  }),
  isFor: known,
  annotations: () => READS,
  run: (_, { caller }) => {
    caller.noted('my_requests', '');
    return requestsOf(caller);
  },
});

/** Of all requests that are over, so many are looked through; and so many of one caller given. */
const MAX_LOOKED = 500;
const MAX_GIVEN = 50;

async function requestsOf({ principal, approvals }: Caller): Promise<{ requests: object[]; truncated: boolean }> {
  const recent = await approvals.recent(MAX_LOOKED);
  const all = new Map([...approvals.waiting(), ...recent].map((one) => [one.number, one]));
  const own = [...all.values()].filter((one) => samePerson(askerOf(one), principal));
  return {
    requests: own.slice(0, MAX_GIVEN).map((one) => stateOf(one, approvals.pageOf(one.number))),
    truncated: recent.length === MAX_LOOKED || own.length > MAX_GIVEN,
  };
}

function stateOf(one: ApprovalRequest, url: string | undefined): object {
  const { number: request, kind = 'command', state, used, connection, text, created, expires, words } = one;
  const no = words.find(({ decision }) => decision === 'deny');
  return {
    request,
    kind,
    state: used === undefined ? state : 'used',
    connection,
    text,
    created: new Date(created).toISOString(),
    expires: new Date(expires).toISOString(),
    ...(state === 'denied' && no && { by: no.by, reason: no.reason }),
    ...(url !== undefined && { url }),
  };
}
